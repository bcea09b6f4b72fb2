"""/api/v1/slides/…: reading state, verdicts and presence."""

from typing import Any

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from viewer.analyses.status import Status
from viewer.db import iso_utc, writing
from viewer.errors import AnalysisNotFound, BadRequest, Conflict, ReaderUnknown, SlideNotFound
from viewer.paging import Key, page_of
from viewer.readers import require_reader
from viewer.reading import presence, states, verdicts
from viewer.reading.blind import is_locked
from viewer.reading.records import ReadingChange, Verdict
from viewer.reading.shown import shown_readings
from viewer.records import Analysis, Slide
from viewer.services import services
from viewer.slides.library import slide_row
from viewer.slides.listing import newest_finished
from viewer.web import schemas_reading as schemas
from viewer.web.conditional import check_if_match, versioned
from viewer.web.openapi import describe
from viewer.web.requests import read_body, read_query

bp = Blueprint("readings", __name__, url_prefix="/api/v1/slides/<slide_id:slide_id>")

TAG = "Reading"
CREATED = 201
REPORT_AGAIN_S = presence.EXPIRES_S // 3
OLDEST_FIRST = (Key(Verdict.given_at), Key(Verdict.id))


@bp.get("/reading")
@describe(response=schemas.Reading, errors=(SlideNotFound,), versioned=True, tag=TAG)
def show(slide_id: str) -> ResponseReturnValue:
    """How far the reading of a slide is."""
    with services().sessions() as session:
        return _answer(session, _slide(session, slide_id))


@bp.patch("/reading")
@describe(
    body=schemas.ReadingBody,
    response=schemas.Reading,
    errors=(SlideNotFound, ReaderUnknown, states.VerdictMissing),
    versioned=True,
    if_match=True,
    tag=TAG,
)
def patch(slide_id: str) -> ResponseReturnValue:
    """Set state or assignee; what is left out stays."""
    body = read_body(schemas.ReadingBody)
    if "state" in body.model_fields_set and body.state is None:
        raise BadRequest("state: must not be null.", "Leave it out, or name a state.")
    reader = require_reader().name
    with writing(services().sessions) as session:
        slide = _slide(session, slide_id)
        version = states.lock_reading(session, slide_id).version
        check_if_match(version, lambda: _shown(session, slide))
        if body.state is not None:
            states.set_state(session, slide_id, reader, body.state)
        if "assignee" in body.model_fields_set:
            states.change(session, slide_id, reader, assignee=body.assignee)
        return _answer(session, slide)


@bp.get("/reading/history")
@describe(response=schemas.ReadingHistory, errors=(SlideNotFound,), tag=TAG)
def history(slide_id: str) -> ResponseReturnValue:
    """Every change of the reading, oldest first."""
    with services().sessions() as session:
        _slide(session, slide_id)
        return jsonify(items=[_change_json(row) for row in states.history(session, slide_id)])


@bp.get("/verdicts")
@describe(query=schemas.PageQuery, response=schemas.VerdictList, errors=(SlideNotFound,), tag=TAG)
def list_verdicts(slide_id: str) -> ResponseReturnValue:
    """All verdicts on a slide, oldest first."""
    query = read_query(schemas.PageQuery)
    with services().sessions() as session:
        _slide(session, slide_id)
        wanted = select(Verdict).where(Verdict.slide_id == slide_id)
        rows, following = page_of(session, wanted, OLDEST_FIRST, query.limit, query.after)
    return jsonify(items=[verdicts.verdict_json(row[0]) for row in rows], next=following)


@bp.post("/verdicts")
@describe(
    body=schemas.VerdictBody,
    response=schemas.Verdict,
    status=CREATED,
    errors=(SlideNotFound, AnalysisNotFound, ReaderUnknown, Conflict),
    tag=TAG,
)
def give_verdict(slide_id: str) -> ResponseReturnValue:
    """Give a verdict; earlier ones stay. The first one under a blind first read opens the heat map.

    An open verdict makes the slide reviewed; a blind one leaves it in review. The same `id` sent
    again, because the answer was lost, gives back the verdict that is kept.
    """
    body = read_body(schemas.VerdictBody)
    reader = require_reader().name
    with writing(services().sessions) as session:
        slide = _slide(session, slide_id)
        states.lock_reading(session, slide_id)
        given = verdicts.sent_before(session, body.id, slide_id, reader, body.value)
        if given is None:
            seen = _seen(session, slide, body)
            said = (body.value, seen, body.comment or None)
            given = verdicts.give_verdict(session, slide_id, reader, *said, verdict_id=body.id)
        return jsonify(verdicts.verdict_json(given)), CREATED


@bp.post("/presence")
@describe(
    body=schemas.PresenceBody,
    response=schemas.Presence,
    errors=(SlideNotFound, ReaderUnknown),
    tag=TAG,
)
def report_presence(slide_id: str) -> ResponseReturnValue:
    """Say that the slide is open here, and hear who else has it open.

    An unread slide becomes in review by this reader, unless `start` is false. Opening the page or
    reading the slide's data alone changes nothing.
    """
    body = read_body(schemas.PresenceBody)
    reader = require_reader().name
    with writing(services().sessions) as session:
        _slide(session, slide_id)
        states.lock_reading(session, slide_id)  # one after the other, also in PostgreSQL
        if body.leaving:
            presence.leave(session, slide_id, reader)
        else:
            presence.report(session, slide_id, reader)
            if body.start:
                states.start(session, slide_id, reader)
        there = presence.others(session, slide_id, reader)
    found = [{"reader": name, "seen_s_ago": round(ago_s, 1)} for name, ago_s in there]
    return jsonify(others=found, report_again_s=REPORT_AGAIN_S)


def _shown(session: Session, slide: Slide) -> dict[str, Any]:
    return shown_readings(session, [slide])[slide.id].to_json()


def _answer(session: Session, slide: Slide) -> Response:
    shown = _shown(session, slide)
    return versioned(shown, shown["version"])


def _slide(session: Session, slide_id: str) -> Slide:
    return slide_row(session, services().settings, slide_id)


def _seen(session: Session, slide: Slide, body: schemas.VerdictBody) -> verdicts.Seen:
    """What of the model was to be seen; the server knows better than the page what was closed."""
    if is_locked(session, slide):
        return verdicts.Seen("blind")
    analysis = _analysis(session, slide, body.analysis_id)
    threshold = body.threshold
    if analysis is not None and threshold is None:
        threshold = Status(session, services().settings).of(analysis)["model"]["threshold"]
    return verdicts.Seen("open", body.overlay_on, analysis, threshold)


def _analysis(session: Session, slide: Slide, analysis_id: str | None) -> Analysis | None:
    if analysis_id is None:
        return newest_finished(session, slide)
    found = session.get(Analysis, analysis_id)
    if found is None or found.slide_id != slide.id:
        raise AnalysisNotFound
    return found


def _change_json(row: ReadingChange) -> dict[str, Any]:
    return {
        "version": row.version,
        "state": row.state,
        "reader": row.reader,
        "assignee": row.assignee,
        "verdict_id": row.verdict_id,
        "changed_by": row.changed_by,
        "changed_at": iso_utc(row.changed_at),
    }
