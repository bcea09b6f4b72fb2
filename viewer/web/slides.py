"""/api/v1/slides: the slides and their resolution."""

from pathlib import Path
from typing import Annotated, Any

from flask import Blueprint, jsonify, url_for
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from model.prediction.slide import SANE_MPP
from model.prediction.wsi import Mpp
from viewer.analyses.status import Status
from viewer.db import iso_utc, writing
from viewer.errors import BadRequest
from viewer.readers import ReaderName, current_reader
from viewer.records import Slide
from viewer.services import services
from viewer.slides.library import (
    check_readable,
    first_scan_is_under_way,
    resolution_of,
    set_resolution,
    slide_row,
)
from viewer.slides.listing import Listed, Sort, list_slides, with_details
from viewer.slides.walk import folder_problem
from viewer.web.requests import read_body, read_query

bp = Blueprint("slides", __name__, url_prefix="/api/v1/slides")

MAX_LIMIT = 500

UmPerPx = Annotated[float, Field(ge=SANE_MPP[0], le=SANE_MPP[1], allow_inf_nan=False)]


class ListQuery(BaseModel):
    """Which slides to list, and how."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=100, ge=1, le=MAX_LIMIT)
    after: str | None = None
    sort: Sort = "name"


class ResolutionBody(BaseModel):
    """The resolution of a slide as somebody states it."""

    model_config = ConfigDict(extra="forbid")

    mpp_x: UmPerPx
    mpp_y: UmPerPx
    # Needed where Sentinode does not know who asks; otherwise that name counts.
    set_by: ReaderName | None = None


@bp.get("")
def index() -> ResponseReturnValue:
    """A page of the slide list, and the state of the folders."""
    query = read_query(ListQuery)
    settings = services().settings
    with services().sessions() as session:
        page = list_slides(session, settings, query.sort, query.limit, query.after)
        status = Status(session, settings)
        items = [slide_json(status, listed) for listed in page.items]
        scanning = first_scan_is_under_way(session, settings)
    folders = [_folder_json(folder) for folder in settings.slides]
    return jsonify(items=items, next=page.next, folders=folders, scanning=scanning)


@bp.get("/<slide_id:slide_id>")
def show(slide_id: str) -> ResponseReturnValue:
    """One slide."""
    with services().sessions() as session:
        return jsonify(find_slide(session, slide_id))


@bp.put("/<slide_id:slide_id>/resolution")
def put_resolution(slide_id: str) -> ResponseReturnValue:
    """Set the resolution; kept with who and when."""
    body = read_body(ResolutionBody)
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


def slide_json(status: Status, listed: Listed) -> dict[str, Any]:
    """A slide as the API shows it."""
    slide = listed.slide
    mpp, source = resolution_of(slide, listed.resolution)
    return {
        "id": slide.id,
        "name": slide.name,
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
        "state": _state(listed),
        "problem": _problem_json(slide.problem_reason, slide.problem_hint),
        "warnings": slide.warnings,
        "analysis": status.of(listed.analysis) if listed.analysis else None,
        "first_seen_at": iso_utc(slide.first_seen_at),
        **_addresses(slide),
    }


def _state(listed: Listed) -> str:
    if listed.slide.problem_reason is not None:
        return "unreadable"
    return listed.analysis.state if listed.analysis else "unanalysed"


def _addresses(slide: Slide) -> dict[str, str | None]:
    shown = slide.problem_reason is None
    names = {"dzi_url": "tiles.descriptor", "thumbnail_url": "tiles.thumbnail"}
    urls = {key: url_for(name, slide_id=slide.id) if shown else None for key, name in names.items()}
    return urls | {"page_url": url_for("pages.slide", slide_id=slide.id)}


def _problem_json(reason: str | None, hint: str | None) -> dict[str, str | None] | None:
    return {"reason": reason, "hint": hint} if reason is not None else None


def _folder_json(folder: Path) -> dict[str, Any]:
    problem = folder_problem(folder)
    return {
        "name": folder.name,
        "problem": _problem_json(problem.reason, problem.hint) if problem else None,
    }
