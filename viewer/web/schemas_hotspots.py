"""The shapes of hot spots in the JSON interface."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from viewer.paging import MAX_LIMIT
from viewer.tour.reviews import Opinion

Share = Annotated[float, Field(ge=0, le=1)]


class HotspotReview(BaseModel):
    """What the reader who asks says of a hot spot."""

    seen: bool
    opinion: Opinion | None


class HotspotOpinion(BaseModel):
    """What another reader says of it."""

    reader: str
    opinion: Opinion
    changed_at: str


class Hotspot(BaseModel):
    """A connected region at or above the threshold, measured on the heat map.

    `size_class` names `longest_um`: above 2,000 µm macro, above 200 µm micro, else itc (as isolated
    tumour cells). It is a measurement, not a diagnosis. `x_l0_px`, `y_l0_px` are the middle of the
    highest cell; `bbox_l0_px` is left, top, right, bottom.
    """

    rank: int
    peak_probability: Share
    mean_probability: Share
    area_mm2: float
    longest_um: float
    size_class: Literal["macro", "micro", "itc"]
    x_l0_px: float
    y_l0_px: float
    bbox_l0_px: Annotated[list[float], Field(min_length=4, max_length=4)]
    review: HotspotReview
    opinions: list[HotspotOpinion]


class HotspotPage(BaseModel):
    """A page of hot spots by rank, and how far the reader who asks is with all of them.

    `count` is how many there are; the first `kept` of them by rank are kept.
    """

    analysis_id: str
    items: list[Hotspot]
    next: str | None
    ranking: str
    count: int
    kept: int
    seen: int
    agreed: int
    disagreed: int
    all_seen: bool


class HotspotsQuery(BaseModel):
    """Which page."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=100, ge=1, le=MAX_LIMIT)
    after: str | None = Field(default=None, description="The `next` of the page before.")


class ReviewBody(BaseModel):
    """Whether it was seen, and what the reader thinks of it; an opinion counts as seen."""

    model_config = ConfigDict(extra="forbid")

    seen: bool = True
    opinion: Opinion | None = None


class Agreement(BaseModel):
    """Two heat maps with the same cells, compared cell by cell, each by its own threshold."""

    analysis_id: str
    other_id: str
    threshold: Share
    other_threshold: Share
    cells_compared: int = Field(description="Cells that both analysed.")
    cells_both: int = Field(description="At or above the threshold in both.")
    cells_only_this: int
    cells_only_other: int
    cells_neither: int
    cells_not_compared: int = Field(description="Cells that only one of them analysed.")
    mean_absolute_difference: float | None
    max_absolute_difference: float | None
    max_x_l0_px: float | None = Field(description="Middle of the cell that differs most.")
    max_y_l0_px: float | None
