"""Pixels of a phantom: swatches blended after the labels, nuclei set one by one, then stained."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from model.extraction.phantom_cells import ANGLES, sprite_set
from model.extraction.phantom_layout import GRID_PX, Layout
from model.extraction.phantom_noise import FloatField, smoothstep, torus_noise
from model.extraction.phantom_stain import Stain, colour_table
from model.extraction.phantom_texture import (
    FIBROUS,
    SWATCH_PX,
    Amounts,
    Swatch,
    Tissue,
    draw_swatches,
)

BAND_PX = 512
MARGIN_PX = 64  # no sprite reaches further from its centre
SPRITES = 256
GAIN_UNIT = 128
Rgbx: TypeAlias = NDArray[np.uint8]
Stamp: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.bool_] | None]  # and what it hides
OPAQUE = ("tumour", "centrocyte", "histiocyte")  # pale nuclei that hide what lies below
# Softened labels have no steps, and the sharpened shares no blur.
SOFTEN = ImageFilter.Kernel((3, 3), (1, 2, 1, 2, 4, 2, 1, 2, 1))
SHARPEN = (255 * smoothstep(np.linspace(0, 1, 256, dtype=np.float32), 0.2, 0.8)).round().tolist()

# Which nuclei a tissue holds, as weights; what is missing to 1 stays empty.
MIXES: dict[Tissue, dict[str, float]] = {
    Tissue.FAT: {"spindle": 0.8},
    Tissue.STROMA: {"spindle": 0.62, "lymphocyte": 0.10},
    Tissue.CORTEX: {"lymphocyte": 0.90, "centrocyte": 0.06, "spindle": 0.02},
    Tissue.MANTLE: {"lymphocyte": 0.97},
    Tissue.GERMINAL: {"centrocyte": 0.76, "lymphocyte": 0.16, "apoptotic": 0.02, "mitosis": 0.01},
    Tissue.CORD: {"lymphocyte": 0.52, "plasma": 0.32, "histiocyte": 0.08, "spindle": 0.03},
    Tissue.SINUS: {"histiocyte": 0.30, "lymphocyte": 0.30},
    Tissue.BLOOD: {"lymphocyte": 0.01},
    Tissue.TUMOUR: {
        "tumour": 0.88, "dark_tumour": 0.06, "mitosis": 0.012, "apoptotic": 0.015,
        "lymphocyte": 0.025,
    },
    Tissue.TUMOUR_STROMA: {"spindle": 0.58, "lymphocyte": 0.30},
}  # fmt: skip


@dataclass(frozen=True)
class Nuclei:
    """All nuclei of a slide, sorted by band: centres (px), and which sprite each is."""

    x: NDArray[np.int32]
    y: NDArray[np.int32]
    sprite: NDArray[np.int32]


class Renderer:
    """Draws any block of one phantom; the same block comes out alike however it is cut."""

    def __init__(self, seed: tuple[int, ...], layout: Layout, stain: Stain) -> None:
        self._layout = layout
        self._swatches = draw_swatches(seed, set(np.unique(layout.labels).tolist()))
        self._table = colour_table(stain)
        rng = np.random.default_rng((*seed, 2))
        self._sprites, first = _all_sprites(rng)
        self._nuclei = _scatter(rng, layout, self._swatches, first)
        fine = 0.05 * torus_noise(rng, SWATCH_PX, (2.2, 2.2), 2)
        self._noise = np.asarray(fine * GAIN_UNIT, dtype=np.int16)

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
        """Pixels (h, w, 4) of a block; it must not cross a multiple of SWATCH_PX."""
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
        side = SWATCH_PX
        return np.asarray((across & (side - 1)) * side + (along & (side - 1)), dtype=np.int32)

    def _stamp(self, x: int, y: int, w: int, h: int) -> Amounts:
        """Haematoxylin of the nuclei of a block."""
        m = MARGIN_PX
        canvas = np.zeros((h + 4 * m, w + 4 * m), dtype=np.uint8)
        n = self._nuclei
        first, last = np.searchsorted(n.y, (y - m, y + h + m))
        near = np.nonzero((n.x[first:last] >= x - m) & (n.x[first:last] < x + w + m))[0] + first
        columns, rows = n.x[near] - x + 2 * m, n.y[near] - y + 2 * m
        sprites = self._sprites
        for column, row, number in zip(
            columns.tolist(), rows.tolist(), n.sprite[near].tolist(), strict=True
        ):
            sprite, body = sprites[number]
            half = sprite.shape[0] >> 1
            spot = canvas[row - half : row + half + 1, column - half : column + half + 1]
            if body is not None:
                np.copyto(spot, sprite, where=body)
            np.maximum(spot, sprite, out=spot)
        return canvas[2 * m : 2 * m + h, 2 * m : 2 * m + w]

    def _gain(self, x: int, y: int, w: int, h: int) -> NDArray[np.uint16]:
        """Stain strength: slow drift over the slide and the scanner's noise (GAIN_UNIT is 1)."""
        slow = _enlarged(self._layout.stain_gain, x, y, w, h) * GAIN_UNIT
        row, column = y % SWATCH_PX, x % SWATCH_PX
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


