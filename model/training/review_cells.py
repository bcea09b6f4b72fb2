"""From regions that readers settled to cells of the model's lattice, and the patches around them.

A cell belongs to a region that fills at least half of it. A region of tumour too small for that
has the cell it fills most, since any tumour in the centre makes a patch one of tumour; a region
without tumour that small says nothing of the cell.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.extraction.annotations import Annotations
from model.extraction.masks import OutlineMask
from model.extraction.outlines import Outline, meets
from model.extraction.patches import PatchSettings, patch_windows
from model.extraction.windows import Bools, Floats, Pair, Windows, filled_share
from model.prediction.tissue import TissueMask
from model.prediction.wsi import Mpp, Wsi, level_for
from model.training.review_decisions import Decision
from model.training.reviews import Cells, ReviewsInvalid

ENOUGH = 0.5 - 1e-9  # of a cell


@dataclass(frozen=True)
class Lattice:
    """The model's cells on a slide, and a patch around each; both (rows, columns)."""

    cells: Windows
    patches: Windows
    step_l0: Pair  # level-0 px a patch pixel
    size_l0_px: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, columns."""
        return self.cells.rows, self.cells.columns

    def whole(self) -> Bools:
        """Cells (rows, columns) whose patch lies wholly within the slide, as a manifest's do."""
        inside = []
        for start, side, size in zip(
            (self.patches.x_l0_px, self.patches.y_l0_px),
            self.patches.size_l0_px,
            self.size_l0_px,
            strict=True,
        ):
            inside.append((start >= 0) & (start + side <= size))
        return np.asarray(inside[1][:, None] & inside[0])

    def tissue_shares(self, tissue: TissueMask) -> Floats:
        """Share of tissue of each patch."""
        return filled_share(tissue.mask, (0.0, 0.0), tissue.step_l0, self.patches)

    def rows_at(self, y_l0_px: Floats) -> Floats:
        """Where places lie between the edges of rows, whole numbers on an edge."""
        return _snapped((y_l0_px - self.cells.origin_l0_px[1]) / self.cells.stride_l0_px[1])

    def columns_at(self, x_l0_px: Floats) -> Floats:
        """The same between the edges of columns."""
        return _snapped((x_l0_px - self.cells.origin_l0_px[0]) / self.cells.stride_l0_px[0])


def _snapped(position: Floats) -> Floats:
    """Divisions leave 2.9999999 where 3 is meant."""
    nearest = np.rint(position)
    return np.where(np.abs(position - nearest) < 1e-6, nearest, position)


@dataclass(frozen=True)
class Found:
    """The cells of a region, (n, 2) rows and columns, and the share of their patches in it."""

    cells: NDArray[np.intp]
    patch_shares: NDArray[np.float64]


NOTHING = Found(np.empty((0, 2), np.intp), np.empty(0))


def lattice(wsi: Wsi, mpp: Mpp, settings: PatchSettings) -> Lattice:
    """The lattice prediction would lay over the slide; raises as `patch_windows` does."""
    _, step = patch_windows(wsi, mpp, settings)
    origin = wsi.level_origins_l0_px[level_for(wsi, step)]
    # Whole pixels of the patch: 32 of 96, as the model's cells.
    cell_px = max(1, round(settings.size_px * settings.centre_share))
    margin_px = (settings.size_px - cell_px) // 2
    cell = cell_px * step[0], cell_px * step[1]
    size = settings.size_px * step[0], settings.size_px * step[1]
    columns, rows = (ceil((wsi.size_l0_px[axis] - origin[axis]) / cell[axis]) for axis in (0, 1))
    corner = origin[0] - margin_px * step[0], origin[1] - margin_px * step[1]
    cells = Windows(columns, rows, origin, cell, cell)
    return Lattice(cells, Windows(columns, rows, corner, size, cell), step, wsi.size_l0_px)


def cells_of(decision: Decision, grid: Lattice) -> Found | None:
    """The cells of a region; None if it is too small to say anything of one.

    Raises ReviewsInvalid for a geometry that is none.
    """
    if isinstance(decision.shape, Cells):
        return _half_filled(_CellMask(decision.shape), grid, decision.label)
    try:
        if decision.shape["type"] == "Point":
            return _point(decision.shape["coordinates"], grid)
        mask = _OutlinesMask(list(_polygons(decision.shape)), grid)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ReviewsInvalid(
            f"The geometry of flag {decision.id} is no point and no area.",
            "Export the reviews again.",
        ) from error
    return _half_filled(mask, grid, decision.label)


