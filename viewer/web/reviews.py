"""/api/v1/reviews.json: what readers decided, as a file to learn from."""

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, request, stream_with_context
from flask.typing import ResponseReturnValue

from viewer.db import iso_utc, utc_now
from viewer.reading.decisions import FORMAT, decisions
from viewer.services import services
from viewer.slides.export import json_parts
from viewer.slides.filters import WorklistFilter
from viewer.slides.listing import list_slides
from viewer.web.openapi import describe
from viewer.web.requests import read_query
from viewer.web.schemas_reviews import ReviewsExport
from viewer.web.worklist import NOTICE

bp = Blueprint("reviews", __name__, url_prefix="/api/v1")


@bp.get("/reviews.json")
@describe(query=WorklistFilter, response=ReviewsExport, tag="Worklist")
def export_reviews() -> ResponseReturnValue:
    """What readers decided on the slides of a query: verdicts, flags, opinions on hot spots."""
    wanted = read_query(WorklistFilter)
    if request.method != "HEAD":
        with services().sessions() as session:
            # What is wrong with the request shows now, while an error can still be answered.
            list_slides(session, services().settings, wanted, 1, None)
    answer = Response(stream_with_context(review_parts(wanted)), mimetype="application/json")
    answer.headers["Content-Disposition"] = 'attachment; filename="reviews.json"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


def review_parts(wanted: WorklistFilter) -> Iterator[str]:
    """The file, a slide at a time; to be used up within a request."""
    head = {"notice": NOTICE, "format": FORMAT, "exported_at": iso_utc(utc_now())}
    return json_parts(head, _rows(wanted))


def _rows(wanted: WorklistFilter) -> Iterator[dict[str, Any]]:
    with services().sessions() as session:
        yield from decisions(session, services().settings, wanted)
