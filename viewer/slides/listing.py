"""The worklist: slides in a stable order, a page at a time."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session

from model.prediction.wsi import Mpp
from viewer.analyses.records import CANCELLED, DONE
from viewer.errors import BadRequest
from viewer.records import Analysis, Resolution, Slide
from viewer.settings import Settings
from viewer.slides.library import folder_keys, resolution_of

Sort = Literal["name", "suspicion"]

# Below every probability: what has none yet, and what cannot have one.
UNANALYSED, UNREADABLE = -1.0, -2.0


@dataclass(frozen=True)
class Listed:
    """A slide with what is known about it.

    A user's resolution, the analysis to show, and the newest finished one, which scores it.
    """

    slide: Slide
    resolution: Resolution | None
    analysis: Analysis | None
    finished: Analysis | None


@dataclass(frozen=True)
class Page:
    """Some slides, and the cursor to ask for the next ones with (None at the end)."""

    items: list[Listed]
    next: str | None


class _Key(NamedTuple):
    """One sorting key; the last one of an order is unique."""

    value: ColumnElement[Any]
    descending: bool = False


def list_slides(
    session: Session, settings: Settings, sort: Sort, limit: int, after: str | None
) -> Page:
    """At most `limit` slides after the cursor `after`; raises `BadRequest` for a wrong cursor."""
    query, keys = _ordered(sort)
    query = query.where(~Slide.missing, Slide.folder_key.in_(folder_keys(settings)))
    if after is not None:
        query = query.where(_beyond(keys, _read_cursor(session, after, sort)))
    rows = session.execute(query.limit(limit + 1)).all()
    items = with_details(session, [row[0] for row in rows[:limit]])
    more = len(rows) > limit
    return Page(items, _cursor(sort, rows[limit - 1]) if more else None)


def with_details(session: Session, slides: Sequence[Slide]) -> list[Listed]:
    """The slides with their resolutions and newest analyses, in the order given.

    An analysis belongs to the resolution it was made with; those of another one do not count.
    """
    ids = [slide.id for slide in slides]
    resolutions = session.scalars(select(Resolution).where(Resolution.slide_id.in_(ids)))
    override_of = {row.slide_id: row for row in resolutions}
    analyses = session.scalars(
        select(Analysis)
        .where(Analysis.slide_id.in_(ids))
        .order_by(Analysis.created_at, Analysis.id)
        .execution_options(populate_existing=True)
    )
    mpp_of = {slide.id: resolution_of(slide, override_of.get(slide.id))[0] for slide in slides}
    newest_of: dict[str, Analysis] = {}  # later ones replace earlier ones
    finished_of: dict[str, Analysis] = {}
    for row in analyses:
        if mpp_of[row.slide_id] != Mpp(row.mpp_x, row.mpp_y):
            continue
        newest_of[row.slide_id] = row
        if row.state == DONE:
            finished_of[row.slide_id] = row
    return [
        Listed(
            slide,
            override_of.get(slide.id),
            _shown(newest_of.get(slide.id), finished_of.get(slide.id)),
            finished_of.get(slide.id),
        )
        for slide in slides
    ]


def _shown(newest: Analysis | None, finished: Analysis | None) -> Analysis | None:
    """A new run that was cancelled takes nothing away: the finished one is still there."""
    if newest is not None and newest.state == CANCELLED and finished is not None:
        return finished
    return newest


def newest_finished(session: Session, slides: Sequence[Slide]) -> dict[str, Analysis]:
    """The newest finished analysis of each slide that has one, made with its present resolution."""
    listed = with_details(session, slides)
    return {item.slide.id: item.finished for item in listed if item.finished is not None}


def _ordered(sort: Sort) -> tuple[Select[Any], tuple[_Key, ...]]:
    keys: tuple[_Key, ...] = (_Key(func.lower(Slide.name)), _Key(Slide.__table__.c.id))
    if sort == "name":
        return _select(keys), keys
    peaks = _newest_peaks().subquery()
    suspicion = case(
        (Slide.problem_reason.is_not(None), UNREADABLE),
        else_=func.coalesce(peaks.c.peak, UNANALYSED),
    )
    keys = (_Key(suspicion, descending=True), *keys)
    newest = and_(peaks.c.slide_id == Slide.id, peaks.c.age == 1)
    return _select(keys).outerjoin(peaks, newest), keys


def _newest_peaks() -> Select[Any]:
    """The peak probability of each finished analysis, with its age within its slide from 1 on.

    Those made with another resolution than the slide's present one do not count.
    """
    assert Analysis.summary is not None
    newest_first = (Analysis.created_at.desc(), Analysis.id.desc())
    peaks = select(
        Analysis.slide_id,
        Analysis.summary["peak_probability"].as_float().label("peak"),
        func.row_number().over(partition_by=Analysis.slide_id, order_by=newest_first).label("age"),
    )
    return (
        peaks.join(Slide, Slide.id == Analysis.slide_id)
        .outerjoin(Resolution, Resolution.slide_id == Analysis.slide_id)
        .where(
            Analysis.state == "done",
            Analysis.mpp_x == func.coalesce(Resolution.mpp_x, Slide.mpp_x),
            Analysis.mpp_y == func.coalesce(Resolution.mpp_y, Slide.mpp_y),
        )
    )


def _select(keys: Sequence[_Key]) -> Select[Any]:
    order = [key.value.desc() if key.descending else key.value for key in keys]
    return select(Slide, *(key.value for key in keys)).order_by(*order)


def _beyond(keys: Sequence[_Key], last: Sequence[Any]) -> ColumnElement[bool]:
    """What comes after the row whose keys are `last`."""
    alternatives = []
    for n, key in enumerate(keys):
        same = [earlier.value == last[m] for m, earlier in enumerate(keys[:n])]
        further = key.value < last[n] if key.descending else key.value > last[n]
        alternatives.append(and_(*same, further))
    return or_(*alternatives)


def _cursor(sort: Sort, last: Row[Any]) -> str:
    """Where a page ends. Without the name: cursors go into addresses, and those into logs."""
    _, *numbers, _, slide_id = tuple(last)
    return urlsafe_b64encode(json.dumps([sort, *numbers, slide_id]).encode()).decode().rstrip("=")


def _read_cursor(session: Session, text: str, sort: Sort) -> list[Any]:
    """The keys of the row that the cursor stands for."""
    try:
        parts = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):  # of base64, of UTF-8 or of JSON
        parts = None
    match sort, parts:
        case "name", ["name", str(slide_id)]:
            numbers = []
        case "suspicion", ["suspicion", (float() | int()) as peak, str(slide_id)] if (
            UNREADABLE <= peak <= 1
        ):
            numbers = [peak]
        case _:
            raise BadRequest(
                "The value of 'after' is no cursor of this list.",
                "Take it from 'next' of the page before, and keep the sorting.",
            )
    name = session.scalar(select(func.lower(Slide.name)).where(Slide.id == slide_id))
    if name is None:
        raise BadRequest("The list has changed here.", "Ask for it again from its beginning.")
    return [*numbers, name, slide_id]
