"""Slides of JPEG tiles as scanners write them: shared tables, RGB or YCbCr, whole or subsampled."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from tests.slides import Draw, Pixels, draw_pixels, ramp, shrink

APERIO = "Aperio Image Library v11.2.1\r\n{0}x{1} [0,0] ({2}x{2}) JPEG Q=80|AppMag = 20|MPP = 0.499"
TABLES = (0xDB, 0xC4)  # quantisation and Huffman tables


def tissue(size_px: tuple[int, int], seed: int = 1) -> Pixels:
    """Coarse coloured blotches with fine noise, (h, w, 3): detail and colour in every tile."""
    width, height = size_px
    random = np.random.default_rng(seed)
    blotches = random.integers(60, 240, (-(-height // 16), -(-width // 16), 3), np.uint8)
    large = blotches.repeat(16, 0).repeat(16, 1)[:height, :width].astype(np.int16)
    return np.clip(large + random.integers(-20, 20, large.shape), 0, 255).astype(np.uint8)


def make_jpeg_slide(
    path: Path,
    size_px: tuple[int, int] = (1500, 1100),
    *,
    level_factors: Sequence[int] = (1, 2, 4),
    tile_px: int = 256,
    colours: str = "ycbcr",
    subsampling: tuple[int, int] = (2, 2),
    shared_tables: bool = True,
    aperio: bool = False,
    icc: bytes | None = None,
    quality: int = 80,
    draw: Draw | Pixels | None = None,
) -> Path:
    """Write a pyramid of JPEG tiles; `colours` is "ycbcr" or "rgb" (never subsampled)."""
    pixels = draw_pixels(draw if draw is not None else ramp(size_px), size_px)
    with tifffile.TiffWriter(path, bigtiff=not aperio) as tiff:
        for factor in level_factors:
            level = shrink(pixels, factor)
            streams = [
                encode(tile, quality, colours, subsampling) for tile in _padded(level, tile_px)
            ]
            write_level(
                tiff,
                (level.shape[1], level.shape[0]),
                streams,
                tile_px=tile_px,
                colours=colours,
                subsampling=subsampling,
                shared_tables=shared_tables,
                description=APERIO.format(*size_px, tile_px) if aperio else None,
                first=factor == 1,
                icc=icc,
            )
    return path


def encode(
    pixels: Pixels, quality: int = 80, colours: str = "ycbcr", subsampling: tuple[int, int] = (2, 2)
) -> bytes:
    """A JPEG of a tile."""
    space = "RGB" if colours == "rgb" else "YCBCR"
    sampling = (1, 1) if colours == "rgb" else subsampling
    return bytes(
        imagecodecs.jpeg8_encode(
            np.ascontiguousarray(pixels),
            level=quality,
            colorspace="RGB",
            outcolorspace=space,
            subsampling=sampling,
        )
    )


def write_level(
    tiff: tifffile.TiffWriter,
    size_px: tuple[int, int],
    streams: Sequence[bytes],
    *,
    tile_px: int,
    colours: str = "ycbcr",
    subsampling: tuple[int, int] = (2, 2),
    shared_tables: bool = True,
    description: str | None = None,
    first: bool = True,
    icc: bytes | None = None,
) -> None:
    """Write one level of tiles that are encoded already."""
    extra: dict[str, Any] = {}
    if colours == "ycbcr":
        extra["subsampling"] = subsampling
    else:
        extra["compressionargs"] = {"outcolorspace": "rgb"}
    if shared_tables:
        tables, _ = split(streams[0])
        extra["jpegtables"] = tables
    tiff.write(
        iter([split(stream)[1] for stream in streams] if shared_tables else streams),
        shape=(size_px[1], size_px[0], 3),
        dtype=np.uint8,
        tile=(tile_px, tile_px),
        photometric=colours,
        compression="jpeg",
        subfiletype=0 if first or description else 1,
        description=description,
        iccprofile=icc,
        metadata=None,
        software=False,
        resolution=(20000, 20000),
        resolutionunit="CENTIMETER",
        **extra,
    )


def split(stream: bytes) -> tuple[bytes, bytes]:
    """The tables of a JPEG as a stream of their own, and the JPEG without them and its markers."""
    tables, rest, place = bytearray(b"\xff\xd8"), bytearray(b"\xff\xd8"), 2
    while stream[place + 1] != 0xDA:
        end = place + 2 + int.from_bytes(stream[place + 2 : place + 4], "big")
        if stream[place + 1] in TABLES:
            tables += stream[place:end]
        elif stream[place + 1] < 0xE0:
            rest += stream[place:end]
        place = end
    return bytes(tables + b"\xff\xd9"), bytes(rest + stream[place:])


def _padded(level: Pixels, tile_px: int) -> Iterator[NDArray[np.uint8]]:
    height, width = level.shape[:2]
    # Black, as some writers pad: it must not shine through at the edges of coarser tiles.
    padded = np.pad(level, ((0, -height % tile_px), (0, -width % tile_px), (0, 0)))
    for top in range(0, height, tile_px):
        for left in range(0, width, tile_px):
            yield padded[top : top + tile_px, left : left + tile_px]
