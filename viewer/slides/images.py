"""The pictures of slides: descriptor, tiles and thumbnail, each with its ETag. No HTTP in here.

A picture is described first and rendered only when it is wanted, so that a browser that has it
already costs a look at the file's status and nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from io import BytesIO
from threading import Lock

from cachetools import TTLCache
from openslide import OpenSlideCache
from PIL import Image
from sqlalchemy.orm import Session, sessionmaker

from model.prediction.errors import SlideUnreadable
from model.prediction.wsi import Wsi, open_wsi
from viewer.errors import SlideChanged, TileOutsideGrid
from viewer.settings import Settings
from viewer.slides.colours import ToSrgb
from viewer.slides.deepzoom import DeepZoom, Pixels, TileAddress, level_pixels, tile_pixels
from viewer.slides.files import SlideFile, check_unchanged
from viewer.slides.library import slide_file
from viewer.slides.once import OnceCache
from viewer.slides.pool import SlidePool

THUMBNAIL_PX = 320
FORMATS = {"jpeg": "image/jpeg", "png": "image/png"}
# Part of every ETag: raise it whenever the same file and settings come to give other bytes.
RENDERING = "1"
# A page asks for dozens of tiles at once; one look into the database serves them all.
KEEP_ROW_S = 2
MB = 1024 * 1024


@dataclass(frozen=True)
class Picture:
    """Something to send: its strong ETag (without quotes), its media type and how to make it."""

    etag: str
    media_type: str
    render: Callable[[], bytes]


@dataclass(frozen=True)
class OpenSlide:
    """An open slide with what its display needs."""

    wsi: Wsi
    zoom: DeepZoom
    to_srgb: ToSrgb

    def close(self) -> None:
        """Give the file back."""
        self.wsi.close()


class SlideImages:
    """All pictures of all slides. Opens nothing before the first one is rendered."""

    def __init__(self, settings: Settings, sessions: sessionmaker[Session]) -> None:
        self._settings = settings
        self._sessions = sessions
        # Shared by all slides: with a cache each, memory would grow with the number of slides.
        self._decoded = OpenSlideCache(settings.tile_cache_mb * MB)
        self._composed: OnceCache[tuple[SlideFile, TileAddress], Pixels] = OnceCache(
            settings.tile_cache_mb * MB // 4, lambda pixels: pixels.nbytes
        )
        self._files: TTLCache[str, SlideFile] = TTLCache(maxsize=1024, ttl=KEEP_ROW_S)
        self._files_lock = Lock()
        self.pool = SlidePool(settings.open_slides, self._open)

    def descriptor(self, slide_id: str) -> Picture:
        """The .dzi file."""
        file = self._file(slide_id)
        return Picture(_etag(file, "dzi"), "application/xml", _zoom(file).descriptor)

    def tile(self, slide_id: str, address: TileAddress, image_format: str) -> Picture:
        """A Deep Zoom tile as 'jpeg' or 'png'; raises `TileOutsideGrid` for anything else."""
        if image_format not in FORMATS:
            raise TileOutsideGrid
        file = self._file(slide_id)
        _zoom(file).tile_box_dz_px(address)

        def render(slide: OpenSlide) -> bytes:
            pixels = tile_pixels(slide.wsi, slide.zoom, address, self._remember(file))
            return self._encode(slide.to_srgb(pixels), image_format)

        return Picture(
            _etag(file, f"{address}.{image_format} {self._settings.jpeg_quality}"),
            FORMATS[image_format],
            partial(self._read, file, render),
        )

    def thumbnail(self, slide_id: str) -> Picture:
        """The whole slide within 320 × 320 px, as JPEG."""
        file = self._file(slide_id)

        def render(slide: OpenSlide) -> bytes:
            level = _thumbnail_level(slide.zoom)
            whole = level_pixels(slide.wsi, slide.zoom, level, self._remember(file))
            picture = slide.to_srgb(whole)
            picture.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
            return self._encode(picture, "jpeg")

        etag = _etag(file, f"thumbnail {self._settings.jpeg_quality}")
        return Picture(etag, FORMATS["jpeg"], partial(self._read, file, render))

    def close(self) -> None:
        """Close all slides."""
        self.pool.close()

    def _file(self, slide_id: str) -> SlideFile:
        with self._files_lock:
            kept = self._files.get(slide_id)
        if kept is not None:
            try:
                check_unchanged(kept)
            except SlideChanged:
                pass  # the scanner may have noted the change already: ask the database
            else:
                return kept
        with self._sessions() as session:
            file = slide_file(session, self._settings, slide_id)
        check_unchanged(file)
        with self._files_lock:
            self._files[slide_id] = file
        return file

    def _read(self, file: SlideFile, render: Callable[[OpenSlide], bytes]) -> bytes:
        """Render; a second time on a fresh handle where it fails.

        After one failed read OpenSlide refuses all others on the same handle: the damaged tile that
        somebody else asked for must not take the sound ones with it.
        """
        try:
            return self._rendered(file, render)
        except SlideUnreadable:
            return self._rendered(file, render)

    def _rendered(self, file: SlideFile, render: Callable[[OpenSlide], bytes]) -> bytes:
        try:
            with self.pool.lease(file) as slide:
                picture = render(slide)
        except SlideUnreadable:
            self.pool.drop(file.id)
            raise
        # A reader may open the file by its name at each read: what was replaced is not kept.
        check_unchanged(file)
        return picture

    def _open(self, file: SlideFile) -> OpenSlide:
        wsi = open_wsi(file.path, self._decoded)
        try:
            check_unchanged(file)  # it may have been replaced since it was looked at
        except SlideChanged:
            wsi.close()
            raise
        if wsi.size_l0_px != (file.width_px, file.height_px):
            wsi.close()
            raise SlideChanged
        return OpenSlide(wsi, _zoom(file), ToSrgb(wsi.icc_profile))

    def _remember(self, file: SlideFile) -> Callable[[TileAddress, Callable[[], Pixels]], Pixels]:
        return lambda address, compute: self._composed.get((file, address), compute)

    def _encode(self, picture: Image.Image, image_format: str) -> bytes:
        buffer = BytesIO()
        if image_format == "png":
            picture.save(buffer, "PNG", compress_level=3)
        else:
            picture.save(buffer, "JPEG", quality=self._settings.jpeg_quality)
        return buffer.getvalue()


def _zoom(file: SlideFile) -> DeepZoom:
    return DeepZoom.of_slide(file.width_px, file.height_px, file.tile_size_px)


def _thumbnail_level(zoom: DeepZoom) -> int:
    """The coarsest level that need not be enlarged."""
    for level, size_dz_px in enumerate(zoom.level_sizes_dz_px):
        if max(size_dz_px) >= THUMBNAIL_PX:
            return level
    return zoom.level_count - 1


def _etag(file: SlideFile, what: str) -> str:
    """Strong: other file, other settings or other code of ours give another one."""
    text = f"{RENDERING} {file.id} {file.signature} {what}"
    return blake2b(text.encode(), digest_size=16).hexdigest()
