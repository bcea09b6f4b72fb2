"""The worklist: slides in a stable order, a page at a time."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session

from viewer.errors import BadRequest
from viewer.records import Analysis, Resolution, Slide
from viewer.settings import Settings
from viewer.slides.library import folder_keys

Sort = Literal["name", "suspicion"]

# Below every probability: what has none yet, and what cannot have one.
UNANALYSED, UNREADABLE = -1.0, -2.0


@dataclass(frozen=True)
class Listed:
    """A slide with what is known about it: a user's resolution, its newest analysis."""

    slide: Slide
    resolution: Resolution | None
    analysis: Analysis | None


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
        query = query.where(_beyond(keys, _read_cursor(after, sort, len(keys))))
    rows = session.execute(query.limit(limit + 1)).all()
    items = with_details(session, [row[0] for row in rows[:limit]])
    more = len(rows) > limit
    return Page(items, _cursor(sort, rows[limit - 1][1:]) if more else None)


def with_details(session: Session, slides: Sequence[Slide]) -> list[Listed]:
    """The slides with their resolutions and newest analyses, in the order given."""
    ids = [slide.id for slide in slides]
    resolutions = session.scalars(select(Resolution).where(Resolution.slide_id.in_(ids)))
    resolution_of = {row.slide_id: row for row in resolutions}
    analyses = session.scalars(
        select(Analysis)
        .where(Analysis.slide_id.in_(ids))
        .order_by(Analysis.created_at, Analysis.id)
        .execution_options(populate_existing=True)
    )
    newest_of = {row.slide_id: row for row in analyses}  # later ones replace earlier ones
    return [Listed(slide, resolution_of.get(slide.id), newest_of.get(slide.id)) for slide in slides]


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
    """The peak probability of each finished analysis, with its age within its slide from 1 on."""
    assert Analysis.summary is not None
    newest_first = (Analysis.created_at.desc(), Analysis.id.desc())
    return select(
        Analysis.slide_id,
        Analysis.summary["peak_probability"].as_float().label("peak"),
        func.row_number().over(partition_by=Analysis.slide_id, order_by=newest_first).label("age"),
    ).where(Analysis.state == "done")


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


def _cursor(sort: Sort, last: Sequence[Any]) -> str:
    return urlsafe_b64encode(json.dumps([sort, *last]).encode()).decode().rstrip("=")


def _read_cursor(text: str, sort: Sort, key_count: int) -> list[Any]:
    try:
        parts = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:  # of base64, of UTF-8 or of JSON
        parts = None
    if not _is_cursor(parts, sort, key_count):
        raise BadRequest(
            "The value of 'after' is no cursor of this list.",
            "Take it from 'next' of the page before, and keep the sorting.",
        )
    return list(parts[1:])


def _is_cursor(parts: object, sort: Sort, key_count: int) -> bool:
    if not isinstance(parts, list) or len(parts) != key_count + 1 or parts[0] != sort:
        return False
    *numbers, name, slide_id = parts[1:]
    texts = isinstance(name, str) and isinstance(slide_id, str)
    return texts and all(isinstance(number, float | int) for number in numbers)
