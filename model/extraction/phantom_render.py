"""Pixels of a phantom: swatches blended after the labels, nuclei set one by one, then stained."""

from typing import TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from model.extraction.phantom_layout import GRID_PX, Layout
from model.extraction.phantom_noise import FloatField, smoothstep, torus_noise
from model.extraction.phantom_nuclei import scatter_nuclei
from model.extraction.phantom_stain import Stain, colour_table
from model.extraction.phantom_texture import (
    FIBROUS,
    Amounts,
    Tissue,
    draw_swatches,
)

BAND_PX = 512
MARGIN_PX = 64  # no sprite reaches further from its centre
GAIN_UNIT = 128
# Small slides show little of a swatch: (largest slide, side of swatches, sprites of each kind).
DETAIL = ((4096, 1024, 64), (1_000_000, 2048, 256))
Field = TypeVar("Field", FloatField, Amounts)
Rgbx: TypeAlias = NDArray[np.uint8]
# Softened labels have no steps, and the sharpened shares no blur.
SOFTEN = ImageFilter.Kernel((3, 3), (1, 2, 1, 2, 4, 2, 1, 2, 1))
SHARPEN = (255 * smoothstep(np.linspace(0, 1, 256, dtype=np.float32), 0.2, 0.8)).round().tolist()


