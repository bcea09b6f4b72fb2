"""The shapes of what readers decided, as it leaves for training."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from viewer.flags.geometry import Kind
from viewer.reading.states import State
from viewer.web.schemas_flags import Geometry, HotspotRef
from viewer.web.schemas_flags import State as FlagState
from viewer.web.schemas_hotspots import HotspotOpinion, Share
from viewer.web.schemas_reading import Verdict

Pair = Annotated[list[float], Field(min_length=2, max_length=2)]


class ReviewedFlag(BaseModel):
    """A flag that is not deleted, as far as training needs it."""

    id: str
    number: int
    version: int
    kind: Kind
    geometry: Geometry
    label: str | None
    state: FlagState
    created_by: str
    created_at: str
    changed_by: str
    changed_at: str
    hotspot: HotspotRef | None


class SpotCells(BaseModel):
    """The cells of a hot spot: each run is row, first column and number of cells.

    Cell (0, 0) has its corner at `origin_l0_px`; each is `step_l0_px` (x, y) wide.
    """

    origin_l0_px: Pair
    step_l0_px: Pair
    runs: list[Annotated[list[int], Field(min_length=3, max_length=3)]]


class ReviewedHotspot(BaseModel):
    """A hot spot that somebody has an opinion of; `cells` is null where its heat map is gone."""

    rank: int
    peak_probability: Share
    bbox_l0_px: Annotated[list[float], Field(min_length=4, max_length=4)]
    x_l0_px: float
    y_l0_px: float
    cells: SpotCells | None
    opinions: list[HotspotOpinion]


class ReviewedAnalysis(BaseModel):
    """A finished analysis with hot spots."""

    id: str
    model_id: str
    model_version: str
    finished_at: str | None
    hotspots: list[ReviewedHotspot]
    hotspots_without_opinion: int


class ReviewedSlide(BaseModel):
    """A slide and all that was decided on it; without `analyses` while it is locked."""

    id: str
    name: str
    folder: str
    width_px: int | None
    height_px: int | None
    mpp_x: float | None
    mpp_y: float | None
    mpp_source: Literal["slide", "user"] | None
    state: State
    verdict: Verdict | None
    verdicts: int
    locked: bool
    flags: list[ReviewedFlag]
    analyses: list[ReviewedAnalysis]


class ReviewsExport(BaseModel):
    """What readers decided, for `python -m model from-review`."""

    notice: str
    format: Literal[1]
    exported_at: str
    items: list[ReviewedSlide]
