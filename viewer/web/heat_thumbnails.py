"""/api/v1/analyses/…/heatmap/thumbnail.png: what is suspicious, to lie over a thumbnail."""

from io import BytesIO

import numpy as np
from flask import Blueprint, Response, request
from numpy.typing import NDArray
from PIL import Image

from viewer.analyses.heat_pictures import hot_cells
from viewer.analyses.records import DONE
from viewer.db import iso_utc
from viewer.errors import AnalysisNotFound, HeatmapLocked, HeatmapNotReady, SlideNotFound
from viewer.services import services
from viewer.slides.library import slide_row
from viewer.web.analyses import ASK_AGAIN, KEEP_FOR_EVER, find_heatmap
from viewer.web.openapi import describe

bp = Blueprint("heat_thumbnails", __name__, url_prefix="/api/v1")

SIDE_PX = 240


@bp.get("/analyses/<string(length=32):analysis_id>/heatmap/thumbnail.png")
@describe(
    media_type="image/png",
    errors=(AnalysisNotFound, HeatmapNotReady, HeatmapLocked, SlideNotFound),
    tag="Analyses",
)
def thumbnail(analysis_id: str) -> Response:
    """The cells at or above the threshold, in the shape of the whole slide; the rest is clear."""
    analysis, opened = find_heatmap(analysis_id)
    with services().sessions() as session:
        slide = slide_row(session, services().settings, analysis.slide_id)
        if slide.width_px is None or slide.height_px is None:
            raise SlideNotFound
        size_l0_px = (slide.width_px, slide.height_px)
    pixels = hot_cells(opened.heatmap, (0, 0, *size_l0_px), _size_px(size_l0_px))
    answer = Response(_png(pixels), mimetype="image/png")
    answer.set_etag(f"{iso_utc(analysis.finished_at) or ''}-{opened.heatmap.revision()}")
    answer.headers["Cache-Control"] = KEEP_FOR_EVER if analysis.state == DONE else ASK_AGAIN
    # Under a blind first read it is open to one reader and closed to the next in the same browser.
    answer.vary.update(("Cookie", "Authorization"))
    answer.make_conditional(request)
    return answer


def _size_px(size_l0_px: tuple[int, int]) -> tuple[int, int]:
    scale = SIDE_PX / max(size_l0_px)
    width, height = (max(1, round(side * scale)) for side in size_l0_px)
    return width, height


def _png(pixels: NDArray[np.uint8]) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
