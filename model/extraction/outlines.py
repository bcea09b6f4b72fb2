"""Polygons to pixels: a pixel is inside when its centre is, by the even-odd rule.

That is the rule by which ASAP turns annotations into masks. Cost grows with the crossings of
edges and pixel rows in the window, not with vertices × pixels, so outlines of 10,000 vertices do.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Outline = NDArray[np.float64]  # (n, 2): x, y in level-0 pixels, not repeated at the end
Bools = NDArray[np.bool_]
Pair = tuple[float, float]


def polygon_area(outline: Outline) -> float:
    """Area enclosed, in the square of the outline's unit (shoelace formula)."""
    x, y = outline[:, 0], outline[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def meets(outline: Outline, start_l0_px: Pair, end_l0_px: Pair) -> bool:
    """Whether the bounding box of `outline` meets the window."""
    low, high = outline.min(axis=0), outline.max(axis=0)
    return bool(np.all(high >= start_l0_px) and np.all(low <= end_l0_px))


def rasterise(
    outlines: Sequence[Outline], origin_l0_px: Pair, step_l0: Pair, size_px: tuple[int, int]
) -> Bools:
    """Pixels (height, width) whose centres lie inside any of `outlines`.

    `origin_l0_px` is the corner of the first pixel, `step_l0` the pixel's size.
    """
    inside = np.zeros((size_px[1], size_px[0]), np.bool_)
    # Crossings are found in the plane of the whole slide, so that windows agree to the last digit.
    first_px = np.divide(origin_l0_px, step_l0)
    whole_px = np.floor(first_px)
    for outline in outlines:
        outline_px = outline / step_l0 - (first_px - whole_px)
        _fill(inside, outline_px, int(whole_px[0]), int(whole_px[1]))
    return inside


def _fill(inside: Bools, outline_px: Outline, left_px: int, top_px: int) -> None:
    """Set the pixels inside one outline; the raster begins at pixel (left, top) of its plane."""
    height, width = inside.shape
    # Row r is crossed at its centre r + 0.5; a pixel is to the right of a crossing at x when its
    # centre c + 0.5 is. Both are half-open, so that a shared vertex or edge counts once.
    start, end = outline_px, np.roll(outline_px, -1, axis=0)
    downwards = (start[:, 1] <= end[:, 1])[:, None]
    upper, lower = np.where(downwards, start, end), np.where(downwards, end, start)
    first = np.clip(np.ceil(upper[:, 1] - 0.5) - top_px, 0, height).astype(np.intp)
    last = np.clip(np.ceil(lower[:, 1] - 0.5) - top_px, 0, height).astype(np.intp)
    count = last - first
    if not count.any():
        return
    edge = np.repeat(np.arange(len(count)), count)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    (left, top), (right, bottom) = upper[edge].T, lower[edge].T
    x = left + (row + top_px + 0.5 - top) / (bottom - top) * (right - left)
    column = np.clip(np.ceil(x - 0.5) - left_px, 0, width).astype(np.intp)
    _toggle(inside, row, column)


def _toggle(inside: Bools, row: NDArray[np.intp], column: NDArray[np.intp]) -> None:
    """Fill between the crossings of each row, within the box that holds them."""
    top, bottom = int(row.min()), int(row.max()) + 1
    left, right = int(column.min()), int(column.max())  # nothing is inside beyond the last
    if left == right:
        return
    shape = bottom - top, right - left + 1
    cells = (row - top) * shape[1] + column - left
    crossings = np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
    odd = np.logical_xor.accumulate(crossings.astype(np.uint8) % 2 == 1, axis=1)
    inside[top:bottom, left:right] |= odd[:, :-1]