class _CellMask:
    """Cells of a heat map, which need not be those of the lattice."""

    def __init__(self, cells: Cells) -> None:
        row, first, count = np.array(cells.runs).T
        top, left = int(row.min()), int(first.min())
        height, width = int(row.max()) + 1 - top, int((first + count).max()) - left
        self._inside = np.zeros((height, width), np.bool_)
        for at, begin, length in zip(row - top, first - left, count, strict=True):
            self._inside[at, begin : begin + length] = True
        (x, y), self._step = cells.origin_l0_px, cells.step_l0_px
        self._corner = x + left * self._step[0], y + top * self._step[1]
        self.start_l0_px: Pair = self._corner
        self.end_l0_px: Pair = (
            self._corner[0] + width * self._step[0],
            self._corner[1] + height * self._step[1],
        )

    def shares(self, windows: Windows) -> Floats:
        """Share of each window that is filled."""
        return filled_share(self._inside, self._corner, self._step, windows)


class _OutlinesMask:
    """Polygons with holes, which do not overlap."""

    def __init__(self, polygons: list[list[Outline]], grid: Lattice) -> None:
        size, self._step = grid.size_l0_px, grid.step_l0
        points = np.concatenate([rings[0] for rings in polygons])
        self.start_l0_px: Pair = (float(points[:, 0].min()), float(points[:, 1].min()))
        self.end_l0_px: Pair = (float(points[:, 0].max()), float(points[:, 1].max()))
        # A flag may reach a little beyond the slide; rings that lie there altogether fill nothing.
        kept = [[ring for ring in rings if meets(ring, (0, 0), size)] for rings in polygons]
        self._masks = [
            OutlineMask(Annotations(rings[:1], rings[1:]), size, "flag")
            for rings, whole in zip(kept, polygons, strict=True)
            if rings and rings[0] is whole[0]
        ]

    def shares(self, windows: Windows) -> Floats:
        """Share of each window that is filled, judged at the patch's pixels."""
        shares = np.zeros((windows.rows, windows.columns))
        for mask in self._masks:
            shares += mask.tumour_share(windows, self._step)
        return shares


def _half_filled(mask: _CellMask | _OutlinesMask, grid: Lattice, label: int) -> Found | None:
    part = _around(mask.start_l0_px, mask.end_l0_px, grid)
    if part is None:
        return NOTHING
    columns, rows = part
    shares = mask.shares(grid.cells.part(columns, rows))
    chosen = shares >= ENOUGH
    if not chosen.any():
        if label == 0:
            return None
        if not shares.any():
            return NOTHING
        chosen = np.zeros_like(chosen)
        chosen[np.unravel_index(shares.argmax(), shares.shape)] = True
    in_patches = np.clip(mask.shares(grid.patches.part(columns, rows))[chosen], 0, 1)
    return Found(np.argwhere(chosen) + np.array((rows.start, columns.start)), in_patches)


def _around(start: Pair, end: Pair, grid: Lattice) -> tuple[slice, slice] | None:
    """Columns and rows of the lattice that a box meets."""
    slices = []
    for axis, count in enumerate((grid.cells.columns, grid.cells.rows)):
        origin, stride = grid.cells.origin_l0_px[axis], grid.cells.stride_l0_px[axis]
        first = max(0, floor((start[axis] - origin) / stride + 1e-9))
        last = min(count, max(first + 1, ceil((end[axis] - origin) / stride - 1e-9)))
        if first >= last:
            return None
        slices.append(slice(first, last))
    return slices[0], slices[1]


def _point(coordinates: list[float], grid: Lattice) -> Found:
    """The cell that holds the point; what else of the patch is like it nobody said."""
    x, y = np.array(coordinates[:2], np.float64)
    row, column = floor(grid.rows_at(y)), floor(grid.columns_at(x))
    if not (0 <= row < grid.shape[0] and 0 <= column < grid.shape[1]):
        return NOTHING
    (width, height), (across, down) = grid.cells.size_l0_px, grid.patches.size_l0_px
    return Found(np.array([[row, column]]), np.array([width * height / (across * down)]))


def _polygons(geometry: dict[str, Any]) -> Iterator[list[Outline]]:
    """Rings of each polygon, the outer one first, (n, 2) and not closed."""
    parts = {"Polygon": [geometry["coordinates"]], "MultiPolygon": geometry["coordinates"]}
    for rings in parts[geometry["type"]]:
        outlines = [np.array(ring, np.float64)[:-1, :2] for ring in rings]
        if min(map(len, outlines)) < 3 or not all(np.isfinite(ring).all() for ring in outlines):
            raise ValueError("no ring")
        yield outlines
