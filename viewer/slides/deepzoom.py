"""The Deep Zoom pyramid of a slide: its geometry and the pixels of its tiles. No HTTP, no files.

Planes, named as prefix of every coordinate:
    _l0_  pixels of level 0, origin at the top-left of the slide's bounds
    _dz_  pixels of one Deep Zoom level; one of them is 2^(last level - level) level-0 pixels
    _t_   pixels inside one tile

Level sizes halve upwards and round up, so the last pixel of a level may reach beyond the slide.
Overlap is 0: every pixel belongs to one tile.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.prediction.wsi import Wsi, read_scaled
from viewer.errors import TileOutsideGrid

XML_NAMESPACE = "http://schemas.microsoft.com/deepzoom/2008"
DEFAULT_TILE_SIZE_PX = 256
NATIVE_TILE_SIZES_PX = range(
    128, 1025
)  # smaller: too many requests; larger: too slow a first sight

# How much finer than a tile the level may be that it is read from. Beyond that a tile is composed
# from the four finer ones: then neighbouring levels share what is decoded, and no request holds
# more than (2 tiles)² pixels. Scanners' pyramids have steps of 2 or 4, so they are never composed.
MAX_READ_FACTOR = 2

Pixels = NDArray[np.uint8]
TileAddress = tuple[int, int, int]  # level, column, row
Remember = Callable[[TileAddress, Callable[[], Pixels]], Pixels]


@dataclass(frozen=True)
class DeepZoom:
    """The geometry of a pyramid: `width_l0_px` × `height_l0_px` pixels in square tiles."""

    width_l0_px: int
    height_l0_px: int
    tile_size_px: int
    level_sizes_dz_px: tuple[tuple[int, int], ...] = field(init=False)

    def __post_init__(self) -> None:
        sizes = [(self.width_l0_px, self.height_l0_px)]
        while max(sizes[-1]) > 1:
            sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
        object.__setattr__(self, "level_sizes_dz_px", tuple(reversed(sizes)))

    @classmethod
    def of_slide(
        cls, width_l0_px: int, height_l0_px: int, native_tile_size_px: int | None
    ) -> "DeepZoom":
        """The pyramid in the slide's own tiles, so that its tiles can be passed on unchanged."""
        native = native_tile_size_px in NATIVE_TILE_SIZES_PX
        tile_size_px = native_tile_size_px if native else None
        return cls(width_l0_px, height_l0_px, tile_size_px or DEFAULT_TILE_SIZE_PX)

    @property
    def level_count(self) -> int:
        """Levels from 1 × 1 pixel (level 0) to full resolution."""
        return len(self.level_sizes_dz_px)

    def step_l0_px(self, level: int) -> int:
        """Level-0 pixels in one pixel of the level."""
        return 1 << (self.level_count - 1 - level)

    def grid(self, level: int) -> tuple[int, int]:
        """Columns and rows of a level; `TileOutsideGrid` where there is no such level."""
        if not 0 <= level < self.level_count:
            raise TileOutsideGrid
        width_dz_px, height_dz_px = self.level_sizes_dz_px[level]
        return -(-width_dz_px // self.tile_size_px), -(-height_dz_px // self.tile_size_px)

    def tile_box_dz_px(self, address: TileAddress) -> tuple[int, int, int, int]:
        """Left, top, width, height of a tile in its level; raises `TileOutsideGrid`."""
        level, column, row = address
        columns, rows = self.grid(level)
        if not (0 <= column < columns and 0 <= row < rows):
            raise TileOutsideGrid
        x_dz_px, y_dz_px = column * self.tile_size_px, row * self.tile_size_px
        width_dz_px, height_dz_px = self.level_sizes_dz_px[level]
        return (
            x_dz_px,
            y_dz_px,
            min(self.tile_size_px, width_dz_px - x_dz_px),
            min(self.tile_size_px, height_dz_px - y_dz_px),
        )

    def descriptor(self) -> bytes:
        """The .dzi file, after the Deep Zoom schema of 2008."""
        image = Element(
            "Image",
            xmlns=XML_NAMESPACE,
            TileSize=str(self.tile_size_px),
            Overlap="0",
            Format="jpeg",
        )
        SubElement(image, "Size", Width=str(self.width_l0_px), Height=str(self.height_l0_px))
        xml: bytes = tostring(image, encoding="UTF-8", xml_declaration=True)
        return xml


def tile_pixels(wsi: Wsi, zoom: DeepZoom, address: TileAddress, remember: Remember) -> Pixels:
    """Raw colours of a tile, uint8 (h, w, 3); `remember` keeps those that others are made of."""
    box_dz_px = zoom.tile_box_dz_px(address)
    if _must_compose(wsi, zoom.step_l0_px(address[0])):
        return remember(address, lambda: _composed(wsi, zoom, address, remember))
    return _read(wsi, zoom, address[0], box_dz_px)


def level_pixels(wsi: Wsi, zoom: DeepZoom, level: int, remember: Remember) -> Pixels:
    """Raw colours of a whole (coarse) level, uint8 (h, w, 3)."""
    width_dz_px, height_dz_px = zoom.level_sizes_dz_px[level]
    whole = np.empty((height_dz_px, width_dz_px, 3), np.uint8)
    columns, rows = zoom.grid(level)
    for row in range(rows):
        for column in range(columns):
            tile = (level, column, row)
            x_dz_px, y_dz_px, width_t_px, height_t_px = zoom.tile_box_dz_px(tile)
            place = (slice(y_dz_px, y_dz_px + height_t_px), slice(x_dz_px, x_dz_px + width_t_px))
            whole[place] = tile_pixels(wsi, zoom, tile, remember)
    return whole


def _must_compose(wsi: Wsi, step_l0_px: int) -> bool:
    """Whether the coarsest level that is fine enough would still be read far too finely."""
    fine_enough = [max(axes) for axes in wsi.level_downsamples if max(axes) <= step_l0_px * 1.01]
    return step_l0_px / max(fine_enough, default=1) > MAX_READ_FACTOR * 1.01


def _read(wsi: Wsi, zoom: DeepZoom, level: int, box_dz_px: tuple[int, int, int, int]) -> Pixels:
    x_dz_px, y_dz_px, width_t_px, height_t_px = box_dz_px
    step = zoom.step_l0_px(level)
    return read_scaled(wsi, x_dz_px * step, y_dz_px * step, (step, step), width_t_px, height_t_px)


def _composed(wsi: Wsi, zoom: DeepZoom, address: TileAddress, remember: Remember) -> Pixels:
    """A tile as the mean of 2 × 2 pixels of the four tiles below it."""
    level, column, row = address
    columns, rows = zoom.grid(level + 1)
    finer = np.concatenate(
        [
            np.concatenate(
                [
                    tile_pixels(wsi, zoom, (level + 1, finer_column, finer_row), remember)
                    for finer_column in range(2 * column, min(2 * column + 2, columns))
                ],
                axis=1,
            )
            for finer_row in range(2 * row, min(2 * row + 2, rows))
        ]
    )
    # Odd sizes leave half a pixel free at the right and the bottom; it repeats its neighbour.
    height_t_px, width_t_px = finer.shape[:2]
    even = np.pad(finer, ((0, height_t_px % 2), (0, width_t_px % 2), (0, 0)), mode="edge")
    return np.asarray(Image.fromarray(even).reduce(2))
