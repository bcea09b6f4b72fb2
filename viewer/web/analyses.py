"""/api/v1/…/analyses: asking for analyses, following them, and reading their heat maps."""

from io import BytesIO
from typing import Any

import numpy as np
from flask import Blueprint, Response, jsonify, request, url_for
from flask.typing import ResponseReturnValue
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy.orm import Session

from model.prediction.heatmap import TILE_CELLS
from model.prediction.models import Model
from viewer.analyses import records
from viewer.analyses.catalog import find_model, models
from viewer.analyses.heatmap_tiles import heatmap_version
from viewer.analyses.heatmaps import OpenHeatmap, open_heatmap
from viewer.analyses.job import heatmap_path
from viewer.analyses.status import Status
from viewer.db import writing
from viewer.errors import (
    AnalysisNotFound,
    HeatmapLocked,
    HeatmapNotReady,
    ModelNotFound,
    ResolutionMissing,
    SlideNotFound,
    TicketInvalid,
    TileOutsideGrid,
)
from viewer.reading.blind import is_locked, require_unlocked, withhold
from viewer.records import Analysis, Slide
from viewer.services import services
from viewer.slides.library import check_readable, effective_mpp, slide_row
from viewer.web import schemas_analyses as schemas
from viewer.web import tickets
from viewer.web.openapi import describe
from viewer.web.requests import read_body, read_query
from viewer.web.schemas_slides import Analysis as Shown

bp = Blueprint("analyses", __name__, url_prefix="/api/v1")

ACCEPTED = 202
ANALYSIS = "/analyses/<string(length=32):analysis_id>"
TILES = f"{ANALYSIS}/heatmap/tiles"
# A tile of a finished heat map, asked for by its revision, will never be another.
KEEP_FOR_EVER = "private, max-age=31536000, immutable"
ASK_AGAIN = "private, no-cache"
PNG_EFFORT = 3

TAG = "Analyses"
HEATMAP_ERRORS = (AnalysisNotFound, HeatmapNotReady, HeatmapLocked)


@bp.post("/slides/<slide_id:slide_id>/analyses")
@describe(
    body=schemas.AnalysisBody,
    response=Shown,
    status=ACCEPTED,
    errors=(SlideNotFound, ModelNotFound, ResolutionMissing),
    tag=TAG,
)
def create(slide_id: str) -> ResponseReturnValue:
    """Ask for an analysis: a new one, or the one that is there; a broken off one goes on."""
    body = read_body(schemas.AnalysisBody)
    settings = services().settings
    with writing(services().sessions) as session:
        check_readable(slide_row(session, settings, slide_id))
        mpp, _ = effective_mpp(session, slide_id)
        if mpp is None:
            raise ResolutionMissing
        model = find_model(settings, body.model_id)
        analysis = records.create_or_reuse(
            session, slide_id, model, records.Mpp(mpp.x, mpp.y), body.again
        )
        lost = not heatmap_path(settings, analysis.id).exists()
        records.requeue(session, analysis.id, also_done=lost)
        return _accepted(session, analysis.id)


@bp.get(ANALYSIS)
@describe(response=Shown, errors=(AnalysisNotFound,), tag=TAG)
def show(analysis_id: str) -> ResponseReturnValue:
    """One analysis."""
    with services().sessions() as session:
        return jsonify(_describe(session, analysis_id))


@bp.post(f"{ANALYSIS}/cancel")
@describe(response=Shown, status=ACCEPTED, errors=(AnalysisNotFound,), tag=TAG)
def cancel(analysis_id: str) -> ResponseReturnValue:
    """Cancel it; what is stored stays."""
    with writing(services().sessions) as session:
        records.request_cancel(session, analysis_id)
        return _accepted(session, analysis_id)


@bp.post(f"{ANALYSIS}/focus")
@describe(body=schemas.FocusBody, status=204, errors=(AnalysisNotFound,), tag=TAG)
def focus(analysis_id: str) -> ResponseReturnValue:
    """Compute what somebody looks at first."""
    point = read_body(schemas.FocusBody)
    with writing(services().sessions) as session:
        records.set_focus(session, analysis_id, point.x_l0_px, point.y_l0_px)
    return "", 204


@bp.get(f"{ANALYSIS}/heatmap")
@describe(response=schemas.Heatmap, errors=HEATMAP_ERRORS, tag=TAG)
def heatmap(analysis_id: str) -> ResponseReturnValue:
    """Geometry, model and tile address."""
    analysis, opened = find_heatmap(analysis_id)
    geometry = opened.heatmap.geometry
    with services().sessions() as session:
        model = Status(session, services().settings).of(analysis)["model"]
    return jsonify(
        analysis_id=analysis.id,
        state=analysis.state,
        geometry=geometry.to_json(),
        model=model | {"spacing_um_px": geometry.model_mpp},
        threshold=geometry.threshold,
        tile_size_cells=TILE_CELLS,
        levels=opened.heatmap.level_count,
        tile_url=_tile_url(analysis, opened),
        revision=str(opened.heatmap.revision()),
    )


