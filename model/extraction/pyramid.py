"""Writes pyramidal tiled TIFFs laid out as CAMELYON16's: slides in JPEG, masks in deflate."""

import io
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

TILE_PX = 512
JPEG_QUALITY = 80
UM_PER_CM = 10_000.0
PARTIAL_SUFFIX = ".partial"
Pixels: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True)
class TiffTags:
    """What the file says of itself; ``mpp`` in µm per level-0 pixel."""

    mpp: float
    description: str
    software: str


@dataclass(frozen=True)
class _Format:
    """How one kind of pyramid stores and reduces its tiles."""

    channels: int
    encode: Callable[[Pixels], bytes]
    reduce: Callable[[Pixels], Pixels]
    photometric: str
    compression: str
    subsampling: tuple[int, int] | None


@dataclass
class _Level:
    """One level: a band of tiles being filled from above, and the tiles encoded so far."""

    width_px: int
    height_px: int
    band: Pixels
    filled_px: int = 0
    tiles: list[bytes] = field(default_factory=list)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; it becomes ``path`` only when the block ends well."""
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def level_sizes_px(width_px: int, height_px: int) -> list[tuple[int, int]]:
    """Sizes of all levels, halved (rounded up) until one tile holds the last."""
    sizes = [(width_px, height_px)]
    while max(sizes[-1]) > TILE_PX:
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    return sizes


def padded_px(length_px: int) -> int:
    """Length rounded up to whole tiles."""
    return -(-length_px // TILE_PX) * TILE_PX


def write_slide(
    path: Path, size_px: tuple[int, int], bands: Iterable[Pixels], tags: TiffTags
) -> None:
    """Write a slide from RGBX bands (TILE_PX, padded width, 4), top to bottom, whole or not at all.

    Tiles are YCbCr JPEG with 4:2:0 chroma; each level is the 2 × 2 mean of the one above.
    """
    jpeg = _Format(
        channels=4,
        encode=_jpeg,
        reduce=_box,
        photometric="ycbcr",
        compression="jpeg",
        subsampling=(2, 2),
    )
    _write(path, size_px, bands, tags, jpeg)


def write_mask(
    path: Path, size_px: tuple[int, int], bands: Iterable[Pixels], tags: TiffTags
) -> None:
    """Write a mask from bands (TILE_PX, padded width), lossless; a level takes every 2nd pixel."""
    deflate = _Format(
        channels=1,
        encode=lambda tile: zlib.compress(tile.tobytes(), 6),
        reduce=lambda band: band[::2, ::2],
        photometric="minisblack",
        compression="adobe_deflate",
        subsampling=None,
    )
    _write(path, size_px, (band[..., None] for band in bands), tags, deflate)


def _write(
    path: Path,
    size_px: tuple[int, int],
    bands: Iterable[Pixels],
    tags: TiffTags,
    form: _Format,
) -> None:
    levels = [
        _Level(w, h, np.zeros((TILE_PX, padded_px(w), form.channels), dtype=np.uint8))
        for w, h in level_sizes_px(*size_px)
    ]
    encode = _remembering(form.encode)
    with whole_file(path) as partial, tifffile.TiffWriter(partial, bigtiff=True) as tiff:
        for number, level in enumerate(levels):
            tiles = _stream(levels, bands, form, encode) if number == 0 else iter(level.tiles)
            per_cm = UM_PER_CM / (tags.mpp * 2**number)
            samples = () if form.channels == 1 else (3,)
            tiff.write(
                tiles,
                shape=(level.height_px, level.width_px, *samples),
                dtype=np.uint8,
                tile=(TILE_PX, TILE_PX),
                resolution=(per_cm, per_cm),
                resolutionunit="CENTIMETER",
                subfiletype=0 if number == 0 else 1,
                description=tags.description,
                software=tags.software,
                metadata=None,
                photometric=form.photometric,
                compression=form.compression,
                subsampling=form.subsampling,
            )
            if number == 0:
                _finish(levels, form, encode)


def _stream(
    levels: list[_Level],
    bands: Iterable[Pixels],
    form: _Format,
    encode: Callable[[Pixels], bytes],
) -> Iterator[bytes]:
    """Encoded tiles of level 0 as its bands come; the levels below fill on the way."""
    for band in bands:
        # First down, then out: the writer asks for no more once it has the last tile.
        _pass_down(levels[1:], band, form, encode)
        yield from (encode(tile) for tile in _tiles(band))


def _finish(levels: list[_Level], form: _Format, encode: Callable[[Pixels], bytes]) -> None:
    """Encode what is left in half-filled bands."""
    for number, level in enumerate(levels[1:], start=1):
        if level.filled_px:
            _finish_band(levels[number:], form, encode)


def _pass_down(
    below: list[_Level], band: Pixels, form: _Format, encode: Callable[[Pixels], bytes]
) -> None:
    """Reduce a band into the next level, and that one's band further when it is full."""
    if not below:
        return
    level, small = below[0], form.reduce(band)
    rows, columns = small.shape[0], min(small.shape[1], level.band.shape[1])
    level.band[level.filled_px : level.filled_px + rows, :columns] = small[:, :columns]
    # Beyond the level above there is nothing: its last column goes on.
    level.band[level.filled_px : level.filled_px + rows, columns:] = small[:, columns - 1 : columns]
    level.filled_px += rows
    if level.filled_px == TILE_PX:
        _finish_band(below, form, encode)


def _finish_band(below: list[_Level], form: _Format, encode: Callable[[Pixels], bytes]) -> None:
    """Encode the band of the first of these levels and hand it on."""
    level = below[0]
    level.band[level.filled_px :] = level.band[level.filled_px - 1]
    level.tiles += [encode(tile) for tile in _tiles(level.band)]
    level.filled_px = 0
    _pass_down(below[1:], level.band, form, encode)


def _tiles(band: Pixels) -> Iterator[Pixels]:
    for x in range(0, band.shape[1], TILE_PX):
        yield np.ascontiguousarray(band[:, x : x + TILE_PX])


def _remembering(encode: Callable[[Pixels], bytes]) -> Callable[[Pixels], bytes]:
    """Encodes tiles of one single value once: most of a slide is bare glass."""
    known: dict[bytes, bytes] = {}

    def encoded(tile: Pixels) -> bytes:
        first = tile[0, 0]
        # Most other tiles show it in their first row.
        if not ((tile[0] == first).all() and (tile == first).all()):
            return encode(tile)
        key = first.tobytes()
        if key not in known:
            known[key] = encode(tile)
        return known[key]

    return encoded


def _jpeg(tile: Pixels) -> bytes:
    buffer = io.BytesIO()
    image = Image.frombuffer("RGBX", (TILE_PX, TILE_PX), tile, "raw", "RGBX", 0, 1)
    image.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling="4:2:0")
    return buffer.getvalue()


def _box(band: Pixels) -> Pixels:
    size = (band.shape[1], band.shape[0])
    image = Image.frombuffer("RGBX", size, np.ascontiguousarray(band), "raw", "RGBX", 0, 1)
    return np.asarray(image.reduce(2))
