"""Connected regions of a map that comes in bands of rows, without ever holding the whole of it.

Each band is labelled by itself; parts that touch across the border of two bands are joined, and
what no further band can reach is handed out. Memory follows the width of the map and the regions
that are kept, not its height.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Probabilities = NDArray[np.float32]
Ints = NDArray[np.int64]

# Two peaks that read the same on the screen are the same for the ranking.
RANKING_STEP = 0.01
NEIGHBOURS = np.ones((3, 3), np.bool_)  # 8: corners join


class Cell(NamedTuple):
    """One cell of the heat map."""

    row: int
    column: int


@dataclass(frozen=True)
class Region:
    """A connected region, in cells."""

    peak: float
    peak_cell: Cell
    cells: int
    total: float  # of the probabilities
    extents: Ints  # (rows, 3): row, its first and its last column

    @property
    def rank_key(self) -> tuple[int, int, int, int]:
        """Ascending in the order of the ranking."""
        return -round(self.peak / RANKING_STEP), -self.cells, *self.peak_cell


def ranked_regions(
    bands: Iterable[Probabilities], threshold: float, most: int | None = None
) -> tuple[list[Region], int]:
    """The first `most` 8-connected regions ≥ `threshold`, and how many there are in all.

    Highest probability first, to two decimals; among equals the larger, then in reading order.
    NaN is not analysed and belongs to no region.
    """
    kept: list[Region] = []
    found = 0
    unfinished: _Parts | None = None
    top = 0
    for band in bands:
        parts = _Parts.of_band(band, threshold, top)
        whole, unfinished = (parts if unfinished is None else unfinished.joined(parts)).split()
        found += len(whole.cells)
        kept = sorted(kept + whole.first(most), key=lambda region: region.rank_key)[:most]
        top += len(band)
    if unfinished is not None:
        found += len(unfinished.cells)
        kept = sorted(kept + unfinished.first(most), key=lambda region: region.rank_key)[:most]
    return kept, found


@dataclass(frozen=True)
class _Parts:
    """Regions as far as the bands so far show them; arrays (n,) hold one value for each."""

    cells: Ints
    total: NDArray[np.float64]
    peak: Probabilities
    peak_row: Ints
    peak_column: Ints
    extents: Ints  # (m, 4): part, row, first column, last column
    upper: Ints  # (columns,): the part in each cell of the first row, or -1
    lower: Ints  # the same of the last row

    @classmethod
    def of_band(cls, band: Probabilities, threshold: float, top: int) -> Self:
        """The regions within a band whose first row is row `top` of the map."""
        with np.errstate(invalid="ignore"):
            labels, count = ndimage.label(band >= threshold, NEIGHBOURS)
        parts = labels.astype(np.int64) - 1
        rows, columns = np.nonzero(labels)
        part, values = parts[rows, columns], band[rows, columns]
        cells = np.bincount(part, minlength=count)
        highest = _first_of_each(part, np.lexsort((columns, rows, -values, part)))
        return cls(
            cells=cells,
            total=np.bincount(part, weights=values, minlength=count).astype(np.float64),
            peak=values[highest],
            peak_row=rows[highest] + top,
            peak_column=columns[highest],
            extents=_extents(np.stack([part, rows + top, columns, columns], axis=1)),
            upper=parts[0],
            lower=parts[-1],
        )

    def joined(self, below: Self) -> Self:
        """These and those of the next band, with what touches joined."""
        group = self._groups(below)
        cells = np.bincount(group, weights=np.concatenate([self.cells, below.cells]))
        peak = np.concatenate([self.peak, below.peak])
        row = np.concatenate([self.peak_row, below.peak_row])
        column = np.concatenate([self.peak_column, below.peak_column])
        highest = _first_of_each(group, np.lexsort((column, row, -peak, group)))
        extents = np.concatenate([self.extents, below.extents])
        extents[:, 0] = group[
            np.concatenate([self.extents[:, 0], below.extents[:, 0] + len(self.cells)])
        ]
        return type(self)(
            cells=cells.astype(np.int64),
            total=np.bincount(group, weights=np.concatenate([self.total, below.total])).astype(
                np.float64
            ),
            peak=peak[highest],
            peak_row=row[highest],
            peak_column=column[highest],
            extents=_extents(extents),
            upper=_renumbered(self.upper, group),
            lower=_renumbered(below.lower, group[len(self.cells) :]),
        )

    def split(self) -> tuple[Self, Self]:
        """Those that end above the last row, and those that may go on below it."""
        unfinished = np.zeros(len(self.cells), np.bool_)
        unfinished[self.lower[self.lower >= 0]] = True
        return self._only(~unfinished), self._only(unfinished)

    def first(self, most: int | None) -> list[Region]:
        """The first `most` of them in the order of the ranking."""
        steps = np.rint(self.peak.astype(np.float64) / RANKING_STEP)
        order = np.lexsort((self.peak_column, self.peak_row, -self.cells, -steps))[:most]
        return [self._region(int(part)) for part in order]

    def _region(self, part: int) -> Region:
        begin, end = np.searchsorted(self.extents[:, 0], (part, part + 1))
        return Region(
            peak=float(self.peak[part]),
            peak_cell=Cell(int(self.peak_row[part]), int(self.peak_column[part])),
            cells=int(self.cells[part]),
            total=float(self.total[part]),
            extents=self.extents[begin:end, 1:].copy(),  # a view would keep those of the band
        )

    def _groups(self, below: Self) -> Ints:
        """The number of the joined part for each of these and then each of those below."""
        pairs = []
        columns = len(self.lower)
        for shift in (-1, 0, 1):
            above = self.lower[max(0, -shift) : columns - max(0, shift)]
            under = below.upper[max(0, shift) : columns - max(0, -shift)]
            touching = (above >= 0) & (under >= 0)
            pairs.append(np.stack([above[touching], under[touching] + len(self.cells)]))
        begin, end = np.concatenate(pairs, axis=1)
        size = len(self.cells) + len(below.cells)
        links = coo_array((np.ones(len(begin), np.int8), (begin, end)), shape=(size, size))
        return np.asarray(connected_components(links, directed=False)[1], np.int64)

    def _only(self, chosen: NDArray[np.bool_]) -> Self:
        number = np.where(chosen, np.cumsum(chosen) - 1, -1)
        extents = self.extents[chosen[self.extents[:, 0]]]
        extents[:, 0] = number[extents[:, 0]]
        return type(self)(
            self.cells[chosen],
            self.total[chosen],
            self.peak[chosen],
            self.peak_row[chosen],
            self.peak_column[chosen],
            extents,
            _renumbered(self.upper, number),
            _renumbered(self.lower, number),
        )


def _first_of_each(part: Ints, order: Ints) -> Ints:
    """Where each part begins in an order that sorts by part."""
    return order[np.unique(part[order], return_index=True)[1]]


def _extents(extents: Ints) -> Ints:
    """One line for each part and row, sorted, from many."""
    if not len(extents):
        return extents
    ordered = extents[np.lexsort((extents[:, 1], extents[:, 0]))]
    begins = np.ones(len(ordered), np.bool_)
    begins[1:] = (ordered[1:, :2] != ordered[:-1, :2]).any(axis=1)
    at = np.flatnonzero(begins)
    return np.column_stack(
        [
            ordered[at, :2],
            np.minimum.reduceat(ordered[:, 2], at),
            np.maximum.reduceat(ordered[:, 3], at),
        ]
    )


def _renumbered(parts: Ints, number: Ints) -> Ints:
    """Parts (-1: none) by their new numbers."""
    if not len(number):
        return np.full_like(parts, -1)
    return np.where(parts >= 0, number[parts], -1)
