"""The shapes of sweep and coverage in the JSON interface."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Level0 = Annotated[float, Field(ge=-1e7, le=1e7, allow_inf_nan=False)]
Side = Annotated[float, Field(ge=1, le=1e7, allow_inf_nan=False)]
Magnification = Annotated[float, Field(gt=0, le=400, allow_inf_nan=False)]
MOST_VIEWS = 200


class Sweep(BaseModel):
    """Fields that cover the tissue, in the order of the walk.

    `centres_l0_px` are the middles of the fields, `seen` the indices of those that were seen,
    `position` the index of the present one (their number when the sweep is through).
    """

    magnification: float
    field_width_l0_px: float
    field_height_l0_px: float
    centres_l0_px: list[Annotated[list[float], Field(min_length=2, max_length=2)]]
    position: int
    seen: list[int]
    started_at: str
    changed_at: str


class SweepAnswer(BaseModel):
    """The sweep of who asks; null where there is none."""

    sweep: Sweep | None


class SweepBody(BaseModel):
    """What a screen shows at the magnification of the sweep."""

    model_config = ConfigDict(extra="forbid")

    magnification: Magnification
    field_width_l0_px: Side
    field_height_l0_px: Side


class SweepStepBody(BaseModel):
    """Where the reader is now, and which field was seen."""

    model_config = ConfigDict(extra="forbid")

    position: int = Field(ge=0, le=1_000_000)
    seen: int | None = Field(default=None, ge=0, le=1_000_000)


class Coverage(BaseModel):
    """What of a slide the reader who asks viewed at `least_magnification` or more.

    `viewed` holds `rows` × `columns` bits of cells of `step_l0_px`, row by row, the highest bit of
    a byte first, in base64. The tissue is counted in cells of the heat map; null where it is not
    known.
    """

    recording: bool
    least_magnification: float
    step_l0_px: int | None
    columns: int
    rows: int
    viewed: str
    tissue_cells: int | None
    tissue_cells_viewed: int | None
    tissue_share_viewed: float | None


class CoverageBody(BaseModel):
    """Whether to record."""

    model_config = ConfigDict(extra="forbid")

    recording: bool


class ViewBody(BaseModel):
    """What the screen showed."""

    model_config = ConfigDict(extra="forbid")

    left_l0_px: Level0
    top_l0_px: Level0
    right_l0_px: Level0
    bottom_l0_px: Level0
    magnification: Magnification


class ViewsBody(BaseModel):
    """Views since the last report."""

    model_config = ConfigDict(extra="forbid")

    views: Annotated[list[ViewBody], Field(max_length=MOST_VIEWS)]
