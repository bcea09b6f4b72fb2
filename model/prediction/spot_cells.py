"""Which cells of a heat map a hot spot consists of. A spot is kept as a box; the map knows more."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from model.prediction.heatmap import Heatmap
from model.prediction.regions import NEIGHBOURS

Runs = NDArray[np.int64]  # (n, 3): row, first column, number of cells
SLACK_PX = 1e-3  # edges of cells are computed, and rounded


def spot_runs(
    heatmap: Heatmap, bbox_l0_px: tuple[float, float, float, float], x_l0_px: float, y_l0_px: float
) -> Runs:
    """The cells, row by row, of the hot spot in that box whose peak is at (x, y); may be none.

    The box holds the whole of it, so its region within the box is its region on the map.
    """
    left, top = _cell(heatmap, bbox_l0_px[0], bbox_l0_px[1])
    # The far edges may have been cut off at the slide's: the last cell is the one they lie in.
    right, bottom = _cell(heatmap, bbox_l0_px[2] - 2 * SLACK_PX, bbox_l0_px[3] - 2 * SLACK_PX)
    values = heatmap.probabilities(top, bottom + 1, left, right + 1)
    with np.errstate(invalid="ignore"):
        labels, _ = ndimage.label(values >= heatmap.geometry.threshold, NEIGHBOURS)
    column, row = _cell(heatmap, x_l0_px, y_l0_px)
    inside = top <= row <= bottom and left <= column <= right
    label = labels[row - top, column - left] if inside else 0
    if not label:  # the map is another one by now
        return np.empty((0, 3), np.int64)
    return np.asarray(_runs(labels == label) + np.array((top, left, 0)))


def runs_json(heatmap: Heatmap, runs: Runs) -> dict[str, Any]:
    """The cells with the lattice that rows and columns count in."""
    g = heatmap.geometry
    return {
        "origin_l0_px": [g.origin_l0_x_px, g.origin_l0_y_px],
        "step_l0_px": [g.step_l0_x_px, g.step_l0_y_px],
        "runs": runs.tolist(),
    }


def _cell(heatmap: Heatmap, x_l0_px: float, y_l0_px: float) -> tuple[int, int]:
    """Column and row of the cell that holds a point, kept on the map."""
    g = heatmap.geometry
    column = int((x_l0_px - g.origin_l0_x_px + SLACK_PX) // g.step_l0_x_px)
    row = int((y_l0_px - g.origin_l0_y_px + SLACK_PX) // g.step_l0_y_px)
    return min(max(column, 0), g.columns - 1), min(max(row, 0), g.rows - 1)


def _runs(inside: NDArray[np.bool_]) -> Runs:
    edges = np.diff(np.pad(inside, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, first = np.nonzero(edges == 1)
    _, end = np.nonzero(edges == -1)
    return np.stack([row, first, end - first], axis=1).astype(np.int64)
