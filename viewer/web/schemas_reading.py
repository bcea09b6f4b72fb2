"""The shapes of reading in the JSON interface."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from viewer.readers import ReaderName
from viewer.reading.states import State
from viewer.reading.verdicts import Phase, Value

Comment = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000)]


class Verdict(BaseModel):
    """What a reader found, and what was to be seen of the model meanwhile."""

    id: str
    slide_id: str
    value: Value
    reader: str
    given_at: str
    phase: Phase
    overlay_on: bool
    analysis_id: str | None
    model_id: str | None
    model_version: str | None
    threshold: float | None
    comment: str | None


class VerdictList(BaseModel):
    """Verdicts, oldest first; `next` is the cursor of the next page."""

    items: list[Verdict]
    next: str | None


class VerdictBody(BaseModel):
    """A verdict. `analysis_id` and `threshold` default to what the newest finished analysis has."""

    model_config = ConfigDict(extra="forbid")

    id: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{32}$",
        description="Made by who sends it, so that sending it twice gives one verdict.",
    )
    value: Value
    overlay_on: bool
    comment: Comment | None = None
    analysis_id: str | None = Field(default=None, max_length=64)
    threshold: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)


class Reading(BaseModel):
    """How far the reading of a slide is. `locked`: a verdict of this reader opens the heat map."""

    slide_id: str
    state: State
    reader: str | None
    assignee: str | None
    verdict: Verdict | None
    verdicts: int
    locked: bool
    version: int
    changed_by: str | None
    changed_at: str | None


class ReadingBody(BaseModel):
    """What to change; what is left out stays. `assignee` null: nobody."""

    model_config = ConfigDict(extra="forbid")

    state: State | None = None
    assignee: ReaderName | None = None


class ReadingChange(BaseModel):
    """How the reading was after one change."""

    version: int
    state: State
    reader: str | None
    assignee: str | None
    verdict_id: str | None
    changed_by: str
    changed_at: str


class ReadingHistory(BaseModel):
    """Every change of a reading, oldest first."""

    items: list[ReadingChange]


class PresenceBody(BaseModel):
    """`start`: an unread slide is in review by this reader now. `leaving`: the page is closed."""

    model_config = ConfigDict(extra="forbid")

    start: bool = True
    leaving: bool = False


class Other(BaseModel):
    """Somebody else who has the slide open."""

    reader: str
    seen_s_ago: float


class Presence(BaseModel):
    """Who else has the slide open; report again within `report_again_s`."""

    others: list[Other]
    report_again_s: int


class PageQuery(BaseModel):
    """Which part of a list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=100, ge=1, le=500)
    after: str | None = None