def _enlarged(field: FloatField, x: int, y: int, w: int, h: int) -> FloatField:
    """A float field of the label grid, at the pixels of a block."""
    rows = np.clip(np.arange(y // GRID_PX - 2, (y + h) // GRID_PX + 2), 0, field.shape[0] - 1)
    columns = np.clip(np.arange(x // GRID_PX - 2, (x + w) // GRID_PX + 2), 0, field.shape[1] - 1)
    image = Image.fromarray(field[np.ix_(rows, columns)])
    box = (2.0, 2.0, 2.0 + w / GRID_PX, 2.0 + h / GRID_PX)
    resized = image.resize((w, h), Image.Resampling.BILINEAR, box=box)
    return np.asarray(resized, dtype=np.float32)


def _all_sprites(rng: np.random.Generator) -> tuple[list[Stamp], dict[str, int]]:
    """Every nucleus of every kind in one list, and where each kind begins."""
    sprites: list[Stamp] = []
    first: dict[str, int] = {}
    for name in sorted({name for mix in MIXES.values() for name in mix}):
        first[name] = len(sprites)
        drawn = sprite_set(rng, name, SPRITES)
        sprites += [(amount, body if name in OPAQUE else None) for amount, body in drawn]
    return sprites, first


def _scatter(
    rng: np.random.Generator,
    layout: Layout,
    swatches: dict[Tissue, Swatch],
    first: dict[str, int],
) -> Nuclei:
    """Set the cells of each swatch wherever its tissue lies."""
    parts = []
    for tissue, mix in MIXES.items():
        if tissue not in swatches:
            continue
        x, y, cell = _cells_of(layout, tissue, swatches[tissue])
        x = np.clip(x + rng.integers(-2, 3, len(x)), 0, layout.size_px - 1)
        y = np.clip(y + rng.integers(-2, 3, len(y)), 0, layout.size_px - 1)
        sprite = _choose(rng, mix, first, len(x))
        sprite[rng.random(len(x)) < layout.sparsity[y // GRID_PX, x // GRID_PX]] = -1
        angles = swatches[tissue].angles
        if tissue in FIBROUS:
            sprite = _turned(sprite, _fibre_angle(layout, x, y))
        elif angles is not None:
            sprite = _turned(sprite, angles[cell])
        parts.append(np.stack([y, x, sprite])[:, sprite >= 0])
    y, x, sprite = np.concatenate(parts, axis=1).astype(np.int32)
    order = np.argsort(y, kind="stable")
    return Nuclei(x[order], y[order], sprite[order])


def _cells_of(
    layout: Layout, tissue: Tissue, swatch: Swatch
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Centres x, y (px) of all cells of one tissue, and their numbers in the swatch."""
    side, size = swatch.side_px, layout.size_px
    corners = np.arange(0, size, side)
    x = (swatch.points_px[:, 0].astype(int)[None, None] + corners[None, :, None]).repeat(
        len(corners), axis=0
    )
    y = (swatch.points_px[:, 1].astype(int)[None, None] + corners[:, None, None]).repeat(
        len(corners), axis=1
    )
    x, y = x.ravel(), y.ravel()
    cell = np.arange(len(x)) % len(swatch.points_px)
    inside = (x < size) & (y < size)
    x, y, cell = x[inside], y[inside], cell[inside]
    here = layout.labels[y // GRID_PX, x // GRID_PX] == tissue
    return x[here], y[here], cell[here]


def _turned(sprite: NDArray[np.int64], angle: NDArray[np.float32]) -> NDArray[np.int64]:
    """Sprites of the same kind that lie at these angles; what is not drawn stays so."""
    number = np.rint(angle * ANGLES / np.pi).astype(np.int64) % ANGLES
    return np.where(sprite < 0, sprite, sprite - sprite % ANGLES + number)


def _choose(
    rng: np.random.Generator, mix: dict[str, float], first: dict[str, int], count: int
) -> NDArray[np.int64]:
    """A sprite number for each cell after the mix; −1 where none is drawn."""
    draw = rng.random(count)
    pick = rng.integers(0, SPRITES, count)
    sprite = np.full(count, -1, dtype=np.int64)
    edge = 0.0
    for name, share in mix.items():
        chosen = (draw >= edge) & (draw < edge + share)
        sprite[chosen] = first[name] + pick[chosen]
        edge += share
    return sprite


def _fibre_angle(layout: Layout, x: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.float32]:
    """Angle along the fibres at each place."""
    field, last = layout.fibre_px, layout.labels.shape[0] - 1
    row, column = y // GRID_PX, x // GRID_PX
    down = field[np.minimum(row + 1, last), column] - field[np.maximum(row - 1, 0), column]
    right = field[row, np.minimum(column + 1, last)] - field[row, np.maximum(column - 1, 0)]
    return np.asarray(np.arctan2(down, right) + np.pi / 2, dtype=np.float32)
