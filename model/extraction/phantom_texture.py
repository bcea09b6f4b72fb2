"""Seamless swatches of the phantoms: what lies between the nuclei of each tissue."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from model.extraction.phantom_cells import PHANTOM_MPP, spread_points
from model.extraction.phantom_noise import FloatField, resize_field, smoothstep, torus_noise
from model.extraction.phantom_stain import UNIT_AMOUNT

Amounts: TypeAlias = NDArray[np.uint8]


class Tissue(IntEnum):
    """What a place of the slide is made of."""

    GLASS = 0
    FAT = 1
    STROMA = 2
    CORTEX = 3
    MANTLE = 4
    GERMINAL = 5
    CORD = 6
    SINUS = 7
    BLOOD = 8
    TUMOUR = 9
    TUMOUR_STROMA = 10


@dataclass(frozen=True)
class Swatch:
    """A torus of tissue: amounts of both stains between nuclei (uint8), and where cells lie."""

    haematoxylin: Amounts
    eosin: Amounts
    points_px: NDArray[np.float32]
    angles: NDArray[np.float32] | None = None  # of the cells, where the swatch itself says

    @property
    def side_px(self) -> int:
        """Side of the torus in level-0 pixels."""
        return int(self.eosin.shape[0])


@dataclass(frozen=True)
class Cells:
    """A torus divided among cells: distances (px) to the nearest centre and border."""

    centre: FloatField
    border: FloatField
    owner: NDArray[np.intp]  # on every `coarse`-th pixel
    points: NDArray[np.float32]
    coarse: int

    def own(self, values: NDArray[np.float64]) -> FloatField:
        """One value a cell, softly stepping from cell to cell."""
        return _enlarge(values[self.owner], self.coarse)


def _cells(
    rng: np.random.Generator, side: int, spacing_um: float, rounds: int = 10, bend_px: float = 0.0
) -> Cells:
    points, coarse = spread_points(rng, side, spacing_um / PHANTOM_MPP, rounds), 4
    centre = np.arange(0, side, coarse, dtype=np.float32) + (coarse - 1) / 2
    y, x = np.meshgrid(centre, centre, indexing="ij")
    if bend_px:
        period = (0.12 * len(x), 0.12 * len(x))
        x = (x + bend_px * torus_noise(rng, len(x), period)) % side
        y = (y + bend_px * torus_noise(rng, len(x), period)) % side
    tree = cKDTree(points, boxsize=side)
    near, index = tree.query(np.stack([x.ravel(), y.ravel()], axis=1), k=3)
    first, second = near[:, 1] - near[:, 0], near[:, 2] - near[:, 0]
    # A soft minimum rounds the corners where three cells meet.
    border = first * second / (first + second + 1e-6)
    shape = x.shape
    return Cells(
        centre=_enlarge(near[:, 0].reshape(shape), coarse),
        border=_enlarge(border.reshape(shape), coarse),
        owner=index[:, 0].reshape(shape),
        points=points,
        coarse=coarse,
    )


def _enlarge(field: NDArray[np.float64], times: int) -> FloatField:
    """Coarse torus field to full size, seam included."""
    padded = np.pad(field.astype(np.float32), 2, mode="wrap")
    side = padded.shape[0] * times
    return resize_field(padded, (side, side))[2 * times : -2 * times, 2 * times : -2 * times]


def _bytes(amount: FloatField) -> Amounts:
    return np.asarray(np.clip(amount * UNIT_AMOUNT, 0, 255), dtype=np.uint8)


def _grain(rng: np.random.Generator, side: int, um: float, octaves: int = 3) -> FloatField:
    period = um / PHANTOM_MPP
    return torus_noise(rng, side, (period, period), octaves)


def _lymphoid(
    rng: np.random.Generator, side: int, spacing_um: float, plasm: float, gaps: float
) -> Swatch:
    """Packed small cells: scant plasm, a fine net between them, bright clefts here and there."""
    cells = _cells(rng, side, spacing_um)
    eosin = plasm + 0.10 * _grain(rng, side, 9.0) + 0.17 * _grain(rng, side, 3.2, 2)
    cleft = smoothstep(_grain(rng, side, 12.0, 2), 1.0 - gaps, 2.2 - gaps)
    eosin *= 1.0 - 0.85 * cleft * (1.0 - smoothstep(cells.border, 2.0, 9.0))
    haematoxylin = 0.12 + 0.08 * _grain(rng, side, 3.4, 2)
    return Swatch(_bytes(haematoxylin * eosin / plasm), _bytes(eosin), cells.points)


def _germinal(rng: np.random.Generator, side: int) -> Swatch:
    """Germinal centre: more plasm, larger cells, pale macrophages strewn in."""
    cells = _cells(rng, side, 7.9)
    eosin = 0.41 + 0.08 * _grain(rng, side, 8.0) + 0.15 * _grain(rng, side, 3.2, 2)
    big = _cells(rng, side, 58.0, rounds=2)
    size = big.own(rng.uniform(-20.0, 34.0, len(big.points)))
    pale = 1.0 - smoothstep(big.centre + 5.0 * _grain(rng, side, 8.0, 2) - size, 4.0, 18.0)
    eosin *= 1.0 - 0.6 * pale
    keep = pale[cells.points[:, 1].astype(int), cells.points[:, 0].astype(int)] < 0.5
    haematoxylin = (0.15 + 0.08 * _grain(rng, side, 3.4, 2)) * (1.0 - 0.6 * pale)
    return Swatch(_bytes(haematoxylin), _bytes(eosin), cells.points[keep])


def _sinus(rng: np.random.Generator, side: int) -> Swatch:
    """Sinus: mostly empty, a loose net of reticulum and plasm."""
    cells = _cells(rng, side, 10.5)
    strands = np.exp(-cells.border / 5.0) * (0.5 + 0.5 * smoothstep(_grain(rng, side, 14), -1, 1))
    eosin = 0.05 + 0.26 * strands + 0.12 * _grain(rng, side, 10.0) * strands
    body = 1.0 - smoothstep(cells.centre, 10.0, 22.0)
    eosin += 0.13 * body * smoothstep(_grain(rng, side, 20.0, 1), -0.2, 0.8)
    return Swatch(_bytes(0.02 + 0.03 * body), _bytes(np.maximum(eosin, 0.02)), cells.points)


def _fibres(
    rng: np.random.Generator, side: int, spacing_um: float, density: float, gaps: float
) -> Swatch:
    """Collagen: bundles along the columns' direction, rows run across them."""
    eosin = density + 0.16 * torus_noise(rng, side, (30.0, 1000.0), 2)
    eosin += 0.10 * torus_noise(rng, side, (10.0, 300.0), 2) + 0.08 * _grain(rng, side, 2.8, 2)
    split = torus_noise(rng, side, (22.0, 520.0), 2)
    eosin *= 1.0 - 0.9 * smoothstep(split, 1.75 - gaps, 2.3 - gaps)
    haematoxylin = 0.05 + 0.03 * torus_noise(rng, side, (16.0, 500.0), 1)
    points = spread_points(rng, side, spacing_um / PHANTOM_MPP, 1)
    return Swatch(_bytes(haematoxylin), _bytes(np.maximum(eosin, 0.02)), points)