@bp.get(f"{TILES}.<ticket:ticket>/<index:level>/<index:column>_<index:row>.png")
@describe(media_type="image/png", errors=(*HEATMAP_ERRORS, TileOutsideGrid, TicketInvalid), tag=TAG)
def ticketed_tile(analysis_id: str, ticket: str, level: int, column: int, row: int) -> Response:
    """A value tile of a finished heat map, by the address its description gives."""
    # `TilePath` answers these; here come those it leaves, and all rules are asked again.
    if tickets.read(services().settings, "heatmap", analysis_id, ticket) is None:
        raise TicketInvalid
    return tile(analysis_id, level, column, row)


@bp.get(f"{TILES}/<index:level>/<index:column>_<index:row>.png")
@describe(
    query=schemas.TileQuery,
    media_type="image/png",
    errors=(*HEATMAP_ERRORS, TileOutsideGrid),
    tag=TAG,
)
def tile(analysis_id: str, level: int, column: int, row: int) -> Response:
    """A value tile: 0 = not analysed, 1–255 = probability (v − 1) / 254."""
    analysis, opened = find_heatmap(analysis_id)
    try:
        values = opened.heatmap.value_tile(level, column, row)
    except IndexError:
        raise TileOutsideGrid from None
    answer = Response(_png(values), mimetype="image/png")
    answer.add_etag()
    final = analysis.state == records.DONE and _is_newest(opened, request.args.get("r"))
    answer.headers["Cache-Control"] = KEEP_FOR_EVER if final else ASK_AGAIN
    answer.make_conditional(request)
    return answer


@bp.get(f"{ANALYSIS}/heatmap/changes")
@describe(
    query=schemas.ChangesQuery, response=schemas.HeatmapChanges, errors=HEATMAP_ERRORS, tag=TAG
)
def changes(analysis_id: str) -> ResponseReturnValue:
    """The tiles that changed since a revision, perhaps some more, and the revision now."""
    since = read_query(schemas.ChangesQuery).since
    _, opened = find_heatmap(analysis_id)
    # First the revision: what is stored between the two looks is told again next time.
    revision = opened.heatmap.revision()
    return jsonify(revision=str(revision), tiles=opened.heatmap.tiles_changed_since(since))


@bp.get("/models")
@describe(response=schemas.ModelList, tag=TAG)
def list_models() -> ResponseReturnValue:
    """The models at hand, and folders that are none, with the reason."""
    settings = services().settings
    return jsonify(items=[_model_json(listed) for listed in models(settings)])


def _accepted(session: Session, analysis_id: str) -> ResponseReturnValue:
    place = {"Location": url_for(".show", analysis_id=analysis_id)}
    return jsonify(_describe(session, analysis_id)), ACCEPTED, place


def _describe(session: Session, analysis_id: str) -> dict[str, Any]:
    analysis = records.get_analysis(session, analysis_id)
    shown = Status(session, services().settings).of(analysis)
    slide = session.get_one(Slide, analysis.slide_id)
    return withhold(shown) if is_locked(session, slide) else shown


def find_heatmap(analysis_id: str) -> tuple[Analysis, OpenHeatmap]:
    """The one door to what a model said.

    Raises `AnalysisNotFound`, `HeatmapNotReady` or `HeatmapLocked`.
    """
    with services().sessions() as session:
        analysis = records.get_analysis(session, analysis_id)
        require_unlocked(session, analysis.slide_id)
    opened = open_heatmap(heatmap_path(services().settings, analysis_id))
    if opened is None:
        raise HeatmapNotReady(
            "The heat map of this analysis is not there yet.",
            "It is as soon as the tissue was found; ask again then.",
        )
    return analysis, opened


def _tile_url(analysis: Analysis, opened: OpenHeatmap) -> str:
    """The address of the tiles; with a ticket once they are all there and will not change."""
    ticket = ""
    if analysis.state == records.DONE:
        version = heatmap_version(opened.heatmap)
        ticket = f".{tickets.issue(services().settings, 'heatmap', analysis.id, version)}"
    place = url_for(".heatmap", analysis_id=analysis.id)
    return f"{place}/tiles{ticket}/{{level}}/{{column}}_{{row}}.png"


def _is_newest(opened: OpenHeatmap, revision: str | None) -> bool:
    return revision is not None and revision == str(opened.heatmap.revision())


def _png(values: NDArray[np.uint8]) -> bytes:
    file = BytesIO()
    Image.fromarray(values).save(file, "PNG", compress_level=PNG_EFFORT)
    return file.getvalue()


def _model_json(listed: Model | tuple[str, Any]) -> dict[str, Any]:
    if not isinstance(listed, Model):
        name, error = listed
        return {"name": name, "problem": {"reason": error.reason, "hint": error.hint}}
    return {
        "id": listed.id,
        "version": listed.version,
        "name": listed.name,
        "spacing_um_px": listed.spacing_um_px,
        "patch_size_px": listed.patch_size_px,
        "cell_size_px": listed.cell_size_px,
        "threshold": listed.threshold,
        "calibrated": listed.calibrated,
        "training_summary": listed.training_summary,
        "problem": None,
    }
