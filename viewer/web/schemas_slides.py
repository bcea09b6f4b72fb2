"""The shapes of slides and analyses in the JSON interface."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from model.prediction.slide import SANE_MPP
from viewer.readers import ReaderName
from viewer.slides.filters import AnalysisState, WorklistFilter
from viewer.web.schemas_reading import Reading

MAX_LIMIT = 500

UmPerPx = Annotated[float, Field(ge=SANE_MPP[0], le=SANE_MPP[1], allow_inf_nan=False)]


class Reason(BaseModel):
    """What is wrong, and what to do."""

    reason: str
    hint: str | None


class Caution(BaseModel):
    """What is not quite right; `code` is for programs."""

    model_config = ConfigDict(extra="allow")

    code: str
    text: str
    hint: str | None = None


class AnalysisModel(BaseModel):
    """The model that an analysis was made with; null where it is gone and nobody can tell."""

    model_config = ConfigDict(extra="allow")

    id: str
    version: str
    name: str
    threshold: float | None
    calibrated: bool | None


class Summary(BaseModel):
    """What a finished analysis found."""

    model_config = ConfigDict(extra="allow")

    peak_probability: float | None
    cells_analysed: int
    cells_positive: int
    analysed_area_mm2: float | None
    positive_area_mm2: float | None


class Analysis(BaseModel):
    """One run of one model over one slide. What it found is null while the slide is locked."""

    model_config = ConfigDict(extra="allow")

    id: str
    slide_id: str
    state: Literal["queued", "running", "cancelling", "cancelled", "failed", "done"]
    progress: float
    chunks_done: int
    chunks_total: int | None
    seconds_left_s: float | None
    revision: str
    error: dict[str, Any] | None
    model: AnalysisModel
    summary: Summary | None
    score: float | None
    score_rule: str | None
    hotspots: int | None
    warnings: list[Caution]
    created_at: str
    started_at: str | None
    finished_at: str | None
    queue_position: int | None


class AnalysisList(BaseModel):
    """Analyses, the newest first."""

    items: list[Analysis]


class Slide(BaseModel):
    """A slide, or a file that should be one (`problem` says why it cannot be read).

    `score` and `hotspots` are those of the newest finished analysis, `score_analysis_id`; null
    while `locked`. `reader` is the software that reads the file.
    """

    id: str
    name: str
    folder: str
    width_px: int | None
    height_px: int | None
    mpp_x: float | None
    mpp_y: float | None
    mpp_source: Literal["slide", "user"] | None
    mpp_set_by: str | None
    mpp_set_at: str | None
    objective_power: float | None
    tile_size_px: int | None
    vendor: str | None
    reader: str | None
    state: AnalysisState
    problem: Reason | None
    warnings: list[Caution]
    analysis: Analysis | None
    score: float | None
    hotspots: int | None
    score_analysis_id: str | None
    locked: bool
    reading: Reading
    assignee: str | None
    flags: int
    first_seen_at: str
    dzi_url: str | None
    thumbnail_url: str | None
    page_url: str


class Folder(BaseModel):
    """A slide folder; `problem` says why it cannot be looked through."""

    name: str
    problem: Reason | None


class SlidePage(BaseModel):
    """A page of the list: `total` counts all of it, `next` is the cursor of the next page."""

    items: list[Slide]
    next: str | None
    total: int
    folders: list[Folder]
    scanning: bool


class SlidesQuery(WorklistFilter):
    """Which slides, in which order, and which page of them."""

    limit: int = Field(default=100, ge=1, le=MAX_LIMIT)
    after: str | None = Field(default=None, description="The `next` of the page before.")


class ResolutionBody(BaseModel):
    """The resolution of a slide as somebody states it, in µm per level-0 px."""

    model_config = ConfigDict(extra="forbid")

    mpp_x: UmPerPx
    mpp_y: UmPerPx
    set_by: ReaderName | None = Field(
        default=None,
        description="Needed where Sentinode does not know who asks; otherwise that name counts.",
    )


class Neighbours(BaseModel):
    """Ids of the readable slides before and after; `position` is null for one not in the list."""

    previous: str | None
    next: str | None
    position: int | None
    total: int


class ViewBody(BaseModel):
    """A query of the worklist, as in its address, under a name."""

    model_config = ConfigDict(extra="forbid")

    name: ReaderName
    query: dict[str, str]


class View(BaseModel):
    """A saved query; those built in belong to everybody and cannot be deleted."""

    id: str
    name: str
    query: dict[str, str]
    built_in: bool


class ViewList(BaseModel):
    """The views built in, then one's own by name."""

    items: list[View]


class WorklistRow(BaseModel):
    """A slide in the export."""

    id: str
    name: str
    folder: str
    added_at: str
    state: str
    reader: str | None
    assignee: str | None
    verdict: str | None
    verdict_by: str | None
    verdict_at: str | None
    verdict_phase: str | None
    verdict_overlay_on: bool | None
    verdict_model_id: str | None
    verdict_model_version: str | None
    verdict_threshold: float | None
    verdict_comment: str | None
    verdicts: int
    flags: int
    locked: bool
    score: float | None
    hotspots: int | None
    analysis_id: str | None
    analysis_state: str
    model_id: str | None
    model_version: str | None
    analysed_at: str | None
    warnings: str
    width_px: int | None
    height_px: int | None
    mpp_x: float | None
    mpp_y: float | None


class WorklistExport(BaseModel):
    """A whole worklist."""

    notice: str
    exported_at: str
    items: list[WorklistRow]
