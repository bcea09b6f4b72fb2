"""The cells of all heat maps against the masks: patch level, without keeping the cells.

Each slide leaves two histograms of probability, of its tumour cells and of its normal cells, fine
enough for every figure here; memory grows neither with the slides' size nor with the resamples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.evaluation.figures import Figure, explain
from model.evaluation.intervals import bootstrap
from model.evaluation.metrics import ECE_BINS

BINS = 256 * ECE_BINS  # whole bins of ECE are whole bins of these

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CellCounts:
    """Histograms (BINS,) of the probabilities of one slide's cells."""

    tumour: Counts
    normal: Counts


@dataclass(frozen=True)
class ReliabilityBin:
    """Cells of neighbouring probabilities: how probable they were said to be, and were."""

    n: int
    mean_probability: float
    tumour_share: float


def count_cells(probabilities: NDArray[np.float32], tumour: NDArray[np.bool_]) -> CellCounts:
    """Histograms of analysed cells; both arrays (rows, columns), NaN = not analysed."""
    analysed = ~np.isnan(probabilities)
    bins = np.minimum((probabilities[analysed] * BINS).astype(np.int64), BINS - 1)
    label = tumour[analysed]
    return CellCounts(
        np.bincount(bins[label], minlength=BINS), np.bincount(bins[~label], minlength=BINS)
    )


def cell_auc(slides: Sequence[CellCounts], blocks: Counts, unit: str = "slides") -> Figure:
    """ROC-AUC over cells, interval over blocks (n,) of slides numbered 0, 1, …"""
    tumour = np.stack([each.tumour for each in slides])
    normal = np.stack([each.normal for each in slides])

    def of_draw(weights: Counts) -> float | None:
        weight = weights[blocks]
        return _auc(weight @ tumour, weight @ normal)

    n = {"tumour_cells": int(tumour.sum()), "normal_cells": int(normal.sum())}
    method = (
        "area under the ROC curve over the analysed cells of all heat maps; a cell is tumour when"
        f" its mask holds any; probabilities in steps of 1/{BINS}"
    )
    value = _auc(tumour.sum(axis=0), normal.sum(axis=0))
    if value is None:
        missing = "tumour" if not n["tumour_cells"] else "normal"
        return Figure(None, None, n, method, f"There is no {missing} cell to compare with.")
    interval = bootstrap(of_draw, int(blocks.max()) + 1)
    return Figure(value, interval.ci95, n, f"{method}; {explain(interval, unit)}")


def reliability(slides: Sequence[CellCounts]) -> list[ReliabilityBin]:
    """ECE_BINS bins of equal width, empty ones left out; means are of bin centres."""
    tumour, both = _totals(slides)
    centres = (np.arange(BINS) + 0.5) / BINS
    found = []
    for fine in np.split(np.arange(BINS), ECE_BINS):
        n = int(both[fine].sum())
        if n:
            mean = float((both[fine] * centres[fine]).sum() / n)
            found.append(ReliabilityBin(n, mean, float(tumour[fine].sum() / n)))
    return found


def expected_calibration_error(slides: Sequence[CellCounts]) -> float | None:
    """Mean over bins, weighted by cells, of |tumour share − mean probability|; None if empty."""
    bins = reliability(slides)
    n = sum(each.n for each in bins)
    if not n:
        return None
    return sum(each.n * abs(each.tumour_share - each.mean_probability) for each in bins) / n


def _totals(slides: Sequence[CellCounts]) -> tuple[Counts, Counts]:
    """Histograms of tumour cells and of all cells over all slides."""
    tumour = np.sum([each.tumour for each in slides], axis=0)
    return tumour, tumour + np.sum([each.normal for each in slides], axis=0)


def _auc(tumour: Counts, normal: Counts) -> float | None:
    """Probability that a tumour cell lies above a normal one; equal bins count half."""
    pairs = int(tumour.sum()) * int(normal.sum())
    if not pairs:
        return None
    below = np.cumsum(normal) - normal
    return float(tumour @ (below + normal / 2) / pairs)
