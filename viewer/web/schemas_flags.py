"""What the flag routes take and answer."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

from viewer.flags.geometry import Kind
from viewer.readers import ReaderName

State = Literal["open", "agreed", "disagreed", "resolved"]
FlagId = Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")]
Size = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


def _no_nul(text: str) -> str:
    if "\0" in text:
        msg = "must not hold the character NUL"
        raise ValueError(msg)
    return text


NoNul = AfterValidator(_no_nul)
Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), NoNul]
LabelName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000), NoNul]

POSITION = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 3}
RINGS = {"type": "array", "items": {"type": "array", "items": POSITION, "minItems": 4}}


def _geometry(name: str, coordinates: dict[str, Any]) -> dict[str, Any]:
    properties = {"type": {"const": name}, "coordinates": coordinates}
    return {"type": "object", "properties": properties, "required": ["type", "coordinates"]}


# Checked by viewer/flags/geometry.py: an outline may have thousands of vertices, and a message for
# each that is wrong would help nobody.
Geometry = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "title": "GeoJSON geometry in level-0 pixels",
            "oneOf": [
                _geometry("Point", POSITION),
                _geometry("LineString", {"type": "array", "items": POSITION, "minItems": 2}),
                _geometry("Polygon", RINGS),
                _geometry("MultiPolygon", {"type": "array", "items": RINGS}),
            ],
        }
    ),
]


class Body(BaseModel):
    """A request body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class HotspotRef(BaseModel):
    """The hot spot a flag was set for."""

    model_config = ConfigDict(extra="forbid")

    analysis_id: FlagId
    rank: int = Field(ge=1, le=1_000_000)


class FlagBody(Body):
    """A new flag. With an `id` of its own it can be sent twice without being made twice."""

    id: FlagId | None = None
    kind: Kind
    geometry: Geometry
    label: LabelName | None = None
    name: Line | None = None
    reason: Reason = ""
    state: State = "open"
    assignee: ReaderName | None = None
    hotspot: HotspotRef | None = None
    mend: bool = False


class FlagChangeBody(Body):
    """What is to be different; what is left out stays."""

    kind: Kind | None = None
    geometry: Geometry | None = None
    label: LabelName | None = None
    name: Line | None = None
    reason: Reason = ""
    state: State = "open"
    assignee: ReaderName | None = None
    mend: bool = False


class RestoreBody(Body):
    """The version whose content is wanted back."""

    version: int = Field(ge=1, le=2**31 - 1)


class CommentBody(Body):
    """What somebody says about a flag."""

    text: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000), NoNul
    ]


class FlagJson(BaseModel):
    """A flag."""

    id: str
    slide_id: str
    number: int
    version: int
    kind: Kind
    geometry: Geometry
    bbox_l0_px: list[float]
    label: str | None
    name: str | None
    reason: str
    state: State
    assignee: str | None
    source: Literal["drawn", "imported"]
    deleted: bool
    created_by: str
    created_at: str
    changed_by: str
    changed_at: str
    length_um: float | None
    area_mm2: float | None
    comments: int
    hotspot: HotspotRef | None


class ClusterJson(BaseModel):
    """Flags too small to be drawn: how many, where, and how many of each label ('' for none)."""

    count: int
    bbox_l0_px: list[float]
    x_l0_px: float
    y_l0_px: float
    labels: dict[str, int]


class FlagsJson(BaseModel):
    """Flags. With `bbox` or `min_size_l0_px`: items and clusters, together `total`; else a page."""

    items: list[FlagJson]
    clusters: list[ClusterJson]
    total: int
    next: str | None
    states: dict[str, int]
    touched_at: str | None


class VersionJson(BaseModel):
    """A flag as it was."""

    version: int
    action: Literal["created", "changed", "deleted", "restored"]
    changed_by: str
    changed_at: str
    kind: Kind
    geometry: Geometry
    label: str | None
    name: str | None
    reason: str
    state: State
    assignee: str | None
    deleted: bool


class HistoryJson(BaseModel):
    """All versions, the newest first."""

    items: list[VersionJson]


class CommentJson(BaseModel):
    """A comment."""

    id: int
    text: str
    created_by: str
    created_at: str


class CommentsJson(BaseModel):
    """All comments, the oldest first."""

    items: list[CommentJson]


class LabelJson(BaseModel):
    """A label of the laboratory; `key` with Shift gives it to the selected flag."""

    name: str
    colour: str
    key: str | None
    mark: str
    filled: bool
    reason_required: bool


class LabelsJson(BaseModel):
    """The labels, and the colour of flags with another one or none."""

    items: list[LabelJson]
    unknown_colour: str


class NoteJson(BaseModel):
    """Something that was taken with a loss, and how often."""

    text: str
    count: int


class SkippedJson(BaseModel):
    """A region that was not taken."""

    place: str
    reason: str


class ImportJson(BaseModel):
    """What an import did. `skipped` names the first 200 of `skipped_count`."""

    format: Literal["geojson", "xml", "csv"]
    created: int
    updated: int
    unchanged: int
    skipped: list[SkippedJson]
    skipped_count: int
    notes: list[NoteJson]


NUMBER = r"-?\d{1,10}(\.\d{1,6})?"
BoxText = Annotated[str, StringConstraints(pattern=f"^{NUMBER}(,{NUMBER}){{3}}$")]


class FlagsQuery(BaseModel):
    """Which flags, and in what form."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=100, ge=1, le=500)
    after: str | None = None
    bbox: BoxText | None = Field(
        default=None, description="left,top,right,bottom in level-0 pixels"
    )
    min_size_l0_px: Size | None = Field(
        default=None, description="flags whose longer side is shorter are clustered"
    )
    state: State | None = None
    label: str | None = Field(default=None, description="'' for flags without a label")
    assignee: str | None = None
    created_by: str | None = None
    q: str | None = Field(default=None, max_length=200, description="in name, label or reason")
    deleted: bool = False


class PlaneQuery(BaseModel):
    """The plane of a file's coordinates: the slide's bounds (QuPath), or the whole scan (ASAP)."""

    model_config = ConfigDict(extra="forbid")

    plane: Literal["bounds", "scan"] | None = None


class ImportQuery(PlaneQuery):
    """How to take a file."""

    skip_problems: bool = False


class TilesQuery(BaseModel):
    """Which cells."""

    model_config = ConfigDict(extra="forbid")

    minimum: float = Field(default=0, ge=0, le=1, allow_inf_nan=False)
