"""Slides for the benchmark of tiles: pyramids of real or drawn tissue, made in seconds.

A few hundred different tiles are encoded and written again and again, in an order by chance, so
that tens of thousands of tiles take no longer than writing them.
"""

from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from tests.jpeg_slides import APERIO, encode, tissue, write_level

KINDS = 300
QUALITY = 80


def make_slide(
    path: Path, side_px: int, factors: tuple[int, ...], tile_px: int, aperio: bool, source: Path
) -> Path:
    """A slide of side_px² whose tiles are cut from `source`, or drawn where that is not there."""
    if path.exists():
        return path
    random = np.random.default_rng(1)
    streams = [encode(tile) for tile in _tiles(source, tile_px, random)]
    part = path.with_suffix(".partial")
    with tifffile.TiffWriter(part, bigtiff=not aperio) as tiff:
        for factor in factors:
            size_px = -(-side_px // factor)
            count = (-(-size_px // tile_px)) ** 2
            chosen = [streams[index] for index in random.integers(0, KINDS, count)]
            about = APERIO.format(side_px, side_px, tile_px) if aperio else None
            write_level(
                tiff,
                (size_px, size_px),
                chosen,
                tile_px=tile_px,
                description=about,
                first=factor == 1,
            )
    part.rename(path)
    return path


def _tiles(source: Path, tile_px: int, random: np.random.Generator) -> list[NDArray[np.uint8]]:
    if source.exists():
        with tifffile.TiffFile(source) as tiff:
            picture = tiff.pages[0].asarray()
    else:
        picture = tissue((2200, 2900))
    height, width = picture.shape[:2]
    corners = zip(
        random.integers(0, height - tile_px, KINDS),
        random.integers(0, width - tile_px, KINDS),
        strict=True,
    )
    return [np.ascontiguousarray(picture[y : y + tile_px, x : x + tile_px]) for y, x in corners]