def _fat(rng: np.random.Generator, side: int) -> Swatch:
    """Fat: large empty cells in thin pink walls, a flat nucleus at a corner now and then."""
    side *= 2
    cells = _cells(rng, side, 74.0, rounds=5, bend_px=30.0)
    thick = 6.0 + 2.0 * _grain(rng, side, 90.0, 1)
    wall = 1.0 - smoothstep(cells.border / np.maximum(thick, 4.5), 0.45, 1.5)
    eosin = wall * (0.55 + 0.14 * _grain(rng, side, 12.0, 1))
    tries = rng.uniform(0, side, (9000, 2)).astype(np.float32)
    points = tries[cells.border[tries[:, 1].astype(int), tries[:, 0].astype(int)] < 3.0][:170]
    angles = _along(cells.border, points)
    return Swatch(_bytes(0.06 * wall), _bytes(eosin), points, angles)


def _along(field: FloatField, points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Angle at each point along the valley of a torus field."""
    x, y, reach, side = points[:, 0].astype(int), points[:, 1].astype(int), 9, field.shape[0]
    # The second derivatives tell a valley's direction, where the first vanish.
    at = {
        (i, j): field[(y + reach * i) % side, (x + reach * j) % side]
        for i in (-1, 0, 1)
        for j in (-1, 0, 1)
    }
    xx = at[0, 1] - 2 * at[0, 0] + at[0, -1]
    yy = at[1, 0] - 2 * at[0, 0] + at[-1, 0]
    xy = (at[1, 1] + at[-1, -1] - at[1, -1] - at[-1, 1]) / 4
    return np.asarray(0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2, dtype=np.float32)


def _blood(rng: np.random.Generator, side: int) -> Swatch:
    """Red cells: dense eosin discs on plasma."""
    cells = _cells(rng, side, 6.2)
    disc = 1.0 - smoothstep(cells.centre, 9.5, 14.0)
    dimple = 0.25 * np.exp(-((cells.centre / 6.0) ** 2))
    strength = rng.uniform(1.5, 2.2, len(cells.points))
    strength[rng.random(len(strength)) < 0.12] = 0.3  # gaps between the red cells
    eosin = 0.14 + disc * np.maximum(cells.own(strength) - dimple, 0.0)
    return Swatch(_bytes(np.zeros_like(eosin)), _bytes(eosin), cells.points)


def _tumour(rng: np.random.Generator, side: int) -> Swatch:
    """Sheets of large cells: ample plasm that differs from cell to cell, borders just seen."""
    cells = _cells(rng, side, 15.0, rounds=6)
    count = len(cells.points)
    own = cells.own(rng.normal(1.0, 0.22, count))
    basophilia = cells.own(rng.normal(1.0, 0.35, count))
    grain = _grain(rng, side, 3.4, 2)
    eosin = 0.56 * own + 0.15 * grain + 0.07 * _grain(rng, side, 12.0)
    haematoxylin = 0.21 * basophilia + 0.08 * _grain(rng, side, 3.0, 2)
    edge = np.exp(-cells.border / 3.5)
    open_edge = smoothstep(_grain(rng, side, 30.0, 2), 0.3, 1.6)
    eosin *= 1.0 - edge * (0.75 * open_edge - 0.12 * (1.0 - open_edge))
    haematoxylin *= 1.0 - 0.8 * edge * open_edge
    vacuole = smoothstep(_grain(rng, side, 6.0, 1), 2.0, 2.6)
    eosin *= 1.0 - 0.6 * vacuole
    return Swatch(_bytes(haematoxylin), _bytes(eosin), cells.points)


MAKERS: dict[Tissue, Callable[[np.random.Generator, int], Swatch]] = {
    Tissue.FAT: _fat,
    Tissue.STROMA: lambda rng, side: _fibres(rng, side, 21.0, 0.62, 0.25),
    Tissue.CORTEX: lambda rng, side: _lymphoid(rng, side, 7.3, 0.40, 0.2),
    Tissue.MANTLE: lambda rng, side: _lymphoid(rng, side, 6.6, 0.42, 0.0),
    Tissue.GERMINAL: _germinal,
    Tissue.CORD: lambda rng, side: _lymphoid(rng, side, 8.2, 0.48, 0.3),
    Tissue.SINUS: _sinus,
    Tissue.BLOOD: _blood,
    Tissue.TUMOUR: _tumour,
    Tissue.TUMOUR_STROMA: lambda rng, side: _fibres(rng, side, 14.0, 0.52, 0.1),
}
FIBROUS = (Tissue.STROMA, Tissue.TUMOUR_STROMA)


def draw_swatches(seed: tuple[int, ...], needed: set[int], side_px: int) -> dict[Tissue, Swatch]:
    """The swatches of one slide; the same seed draws the same, whatever else is needed."""
    return {
        tissue: maker(np.random.default_rng((*seed, 100 + tissue)), side_px)
        for tissue, maker in MAKERS.items()
        if tissue in needed
    }
