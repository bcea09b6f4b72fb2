"""A lattice of equal windows over a slide, and how much of each a mask fills."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Pair = tuple[float, float]  # x, y


@dataclass(frozen=True)
class Windows:
    """`columns` × `rows` windows of `size_l0_px`, each `stride_l0_px` after the one before."""

    columns: int
    rows: int
    origin_l0_px: Pair
    size_l0_px: Pair
    stride_l0_px: Pair

    @property
    def x_l0_px(self) -> Floats:
        """Left edges, (columns,)."""
        return self.origin_l0_px[0] + self.stride_l0_px[0] * np.arange(
            self.columns, dtype=np.float64
        )

    @property
    def y_l0_px(self) -> Floats:
        """Top edges, (rows,)."""
        return _edges(self.origin_l0_px[1], self.stride_l0_px[1], self.rows)

    @property
    def end_l0_px(self) -> Pair:
        """Right and bottom edge of the last window."""
        x = self.origin_l0_px[0] + self.stride_l0_px[0] * (self.columns - 1) + self.size_l0_px[0]
        y = self.origin_l0_px[1] + self.stride_l0_px[1] * (self.rows - 1) + self.size_l0_px[1]
        return x, y

    def part(self, columns: slice, rows: slice) -> "Windows":
        """The windows of those columns and rows (non-negative bounds, no step)."""
        first_column, last_column, _ = columns.indices(self.columns)
        first_row, last_row, _ = rows.indices(self.rows)
        origin = (
            self.origin_l0_px[0] + self.stride_l0_px[0] * first_column,
            self.origin_l0_px[1] + self.stride_l0_px[1] * first_row,
        )
        count = last_column - first_column, last_row - first_row
        return replace(self, columns=count[0], rows=count[1], origin_l0_px=origin)

    def centre(self, share: float) -> "Windows":
        """The square in the middle of each window, `share` of its side."""
        width, height = self.size_l0_px
        x, y = self.origin_l0_px
        origin = x + width * (1 - share) / 2, y + height * (1 - share) / 2
        return replace(self, origin_l0_px=origin, size_l0_px=(width * share, height * share))


def _edges(first: float, stride: float, count: int) -> Floats:
    return np.asarray(first + stride * np.arange(count, dtype=np.float64))


def whole(size_l0_px: Pair) -> Windows:
    """One window: all of a slide."""
    return Windows(1, 1, (0.0, 0.0), size_l0_px, size_l0_px)


def filled_share(mask: Bools, origin_l0_px: Pair, step_l0: Pair, windows: Windows) -> Floats:
    """Share of each window's area, (rows, columns), that `mask` fills.

    Pixel (0, 0) of `mask` has its corner at `origin_l0_px` and measures `step_l0` level-0 pixels.
    What lies outside `mask` is empty. Edges within pixels count by area (bilinear integral image).
    """
    y = (windows.y_l0_px - origin_l0_px[1]) / step_l0[1]
    x = (windows.x_l0_px - origin_l0_px[0]) / step_l0[0]
    height, width = windows.size_l0_px[1] / step_l0[1], windows.size_l0_px[0] / step_l0[0]
    by_rows = _sums(mask, y, height)  # (rows, mask columns)
    return _sums(by_rows.T, x, width).T / (width * height)


def _sums(values: NDArray[np.generic], start_px: Floats, length_px: float) -> Floats:
    """Sums of `values` along axis 0 over [start, start + length) for each start."""
    if values.dtype == np.bool_:
        values = values.view(np.uint8)
    first = _snapped(start_px, len(values))
    last = _snapped(start_px + length_px, len(values))
    corners = [rounded(edge) for edge in (first, last) for rounded in (np.floor, np.ceil)]
    edges = np.unique(np.concatenate(corners)).astype(np.intp)
    # An integral image at these edges alone: eight times faster than one at every pixel.
    total = np.zeros((len(edges), values.shape[1]))
    if len(edges) > 1:
        exact = np.float64 if values.dtype.kind == "f" else np.uint32
        between = np.add.reduceat(values[: edges[-1]], edges[:-1], axis=0, dtype=exact)
        np.cumsum(between, axis=0, out=total[1:])
    return _at(total, edges, last) - _at(total, edges, first)


def _snapped(position_px: Floats, length_px: int) -> Floats:
    """Positions within the mask; divisions leave 95.99999999 where 96 is meant."""
    nearest = np.rint(position_px)
    near = np.abs(position_px - nearest) < 1e-6
    return np.clip(np.where(near, nearest, position_px), 0, length_px)


def _at(total: Floats, edges: NDArray[np.intp], position_px: Floats) -> Floats:
    """`total`, known at `edges`, at fractional positions: linear from one to the next."""
    below = np.searchsorted(edges, np.floor(position_px))
    above = np.searchsorted(edges, np.ceil(position_px))
    weight = (position_px - np.floor(position_px))[:, None]
    return np.asarray(total[below] + weight * (total[above] - total[below]))
