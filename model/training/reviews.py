"""What readers decided, as the viewer exports it (`/api/v1/reviews.json`)."""

from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model.prediction.errors import PredictionError


class ReviewsInvalid(PredictionError):  # noqa: N818 -- named like the errors of prediction
    """The file is no export of what readers decided."""


class _Loose(BaseModel):
    """Fields this program does not know are the viewer's own business."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Verdict(_Loose):
    """The newest verdict on a slide."""

    value: str
    reader: str
    given_at: str


class HotspotRef(_Loose):
    """The hot spot that a flag was set for."""

    analysis_id: str
    rank: int


class Flag(_Loose):
    """A flag; `geometry` is GeoJSON in level-0 px."""

    id: str
    kind: Literal["point", "box", "polygon", "freehand", "ruler"]
    geometry: dict[str, Any]
    label: str | None
    state: Literal["open", "agreed", "disagreed", "resolved"]
    created_by: str
    changed_by: str
    changed_at: str
    hotspot: HotspotRef | None = None


class Cells(_Loose):
    """Cells of a heat map: runs are row, first column, number."""

    origin_l0_px: tuple[float, float]
    step_l0_px: tuple[float, float]
    runs: tuple[tuple[int, int, int], ...] = Field(min_length=1)


class Opinion(_Loose):
    """What a reader says of a hot spot."""

    reader: str
    opinion: Literal["agree", "disagree"]
    changed_at: str


class Spot(_Loose):
    """A hot spot somebody has an opinion of."""

    rank: int
    cells: Cells | None
    opinions: tuple[Opinion, ...]


class Analysis(_Loose):
    """A finished analysis."""

    id: str
    model_id: str
    model_version: str
    finished_at: str | None
    hotspots: tuple[Spot, ...]
    hotspots_without_opinion: int = Field(ge=0)


class ReviewedSlide(_Loose):
    """A slide with all that was decided on it."""

    id: str
    name: str
    width_px: int | None
    height_px: int | None
    mpp_x: float | None
    mpp_y: float | None
    mpp_source: Literal["slide", "user"] | None
    state: Literal["unread", "in_review", "reviewed", "second_opinion"]
    verdict: Verdict | None
    locked: bool
    flags: tuple[Flag, ...]
    analyses: tuple[Analysis, ...]


class Reviews(_Loose):
    """The whole export."""

    format: Literal[1]
    exported_at: str
    items: tuple[ReviewedSlide, ...]


def read_reviews(path: Path) -> tuple[Reviews, str]:
    """An export of `/api/v1/reviews.json`, and the SHA-256 of the file; raise ReviewsInvalid."""
    hint = "Export it with `python -m viewer reviews`, or from /api/v1/reviews.json."
    try:
        content = path.read_bytes()
        return Reviews.model_validate_json(content), sha256(content).hexdigest()
    except OSError as error:
        raise ReviewsInvalid(
            f"'{path.name}' could not be read: {error.strerror}.", "Check its name."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ReviewsInvalid(
            f"'{path.name}' is no export of reviews ({place}: {first['msg']}).", hint
        ) from error
