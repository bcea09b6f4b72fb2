"""The pictures of slides: descriptor, tiles and thumbnail, each with its ETag. No HTTP in here.

A picture is described first and rendered only when it is wanted, so that a browser that has it
already costs a look at the file's status and nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import blake2b
from threading import Lock

import numpy as np
import simplejpeg
from cachetools import TTLCache
from openslide import OpenSlideCache
from PIL import Image
from sqlalchemy.orm import Session, sessionmaker

from model.prediction.errors import SlideUnreadable
from model.prediction.wsi import Wsi, open_wsi
from viewer.errors import SlideChanged, TileOutsideGrid
from viewer.settings import Settings
from viewer.slides.colours import Colours
from viewer.slides.deepzoom import DeepZoom, TileAddress
from viewer.slides.files import Signature, SlideFile, check_unchanged
from viewer.slides.jpeg_streams import with_profile
from viewer.slides.jpeg_tiles import JpegTiles, open_jpeg_tiles
from viewer.slides.library import slide_file
from viewer.slides.once import OnceCache
from viewer.slides.png import png
from viewer.slides.pool import SlidePool
from viewer.slides.region_pixels import Box, region_pixels
from viewer.slides.tile_pixels import Pixels, Remember, TileSource
from viewer.slides.tile_store import TileStore

THUMBNAIL_PX = 320
JPEG, PNG, DZI = "image/jpeg", "image/png", "application/xml"
FORMATS = {"jpeg": JPEG, "png": PNG}
# Part of every version: raise it whenever the same file and settings come to give other bytes.
RENDERING = "3"
# A page asks for dozens of tiles at once; one look into the database serves them all.
KEEP_ROW_S = 2
MB = 1024 * 1024


@dataclass(frozen=True)
class Rendered:
    """Bytes to send, and what they are."""

    body: bytes
    media_type: str


@dataclass(frozen=True)
class Picture:
    """Something to send: its strong ETag (without quotes) and how to make it."""

    etag: str
    render: Callable[[], Rendered]


@dataclass(frozen=True)
class OpenSlide:
    """An open slide with what its display needs."""

    wsi: Wsi
    jpegs: JpegTiles | None
    source: TileSource
    colours: Colours

    def close(self) -> None:
        """Give the file back."""
        self.wsi.close()
        if self.jpegs is not None:
            self.jpegs.close()


class SlideImages:
    """All pictures of all slides. Opens nothing before the first one is rendered."""

    def __init__(self, settings: Settings, sessions: sessionmaker[Session]) -> None:
        self._settings = settings
        self._sessions = sessions
        cache_bytes = settings.tile_cache_mb * MB
        # Shared by all slides: with a cache each, memory would grow with the number of slides.
        self._decoded = OpenSlideCache(cache_bytes // 2)
        self._composed: OnceCache[tuple[str, TileAddress], Pixels] = OnceCache(
            cache_bytes // 4, lambda pixels: pixels.nbytes
        )
        self._encoded: OnceCache[tuple[str, str], Rendered] = OnceCache(
            cache_bytes // 4, lambda rendered: len(rendered.body)
        )
        self._store = TileStore(settings.tiles, settings.tile_disk_mb * MB)
        self._files: TTLCache[str, SlideFile] = TTLCache(maxsize=1024, ttl=KEEP_ROW_S)
        self._files_lock = Lock()
        self.pool = SlidePool(settings.open_slides, self._open)

    def file(self, slide_id: str) -> SlideFile:
        """The file of a slide, as it is listed and as it lies there; raises as `slide_file`."""
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

    def version(self, file: SlideFile) -> str:
        """16 hex digits: other file, other settings or other code of ours give others."""
        return self.version_of(file.id, file.signature)

    def version_of(self, slide_id: str, signature: Signature) -> str:
        """As `version`, for a slide at whose file nobody has looked."""
        return version(slide_id, signature, self._settings.jpeg_quality)

    def descriptor(self, file: SlideFile) -> Picture:
        """The .dzi file."""
        zoom = zoom_of(file)
        return Picture(f"{self.version(file)}-dzi", lambda: Rendered(zoom.descriptor(), DZI))

    def tile(self, file: SlideFile, address: TileAddress, image_format: str) -> Picture:
        """A Deep Zoom tile as 'jpeg' or 'png'; raises `TileOutsideGrid` for anything else.

        Tiles at the right and the bottom of a level that is sent as the file holds it are PNG even
        where JPEG is asked for: cut from a JPEG, they could not be stored as one without a loss.
        """
        if image_format not in FORMATS:
            raise TileOutsideGrid
        zoom_of(file).tile_box_dz_px(address)
        etag = tile_etag(self.version(file), address, image_format)
        return Picture(etag, partial(self.render_tile, file, address, image_format))

    def render_tile(self, file: SlideFile, address: TileAddress, image_format: str) -> Rendered:
        """A tile that is known to be inside the grid; raises `SlideChanged`, `SlideUnreadable`."""
        if image_format == "jpeg":
            with self.pool.lease(file, look=False) as slide:
                stream = None if slide.colours.converts else slide.source.whole(address)
            check_unchanged(file)  # after reading, or the offsets might have been another file's
            if stream is not None:
                return Rendered(stream, JPEG)
        key = self.version(file), f"{address}.{image_format}"
        return self._encoded.get(key, lambda: self._tile(file, address, image_format))

    def thumbnail(self, file: SlideFile) -> Picture:
        """The whole slide within 320 × 320 px, as JPEG."""
        key = self.version(file), "thumbnail"
        return Picture("-".join(key), lambda: self._encoded.get(key, lambda: self._thumb(file)))

    def region(self, file: SlideFile, box: Box, longest_px: int) -> Picture:
        """A rectangle of the slide as JPEG, its longer side `longest_px`."""
        key = self.version(file), f"region {box} {longest_px}"

        def render(slide: OpenSlide) -> Rendered:
            pixels = region_pixels(slide.source, self._remember(file, slide), box, longest_px)
            return Rendered(self._jpeg(slide.colours.to_srgb(pixels), None), JPEG)

        etag = f"{key[0]}-{blake2b(key[1].encode(), digest_size=8).hexdigest()}"
        return Picture(etag, lambda: self._encoded.get(key, lambda: self._read(file, render)))

    def close(self) -> None:
        """Close all slides."""
        self.pool.close()

    def _tile(self, file: SlideFile, address: TileAddress, image_format: str) -> Rendered:
        def render(slide: OpenSlide) -> Rendered:
            stored = None
            if image_format == "jpeg" and slide.source.is_costly(address[0]):
                stored = self._store.read(self._place(file, address))
            if stored is not None:
                return Rendered(stored, JPEG)
            pixels = slide.source.pixels(address, self._remember(file, slide))
            if image_format == "png":
                return Rendered(png(slide.colours.to_srgb(pixels)), PNG)
            if slide.source.is_cut(address) and not slide.colours.converts:
                return Rendered(png(pixels, slide.colours.embedded), PNG)
            return Rendered(self._jpeg(pixels, slide.colours.embedded), JPEG)

        return self._read(file, render)

    def _thumb(self, file: SlideFile) -> Rendered:
        place = self.version(file), "thumbnail"
        stored = self._store.read(place)
        if stored is not None:
            return Rendered(stored, JPEG)

        def render(slide: OpenSlide) -> Rendered:
            level = _thumbnail_level(slide.source.zoom)
            whole = slide.source.level(level, self._remember(file, slide))
            picture = Image.fromarray(slide.colours.to_srgb(whole))
            picture.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
            return Rendered(self._jpeg(np.asarray(picture), None), JPEG)

        rendered = self._read(file, render)
        self._store.write(place, rendered.body)
        return rendered

    def _read(self, file: SlideFile, render: Callable[[OpenSlide], Rendered]) -> Rendered:
        """Render; a second time on a fresh handle where it fails.

        After one failed read OpenSlide refuses all others on the same handle: the damaged tile that
        somebody else asked for must not take the sound ones with it.
        """
        try:
            return self._rendered(file, render)
        except SlideUnreadable:
            return self._rendered(file, render)

    def _rendered(self, file: SlideFile, render: Callable[[OpenSlide], Rendered]) -> Rendered:
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
            if wsi.size_l0_px != (file.width_px, file.height_px):
                raise SlideChanged
            colours, zoom = Colours(wsi.icc_profile), zoom_of(file)
            jpegs = open_jpeg_tiles(file, wsi, zoom.tile_size_px, colours.embeddable)
        except BaseException:
            wsi.close()
            raise
        if jpegs is None:
            colours = colours.converting()
        return OpenSlide(wsi, jpegs, TileSource(wsi, zoom, jpegs, colours.correct), colours)

    def _remember(self, file: SlideFile, slide: OpenSlide) -> Remember:
        version = self.version(file)

        def remember(address: TileAddress, compute: Callable[[], Pixels]) -> Pixels:
            if slide.source.is_costly(address[0]):
                stored = partial(self._stored, file, slide, address, compute)
                return self._composed.get((version, address), stored)
            return self._composed.get((version, address), compute)

        return remember

    def _stored(
        self,
        file: SlideFile,
        slide: OpenSlide,
        address: TileAddress,
        compute: Callable[[], Pixels],
    ) -> Pixels:
        """The pixels of a costly tile: from the disk, or computed and then kept there."""
        place = self._place(file, address)
        if (stored := self._store.read(place)) is not None:
            pixels: Pixels = simplejpeg.decode_jpeg(stored, "RGB")
            return pixels
        pixels = compute()
        check_unchanged(file)
        self._store.write(place, self._jpeg(pixels, slide.colours.embedded))
        return pixels

    def _place(self, file: SlideFile, address: TileAddress) -> tuple[str, str]:
        return self.version(file), "{}_{}_{}".format(*address)

    def _jpeg(self, pixels: Pixels, icc_profile: bytes | None) -> bytes:
        jpeg = simplejpeg.encode_jpeg(
            np.ascontiguousarray(pixels), self._settings.jpeg_quality, "RGB", "420"
        )
        return with_profile(jpeg, icc_profile)


def zoom_of(file: SlideFile) -> DeepZoom:
    """The geometry of a slide's pyramid."""
    return _zoom(file.width_px, file.height_px, file.tile_size_px)


@lru_cache(maxsize=1024)
def _zoom(width_l0_px: int, height_l0_px: int, tile_size_px: int | None) -> DeepZoom:
    return DeepZoom.of_slide(width_l0_px, height_l0_px, tile_size_px)


@lru_cache(maxsize=1024)
def version(slide_id: str, signature: Signature, jpeg_quality: int) -> str:
    """What tells the pictures of a file from all others ever sent under its id."""
    text = f"{RENDERING} {slide_id} {signature} {jpeg_quality}"
    return blake2b(text.encode(), digest_size=8).hexdigest()


def tile_etag(version: str, address: TileAddress, image_format: str) -> str:
    """The strong ETag of a tile, without quotes."""
    return "{}-{}-{}-{}-{}".format(version, *address, image_format)


def _thumbnail_level(zoom: DeepZoom) -> int:
    """The coarsest level that need not be enlarged."""
    for level, size_dz_px in enumerate(zoom.level_sizes_dz_px):
        if max(size_dz_px) >= THUMBNAIL_PX:
            return level
    return zoom.level_count - 1
