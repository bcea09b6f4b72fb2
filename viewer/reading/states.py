"""How far the reading of a slide is. Every change makes a new version and is kept.

unread → in_review (who) → reviewed (with a verdict) ⇄ second_opinion. Looking at a slide changes
nothing; whoever is present in it as a reader starts an unread one.
"""

from collections.abc import Sequence
from typing import Any, Literal, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from viewer.db import utc_now
from viewer.errors import Conflict
from viewer.reading.records import Reading, ReadingChange
from viewer.records import Slide

State = Literal["unread", "in_review", "reviewed", "second_opinion"]
STATES: tuple[State, ...] = get_args(State)


class VerdictMissing(Conflict):
    """Nobody has given a verdict on this slide."""

    code = "verdict_missing"

    def __init__(
        self,
        message: str = "Nobody has given a verdict on this slide.",
        hint: str = "Give a verdict; the slide is reviewed then.",
    ) -> None:
        super().__init__(message, hint)


def reading_of(session: Session, slide_id: str) -> Reading:
    """The reading of a slide; where nothing was done yet, a row of version 0 that is not stored."""
    found = session.get(Reading, slide_id, populate_existing=True)
    return found or unread(slide_id)


def unread(slide_id: str) -> Reading:
    """The reading of a slide with which nothing was done yet."""
    return Reading(slide_id=slide_id, state="unread", version=0)


def lock_reading(session: Session, slide_id: str) -> Reading:
    """As `reading_of`, inside a writing transaction: nobody else changes it until its end."""
    # PostgreSQL: the slide's row stands for a reading that may have no row yet.
    session.execute(select(Slide.id).where(Slide.id == slide_id).with_for_update(key_share=True))
    return reading_of(session, slide_id)


def change(session: Session, slide_id: str, by: str, **values: Any) -> Reading:  # noqa: ANN401 - columns
    """Set columns of the reading and keep the change; nothing happens when nothing differs."""
    reading = lock_reading(session, slide_id)
    if all(getattr(reading, name) == value for name, value in values.items()):
        return reading
    for name, value in values.items():
        setattr(reading, name, value)
    reading.version += 1
    reading.changed_by, reading.changed_at = by, utc_now()
    session.add(reading)
    session.add(
        ReadingChange(
            slide_id=slide_id,
            version=reading.version,
            state=reading.state,
            reader=reading.reader,
            assignee=reading.assignee,
            verdict_id=reading.verdict_id,
            changed_by=by,
            changed_at=reading.changed_at,
        )
    )
    session.flush()
    return reading


def start(session: Session, slide_id: str, reader: str) -> None:
    """Unread → in review by this reader; anything else stays as it is."""
    if reading_of(session, slide_id).state == "unread":
        change(session, slide_id, reader, state="in_review", reader=reader)


def set_state(session: Session, slide_id: str, by: str, state: State) -> None:
    """What a person decides; raises `VerdictMissing` for reviewed without a verdict."""
    reading = lock_reading(session, slide_id)
    match state:
        case "unread":
            change(session, slide_id, by, state=state, reader=None)
        case "in_review":
            change(session, slide_id, by, state=state, reader=by)
        case "reviewed" if reading.verdict_id is None:
            raise VerdictMissing
        case _:
            change(session, slide_id, by, state=state)


def history(session: Session, slide_id: str) -> Sequence[ReadingChange]:
    """Every change, oldest first."""
    wanted = select(ReadingChange).where(ReadingChange.slide_id == slide_id)
    return session.scalars(wanted.order_by(ReadingChange.version)).all()
