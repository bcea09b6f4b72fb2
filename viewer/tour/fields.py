"""Fields of view that cover the tissue of a slide, in the order of a sweep. No HTTP, no SQL."""

from collections.abc import Iterator

import numpy as np

from viewer.tour.tissue import Mask, Tissue

# Neighbouring fields share a rim, so that nothing lies on an edge of both.
COVERED_SHARE = 0.95
MOST_FIELDS = 20_000

Point = tuple[float, float]


def sweep_fields(
    tissue: Tissue, width_l0_px: float, height_l0_px: float, most: int = MOST_FIELDS
) -> list[Point] | None:
    """Middles (level-0 px) of fields of this size that cover all tissue; None for more than `most`.

    Strips from top to bottom, to the right and to the left in turns. Each strip and each field
    begins where tissue that no other has covered begins, so that glass costs no field, and has its
    middle in the middle of the tissue that it covers.
    """
    (x0, y0), (step_x, step_y) = tissue.origin_l0_px, tissue.step_l0_px
    across = max(1, int(width_l0_px * COVERED_SHARE / step_x))
    down = max(1, int(height_l0_px * COVERED_SHARE / step_y))
    fields: list[Point] = []
    for number, (top, bottom) in enumerate(_pieces(np.asarray(tissue.mask.any(axis=1)), down)):
        strip = np.asarray(tissue.mask[top:bottom].any(axis=0))
        y = y0 + (top + bottom) / 2 * step_y
        line = [(x0 + (left + right) / 2 * step_x, y) for left, right in _pieces(strip, across)]
        fields += line if number % 2 == 0 else reversed(line)
        if len(fields) > most:
            return None
    return fields


def _pieces(tissue: Mask, length: int) -> Iterator[tuple[int, int]]:
    """First and last (excluded) places of pieces of at most `length` that hold every True."""
    places = np.flatnonzero(tissue)
    at = 0
    while at < len(places):
        start = int(places[at])
        at = int(np.searchsorted(places, start + length))
        yield start, int(places[at - 1]) + 1
