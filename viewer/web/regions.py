"""/api/v1/slides/…/regions.jpeg: a part of a slide as a picture, for lists of places."""

from typing import Annotated

from flask import Blueprint, Response
from pydantic import BaseModel, ConfigDict, Field

from viewer.errors import SlideChanged, SlideNotFound
from viewer.services import services
from viewer.slides.region_pixels import Box
from viewer.web.openapi import describe
from viewer.web.requests import read_query
from viewer.web.tiles import KEEP_TILES, send_picture

bp = Blueprint("regions", __name__, url_prefix="/api/v1/slides")

MOST_PX = 1024
# Far beyond any slide.
Corner = Annotated[float, Field(ge=-1e7, le=1e7, allow_inf_nan=False)]
Side = Annotated[float, Field(ge=1, le=1e7, allow_inf_nan=False)]


class RegionQuery(BaseModel):
    """Upper left corner and size in level-0 px, and how large the picture is to be."""

    model_config = ConfigDict(extra="forbid")

    x_l0_px: Corner
    y_l0_px: Corner
    width_l0_px: Side
    height_l0_px: Side
    longest_px: int = Field(
        default=256, ge=16, le=MOST_PX, description="The longer side of the picture."
    )


@bp.get("/<slide_id:slide_id>/regions.jpeg")
@describe(
    tag="Slides",
    query=RegionQuery,
    media_type="image/jpeg",
    errors=(SlideNotFound, SlideChanged),
)
def show(slide_id: str) -> Response:
    """A rectangle of the slide as a picture; what lies beside the slide is white."""
    query = read_query(RegionQuery)
    box = Box(query.x_l0_px, query.y_l0_px, query.width_l0_px, query.height_l0_px)
    images = services().images
    return send_picture(images.region(images.file(slide_id), box, query.longest_px), KEEP_TILES)
