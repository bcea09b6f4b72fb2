"""A reading as the API shows it, alone or beside its slide in a list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from viewer.db import iso_utc
from viewer.reading.blind import locked_ids
from viewer.reading.records import Reading, Verdict
from viewer.reading.states import unread
from viewer.reading.verdicts import verdict_json
from viewer.records import Slide


@dataclass(frozen=True)
class ShownReading:
    """The reading of a slide with its newest verdict, and what holds for who asks."""

    reading: Reading
    verdict: Verdict | None
    verdicts: int
    locked: bool

    def to_json(self) -> dict[str, Any]:
        """As the API shows it."""
        reading = self.reading
        return {
            "slide_id": reading.slide_id,
            "state": reading.state,
            "reader": reading.reader,
            "assignee": reading.assignee,
            "verdict": verdict_json(self.verdict) if self.verdict else None,
            "verdicts": self.verdicts,
            "locked": self.locked,
            "version": reading.version,
            "changed_by": reading.changed_by,
            "changed_at": iso_utc(reading.changed_at),
        }


def shown_readings(session: Session, slides: Sequence[Slide]) -> dict[str, ShownReading]:
    """The readings of some slides, in a fixed number of statements."""
    ids = [slide.id for slide in slides]
    rows = session.scalars(
        select(Reading).where(Reading.slide_id.in_(ids)).execution_options(populate_existing=True)
    )
    reading_of = {row.slide_id: row for row in rows}
    verdict_ids = [row.verdict_id for row in reading_of.values() if row.verdict_id]
    newest = session.scalars(select(Verdict).where(Verdict.id.in_(verdict_ids)))
    verdict_of = {row.slide_id: row for row in newest}
    counts = session.execute(
        select(Verdict.slide_id, func.count())
        .where(Verdict.slide_id.in_(list(verdict_of)))
        .group_by(Verdict.slide_id)
    )
    count_of = {row[0]: row[1] for row in counts}
    locked = locked_ids(session, slides)
    return {
        slide_id: ShownReading(
            reading_of.get(slide_id) or unread(slide_id),
            verdict_of.get(slide_id),
            count_of.get(slide_id, 0),
            slide_id in locked,
        )
        for slide_id in ids
    }
