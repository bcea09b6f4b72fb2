"""/api/v1/slides/…: the sweep over the tissue, and what of it was viewed."""

from base64 import b64encode
from typing import Any

import numpy as np
from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from viewer.db import iso_utc, writing
from viewer.errors import (
    Conflict,
    ReaderUnknown,
    RecordingOff,
    ResolutionMissing,
    SlideNotFound,
    SweepMissing,
)
from viewer.readers import current_reader, require_reader
from viewer.records import Slide
from viewer.services import services
from viewer.slides.library import check_readable, slide_row
from viewer.tour import coverage, sweeps
from viewer.tour import records as tables
from viewer.web import schemas_tour as schemas
from viewer.web.openapi import describe
from viewer.web.requests import read_body

bp = Blueprint("tours", __name__, url_prefix="/api/v1/slides/<slide_id:slide_id>")

TAG = "Tour"
NO_CONTENT = 204


@bp.get("/sweep")
@describe(tag=TAG, response=schemas.SweepAnswer, errors=(SlideNotFound,))
def show_sweep(slide_id: str) -> ResponseReturnValue:
    """The sweep of who asks over this slide."""
    reader = current_reader()
    with services().sessions() as session:
        _slide(session, slide_id)
        return _sweep_answer(sweeps.find(session, slide_id, reader.name) if reader else None)


@bp.put("/sweep")
@describe(
    tag=TAG,
    body=schemas.SweepBody,
    response=schemas.SweepAnswer,
    errors=(SlideNotFound, ReaderUnknown, Conflict),
)
def start_sweep(slide_id: str) -> ResponseReturnValue:
    """Begin a sweep over the tissue, in place of an older one."""
    body = read_body(schemas.SweepBody)
    reader = require_reader().name
    with writing(services().sessions) as session:
        _slide(session, slide_id)
        field_l0_px = body.field_width_l0_px, body.field_height_l0_px
        return _sweep_answer(
            sweeps.start(
                session, services().settings, slide_id, reader, body.magnification, field_l0_px
            )
        )


@bp.patch("/sweep")
@describe(
    tag=TAG,
    body=schemas.SweepStepBody,
    status=NO_CONTENT,
    errors=(SlideNotFound, SweepMissing, ReaderUnknown),
)
def step_sweep(slide_id: str) -> ResponseReturnValue:
    """Go to another field, and note one that was seen."""
    body = read_body(schemas.SweepStepBody)
    reader = require_reader().name
    with writing(services().sessions) as session:
        _slide(session, slide_id)
        sweeps.go_on(session, slide_id, reader, body.position, body.seen)
    return "", NO_CONTENT


@bp.delete("/sweep")
@describe(tag=TAG, status=NO_CONTENT, errors=(SlideNotFound, ReaderUnknown))
def end_sweep(slide_id: str) -> ResponseReturnValue:
    """Forget the sweep."""
    reader = require_reader().name
    with writing(services().sessions) as session:
        _slide(session, slide_id)
        sweeps.end(session, slide_id, reader)
    return "", NO_CONTENT


@bp.get("/coverage")
@describe(tag=TAG, response=schemas.Coverage, errors=(SlideNotFound,))
def show_coverage(slide_id: str) -> ResponseReturnValue:
    """What of this slide who asks has viewed at 10× or more, as far as it was recorded."""
    reader = current_reader()
    with services().sessions() as session:
        _slide(session, slide_id)
        found = coverage.find(session, slide_id, reader.name) if reader else None
        return _coverage_answer(session, found)


@bp.put("/coverage")
@describe(
    tag=TAG,
    body=schemas.CoverageBody,
    response=schemas.Coverage,
    errors=(SlideNotFound, ReaderUnknown, ResolutionMissing),
)
def record_coverage(slide_id: str) -> ResponseReturnValue:
    """Switch the recording on or off; it is off until the reader switches it on."""
    body = read_body(schemas.CoverageBody)
    reader = require_reader().name
    with writing(services().sessions) as session:
        slide = _slide(session, slide_id)
        return _coverage_answer(session, coverage.record(session, slide, reader, body.recording))


@bp.post("/coverage/views")
@describe(
    tag=TAG,
    body=schemas.ViewsBody,
    response=schemas.Coverage,
    errors=(SlideNotFound, ReaderUnknown, RecordingOff),
)
def add_views(slide_id: str) -> ResponseReturnValue:
    """Tell what was on the screen."""
    body = read_body(schemas.ViewsBody)
    reader = require_reader().name
    views = [
        coverage.View(
            view.left_l0_px,
            view.top_l0_px,
            view.right_l0_px,
            view.bottom_l0_px,
            view.magnification,
        )
        for view in body.views
    ]
    with writing(services().sessions) as session:
        _slide(session, slide_id)
        return _coverage_answer(session, coverage.add_views(session, slide_id, reader, views))


@bp.delete("/coverage")
@describe(tag=TAG, status=NO_CONTENT, errors=(SlideNotFound, ReaderUnknown))
def forget_coverage(slide_id: str) -> ResponseReturnValue:
    """Forget what was recorded, and record no more."""
    reader = require_reader().name
    with writing(services().sessions) as session:
        _slide(session, slide_id)
        coverage.forget(session, slide_id, reader)
    return "", NO_CONTENT


def _slide(session: Session, slide_id: str) -> Slide:
    slide = slide_row(session, services().settings, slide_id)
    check_readable(slide)
    return slide


def _sweep_answer(sweep: tables.Sweep | None) -> Response:
    return _uncached(jsonify(sweep=_sweep_json(sweep) if sweep else None))


def _sweep_json(sweep: tables.Sweep) -> dict[str, Any]:
    return {
        "magnification": sweep.magnification,
        "field_width_l0_px": sweep.field_width_l0_px,
        "field_height_l0_px": sweep.field_height_l0_px,
        "centres_l0_px": sweep.centres_l0_px,
        "position": sweep.position,
        "seen": np.flatnonzero(sweeps.seen_fields(sweep)).tolist(),
        "started_at": iso_utc(sweep.started_at),
        "changed_at": iso_utc(sweep.changed_at),
    }


def _coverage_answer(session: Session, found: tables.Coverage | None) -> Response:
    viewed, tissue = coverage.shares(session, services().settings, found) if found else (None, None)
    return _uncached(
        jsonify(
            recording=found.recording if found else False,
            least_magnification=coverage.LEAST_MAGNIFICATION,
            step_l0_px=found.step_l0_px if found else None,
            columns=found.columns if found else 0,
            rows=found.rows if found else 0,
            viewed=b64encode(found.viewed).decode() if found else "",
            tissue_cells=tissue,
            tissue_cells_viewed=viewed,
            tissue_share_viewed=viewed / tissue if viewed is not None and tissue else None,
        )
    )


def _uncached(answer: Response) -> Response:
    answer.headers["Cache-Control"] = "no-store"  # it depends on who asks
    return answer
