"""/api/v1/slides: the slides and their resolution."""

from pathlib import Path
from typing import Any

from flask import Blueprint, jsonify, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from model.prediction.wsi import Mpp
from viewer.analyses.status import Status
from viewer.db import iso_utc, writing
from viewer.errors import BadRequest, SlideNotFound
from viewer.readers import current_reader
from viewer.reading.blind import withhold
from viewer.records import Slide
from viewer.services import services
from viewer.slides.cautions import cautions
from viewer.slides.files import Signature
from viewer.slides.library import (
    check_readable,
    first_scan_is_under_way,
    folder_keys,
    resolution_of,
    set_resolution,
    slide_row,
)
from viewer.slides.listing import Listed, count_slides, list_slides, with_details
from viewer.slides.walk import folder_problem
from viewer.web import schemas_slides as schemas
from viewer.web.openapi import describe
from viewer.web.requests import read_body, read_query
from viewer.web.tiles import descriptor_url

bp = Blueprint("slides", __name__, url_prefix="/api/v1/slides")

TAG = "Slides"


@bp.get("")
@describe(query=schemas.SlidesQuery, response=schemas.SlidePage, tag=TAG)
def index() -> ResponseReturnValue:
    """A page of the slide list, and the state of the folders."""
    query = read_query(schemas.SlidesQuery)
    settings = services().settings
    with services().sessions() as session:
        page = list_slides(session, settings, query, query.limit, query.after)
        total = count_slides(session, settings, query)
        status = Status(session, settings)
        items = [slide_json(status, listed, in_list=True) for listed in page.items]
        scanning = first_scan_is_under_way(session, settings)
    folders = [_folder_json(folder) for folder in settings.slides]
    return jsonify(items=items, next=page.next, total=total, folders=folders, scanning=scanning)


@bp.get("/<slide_id:slide_id>")
@describe(response=schemas.Slide, errors=(SlideNotFound,), tag=TAG)
def show(slide_id: str) -> ResponseReturnValue:
    """One slide."""
    with services().sessions() as session:
        return jsonify(find_slide(session, slide_id))


@bp.put("/<slide_id:slide_id>/resolution")
@describe(body=schemas.ResolutionBody, response=schemas.Slide, errors=(SlideNotFound,), tag=TAG)
def put_resolution(slide_id: str) -> ResponseReturnValue:
    """Set the resolution; kept with who and when."""
    body = read_body(schemas.ResolutionBody)
    reader = current_reader()
    set_by = reader.name if reader else body.set_by
    if set_by is None:
        raise BadRequest("set_by: who sets the resolution is missing.", "Say your name.")
    with writing(services().sessions) as session:
        check_readable(slide_row(session, services().settings, slide_id))
        set_resolution(session, slide_id, Mpp(body.mpp_x, body.mpp_y), set_by)
        session.flush()
        return jsonify(find_slide(session, slide_id))


def find_slide(session: Session, slide_id: str) -> dict[str, Any]:
    """The JSON of one slide; raises `SlideNotFound`."""
    settings = services().settings
    row = slide_row(session, settings, slide_id)
    return slide_json(Status(session, settings), with_details(session, [row])[0])


def slide_json(status: Status, listed: Listed, *, in_list: bool = False) -> dict[str, Any]:
    """A slide as the API shows it."""
    slide = listed.slide
    mpp, source = resolution_of(slide, listed.resolution)
    return {
        "id": slide.id,
        "name": slide.name,
        "folder": folder_keys(services().settings)[slide.folder_key].name,
        "width_px": slide.width_px,
        "height_px": slide.height_px,
        "mpp_x": mpp.x if mpp else None,
        "mpp_y": mpp.y if mpp else None,
        "mpp_source": source,
        "mpp_set_by": listed.resolution.set_by if listed.resolution else None,
        "mpp_set_at": iso_utc(listed.resolution.set_at) if listed.resolution else None,
        "objective_power": slide.objective_power,
        "tile_size_px": slide.tile_size_px,
        "vendor": slide.vendor,
        "reader": slide.reader,
        "state": analysis_state(listed),
        "problem": _problem_json(slide.problem_reason, slide.problem_hint),
        "warnings": cautions(listed),
        "analysis": _analysis_json(status, listed, in_list),
        **found_json(listed),
        "locked": listed.reading.locked,
        "reading": listed.reading.to_json(),
        "assignee": listed.reading.reading.assignee,
        "flags": listed.flags,
        "first_seen_at": iso_utc(slide.first_seen_at),
        **_addresses(slide),
    }


def found_json(listed: Listed) -> dict[str, Any]:
    """What the newest finished analysis found, unless it is closed to who asks."""
    finished = listed.finished
    if finished is None or listed.reading.locked:
        return {"score": None, "hotspots": None, "score_analysis_id": None}
    peak = (finished.summary or {}).get("peak_probability")
    score = finished.score if finished.score is not None else peak
    return {"score": score, "hotspots": finished.hotspots, "score_analysis_id": finished.id}


def analysis_state(listed: Listed) -> str:
    """How far the analysis of a slide is."""
    if listed.slide.problem_reason is not None:
        return "unreadable"
    return listed.analysis.state if listed.analysis else "unanalysed"


def _analysis_json(status: Status, listed: Listed, in_list: bool) -> dict[str, Any] | None:
    if listed.analysis is None:
        return None
    shown = status.of(listed.analysis, in_list=in_list)
    return withhold(shown) if listed.reading.locked else shown


def _addresses(slide: Slide) -> dict[str, str | None]:
    shown = slide.problem_reason is None
    signature = Signature(slide.size_bytes, slide.mtime_ns, slide.inode)
    version = services().images.version_of(slide.id, signature)
    return {
        "dzi_url": descriptor_url(slide.id, version) if shown else None,
        "thumbnail_url": url_for("tiles.thumbnail", slide_id=slide.id) if shown else None,
        "page_url": url_for("pages.slide", slide_id=slide.id),
    }


def _problem_json(reason: str | None, hint: str | None) -> dict[str, str | None] | None:
    return {"reason": reason, "hint": hint} if reason is not None else None


def _folder_json(folder: Path) -> dict[str, Any]:
    problem = folder_problem(folder)
    return {
        "name": folder.name,
        "problem": _problem_json(problem.reason, problem.hint) if problem else None,
    }
