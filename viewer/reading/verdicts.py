"""Verdicts: what a reader found. They are only ever added and keep what was seen of the model."""

from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy.orm import Session

from viewer.db import iso_utc, utc_now
from viewer.errors import Conflict
from viewer.reading.records import Verdict
from viewer.reading.states import change, lock_reading
from viewer.records import Analysis

Value = Literal["no_tumour", "itc", "micro", "macro", "tumour", "unsatisfactory"]
Phase = Literal["blind", "open"]


@dataclass(frozen=True)
class Seen:
    """What was to be seen of the model while a verdict was given; nothing of it when blind."""

    phase: Phase
    overlay_on: bool = False
    analysis: Analysis | None = None
    threshold: float | None = None


def sent_before(
    session: Session, verdict_id: str | None, slide_id: str, reader: str, value: Value
) -> Verdict | None:
    """The verdict with this id, if it was kept already; raises `Conflict` if it is another one."""
    found = session.get(Verdict, verdict_id) if verdict_id is not None else None
    if found is not None and (found.slide_id, found.reader, found.value) != (
        slide_id,
        reader,
        value,
    ):
        raise Conflict("A verdict with this id is there already.", "Send it under a new id.")
    return found


def give_verdict(
    session: Session,
    slide_id: str,
    reader: str,
    value: Value,
    seen: Seen,
    comment: str | None,
    verdict_id: str | None = None,
) -> Verdict:
    """Add a verdict and move the reading on.

    A blind one leaves the slide in review: the reader is to look again with the heat map. An open
    one makes it reviewed, but whoever gave the verdict that a second opinion was asked for cannot
    be that second opinion.
    """
    reading = lock_reading(session, slide_id)
    before = session.get(Verdict, reading.verdict_id) if reading.verdict_id else None
    verdict = Verdict(
        id=verdict_id or uuid4().hex,
        slide_id=slide_id,
        value=value,
        reader=reader,
        given_at=utc_now(),
        phase=seen.phase,
        overlay_on=seen.overlay_on,
        analysis_id=seen.analysis.id if seen.analysis else None,
        model_id=seen.analysis.model_id if seen.analysis else None,
        model_version=seen.analysis.model_version if seen.analysis else None,
        threshold=seen.threshold,
        comment=comment,
    )
    session.add(verdict)
    if seen.phase == "blind":
        state = "in_review"
    elif reading.state == "second_opinion" and before is not None and before.reader == reader:
        state = "second_opinion"
    else:
        state = "reviewed"
    newest = {"verdict_id": verdict.id, "verdict_value": value}
    change(session, slide_id, reader, state=state, reader=reader, **newest)
    return verdict


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict as the API shows it."""
    return {
        "id": verdict.id,
        "slide_id": verdict.slide_id,
        "value": verdict.value,
        "reader": verdict.reader,
        "given_at": iso_utc(verdict.given_at),
        "phase": verdict.phase,
        "overlay_on": verdict.overlay_on,
        "analysis_id": verdict.analysis_id,
        "model_id": verdict.model_id,
        "model_version": verdict.model_version,
        "threshold": verdict.threshold,
        "comment": verdict.comment,
    }
