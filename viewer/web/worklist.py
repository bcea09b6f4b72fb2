"""/api/v1: neighbours in the worklist, saved views, and the worklist as a file."""

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, jsonify, request, stream_with_context
from flask.typing import ResponseReturnValue
from pydantic import ValidationError

from viewer.db import iso_utc, utc_now, writing
from viewer.errors import BadRequest, Conflict, ReaderUnknown, SlideNotFound
from viewer.readers import current_reader, require_reader
from viewer.reading import views
from viewer.reading.records import SavedView
from viewer.reading.verdicts import verdict_json
from viewer.services import services
from viewer.slides.cautions import cautions
from viewer.slides.export import csv_lines, json_parts
from viewer.slides.filters import WorklistFilter
from viewer.slides.library import folder_keys, resolution_of, slide_row
from viewer.slides.listing import Listed, all_slides, list_slides, neighbours
from viewer.web import schemas_slides as schemas
from viewer.web.openapi import describe
from viewer.web.requests import read_body, read_query
from viewer.web.slides import analysis_state, found_json

bp = Blueprint("worklist", __name__, url_prefix="/api/v1")

TAG = "Worklist"
CREATED, NO_CONTENT = 201, 204
NOTICE = "Research use only. Not for diagnostic procedures."
CSV = "text/csv"


@bp.get("/slides/<slide_id:slide_id>/neighbours")
@describe(query=WorklistFilter, response=schemas.Neighbours, errors=(SlideNotFound,), tag=TAG)
def show_neighbours(slide_id: str) -> ResponseReturnValue:
    """The readable slides before and after this one in the list of the same query."""
    wanted = read_query(WorklistFilter)
    settings = services().settings
    with services().sessions() as session:
        slide_row(session, settings, slide_id)
        return jsonify(neighbours(session, settings, wanted, slide_id)._asdict())


@bp.get("/views")
@describe(response=schemas.ViewList, tag=TAG)
def list_views() -> ResponseReturnValue:
    """The views built in, and those of who asks."""
    items = [
        {"id": view_id, "name": name, "query": query, "built_in": True}
        for view_id, (name, query) in views.BUILT_IN.items()
    ]
    reader = current_reader()
    if reader is not None:
        with services().sessions() as session:
            items += [_view_json(view) for view in views.views_of(session, reader.name)]
    return jsonify(items=items)


@bp.post("/views")
@describe(
    body=schemas.ViewBody,
    response=schemas.View,
    status=CREATED,
    errors=(ReaderUnknown, Conflict),
    tag=TAG,
)
def save_view() -> ResponseReturnValue:
    """Keep a query of the worklist under a name."""
    body = read_body(schemas.ViewBody)
    try:
        WorklistFilter.model_validate(body.query)
    except ValidationError as error:
        wrong = "; ".join(f"query.{part['loc'][0]}: {part['msg']}" for part in error.errors())
        raise BadRequest(f"{wrong}.", "Take the query from the address of the list.") from None
    reader = require_reader().name
    with writing(services().sessions) as session:
        return jsonify(_view_json(views.save_view(session, reader, body.name, body.query))), CREATED


@bp.delete("/views/<string(length=32):view_id>")
@describe(status=NO_CONTENT, errors=(ReaderUnknown, views.ViewNotFound), tag=TAG)
def delete_view(view_id: str) -> ResponseReturnValue:
    """Delete one of one's own views."""
    reader = require_reader().name
    with writing(services().sessions) as session:
        views.delete_view(session, reader, view_id)
    return "", NO_CONTENT


@bp.get("/worklist.csv")
@describe(query=WorklistFilter, media_type=CSV, tag=TAG)
def export_csv() -> ResponseReturnValue:
    """The whole worklist of a query as CSV, a line for each slide."""
    header = list(schemas.WorklistRow.model_fields)
    return _download(csv_lines(header, _rows(read_query(WorklistFilter))), CSV, "worklist.csv")


@bp.get("/worklist.json")
@describe(query=WorklistFilter, response=schemas.WorklistExport, tag=TAG)
def export_json() -> ResponseReturnValue:
    """The whole worklist of a query as one JSON document."""
    head = {"notice": NOTICE, "exported_at": iso_utc(utc_now())}
    parts = json_parts(head, _rows(read_query(WorklistFilter)))
    return _download(parts, "application/json", "worklist.json")


def _download(parts: Iterator[str], media_type: str, name: str) -> Response:
    answer = Response(stream_with_context(parts), mimetype=media_type)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _rows(wanted: WorklistFilter) -> Iterator[dict[str, Any]]:
    settings = services().settings
    if request.method != "HEAD":
        with services().sessions() as session:
            # What is wrong with the request shows now, while an error can still be answered.
            list_slides(session, settings, wanted, 1, None)
    return _all_rows(wanted)


def _all_rows(wanted: WorklistFilter) -> Iterator[dict[str, Any]]:
    settings = services().settings
    folder_of = {key: folder.name for key, folder in folder_keys(settings).items()}
    with services().sessions() as session:
        for part in all_slides(session, settings, wanted):
            for listed in part:
                yield _row_json(listed, folder_of[listed.slide.folder_key])


def _row_json(listed: Listed, folder: str) -> dict[str, Any]:
    slide, shown = listed.slide, listed.reading
    found = found_json(listed)
    mpp, _ = resolution_of(slide, listed.resolution)
    return {
        "id": slide.id,
        "name": slide.name,
        "folder": folder,
        "added_at": iso_utc(slide.first_seen_at),
        "state": shown.reading.state,
        "reader": shown.reading.reader,
        "assignee": shown.reading.assignee,
        **_verdict_columns(verdict_json(shown.verdict) if shown.verdict else {}),
        "verdicts": shown.verdicts,
        "flags": listed.flags,
        "locked": shown.locked,
        "score": found["score"],
        "hotspots": found["hotspots"],
        "analysis_id": listed.finished.id if listed.finished else None,
        "analysis_state": analysis_state(listed),
        "model_id": listed.finished.model_id if listed.finished else None,
        "model_version": listed.finished.model_version if listed.finished else None,
        "analysed_at": iso_utc(listed.finished.finished_at) if listed.finished else None,
        "warnings": " ".join(caution["code"] for caution in cautions(listed)),
        "width_px": slide.width_px,
        "height_px": slide.height_px,
        "mpp_x": mpp.x if mpp else None,
        "mpp_y": mpp.y if mpp else None,
    }


def _verdict_columns(verdict: dict[str, Any]) -> dict[str, Any]:
    columns = {
        "verdict": "value",
        "verdict_by": "reader",
        "verdict_at": "given_at",
        "verdict_phase": "phase",
        "verdict_overlay_on": "overlay_on",
        "verdict_model_id": "model_id",
        "verdict_model_version": "model_version",
        "verdict_threshold": "threshold",
        "verdict_comment": "comment",
    }
    return {column: verdict.get(name) for column, name in columns.items()}


def _view_json(view: SavedView) -> dict[str, Any]:
    return {"id": view.id, "name": view.name, "query": view.query, "built_in": False}
