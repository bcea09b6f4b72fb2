"""How much of a slide's tissue a reader viewed at 10× or more: a coarse grid, opted into.

A cell counts as viewed once its middle was on the reader's screen. That somebody looked at what was
on the screen is not known to any program.
"""

from collections.abc import Iterable
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete
from sqlalchemy.orm import Session

from model.prediction.wsi import Mpp
from viewer.db import utc_now
from viewer.errors import RecordingOff, ResolutionMissing
from viewer.records import Slide
from viewer.settings import Settings
from viewer.slides.library import effective_mpp
from viewer.tour.records import Coverage
from viewer.tour.tissue import tissue_of

CELL_UM = 128.0
LEAST_MAGNIFICATION = 10.0
ROUNDING = 0.999  # a zoom that comes to rest on whole device pixels is a hair off its step

Grid = NDArray[np.bool_]


class View(NamedTuple):
    """What a screen showed, in level-0 px, and at which magnification."""

    left: float
    top: float
    right: float
    bottom: float
    magnification: float


class Shares(NamedTuple):
    """Tissue in cells of the heat map; `viewed` of `all`, null where it is not known."""

    viewed: int | None
    all: int | None


def find(session: Session, slide_id: str, reader: str) -> Coverage | None:
    """What the reader viewed of a slide, if that was ever recorded."""
    return session.get(Coverage, (slide_id, reader), populate_existing=True)


def record(session: Session, slide: Slide, reader: str, on: bool) -> Coverage:
    """Switch the recording on or off; what was recorded stays. Raises `ResolutionMissing`."""
    found = session.get(Coverage, (slide.id, reader), with_for_update=True)
    if found is None:
        found = _empty(session, slide, reader)
        session.add(found)
    found.recording = on
    found.changed_at = utc_now()
    return found


def add_views(session: Session, slide_id: str, reader: str, views: Iterable[View]) -> Coverage:
    """Mark what the views showed at 10× or more; raises `RecordingOff` unless it is on."""
    found = session.get(Coverage, (slide_id, reader), with_for_update=True, populate_existing=True)
    if found is None or not found.recording:
        raise RecordingOff
    grid = viewed_cells(found)
    for view in views:
        if view.magnification >= LEAST_MAGNIFICATION * ROUNDING:
            grid[_cells(view, found)] = True
    found.viewed = np.packbits(grid).tobytes()
    found.changed_at = utc_now()
    return found


def forget(session: Session, slide_id: str, reader: str) -> None:
    """Remove what was recorded."""
    session.execute(
        delete(Coverage).where(Coverage.slide_id == slide_id, Coverage.reader == reader)
    )


def viewed_cells(coverage: Coverage) -> Grid:
    """The grid (rows, columns)."""
    shape = coverage.rows, coverage.columns
    bits = np.unpackbits(np.frombuffer(coverage.viewed, np.uint8), count=shape[0] * shape[1])
    return bits.astype(np.bool_).reshape(shape)


def shares(session: Session, settings: Settings, coverage: Coverage) -> Shares:
    """How much of the tissue was viewed."""
    tissue = tissue_of(session, settings, coverage.slide_id)
    if tissue is None:
        return Shares(None, None)
    x, y = tissue.middles_l0_px()
    step = coverage.step_l0_px
    # Cells may hang over the far edges of the slide by a part of themselves.
    columns = np.clip(x // step, 0, coverage.columns - 1).astype(int)
    rows = np.clip(y // step, 0, coverage.rows - 1).astype(int)
    return Shares(int(viewed_cells(coverage)[rows, columns].sum()), len(x))


def _empty(session: Session, slide: Slide, reader: str) -> Coverage:
    mpp: Mpp | None = effective_mpp(session, slide.id)[0]
    if mpp is None:
        raise ResolutionMissing
    assert slide.width_px is not None, "a readable slide has a size"
    assert slide.height_px is not None, "a readable slide has a size"
    step = max(1, round(CELL_UM / max(mpp.x, mpp.y)))
    columns, rows = ceil(slide.width_px / step), ceil(slide.height_px / step)
    return Coverage(
        slide_id=slide.id,
        reader=reader,
        recording=False,
        step_l0_px=step,
        columns=columns,
        rows=rows,
        viewed=np.packbits(np.zeros((rows, columns), np.bool_)).tobytes(),
        changed_at=utc_now(),
    )


def _cells(view: View, coverage: Coverage) -> tuple[slice, slice]:
    """The cells whose middle lies in the view."""

    def between(first: float, last: float, count: int) -> slice:
        begin, end = (ceil(at / coverage.step_l0_px - 0.5) for at in (first, last))
        return slice(max(0, min(begin, count)), max(0, min(end, count)))

    return (
        between(view.top, view.bottom, coverage.rows),
        between(view.left, view.right, coverage.columns),
    )
