"""/api/v1/analyses/…: hot spots, what readers say of them, and two models compared."""

from typing import Any

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from model.prediction.agreement import compare
from model.prediction.hotspots import RANKING_RULE
from viewer.analyses import records
from viewer.analyses.hotspots import with_findings
from viewer.analyses.status import Status
from viewer.db import iso_utc, writing
from viewer.errors import (
    AnalysisNotFound,
    Conflict,
    HeatmapLocked,
    HotspotNotFound,
    HotspotsNotReady,
    ReaderUnknown,
    SlideNotFound,
)
from viewer.paging import Key, page_of
from viewer.readers import current_reader, require_reader
from viewer.reading.blind import is_locked, require_analysis_unlocked, withhold
from viewer.records import Analysis, Hotspot
from viewer.services import services
from viewer.slides.library import slide_row
from viewer.tour import reviews
from viewer.tour.records import HotspotReview
from viewer.web import schemas_hotspots as schemas
from viewer.web.analyses import ANALYSIS, find_heatmap
from viewer.web.openapi import describe
from viewer.web.requests import read_body, read_query
from viewer.web.schemas_slides import AnalysisList

bp = Blueprint("hotspots", __name__, url_prefix="/api/v1")

TAG = "Hot spots"
BY_RANK = (Key(Hotspot.rank),)
MEASURED = (
    "rank",
    "peak_probability",
    "mean_probability",
    "area_mm2",
    "longest_um",
    "size_class",
    "x_l0_px",
    "y_l0_px",
    "bbox_l0_px",
)


@bp.get("/slides/<slide_id:slide_id>/analyses")
@describe(tag="Analyses", response=AnalysisList, errors=(SlideNotFound,))
def list_analyses(slide_id: str) -> ResponseReturnValue:
    """All analyses of a slide, the newest first: one for each model, version and resolution."""
    settings = services().settings
    with services().sessions() as session:
        slide = slide_row(session, settings, slide_id)
        newest_first = (Analysis.created_at.desc(), Analysis.id)
        rows = session.scalars(
            select(Analysis).where(Analysis.slide_id == slide_id).order_by(*newest_first)
        )
        status = Status(session, settings)
        shown = [status.of(row) for row in rows]
        if is_locked(session, slide):
            shown = [withhold(each) for each in shown]
    return jsonify(items=shown)


@bp.get(f"{ANALYSIS}/hotspots")
@describe(
    tag=TAG,
    query=schemas.HotspotsQuery,
    response=schemas.HotspotPage,
    errors=(AnalysisNotFound, HotspotsNotReady, HeatmapLocked),
)
def index(analysis_id: str) -> ResponseReturnValue:
    """The hot spots of a finished analysis by rank, with what readers say of them."""
    query = read_query(schemas.HotspotsQuery)
    _open(analysis_id)
    analysis = with_findings(services().sessions, services().settings, analysis_id)
    reader = current_reader()
    name = reader.name if reader else None
    with services().sessions() as session:
        wanted = select(Hotspot).where(Hotspot.analysis_id == analysis_id)
        rows, following = page_of(session, wanted, BY_RANK, query.limit, query.after)
        said = reviews.reviews(session, analysis_id, [row[0].rank for row in rows])
        counts = reviews.tally(session, analysis, name)
    answer = jsonify(
        analysis_id=analysis_id,
        items=[_hotspot_json(row[0], said.get(row[0].rank, []), name) for row in rows],
        next=following,
        ranking=RANKING_RULE,
        count=analysis.hotspots,
        all_seen=counts.seen >= counts.kept,
        **counts._asdict(),
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


@bp.put(f"{ANALYSIS}/hotspots/<index:rank>/review")
@describe(
    tag=TAG,
    body=schemas.ReviewBody,
    response=schemas.Hotspot,
    errors=(AnalysisNotFound, HotspotNotFound, HeatmapLocked, ReaderUnknown),
)
def put_review(analysis_id: str, rank: int) -> ResponseReturnValue:
    """Say that a hot spot was seen, and what you think of it; every change is kept."""
    body = read_body(schemas.ReviewBody)
    reader = require_reader().name
    _open(analysis_id)
    with writing(services().sessions) as session:
        reviews.review(session, analysis_id, rank, reader, body.seen, body.opinion)
        spot = reviews.hotspot(session, analysis_id, rank)
        said = reviews.reviews(session, analysis_id, [rank])
        return jsonify(_hotspot_json(spot, said[rank], reader))


@bp.get(f"{ANALYSIS}/compare/<string(length=32):other_id>")
@describe(
    tag=TAG,
    response=schemas.Agreement,
    errors=(AnalysisNotFound, Conflict, HeatmapLocked),
)
def show_agreement(analysis_id: str, other_id: str) -> ResponseReturnValue:
    """Two finished analyses of the same slide, compared cell by cell."""
    first, second = find_heatmap(analysis_id), find_heatmap(other_id)
    for analysis, _ in (first, second):
        if analysis.state != records.DONE:
            raise Conflict(
                "One of the two analyses is not finished.", "Compare them when both are."
            )
    if first[0].slide_id != second[0].slide_id:
        raise Conflict(
            "The two analyses are of different slides.", "Compare analyses of the same slide."
        )
    agreement = compare(first[1].heatmap, second[1].heatmap)
    x_l0_px, y_l0_px = agreement.max_at_l0_px or (None, None)
    return jsonify(
        analysis_id=analysis_id,
        other_id=other_id,
        threshold=first[1].heatmap.geometry.threshold,
        other_threshold=second[1].heatmap.geometry.threshold,
        cells_compared=agreement.compared,
        cells_both=agreement.both,
        cells_only_this=agreement.only_first,
        cells_only_other=agreement.only_second,
        cells_neither=agreement.neither,
        cells_not_compared=agreement.not_compared,
        mean_absolute_difference=agreement.mean_difference,
        max_absolute_difference=agreement.max_difference,
        max_x_l0_px=x_l0_px,
        max_y_l0_px=y_l0_px,
    )


def _open(analysis_id: str) -> None:
    """Raise `AnalysisNotFound`, or `HeatmapLocked` for what is still closed to who asks."""
    with services().sessions() as session:
        records.get_analysis(session, analysis_id)
        require_analysis_unlocked(session, analysis_id)


def _hotspot_json(spot: Hotspot, said: list[HotspotReview], reader: str | None) -> dict[str, Any]:
    own = next((each for each in said if each.reader == reader), None)
    return {
        **{name: getattr(spot, name) for name in MEASURED},
        "review": {
            "seen": own.seen if own else False,
            "opinion": own.opinion if own else None,
        },
        "opinions": [
            {
                "reader": each.reader,
                "opinion": each.opinion,
                "changed_at": iso_utc(each.changed_at),
            }
            for each in said
            if each.reader != reader and each.opinion is not None
        ],
    }