class Renderer:
    """Draws any block of one phantom; the same block comes out alike however it is cut."""

    def __init__(self, seed: tuple[int, ...], layout: Layout, stain: Stain) -> None:
        self._layout = layout
        self._table = colour_table(stain)
        _, self.swatch_px, sprites = next(d for d in DETAIL if layout.size_px <= d[0])
        present = set(np.unique(layout.labels).tolist())
        self._swatches = draw_swatches(seed, present, self.swatch_px)
        self._nuclei = scatter_nuclei(seed, layout, self._swatches, sprites)
        noise = torus_noise(np.random.default_rng((*seed, 3)), self.swatch_px, (2.2, 2.2), 2)
        self._noise = np.asarray(0.05 * noise * GAIN_UNIT, dtype=np.int16)
        self._drift = np.asarray(np.clip(layout.stain_gain * GAIN_UNIT, 0, 255), dtype=np.uint8)

    @property
    def glass_word(self) -> int:
        """Packed RGBX of bare glass."""
        return int(self._table[0])

    def has_tissue(self, x_px: int, y_px: int, side_px: int) -> bool:
        """Whether a square of the slide holds anything but glass."""
        g = GRID_PX
        window = self._layout.labels[
            max(y_px // g - 2, 0) : (y_px + side_px) // g + 2,
            max(x_px // g - 2, 0) : (x_px + side_px) // g + 2,
        ]
        return bool(window.any())

    def block(self, x_px: int, y_px: int, width_px: int, height_px: int) -> Rgbx:
        """Pixels (h, w, 4) of a block; it must not cross a multiple of ``swatch_px``."""
        haematoxylin, eosin = self._ground(x_px, y_px, width_px, height_px)
        nuclei = self._stamp(x_px, y_px, width_px, height_px)
        np.maximum(haematoxylin, nuclei, out=haematoxylin)
        gain = self._gain(x_px, y_px, width_px, height_px)
        index = _scaled(haematoxylin, gain) << 8
        index |= _scaled(eosin, gain)
        words = self._table.take(index)
        return words.view(np.uint8).reshape(height_px, width_px, 4)

    def _ground(self, x: int, y: int, w: int, h: int) -> tuple[Amounts, Amounts]:
        """Both stains between the nuclei, tissues blended where they meet."""
        labels = _crop(self._layout.labels, x, y, w, h)
        tissues = [Tissue(int(t)) for t in np.unique(labels)]
        total = [np.zeros((h, w), dtype=np.uint16), np.zeros((h, w), dtype=np.uint16)]
        fibres = self._fibre_index(x, y, w, h) if set(tissues) & set(FIBROUS) else None
        for tissue in tissues:
            if tissue is Tissue.GLASS:
                continue
            weight = _weights(labels == tissue, w, h)
            for amount, layer in zip(total, self._layers(tissue, x, y, w, h, fibres), strict=True):
                amount += weight * layer
        return (total[0] >> 8).astype(np.uint8), (total[1] >> 8).astype(np.uint8)

    def _layers(
        self, tissue: Tissue, x: int, y: int, w: int, h: int, fibres: NDArray[np.int32] | None
    ) -> tuple[Amounts, Amounts]:
        swatch = self._swatches[tissue]
        if tissue in FIBROUS and fibres is not None:
            return swatch.haematoxylin.take(fibres), swatch.eosin.take(fibres)
        row, column = y % swatch.side_px, x % swatch.side_px
        window = np.s_[row : row + h, column : column + w]
        return swatch.haematoxylin[window], swatch.eosin[window]

    def _fibre_index(self, x: int, y: int, w: int, h: int) -> NDArray[np.int32]:
        """Where each pixel looks in a fibrous swatch: across the fibres, and along them."""
        across = _enlarged(self._layout.fibre_px, x, y, w, h).astype(np.int32)
        along = (np.arange(y, y + h, dtype=np.int32) * 3 // 5)[:, None] + (
            np.arange(x, x + w, dtype=np.int32) * 4 // 5
        )[None]
        side = self.swatch_px
        return np.asarray((across & (side - 1)) * side + (along & (side - 1)), dtype=np.int32)

    def _stamp(self, x: int, y: int, w: int, h: int) -> Amounts:
        """Haematoxylin of the nuclei of a block."""
        m = MARGIN_PX
        canvas = np.zeros((h + 4 * m, w + 4 * m), dtype=np.uint8)
        n = self._nuclei
        first, last = np.searchsorted(n.y, (y - m, y + h + m))
        near = np.nonzero((n.x[first:last] >= x - m) & (n.x[first:last] < x + w + m))[0] + first
        columns, rows = n.x[near] - x + 2 * m, n.y[near] - y + 2 * m
        for column, row, number in zip(
            columns.tolist(), rows.tolist(), n.sprite[near].tolist(), strict=True
        ):
            sprite, body = n.stamps[number]
            half = sprite.shape[0] >> 1
            spot = canvas[row - half : row + half + 1, column - half : column + half + 1]
            if body is not None:
                np.copyto(spot, sprite, where=body)
            np.maximum(spot, sprite, out=spot)
        return canvas[2 * m : 2 * m + h, 2 * m : 2 * m + w]

    def _gain(self, x: int, y: int, w: int, h: int) -> NDArray[np.uint16]:
        """Stain strength: slow drift over the slide and the scanner's noise (GAIN_UNIT is 1)."""
        slow = _enlarged(self._drift, x, y, w, h)
        row, column = y % self.swatch_px, x % self.swatch_px
        noise = self._noise[row : row + h, column : column + w]
        return np.asarray(slow.astype(np.int16) + noise, dtype=np.uint16)


def _scaled(amount: Amounts, gain: NDArray[np.uint16]) -> NDArray[np.uint16]:
    return np.asarray(np.minimum((amount * gain) >> 7, 255), dtype=np.uint16)


def _crop(grid: NDArray[np.uint8], x: int, y: int, w: int, h: int) -> NDArray[np.uint8]:
    """Labels of a block with a margin of two, edges repeated."""
    rows = np.clip(np.arange(y // GRID_PX - 2, (y + h) // GRID_PX + 2), 0, grid.shape[0] - 1)
    columns = np.clip(np.arange(x // GRID_PX - 2, (x + w) // GRID_PX + 2), 0, grid.shape[1] - 1)
    return grid[np.ix_(rows, columns)]


def _weights(where: NDArray[np.bool_], w: int, h: int) -> NDArray[np.uint16]:
    """Share (0–255) of one tissue in each pixel of a block."""
    image = Image.fromarray(where.astype(np.uint8) * 255).filter(SOFTEN)
    box = (2.0, 2.0, 2.0 + w / GRID_PX, 2.0 + h / GRID_PX)
    resized = image.resize((w, h), Image.Resampling.BILINEAR, box=box)
    return np.asarray(resized.point(SHARPEN)).astype(np.uint16)


def _enlarged(field: Field, x: int, y: int, w: int, h: int) -> Field:
    """A field of the label grid, at the pixels of a block."""
    rows = np.clip(np.arange(y // GRID_PX - 2, (y + h) // GRID_PX + 2), 0, field.shape[0] - 1)
    columns = np.clip(np.arange(x // GRID_PX - 2, (x + w) // GRID_PX + 2), 0, field.shape[1] - 1)
    image = Image.fromarray(field[np.ix_(rows, columns)])
    box = (2.0, 2.0, 2.0 + w / GRID_PX, 2.0 + h / GRID_PX)
    resized = image.resize((w, h), Image.Resampling.BILINEAR, box=box)
    return cast(Field, np.asarray(resized))
