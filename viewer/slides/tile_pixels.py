"""The pixels of Deep Zoom tiles, from whatever levels a slide has. No HTTP, nothing kept.

A tile comes from the first of these that there is:
1. a JPEG tile of the file: the tile itself;
2. JPEG tiles of a level finer by 2 or 4: decoded at that part of their size;
3. a level that is finer by up to 2, through the slide's reader and the one resampler;
4. the four tiles below it, as the mean of 2 × 2 of their pixels.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.prediction.wsi import Wsi, read_scaled
from viewer.slides.deepzoom import DeepZoom, TileAddress
from viewer.slides.jpeg_tiles import JpegLevel, JpegTiles, Layer

Pixels = NDArray[np.uint8]
Remember = Callable[[TileAddress, Callable[[], Pixels]], Pixels]
Correct = Callable[[Pixels], Pixels]

# How much finer than a tile the level may be that it is read from. Beyond that a tile is composed
# from the four finer ones: then neighbouring levels share what is decoded, and no request holds
# more than (2 tiles)² pixels. Scanners' pyramids have steps of 2 or 4, so they are never composed.
MAX_READ_FACTOR = 2
# The sizes at which JPEG decodes blocks of eight pixels: whole, and 4 or 2 pixels of them. It can
# also give 1, but then each coarse level would decode the file's tiles for itself.
SHRINKS = (1, 2, 4)


class TileSource:
    """The tiles of one open slide. Threads may share it.

    `correct` is laid over what is read from the file, before tiles are made of tiles.
    """

    def __init__(
        self,
        wsi: Wsi,
        zoom: DeepZoom,
        jpegs: JpegTiles | None = None,
        correct: Correct = np.asarray,
    ) -> None:
        self.zoom = zoom
        self._wsi, self._jpegs, self._correct = wsi, jpegs, correct
        levels = jpegs.levels if jpegs is not None else {}
        steps = [zoom.step_l0_px(level) for level in range(zoom.level_count)]
        self._layers = [_layer(levels, step) for step in steps]
        self._composed = [
            layer is None and _must_compose(wsi, step)
            for layer, step in zip(self._layers, steps, strict=True)
        ]

    def whole(self, address: TileAddress) -> bytes | None:
        """The file's own JPEG where it is exactly this tile; raises `TileOutsideGrid`."""
        level, column, row = address
        self.zoom.grid(level)
        layer = self._layers[level]
        if layer is None or layer.shrink != 1 or self._jpegs is None:
            return None
        side = self.zoom.tile_size_px
        inside = (
            0 <= column < layer.level.width_px // side and 0 <= row < layer.level.height_px // side
        )
        return self._jpegs.stream(layer.level, column, row) if inside else None

    def is_cut(self, address: TileAddress) -> bool:
        """Whether the tile is a part of a JPEG tile of the file, at the end of a row or column."""
        layer, side = self._layers[address[0]], self.zoom.tile_size_px
        box_t_px = self.zoom.tile_box_dz_px(address)[2:]
        return layer is not None and layer.shrink == 1 and box_t_px != (side, side)

    def is_costly(self, level: int) -> bool:
        """Whether a tile of this level is made of sixteen or more that must be decoded first."""
        layer = self._layers[level]
        return self._composed[level] or (layer is not None and layer.shrink >= 4)

    def pixels(self, address: TileAddress, remember: Remember) -> Pixels:
        """Colours of a tile, uint8 (h, w, 3); `remember` keeps those that are made of others."""
        level = address[0]
        box_dz_px = self.zoom.tile_box_dz_px(address)
        layer = self._layers[level]
        if self._composed[level] or (layer is not None and layer.shrink > 1):
            return remember(address, lambda: self._made(address, box_dz_px, remember))
        return self._made(address, box_dz_px, remember)

    def level(self, level: int, remember: Remember) -> Pixels:
        """Colours of a whole (coarse) level, uint8 (h, w, 3)."""
        width_dz_px, height_dz_px = self.zoom.level_sizes_dz_px[level]
        whole = np.empty((height_dz_px, width_dz_px, 3), np.uint8)
        columns, rows = self.zoom.grid(level)
        for row in range(rows):
            for column in range(columns):
                tile = (level, column, row)
                x_dz_px, y_dz_px, width_t_px, height_t_px = self.zoom.tile_box_dz_px(tile)
                bottom, right = y_dz_px + height_t_px, x_dz_px + width_t_px
                whole[y_dz_px:bottom, x_dz_px:right] = self.pixels(tile, remember)
        return whole

    def _made(
        self, address: TileAddress, box_dz_px: tuple[int, int, int, int], remember: Remember
    ) -> Pixels:
        layer = self._layers[address[0]]
        if layer is not None and (shrunk := self._shrunk(layer, address, box_dz_px)) is not None:
            return self._correct(shrunk)
        step = self.zoom.step_l0_px(address[0])
        if _must_compose(self._wsi, step):
            return self._from_finer(address, remember)
        x_dz_px, y_dz_px, width_t_px, height_t_px = box_dz_px
        x_l0_px, y_l0_px = x_dz_px * step, y_dz_px * step
        return self._correct(
            read_scaled(self._wsi, x_l0_px, y_l0_px, (step, step), width_t_px, height_t_px)
        )

    def _shrunk(
        self, layer: Layer, address: TileAddress, box_dz_px: tuple[int, int, int, int]
    ) -> Pixels | None:
        """A tile of shrink × shrink tiles of the file; None where it has not all of them."""
        _, column, row = address
        _, _, width_t_px, height_t_px = box_dz_px
        shrink, side = layer.shrink, self.zoom.tile_size_px // layer.shrink
        rows = []
        for finer_row in range(row * shrink, row * shrink - (-height_t_px // side)):
            pieces = []
            for finer_column in range(column * shrink, column * shrink - (-width_t_px // side)):
                piece = self._piece(layer.level, finer_column, finer_row, shrink)
                if piece is None:
                    return None
                pieces.append(piece)
            rows.append(np.concatenate(pieces, axis=1) if len(pieces) > 1 else pieces[0])
        tile = (np.concatenate(rows) if len(rows) > 1 else rows[0])[:height_t_px, :width_t_px]
        if tile.shape[:2] == (height_t_px, width_t_px):
            return tile
        # Writers that round sizes down leave out the last pixel: it repeats its neighbour.
        missing = (height_t_px - tile.shape[0], width_t_px - tile.shape[1])
        return np.pad(tile, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")

    def _piece(self, level: JpegLevel, column: int, row: int, shrink: int) -> Pixels | None:
        """What a tile of the file gives, without its padding; None if it cannot be decoded."""
        assert self._jpegs is not None, "layers are made of JPEG tiles"
        width_px = min(level.tile_px, level.width_px - column * level.tile_px)
        height_px = min(level.tile_px, level.height_px - row * level.tile_px)
        if width_px <= 0 or height_px <= 0:
            return None
        if width_px == height_px == level.tile_px:
            return self._jpegs.pixels(level, column, row, shrink)
        # The padding must not shine through, so the edge is decoded whole.
        whole = self._jpegs.pixels(level, column, row)
        if whole is None:
            return None
        return _reduced(np.ascontiguousarray(whole[:height_px, :width_px]), shrink)

    def _from_finer(self, address: TileAddress, remember: Remember) -> Pixels:
        """A tile as the mean of 2 × 2 pixels of the four tiles below it."""
        level, column, row = address
        columns, rows = self.zoom.grid(level + 1)
        finer = np.concatenate(
            [
                np.concatenate(
                    [
                        self.pixels((level + 1, finer_column, finer_row), remember)
                        for finer_column in range(2 * column, min(2 * column + 2, columns))
                    ],
                    axis=1,
                )
                for finer_row in range(2 * row, min(2 * row + 2, rows))
            ]
        )
        return _reduced(finer, 2)


def _layer(levels: dict[int, JpegLevel], step_l0_px: int) -> Layer | None:
    """The JPEG level that a Deep Zoom level is best made of."""
    for shrink in SHRINKS:
        level = levels.get(step_l0_px // shrink) if step_l0_px % shrink == 0 else None
        if level is not None:
            return Layer(level, shrink)
    return None


def _must_compose(wsi: Wsi, step_l0_px: int) -> bool:
    """Whether the coarsest level that is fine enough would still be read far too finely."""
    fine_enough = [max(axes) for axes in wsi.level_downsamples if max(axes) <= step_l0_px * 1.01]
    return step_l0_px / max(fine_enough, default=1) > MAX_READ_FACTOR * 1.01


def _reduced(pixels: Pixels, factor: int) -> Pixels:
    """The mean of factor × factor pixels; at the right and the bottom the last one repeats."""
    if factor == 1:
        return pixels
    height_px, width_px = pixels.shape[:2]
    spare = ((0, -height_px % factor), (0, -width_px % factor), (0, 0))
    return np.asarray(Image.fromarray(np.pad(pixels, spare, mode="edge")).reduce(factor))
