"""The shapes of asking for analyses, of heat maps and of models in the JSON interface."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from viewer.web.schemas_slides import AnalysisModel

# Far beyond any slide, near enough to be squared.
Level0 = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]


class AnalysisBody(BaseModel):
    """What is asked for; both may be left out."""

    model_config = ConfigDict(extra="forbid")

    model_id: str | None = None
    again: bool = False


class FocusBody(BaseModel):
    """The level-0 point in the middle of somebody's screen."""

    model_config = ConfigDict(extra="forbid")

    x_l0_px: Level0
    y_l0_px: Level0


class TileQuery(BaseModel):
    """`r`: the revision of the heat map; then a finished tile may be kept for ever."""

    r: str | None = None


class ChangesQuery(BaseModel):
    """Since which revision."""

    model_config = ConfigDict(extra="forbid")

    since: int = Field(ge=0)


class Heatmap(BaseModel):
    """Where the cells of a heat map lie, what made it, and where its tiles are."""

    model_config = ConfigDict(extra="allow")

    analysis_id: str
    state: str
    geometry: dict[str, Any]
    model: AnalysisModel
    threshold: float
    tile_size_cells: int
    levels: int
    tile_url: str
    revision: str


class HeatmapChanges(BaseModel):
    """Tiles (level, column, row) that changed, perhaps some more, and the revision now."""

    revision: str
    tiles: list[Annotated[list[int], Field(min_length=3, max_length=3)]]


class ModelProblem(BaseModel):
    """Why a folder is no model."""

    reason: str
    hint: str


class ModelAtHand(BaseModel):
    """A model that can analyse slides."""

    model_config = ConfigDict(extra="allow")

    id: str
    version: str
    name: str
    spacing_um_px: float
    patch_size_px: int
    cell_size_px: int
    threshold: float
    calibrated: bool
    training_summary: str
    problem: None


class NoModel(BaseModel):
    """A folder that should be a model and is none."""

    name: str
    problem: ModelProblem


class ModelList(BaseModel):
    """The models at hand, and the folders that are none."""

    items: list[ModelAtHand | NoModel]
