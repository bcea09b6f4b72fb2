"""Which slides of the worklist are wanted, and in which order."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic import StringConstraints as Text
from sqlalchemy import ColumnElement, and_, case, cast, exists, func, or_, select
from sqlalchemy import Text as SqlText
from sqlalchemy.orm import aliased

from viewer.analyses.records import CANCELLED, DONE, FAILED
from viewer.flags.records import Flag
from viewer.readers import ReaderName, require_reader
from viewer.reading.blind import blind_folder_keys, locked_now
from viewer.reading.records import Reading
from viewer.reading.states import State
from viewer.reading.verdicts import Value
from viewer.records import Analysis, Resolution, Slide
from viewer.settings import Settings
from viewer.slides.library import folder_keys

Sort = Literal["suspicion", "-suspicion", "name", "-name", "added", "-added", "state", "-state"]
AnalysisState = Literal[
    "unreadable",
    "unanalysed",
    "queued",
    "running",
    "cancelling",
    "cancelled",
    "failed",
    "done",
]
ME = "me"
NO_VERDICT = "none"
ANY = "any"

# The newest analysis of a slide, and the newest finished one, as joined by the listing.
NEWEST = aliased(Analysis, name="newest")
SCORED = aliased(Analysis, name="scored")


def _split(value: object) -> object:
    return tuple(filter(None, value.split(","))) if isinstance(value, str) else value


def _plain(text: str) -> str:
    if not text.isprintable():
        msg = "must hold printable characters only"
        raise ValueError(msg)
    return text


OneOf = BeforeValidator(_split, json_schema_input_type=str)
Words = Annotated[str, Text(strip_whitespace=True, max_length=200), AfterValidator(_plain)]
Code = Annotated[str, Text(pattern="^[a-z][a-z_]{0,39}$")]


class WorklistFilter(BaseModel):
    """Which slides, in which order. Lists are separated by commas and mean 'one of'."""

    model_config = ConfigDict(extra="forbid")

    sort: Sort = Field(
        default="name",
        description="suspicion: highest score first; name; added: newest first; state: what waits "
        "for somebody first. With '-' the other way round.",
    )
    q: Words = Field(default="", description="Words that are all in the name, whatever the case.")
    state: Annotated[tuple[State, ...], OneOf] = Field(default=(), description="Reading states.")
    verdict: Annotated[tuple[Value | Literal["none"], ...], OneOf] = Field(
        default=(), description="Newest verdict; 'none': without any."
    )
    assignee: ReaderName | None = Field(
        default=None, description="Assigned to this reader; 'me': to who asks."
    )
    mine: bool = Field(default=False, description="Assigned to, or in review by, who asks.")
    unassigned: bool = Field(default=False, description="Assigned to nobody.")
    analysis: Annotated[tuple[AnalysisState, ...], OneOf] = Field(
        default=(), description="States of the analysis."
    )
    warning: Annotated[tuple[Code, ...], OneOf] = Field(
        default=(), description="Codes of warnings; 'any': with any warning."
    )
    flagged: bool | None = Field(default=None, description="With flags, or without.")
    folder: Words | None = Field(default=None, description="Name of a slide folder.")
    min_score: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)

    @property
    def needs_scored(self) -> bool:
        """Whether the newest finished analysis has to be joined."""
        by_score = self.sort.endswith("suspicion") or self.min_score is not None
        return by_score or self.needs_newest or bool(self.warning)

    @property
    def needs_newest(self) -> bool:
        """Whether the newest analysis has to be joined."""
        return bool(self.analysis) or not {"analysis_failed", ANY}.isdisjoint(self.warning)


def score_now(settings: Settings) -> ColumnElement[Any]:
    """In a query that joins `SCORED`: the score, null while it is closed to who asks."""
    assert SCORED.summary is not None
    # Analyses of before there were scores have their highest probability alone.
    score = func.coalesce(SCORED.score, SCORED.summary["peak_probability"].as_float())
    if not blind_folder_keys(settings):
        return score
    return case((locked_now(settings), None), else_=score)


def conditions(wanted: WorklistFilter, settings: Settings) -> list[ColumnElement[bool]]:
    """What the rows must fulfil, over `Slide` joined as the listing does."""
    keys = [
        key
        for key, folder in folder_keys(settings).items()
        if wanted.folder is None or folder.name == wanted.folder
    ]
    found = [~Slide.missing, Slide.folder_key.in_(keys)]
    words = wanted.q.casefold().split()
    found += [Slide.search_name.contains(word, autoescape=True) for word in words]
    found += _of_reading(wanted)
    if wanted.analysis:
        found.append(_analysis_state().in_(wanted.analysis))
    if wanted.warning:
        found.append(or_(*(_warning(code, settings) for code in wanted.warning)))
    if wanted.flagged is not None:
        flagged = exists().where(Flag.slide_id == Slide.id, ~Flag.deleted)
        found.append(flagged if wanted.flagged else ~flagged)
    if wanted.min_score is not None:
        found.append(score_now(settings) >= wanted.min_score)
    return found


def _of_reading(wanted: WorklistFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.state:
        among = Reading.state.in_(wanted.state)
        found.append(or_(among, Reading.state.is_(None)) if "unread" in wanted.state else among)
    if wanted.verdict:
        among = Reading.verdict_value.in_(wanted.verdict)
        none = Reading.verdict_value.is_(None)
        found.append(or_(among, none) if NO_VERDICT in wanted.verdict else among)
    if wanted.unassigned:
        found.append(Reading.assignee.is_(None))
    if wanted.assignee is not None:
        name = require_reader().name if wanted.assignee == ME else wanted.assignee
        found.append(Reading.assignee == name)
    if wanted.mine:
        me = require_reader().name
        reading_it = and_(Reading.state == "in_review", Reading.reader == me)
        found.append(or_(Reading.assignee == me, reading_it))
    return found


def _analysis_state() -> ColumnElement[str]:
    fallen_back = and_(NEWEST.state == CANCELLED, SCORED.id.is_not(None))
    return case(
        (Slide.problem_reason.is_not(None), "unreadable"),
        (NEWEST.id.is_(None), "unanalysed"),
        (fallen_back, DONE),
        else_=NEWEST.state,
    )


def _warning(code: str, settings: Settings) -> ColumnElement[bool]:
    """Whether a slide carries this warning; the codes of `viewer/slides/cautions.py`."""
    readable = Slide.problem_reason.is_(None)
    found = cast(SCORED.warnings, SqlText)
    match code:
        case "unreadable":
            return ~readable
        case "uncalibrated":
            return readable & func.coalesce(Resolution.mpp_x, Slide.mpp_x).is_(None)
        case "display":
            return readable & (cast(Slide.warnings, SqlText) != "[]")
        case "analysis_failed":
            return readable & (NEWEST.state == FAILED)
        case "any":
            own = ("unreadable", "uncalibrated", "display", "analysis_failed")
            models = found.is_not(None) & found.not_in(("[]", "null")) & ~locked_now(settings)
            return or_(*(_warning(each, settings) for each in own), models)
    # As the database's JSON is written: by Python's json with its usual separators.
    return found.contains(f'"code": "{code}"', autoescape=True) & ~locked_now(settings)


def newest_id(*, finished: bool) -> ColumnElement[Any]:
    """In a query over `Slide` and `Resolution`: the id of its newest analysis, or finished one.

    Those made with another resolution than the slide's present one do not count.
    """
    each = aliased(Analysis)
    wanted = select(each.id).where(
        each.slide_id == Slide.id,
        each.mpp_x == func.coalesce(Resolution.mpp_x, Slide.mpp_x),
        each.mpp_y == func.coalesce(Resolution.mpp_y, Slide.mpp_y),
    )
    if finished:
        wanted = wanted.where(each.state == DONE)
    newest_first = wanted.order_by(each.created_at.desc(), each.id.desc()).limit(1)
    return newest_first.correlate(Slide, Resolution).scalar_subquery()
