"""Who has a slide open right now, so that two people in one slide see each other."""

from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from viewer.db import utc_now
from viewer.reading.records import Presence

# Pages report every 15 s; so long after the last report somebody still counts as there.
EXPIRES_S = 45


def report(session: Session, slide_id: str, reader: str) -> None:
    """Note that the reader has the slide open; forgets everybody who fell silent."""
    now = utc_now()
    session.execute(delete(Presence).where(Presence.seen_at < now - timedelta(seconds=EXPIRES_S)))
    session.merge(Presence(slide_id=slide_id, reader=reader, seen_at=now))
    session.flush()


def leave(session: Session, slide_id: str, reader: str) -> None:
    """Note that the reader closed the slide."""
    mine = (Presence.slide_id == slide_id, Presence.reader == reader)
    session.execute(delete(Presence).where(*mine))


def others(session: Session, slide_id: str, reader: str) -> list[tuple[str, float]]:
    """Everybody else in the slide, with the seconds since they reported, the latest first."""
    now = utc_now()
    there = session.execute(
        select(Presence.reader, Presence.seen_at)
        .where(Presence.slide_id == slide_id, Presence.reader != reader)
        .where(Presence.seen_at >= now - timedelta(seconds=EXPIRES_S))
        .order_by(Presence.seen_at.desc(), Presence.reader)
    )
    return [(name, max(0.0, (now - seen_at).total_seconds())) for name, seen_at in there]
