"""The worklist: slides filtered and in a stable order, a page at a time.

What a page costs does not grow with the page's number, and the number of statements is fixed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from model.prediction.wsi import Mpp
from viewer.analyses.records import CANCELLED, DONE
from viewer.errors import BadRequest
from viewer.flags.records import Flag
from viewer.paging import Key, beyond, decode_cursor, encode_cursor, order_of, typed, wrong_cursor
from viewer.reading.records import Reading
from viewer.reading.shown import ShownReading, shown_readings
from viewer.records import Analysis, Resolution, Slide
from viewer.settings import Settings
from viewer.slides.filters import (
    NEWEST,
    SCORED,
    WorklistFilter,
    conditions,
    newest_id,
    score_now,
)
from viewer.slides.library import resolution_of

# What waits for somebody comes first.
STATE_ORDER = {"second_opinion": 0, "in_review": 1, "unread": 2, "reviewed": 3}
EXPORT_STEP = 500
NAME = Key(Slide.sort_name)
ID = Key(Slide.id)


@dataclass(frozen=True)
class Listed:
    """A slide with what is known about it.

    A user's resolution, the analysis to show, the newest finished one, which scores it, how far the
    reading is, and the number of flags.
    """

    slide: Slide
    resolution: Resolution | None
    analysis: Analysis | None
    finished: Analysis | None
    reading: ShownReading
    flags: int


@dataclass(frozen=True)
class Page:
    """Some slides, and the cursor to ask for the next ones with (None at the end)."""

    items: list[Listed]
    next: str | None


class Neighbours(NamedTuple):
    """The readable slides around one in a list; `position` from 1 on, None when it is not in it."""

    previous: str | None
    next: str | None
    position: int | None
    total: int


def list_slides(
    session: Session, settings: Settings, wanted: WorklistFilter, limit: int, after: str | None
) -> Page:
    """At most `limit` slides after the cursor `after`; raises `BadRequest` for a wrong cursor."""
    keys = _keys(wanted, settings)
    query = _matching(wanted, settings).add_columns(*(key.value for key in keys))
    if after is not None:
        query = query.where(beyond(keys, _read_cursor(session, keys, after, wanted.sort)))
    rows = session.execute(query.order_by(*order_of(keys)).limit(limit + 1)).all()
    items = with_details(session, [row[0] for row in rows[:limit]])
    more = len(rows) > limit
    return Page(items, _cursor(keys, wanted.sort, rows[limit - 1][1:]) if more else None)


def all_slides(
    session: Session, settings: Settings, wanted: WorklistFilter
) -> Iterator[list[Listed]]:
    """Every slide of the list, some hundred at a time."""
    after = None
    while True:
        page = list_slides(session, settings, wanted, EXPORT_STEP, after)
        yield page.items
        session.expunge_all()  # ten thousand slides need not be kept to be sent
        after = page.next
        if after is None:
            return


def count_slides(
    session: Session, settings: Settings, wanted: WorklistFilter, *, readable: bool = False
) -> int:
    """How many slides the list has, or how many of them can be opened."""
    # Counting needs no order, nor what is joined for its sake.
    matching = _matching(wanted.model_copy(update={"sort": "name"}), settings)
    return _count(session, matching.where(Slide.problem_reason.is_(None)) if readable else matching)


def neighbours(
    session: Session, settings: Settings, wanted: WorklistFilter, slide_id: str
) -> Neighbours:
    """What comes before and after a slide. It need not be in the list itself.

    So a slide that has just left it (read, in a list of unread ones) still leads on.
    """
    keys = _keys(wanted, settings)
    values = [key.value for key in keys]
    here = session.execute(_joined(wanted, select(*values)).where(Slide.id == slide_id)).one()
    matching = _matching(wanted, settings).where(Slide.problem_reason.is_(None))
    backwards = [Key(key.value, not key.descending) for key in keys]
    before = matching.where(beyond(backwards, here))

    def first(query: Select[Any], order: Sequence[Key]) -> str | None:
        ids = query.with_only_columns(Slide.id).order_by(*order_of(order)).limit(1)
        found: str | None = session.scalar(ids)
        return found

    is_in = first(matching.where(Slide.id == slide_id), keys) is not None
    return Neighbours(
        first(before, backwards),
        first(matching.where(beyond(keys, here)), keys),
        _count(session, before) + 1 if is_in else None,
        count_slides(session, settings, wanted, readable=True),
    )


def with_details(session: Session, slides: Sequence[Slide]) -> list[Listed]:
    """The slides with what is known about them, in the order given.

    An analysis belongs to the resolution it was made with; those of another one do not count.
    """
    ids = [slide.id for slide in slides]
    resolutions = session.scalars(select(Resolution).where(Resolution.slide_id.in_(ids)))
    override_of = {row.slide_id: row for row in resolutions}
    newest_of, finished_of = _analyses(session, slides, override_of)
    readings = shown_readings(session, slides)
    flags = session.execute(
        select(Flag.slide_id, func.count())
        .where(Flag.slide_id.in_(ids), ~Flag.deleted)
        .group_by(Flag.slide_id)
    )
    flags_of = {row[0]: row[1] for row in flags}
    return [
        Listed(
            slide,
            override_of.get(slide.id),
            _shown(newest_of.get(slide.id), finished_of.get(slide.id)),
            finished_of.get(slide.id),
            readings[slide.id],
            flags_of.get(slide.id, 0),
        )
        for slide in slides
    ]


def newest_finished(session: Session, slide: Slide) -> Analysis | None:
    """The newest finished analysis of a slide, made with its present resolution."""
    override = session.get(Resolution, slide.id)
    found = _analyses(session, [slide], {slide.id: override} if override else {})
    return found[1].get(slide.id)


def _analyses(
    session: Session, slides: Sequence[Slide], override_of: dict[str, Resolution]
) -> tuple[dict[str, Analysis], dict[str, Analysis]]:
    """The newest analysis and the newest finished one of each slide."""
    mpp_of = {slide.id: resolution_of(slide, override_of.get(slide.id))[0] for slide in slides}
    rows = session.scalars(
        select(Analysis)
        .where(Analysis.slide_id.in_(list(mpp_of)))
        .order_by(Analysis.created_at, Analysis.id)
        .execution_options(populate_existing=True)
    )
    newest_of: dict[str, Analysis] = {}  # later ones replace earlier ones
    finished_of: dict[str, Analysis] = {}
    for row in rows:
        if mpp_of[row.slide_id] != Mpp(row.mpp_x, row.mpp_y):
            continue
        newest_of[row.slide_id] = row
        if row.state == DONE:
            finished_of[row.slide_id] = row
    return newest_of, finished_of


def _shown(newest: Analysis | None, finished: Analysis | None) -> Analysis | None:
    """A new run that was cancelled takes nothing away: the finished one is still there."""
    if newest is not None and newest.state == CANCELLED and finished is not None:
        return finished
    return newest


def _matching(wanted: WorklistFilter, settings: Settings) -> Select[Any]:
    return _joined(wanted, select(Slide)).where(*conditions(wanted, settings))


def _joined(wanted: WorklistFilter, query: Select[Any]) -> Select[Any]:
    """The query over `Slide` and what filters and sorting look at, and nothing else."""
    query = query.select_from(Slide).outerjoin(Reading, Reading.slide_id == Slide.id)
    if wanted.needs_scored or wanted.warning:
        query = query.outerjoin(Resolution, Resolution.slide_id == Slide.id)
    if wanted.needs_scored:
        query = query.outerjoin(SCORED, SCORED.id == newest_id(finished=True))
    if wanted.needs_newest:
        query = query.outerjoin(NEWEST, NEWEST.id == newest_id(finished=False))
    return query


def _keys(wanted: WorklistFilter, settings: Settings) -> list[Key]:
    backwards = wanted.sort.startswith("-")
    match wanted.sort.removeprefix("-"):
        case "suspicion":
            # Whichever way: first what has a score, then what may get one, then what cannot.
            none, unreadable = (2.0, 3.0) if backwards else (-1.0, -2.0)
            suspicion = case(
                (Slide.problem_reason.is_not(None), unreadable),
                else_=func.coalesce(score_now(settings), none),
            )
            return [Key(suspicion, descending=not backwards), NAME, ID]
        case "added":
            return [Key(Slide.first_seen_at, descending=not backwards), NAME, ID]
        case "state":
            state = func.coalesce(Reading.state, "unread")
            order = case(STATE_ORDER, value=state, else_=len(STATE_ORDER))
            return [Key(order, descending=backwards), NAME, ID]
    return [Key(Slide.sort_name, backwards), Key(Slide.id, backwards)]


def _count(session: Session, query: Select[Any]) -> int:
    return session.scalar(query.with_only_columns(func.count(Slide.id))) or 0


def _cursor(keys: Sequence[Key], sort: str, last: Sequence[Any]) -> str:
    """Where a page ends. Without the name: cursors go into addresses, and those into logs."""
    values = [value for key, value in zip(keys, last, strict=True) if not _is_name(key)]
    return encode_cursor(sort, values)


def _read_cursor(session: Session, keys: Sequence[Key], text: str, sort: str) -> list[Any]:
    """The keys of the row that the cursor stands for."""
    values = decode_cursor(text, sort)
    rest = typed([key for key in keys if not _is_name(key)], values)
    name = session.scalar(select(Slide.sort_name).where(Slide.id == rest[-1]))
    if name is None:
        raise (
            wrong_cursor()
            if len(rest[-1]) != 20
            else BadRequest("The list has changed here.", "Ask for it again from its beginning.")
        )
    following = iter(rest)
    return [name if _is_name(key) else next(following) for key in keys]


def _is_name(key: Key) -> bool:
    return key.value is NAME.value
