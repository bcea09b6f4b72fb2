"""The JPEG tiles of a TIFF, read straight from the file: where they lie, and their bytes.

Offsets are read once, when the slide is opened. A tile is then one `pread` on a descriptor that all
threads (and forked processes) may share, for it has no position of its own.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import simplejpeg
import tifffile
from numpy.typing import NDArray

from model.prediction.errors import SlideUnreadable
from model.prediction.openslide_reader import BLOCK_PX
from model.prediction.wsi import Wsi
from viewer.errors import SlideChanged
from viewer.slides.files import SlideFile
from viewer.slides.jpeg_streams import is_complete, opening, read_head

Pixels = NDArray[np.uint8]

# Formats whose tiles lie on one grid without gaps or overlaps, so that the place of a pixel follows
# from the place of its tile. Others (Ventana, Trestle) shift each tile by a little.
_PLAIN_GRIDS = ("aperio", "generic-tiff", "leica")
_JPEG = 7
_RGB, _YCBCR = 2, 6
# How many tiles may fail to decode before a level is not trusted.
_PROBES = 3
# Mean difference in grey values of tissue and itself, moved by up to half a pixel of level 0.
_MOVED = 12.0


class JpegLevel:
    """A level of the file: `width_px` × `height_px` pixels in square tiles, padded at the edges."""

    def __init__(self, page: tifffile.TiffPage, icc_profile: bytes | None) -> None:
        self.width_px, self.height_px = int(page.imagewidth), int(page.imagelength)
        self.tile_px = int(page.tilewidth)
        self.columns = -(-self.width_px // self.tile_px)
        self.offsets = np.array(page.dataoffsets, np.uint64)
        self.lengths = np.array(page.databytecounts, np.uint32)
        self._tables: bytes | None = page.jpegtables
        self._is_rgb = page.photometric == _RGB
        self._icc_profile = icc_profile
        # Nearly all tiles begin with the same bytes: these are looked into once. (As written in the
        # file, as it must be sent); one tuple, so that threads never see half of a change.
        self._known: tuple[bytes, bytes] = (b"", b"")

    def span(self, column: int, row: int) -> tuple[int, int]:
        """Offset and length of a tile in the file; length 0 where there is none."""
        index = row * self.columns + column
        return int(self.offsets[index]), int(self.lengths[index])

    def picture(self, stream: bytes) -> bytes | None:
        """A tile as a JPEG of its own, or None if it is not one that a browser can show."""
        written, sent = self._known
        if not written or not stream.startswith(written):
            head = read_head(stream)
            if head is None or (head.width_px, head.height_px) != (self.tile_px, self.tile_px):
                return None
            written = stream[: head.length]
            sent = opening(head, self._tables, self._is_rgb, self._icc_profile)
            self._known = written, sent
        return sent + stream[len(written) :] if is_complete(stream) else None


@dataclass(frozen=True)
class Layer:
    """A Deep Zoom level and the level of the file it is made of, finer by `shrink`."""

    level: JpegLevel
    shrink: int


class JpegTiles:
    """The levels of an open file, by the level-0 pixels that one of their pixels covers."""

    def __init__(self, fd: int, levels: dict[int, JpegLevel]) -> None:
        self._fd = fd
        self.levels = levels

    def stream(self, level: JpegLevel, column: int, row: int) -> bytes | None:
        """A tile as a JPEG of its own; None where the file has none that can be shown as it is."""
        offset, length = level.span(column, row)
        stream = os.pread(self._fd, length, offset)
        return level.picture(stream) if len(stream) == length else None

    def pixels(self, level: JpegLevel, column: int, row: int, shrink: int = 1) -> Pixels | None:
        """A tile, padding and all, as stored colours (tile_px / shrink)² × 3; None as above.

        `shrink` 2 or 4 leaves out frequencies while decoding: each pixel is the mean of the
        shrink² it covers, but for what the eight-pixel blocks' cosines round away.
        """
        stream = self.stream(level, column, row)
        if stream is None:
            return None
        least = level.tile_px // shrink
        try:
            pixels: Pixels = simplejpeg.decode_jpeg(
                stream, "RGB", min_height=least, min_width=least, min_factor=shrink
            )
        except ValueError:  # damaged
            return None
        return pixels if pixels.shape == (least, least, 3) else None

    def close(self) -> None:
        """Give the file back; no read may be under way."""
        os.close(self._fd)


def open_jpeg_tiles(
    file: SlideFile, wsi: Wsi, tile_px: int, icc_profile: bytes | None
) -> JpegTiles | None:
    """The levels of a slide that consist of JPEG tiles of that size; None if there are none.

    A level counts if it is a power of two smaller than the slide and decodes to what `wsi` reads.
    `icc_profile` goes into every tile. Raises SlideChanged if the file is not the one listed.
    """
    if wsi.reader == "openslide" and wsi.vendor not in _PLAIN_GRIDS:
        return None
    fd = _open_listed(file)
    levels: dict[int, JpegLevel] = {}
    try:
        pages = _pages(fd, tile_px)
        tiles = JpegTiles(fd, levels)
        for number, size_px in enumerate(wsi.level_sizes_px):
            fitting = [page for page in pages if (page.imagewidth, page.imagelength) == size_px]
            if len(fitting) == 1 and (factor := _power_of_two(wsi, number)):
                level = JpegLevel(fitting[0], icc_profile)
                if _reads_alike(tiles, level, wsi, number):
                    levels[factor] = level
        return tiles if levels else None
    except (tifffile.TiffFileError, ValueError, KeyError, IndexError, TypeError):
        return None  # no TIFF, or an odd one: whatever opened it as a slide also reads its tiles
    finally:
        if not levels:
            os.close(fd)


def _open_listed(file: SlideFile) -> int:
    try:
        fd = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        raise SlideChanged from None
    status = os.fstat(fd)
    found = (status.st_size, status.st_mtime_ns, str(status.st_ino))
    listed = file.signature
    if found != (listed.size_bytes, listed.mtime_ns, listed.inode):
        os.close(fd)
        raise SlideChanged
    return fd


def _pages(fd: int, tile_px: int) -> list[Any]:
    """The tiled JPEG images of the file, also those that lie below another one (SubIFDs)."""
    with os.fdopen(fd, "rb", closefd=False) as handle:
        handle.seek(0)
        with tifffile.TiffFile(handle, name="slide") as tiff:
            found = [page for page in _walk(tiff.pages) if _is_tiled_jpeg(page, tile_px)]
            for page in found:  # read while the file is at hand
                _ = page.jpegtables, page.dataoffsets, page.databytecounts
            return found


def _walk(pages: Iterable[Any]) -> Iterator[Any]:
    for page in pages:
        whole = page if isinstance(page, tifffile.TiffPage) else page.aspage()
        yield whole
        if whole.subifds and whole.pages is not None:
            yield from _walk(whole.pages)


def _is_tiled_jpeg(page: tifffile.TiffPage, tile_px: int) -> bool:
    return (
        page.is_tiled
        and page.compression == _JPEG
        and page.photometric in (_RGB, _YCBCR)
        and (page.tilewidth, page.tilelength) == (tile_px, tile_px)
        and (page.samplesperpixel, page.bitspersample, page.planarconfig) == (3, 8, 1)
        and page.imagedepth == 1
    )


def _power_of_two(wsi: Wsi, number: int) -> int | None:
    """The factor of a level whose pixels begin where the slide begins, if it is a power of two."""
    factor, other = wsi.level_downsamples[number]
    whole = int(factor)
    fits = factor == other == whole and whole & (whole - 1) == 0
    return whole if fits and wsi.level_origins_l0_px[number] == (0.0, 0.0) else None


def _reads_alike(tiles: JpegTiles, level: JpegLevel, wsi: Wsi, number: int) -> bool:
    """Whether the tile with most in it decodes to what the slide's reader gives for its place.

    Where a level's size is no exact part of level 0's, OpenSlide moves what it reads by a fraction
    of a pixel, all but the first block. That one must be equal then, and the other tile similar.
    """
    for index in np.argsort(level.lengths)[: -1 - _PROBES : -1].tolist():
        row, column = divmod(index, level.columns)
        if tiles.pixels(level, column, row) is not None:
            off = _difference(tiles, level, wsi, number, (column, row))
            return off == 0 or (
                off <= _MOVED and _difference(tiles, level, wsi, number, (0, 0), BLOCK_PX) == 0
            )
    return False


def _difference(
    tiles: JpegTiles,
    level: JpegLevel,
    wsi: Wsi,
    number: int,
    tile: tuple[int, int],
    most_px: int = sys.maxsize,
) -> float:
    """The mean difference, in grey values, of a tile and what the slide's reader gives for it.

    Of a larger tile only its first `most_px` rows and columns are compared.
    """
    decoded = tiles.pixels(level, *tile)
    x_px, y_px = tile[0] * level.tile_px, tile[1] * level.tile_px
    width_px = min(level.tile_px, level.width_px - x_px, most_px)
    height_px = min(level.tile_px, level.height_px - y_px, most_px)
    if decoded is None:
        return np.inf
    try:
        read = wsi.read_level(number, x_px, y_px, width_px, height_px)
    except SlideUnreadable:
        return np.inf
    return float(np.abs(decoded[:height_px, :width_px].astype(np.int16) - read).mean())
