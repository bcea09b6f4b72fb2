"""/api/v1/analyses/…/heatmap/thumbnail.png: what is suspicious, to lie over a thumbnail."""

from io import BytesIO

import numpy as np
from flask import Blueprint, Response, request
from numpy.typing import NDArray
from PIL import Image

from model.prediction.heatmap import Heatmap
from model.prediction.heatmap_geometry import HeatmapGeometry
from viewer.analyses.records import DONE
from viewer.db import iso_utc
from viewer.errors import AnalysisNotFound, HeatmapLocked, HeatmapNotReady, SlideNotFound
from viewer.services import services
from viewer.slides.library import slide_row
from viewer.web.analyses import ASK_AGAIN, KEEP_FOR_EVER, find_heatmap
from viewer.web.openapi import describe

bp = Blueprint("heat_thumbnails", __name__, url_prefix="/api/v1")

SIDE_PX = 240
# Viridis' far end, as in the viewer's own colours: it stands out from pink and violet tissue.
YELLOW = (253, 231, 37)
FAINTEST, STRONGEST = 150, 235


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
    pixels = paint(opened.heatmap, size_l0_px)
    answer = Response(_png(pixels), mimetype="image/png")
    answer.set_etag(f"{iso_utc(analysis.finished_at) or ''}-{opened.heatmap.revision()}")
    answer.headers["Cache-Control"] = KEEP_FOR_EVER if analysis.state == DONE else ASK_AGAIN
    answer.make_conditional(request)
    return answer


def paint(heatmap: Heatmap, size_l0_px: tuple[int, int]) -> NDArray[np.uint8]:
    """RGBA pixels (h, w, 4) over a slide of this size, the longer side `SIDE_PX`.

    Each pixel shows the highest cell it touches, so that one hot cell of a large slide stays
    visible.
    """
    geometry = heatmap.geometry
    width_l0_px, height_l0_px = size_l0_px
    scale = SIDE_PX / max(size_l0_px)
    width_px, height_px = max(1, round(width_l0_px * scale)), max(1, round(height_l0_px * scale))
    level = heatmap.level_count - 1
    values = heatmap.value_tile(level, 0, 0)
    columns = _cells_of(width_px, width_l0_px, *_across(geometry, level), values.shape[1])
    rows = _cells_of(height_px, height_l0_px, *_down(geometry, level), values.shape[0])
    shown = _highest(_highest(values, rows, 0), columns, 1).astype(np.float32)
    probability = (shown - 1) / 254
    hot = (shown > 0) & (probability >= geometry.threshold)
    strength = (probability - geometry.threshold) / max(1 - geometry.threshold, 1e-6)
    alpha = np.where(hot, FAINTEST + (STRONGEST - FAINTEST) * np.clip(strength, 0, 1), 0)
    colour = np.broadcast_to(np.array(YELLOW, np.uint8), (*alpha.shape, 3))
    return np.dstack([colour, alpha.astype(np.uint8)])


def _across(geometry: HeatmapGeometry, level: int) -> tuple[float, float]:
    return geometry.origin_l0_x_px, geometry.step_l0_x_px * 2**level


def _down(geometry: HeatmapGeometry, level: int) -> tuple[float, float]:
    return geometry.origin_l0_y_px, geometry.step_l0_y_px * 2**level


def _cells_of(
    size_px: int, size_l0_px: int, origin_l0_px: float, step_l0_px: float, cells: int
) -> list[slice]:
    """For each pixel along one axis, the cells it touches."""
    edges_l0_px = np.linspace(0, size_l0_px, size_px + 1)
    places = (edges_l0_px - origin_l0_px) / step_l0_px
    first = np.clip(np.floor(places[:-1]), 0, cells).astype(int)
    last = np.clip(np.ceil(places[1:]), 0, cells).astype(int)
    return [slice(a, b) for a, b in zip(first, last, strict=True)]


def _highest(values: NDArray[np.uint8], parts: list[slice], axis: int) -> NDArray[np.uint8]:
    swapped = np.moveaxis(values, axis, 0)
    empty = np.zeros(swapped.shape[1:], np.uint8)
    found = [swapped[part].max(axis=0) if part.stop > part.start else empty for part in parts]
    return np.moveaxis(np.stack(found), 0, axis)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
