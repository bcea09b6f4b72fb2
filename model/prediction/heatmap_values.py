"""A heat map's values as bytes to colour: all cells, and the highest of 2 × 2 above each other."""

import numpy as np
from numpy.typing import NDArray

from model.prediction.heatmap_geometry import HeatmapGeometry

Values = NDArray[np.uint8]


def to_values(probabilities: NDArray[np.float32]) -> Values:
    """0 where a probability is NaN (not analysed), else 1 + round(254 p): 1 to 255."""
    unknown = np.isnan(probabilities)
    return np.where(unknown, 0, 1 + np.rint(254 * np.where(unknown, 0, probabilities))).astype(
        np.uint8
    )


def halve(values: Values) -> Values:
    """The highest value of each 2 × 2, (⌈rows / 2⌉, ⌈columns / 2⌉)."""
    rows, columns = values.shape
    even = np.pad(values, ((0, rows % 2), (0, columns % 2)))
    across = np.maximum(even[:, ::2], even[:, 1::2])
    return np.maximum(across[::2], across[1::2])


class ValuePyramid:
    """Values of all cells (level 0) and of coarser levels; `build` after `put`."""

    def __init__(self, geometry: HeatmapGeometry, level_count: int) -> None:
        self._levels = [np.zeros((geometry.rows, geometry.columns), np.uint8)]
        self._count = level_count
        self.build()

    def put(self, row: int, column: int, values: Values) -> None:
        """Set the values of cells from (row, column) on."""
        height, width = values.shape
        self._levels[0][row : row + height, column : column + width] = values

    def build(self) -> None:
        """Make the coarser levels anew."""
        levels = [self._levels[0]]
        while len(levels) < self._count:
            levels.append(halve(levels[-1]))
        self._levels = levels

    def tile(self, level: int, column: int, row: int, side: int) -> Values | None:
        """A copy of the values of one tile, or None outside the grid."""
        if not 0 <= level < self._count or column < 0 or row < 0:
            return None
        values = self._levels[level]
        tile = values[row * side : (row + 1) * side, column * side : (column + 1) * side]
        return tile.copy() if tile.size else None
