"""The geometry of a slide's Deep Zoom pyramid: levels, grids, tiles. No pixels, no HTTP.

Planes, named as prefix of every coordinate:
    _l0_  pixels of level 0, origin at the top-left of the slide's bounds
    _dz_  pixels of one Deep Zoom level; one of them is 2^(last level - level) level-0 pixels
    _t_   pixels inside one tile

Level sizes halve upwards and round up, so the last pixel of a level may reach beyond the slide.
Overlap is 0: every pixel belongs to one tile.
"""

from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, SubElement, tostring

from viewer.errors import TileOutsideGrid

XML_NAMESPACE = "http://schemas.microsoft.com/deepzoom/2008"
DEFAULT_TILE_SIZE_PX = 256
NATIVE_TILE_SIZES_PX = range(
    128, 1025
)  # smaller: too many requests; larger: too slow a first sight

TileAddress = tuple[int, int, int]  # level, column, row


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
