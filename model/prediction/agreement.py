"""Two models over the same slide: how far they agree, cell by cell."""

from dataclasses import dataclass

import numpy as np

from model.prediction.errors import HeatmapsDiffer
from model.prediction.heatmap import Heatmap
from model.prediction.heatmap_geometry import HeatmapGeometry
from model.prediction.hotspots import bands

SAME = ("columns", "rows", "origin_l0_x_px", "origin_l0_y_px", "step_l0_x_px", "step_l0_y_px")


@dataclass(frozen=True)
class Agreement:
    """Counts of cells; positive means at or above the map's own threshold."""

    compared: int
    both: int
    only_first: int
    only_second: int
    not_compared: int  # analysed in one map alone
    mean_difference: float | None  # of the probabilities, absolute
    max_difference: float | None
    max_at_l0_px: tuple[float, float] | None  # middle of the cell that differs most

    @property
    def neither(self) -> int:
        """Compared, and positive in none."""
        return self.compared - self.both - self.only_first - self.only_second


def compare(first: Heatmap, second: Heatmap) -> Agreement:
    """Compare two maps, some rows at a time; raises HeatmapsDiffer unless their cells agree."""
    _check_same(first.geometry, second.geometry)
    counts = np.zeros(5, np.int64)
    total, highest, at = 0.0, -1.0, (0, 0)
    top = 0
    for one in bands(first):
        two = second.probabilities(top, top + len(one), 0, second.geometry.columns)
        known = ~np.isnan(one) & ~np.isnan(two)
        a, b = one >= first.geometry.threshold, two >= second.geometry.threshold
        apart = int((np.isnan(one) != np.isnan(two)).sum())
        groups = known, known & a & b, known & a & ~b, known & ~a & b
        counts += [*(int(group.sum()) for group in groups), apart]
        difference = np.where(known, np.abs(one.astype(np.float64) - two), -1.0)
        total += float(difference[known].sum())
        if (most := float(difference.max())) > highest:
            row, column = np.unravel_index(int(difference.argmax()), difference.shape)
            highest, at = most, (top + int(row), int(column))
        top += len(one)
    compared, both, only_first, only_second, not_compared = counts.tolist()
    return Agreement(
        compared,
        both,
        only_first,
        only_second,
        not_compared,
        mean_difference=total / compared if compared else None,
        max_difference=highest if compared else None,
        max_at_l0_px=_middle(first.geometry, at) if compared else None,
    )


def _check_same(first: HeatmapGeometry, second: HeatmapGeometry) -> None:
    other = [name for name in SAME if getattr(first, name) != getattr(second, name)]
    if other:
        raise HeatmapsDiffer(
            f"The two heat maps do not have the same cells: {', '.join(other)} differ.",
            "Compare models of the same resolution and cell size, over the same slide.",
        )


def _middle(geometry: HeatmapGeometry, cell: tuple[int, int]) -> tuple[float, float]:
    row, column = cell
    return (
        geometry.origin_l0_x_px + (column + 0.5) * geometry.step_l0_x_px,
        geometry.origin_l0_y_px + (row + 0.5) * geometry.step_l0_y_px,
    )
