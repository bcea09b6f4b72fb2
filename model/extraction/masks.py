"""Where a slide holds tumour: one interface over mask TIFFs and outlines.

Level-0 coordinates, origin at the top-left of the slide's bounds. Nothing here reads more than
BLOCK_PX pixels of a mask at once, whatever the slide's size.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from skimage.measure import find_contours

from model.extraction.annotations import Annotations
from model.extraction.errors import MaskInvalid
from model.extraction.outlines import Outline, meets, rasterise
from model.extraction.windows import Bools, Floats, Pair, Windows, filled_share

BLOCK_PX = 1 << 23  # of a mask's level, in memory at once
ANY_SHARE = 1e-8  # of a window: rounding stays below it, one pixel in 10,000 × 10,000 reaches it


class Raster(NamedTuple):
    """Part of a mask: pixels, the level-0 corner of the first, and the size of each."""

    tumour: Bools
    origin_l0_px: Pair
    step_l0: Pair


class LesionMask(ABC):
    """Tumour of one slide, `size_l0_px` (width, height) large."""

    size_l0_px: tuple[int, int]
    value_counts: dict[int, int]  # pixels of each mask value read so far; empty for outlines

    @abstractmethod
    def raster(self, start_l0_px: Pair, end_l0_px: Pair, step_l0: Pair) -> Raster:
        """At least that part of the mask, in pixels not much coarser than `step_l0`."""

    @abstractmethod
    def raster_step_l0(self, step_l0: Pair) -> Pair:
        """Size of the pixels `raster` gives for `step_l0`."""

    def tumour_share(self, windows: Windows, step_l0: Pair, wanted: Bools | None = None) -> Floats:
        """Share of each window that is tumour, (rows, columns), judged at `step_l0` level-0 px.

        Where `wanted` (rows, columns) is False the share may stay 0: such blocks are not read.
        """
        shares = np.zeros((windows.rows, windows.columns))
        for rows, columns in self._blocks(windows, step_l0):
            if wanted is not None and not wanted[rows, columns].any():
                continue
            part = windows.part(columns, rows)
            raster = self.raster(part.origin_l0_px, part.end_l0_px, step_l0)
            if raster.tumour.any():
                shares[rows, columns] = filled_share(*raster, part)
        return shares

    def any_tumour(self, windows: Windows, step_l0: Pair) -> Bools:
        """Whether each window holds any tumour, (rows, columns)."""
        return self.tumour_share(windows, step_l0) > ANY_SHARE

    def read(self, origin_l0_px: Pair, step_l0: Pair, width_px: int, height_px: int) -> Bools:
        """Picture (height, width) of the mask: pixels of `step_l0` that are mostly tumour."""
        pixels = Windows(width_px, height_px, origin_l0_px, step_l0, step_l0)
        return self.tumour_share(pixels, step_l0) >= 0.5

    def outlines(self, start_l0_px: Pair, end_l0_px: Pair, step_l0: Pair) -> list[Outline]:
        """Closed outlines of the tumour in a window (holes too), (n, 2) level-0 x, y each."""
        width, height = (
            max(1, round((end - start) / step))
            for start, end, step in zip(start_l0_px, end_l0_px, step_l0, strict=True)
        )
        picture = np.pad(self.read(start_l0_px, step_l0, width, height), 1)
        # find_contours gives (row, column) of pixel centres, padded by one pixel.
        return [
            (contour[:-1, ::-1] - 0.5) * step_l0 + start_l0_px
            for contour in find_contours(picture.astype(np.float32), 0.5)
        ]

    def _blocks(self, windows: Windows, step_l0: Pair) -> Iterator[tuple[slice, slice]]:
        """Rows and columns of windows that BLOCK_PX pixels of the mask can hold."""
        x_px, y_px = self.raster_step_l0(step_l0)
        columns = _fitting(windows.size_l0_px[0], windows.stride_l0_px[0], x_px)
        rows = _fitting(windows.size_l0_px[1], windows.stride_l0_px[1], y_px)
        for row in range(0, windows.rows, rows):
            for column in range(0, windows.columns, columns):
                yield (
                    slice(row, min(row + rows, windows.rows)),
                    slice(column, min(column + columns, windows.columns)),
                )


def _fitting(size_l0_px: float, stride_l0_px: float, pixel_l0: float) -> int:
    """How many windows lie on one side of a block."""
    side_l0_px = BLOCK_PX**0.5 * pixel_l0
    return max(1, int((side_l0_px - size_l0_px) / stride_l0_px) + 1)


class OutlineMask(LesionMask):
    """Tumour inside outlines, drawn for each window when it is asked for."""

    def __init__(self, annotations: Annotations, size_l0_px: tuple[int, int], name: str) -> None:
        self.size_l0_px = size_l0_px
        self.value_counts = {}
        self._annotations = annotations
        _check_inside(annotations, size_l0_px, name)

    def raster_step_l0(self, step_l0: Pair) -> Pair:
        """Outlines are drawn at any step."""
        return step_l0

    def raster(self, start_l0_px: Pair, end_l0_px: Pair, step_l0: Pair) -> Raster:
        """The window, drawn; tumour outlines join, then what is not tumour is taken out."""
        size_px = (
            int(np.ceil((end_l0_px[0] - start_l0_px[0]) / step_l0[0] - 1e-6)),
            int(np.ceil((end_l0_px[1] - start_l0_px[1]) / step_l0[1] - 1e-6)),
        )
        where = start_l0_px, step_l0, size_px
        near = [
            [outline for outline in outlines if meets(outline, start_l0_px, end_l0_px)]
            for outlines in (self._annotations.tumour, self._annotations.normal)
        ]
        tumour = rasterise(near[0], *where)
        if near[1] and tumour.any():
            tumour &= ~rasterise(near[1], *where)
        return Raster(tumour, start_l0_px, step_l0)


def _check_inside(annotations: Annotations, size_l0_px: tuple[int, int], name: str) -> None:
    for outline in annotations.tumour + annotations.normal:
        if not meets(outline, (0, 0), size_l0_px):
            x, y = outline.mean(axis=0)
            raise MaskInvalid(
                f"An outline of '{name}' (around x {x:.0f}, y {y:.0f}) lies wholly outside its"
                f" slide of {size_l0_px[0]} × {size_l0_px[1]} pixels.",
                "It belongs to another slide or was drawn at another resolution.",
            )


def no_lesions(size_l0_px: tuple[int, int]) -> LesionMask:
    """The mask of a slide known to be normal."""
    return OutlineMask(Annotations(), size_l0_px, "normal slide")
