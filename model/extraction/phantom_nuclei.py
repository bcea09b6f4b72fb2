"""Which nuclei lie where on a phantom."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.extraction.phantom_cells import ANGLES, sprite_set
from model.extraction.phantom_layout import GRID_PX, Layout
from model.extraction.phantom_texture import FIBROUS, Swatch, Tissue

Stamp: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.bool_] | None]  # and what it hides
OPAQUE = ("tumour", "centrocyte", "histiocyte")  # pale nuclei that hide what lies below

# Which nuclei a tissue holds, as weights; what is missing to 1 stays empty.
MIXES: dict[Tissue, dict[str, float]] = {
    Tissue.FAT: {"spindle": 0.8},
    Tissue.STROMA: {"spindle": 0.62, "lymphocyte": 0.10},
    Tissue.CORTEX: {"lymphocyte": 0.90, "centrocyte": 0.06, "spindle": 0.02},
    Tissue.MANTLE: {"lymphocyte": 0.97},
    Tissue.GERMINAL: {"centrocyte": 0.68, "lymphocyte": 0.24, "apoptotic": 0.02, "mitosis": 0.01},
    Tissue.CORD: {"lymphocyte": 0.52, "plasma": 0.32, "histiocyte": 0.08, "spindle": 0.03},
    Tissue.SINUS: {"histiocyte": 0.20, "lymphocyte": 0.42},
    Tissue.BLOOD: {"lymphocyte": 0.01},
    Tissue.TUMOUR: {
        "tumour": 0.88, "dark_tumour": 0.06, "mitosis": 0.012, "apoptotic": 0.015,
        "lymphocyte": 0.025,
    },
    Tissue.TUMOUR_STROMA: {"spindle": 0.58, "lymphocyte": 0.30},
}  # fmt: skip


@dataclass(frozen=True)
class Nuclei:
    """All nuclei of a slide, sorted by y: centres (px), which sprite each is, and the sprites."""

    x: NDArray[np.int32]
    y: NDArray[np.int32]
    sprite: NDArray[np.int32]
    stamps: list[Stamp]


def _all_sprites(rng: np.random.Generator, each: int) -> tuple[list[Stamp], dict[str, int]]:
    """Every nucleus of every kind in one list, and where each kind begins."""
    sprites: list[Stamp] = []
    first: dict[str, int] = {}
    for name in sorted({name for mix in MIXES.values() for name in mix}):
        first[name] = len(sprites)
        drawn = sprite_set(rng, name, each)
        sprites += [(amount, body if name in OPAQUE else None) for amount, body in drawn]
    return sprites, first


def scatter_nuclei(
    seed: tuple[int, ...], layout: Layout, swatches: dict[Tissue, Swatch], each: int
) -> Nuclei:
    """Set the cells of each swatch wherever its tissue lies, from ``each`` sprites of a kind."""
    rng = np.random.default_rng((*seed, 2))
    stamps, first = _all_sprites(rng, each)
    parts = []
    for tissue, mix in MIXES.items():
        if tissue not in swatches:
            continue
        x, y, cell = _cells_of(layout, tissue, swatches[tissue])
        x = np.clip(x + rng.integers(-2, 3, len(x)), 0, layout.size_px - 1)
        y = np.clip(y + rng.integers(-2, 3, len(y)), 0, layout.size_px - 1)
        sprite = _choose(rng, mix, first, each, len(x))
        sprite[rng.random(len(x)) < layout.sparsity[y // GRID_PX, x // GRID_PX]] = -1
        angles = swatches[tissue].angles
        if tissue in FIBROUS:
            sprite = _turned(sprite, _fibre_angle(layout, x, y))
        elif angles is not None:
            sprite = _turned(sprite, angles[cell])
        parts.append(np.stack([y, x, sprite])[:, sprite >= 0])
    y, x, sprite = np.concatenate(parts, axis=1).astype(np.int32)
    order = np.argsort(y, kind="stable")
    return Nuclei(x[order], y[order], sprite[order], stamps)


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
    rng: np.random.Generator, mix: dict[str, float], first: dict[str, int], each: int, count: int
) -> NDArray[np.int64]:
    """A sprite number for each cell after the mix; −1 where none is drawn."""
    draw = rng.random(count)
    pick = rng.integers(0, each, count)
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
