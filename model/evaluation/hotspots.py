"""From a heat map to detections and to one score for the slide.

Peaks: the highest cell becomes a detection, every cell around it is silenced, and so on down to a
floor (the rule of Liu et al. 2017, arXiv:1703.02442, and of NCRF; radius 6 cells of 31 µm there).
Regions: every connected region above a threshold becomes one detection at its highest cell.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.evaluation.detections import Detection
from model.evaluation.errors import EvaluationInvalid
from model.prediction.hotspots import slide_score as prediction_score
from model.prediction.regions import Cell, ranked_regions

__all__ = ["FLOOR", "SILENCED_UM", "Cell", "Grid", "detections", "peaks", "regions", "slide_score"]

SILENCED_UM = 187.0  # 6 cells of 128 level-0 px of 0.243 µm
# FROC goes through all thresholds itself; a lower floor adds points at its lax end and moves none.
FLOOR = 0.1

Probabilities = NDArray[np.float32]


class Grid(Protocol):
    """Where the cells of a heat map lie; model.prediction.heatmap.HeatmapGeometry is one."""

    @property
    def origin_l0_x_px(self) -> float:
        """Left edge of the first column."""

    @property
    def origin_l0_y_px(self) -> float:
        """Top edge of the first row."""

    @property
    def step_l0_x_px(self) -> float:
        """Width of a cell."""

    @property
    def step_l0_y_px(self) -> float:
        """Height of a cell."""


def peaks(
    probabilities: Probabilities,
    cell_um: tuple[float, float],
    *,
    radius_um: float = SILENCED_UM,
    floor: float = FLOOR,
) -> list[Cell]:
    """Local maxima ≥ `floor` of (rows, columns), NaN = not analysed, no two within `radius_um`.

    `cell_um` is (x, y). Highest first; equal cells in reading order.
    """
    free = np.nan_to_num(probabilities, nan=-1.0) >= floor
    rows, columns = np.nonzero(free)
    order = np.argsort(-probabilities[rows, columns], kind="stable")
    disc = _disc(cell_um, radius_um)
    found = []
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if free[row, column]:
            found.append(Cell(row, column))
            _silence(free, row, column, disc)
    return found


def regions(probabilities: Probabilities, threshold: float) -> list[Cell]:
    """The highest cell of each 8-connected region ≥ `threshold`, highest first."""
    found, _ = ranked_regions([probabilities], threshold)
    return sorted(
        (region.peak_cell for region in found), key=lambda cell: (-probabilities[cell], cell)
    )


def detections(
    probabilities: Probabilities, cells: list[Cell], grid: Grid, size_l0_px: tuple[int, int]
) -> list[Detection]:
    """The cells as points of level 0: their centres, kept on the slide at its far edges."""
    width_px, height_px = size_l0_px
    return [
        Detection(
            probability=min(float(probabilities[cell]), 1.0),
            x_l0_px=min(
                grid.origin_l0_x_px + (cell.column + 0.5) * grid.step_l0_x_px, width_px - 1
            ),
            y_l0_px=min(grid.origin_l0_y_px + (cell.row + 0.5) * grid.step_l0_y_px, height_px - 1),
        )
        for cell in cells
    ]


def slide_score(probabilities: Probabilities, top_cells: int = 1) -> float:
    """Mean of the `top_cells` highest analysed cells; 1 is the maximum. Refuse an empty map."""
    score = prediction_score([probabilities], top_cells)
    if score is None:
        raise EvaluationInvalid(
            "No cell of the heat map was analysed, so the slide has no score.",
            "Leave the slide out, or look at its tissue mask.",
        )
    return score


def _disc(cell_um: tuple[float, float], radius_um: float) -> NDArray[np.bool_]:
    """Cells (odd, odd) whose centre is within the radius of the middle one's."""
    reach_x, reach_y = (int(radius_um / each) for each in cell_um)
    x_um = np.arange(-reach_x, reach_x + 1) * cell_um[0]
    y_um = np.arange(-reach_y, reach_y + 1) * cell_um[1]
    return np.asarray(np.hypot(x_um[None, :], y_um[:, None]) <= radius_um)


def _silence(free: NDArray[np.bool_], row: int, column: int, disc: NDArray[np.bool_]) -> None:
    reach_y, reach_x = disc.shape[0] // 2, disc.shape[1] // 2
    top, left = max(row - reach_y, 0), max(column - reach_x, 0)
    window = free[top : row + reach_y + 1, left : column + reach_x + 1]
    part = disc[top - row + reach_y :, left - column + reach_x :]
    window &= ~part[: window.shape[0], : window.shape[1]]
