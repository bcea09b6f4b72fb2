"""The states of an analysis in SQL, the only durable truth about what is to be computed.

Every change of state is ONE conditional UPDATE: whoever finds that it changed no row came too
late. No lock is held between statements, so any number of workers may do this at once.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Select,
    and_,
    case,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from model.prediction.models import Model
from viewer.db import UtcDateTime, utc_now
from viewer.errors import AnalysisNotFound
from viewer.records import Analysis

QUEUED, RUNNING, CANCELLING = "queued", "running", "cancelling"
CANCELLED, FAILED, DONE = "cancelled", "failed", "done"
CLAIMED = (RUNNING, CANCELLING)

# Claims without a single new chunk in between, after which an analysis is taken for poisoned.
MAX_ATTEMPTS = 3
# A viewer page reports its focus when it moves; for so long after it, somebody is still looking.
LOOKED_AT_S = 300.0
# Two people looking at two slides take turns of at least this length.
TURN_S = 15.0

POISONED = {
    "reason": f"The worker stopped unexpectedly {MAX_ATTEMPTS} times during this analysis.",
    "hint": "The log of the worker tells more; free memory or disk space, then start it again.",
}

_NAMESPACE = UUID("5d0f3a52-6b0b-4f0e-9f0c-6d6c1f0b7a11")
_NOBODY: dict[str, object] = {"owner": None, "lease_until": None}


class Claim(NamedTuple):
    """The right of one worker to work on one analysis, until its lease ends."""

    analysis_id: str
    owner: str


class Mpp(NamedTuple):
    """µm per level-0 pixel of each axis."""

    x: float
    y: float


def database_now(session: Session) -> datetime:
    """The database's clock, to the second: leases must not depend on the clocks of the workers."""
    return session.execute(select(func.current_timestamp(type_=UtcDateTime()))).scalar_one()


def get_analysis(session: Session, analysis_id: str) -> Analysis:
    """The analysis as it is now; raise AnalysisNotFound."""
    found = session.get(Analysis, analysis_id, populate_existing=True)
    if found is None:
        raise AnalysisNotFound
    return found


def create_or_reuse(
    session: Session, slide_id: str, model: Model, mpp: Mpp, again: bool = False
) -> Analysis:
    """The newest analysis of this slide, model version and resolution, or a new one in the queue.

    `again` makes a new one even when there is a finished one (but never beside an active one).
    """
    same = (
        Analysis.slide_id == slide_id,
        Analysis.model_id == model.id,
        Analysis.model_version == model.version,
        Analysis.mpp_x == mpp.x,
        Analysis.mpp_y == mpp.y,
    )
    found = session.scalars(select(Analysis).where(*same).order_by(Analysis.created_at)).all()
    if found and (not again or found[-1].state in (QUEUED, *CLAIMED)):
        return found[-1]
    return _insert(session, slide_id, model, mpp, run=len(found))


def _insert(session: Session, slide_id: str, model: Model, mpp: Mpp, run: int) -> Analysis:
    # The id follows from what is asked for: two requests at once cannot make two analyses.
    key = f"{slide_id}|{model.id}|{model.version}|{mpp.x!r}|{mpp.y!r}|{run}"
    analysis = Analysis(
        id=uuid5(_NAMESPACE, key).hex,
        slide_id=slide_id,
        model_id=model.id,
        model_version=model.version,
        mpp_x=mpp.x,
        mpp_y=mpp.y,
        state=QUEUED,
        attempts=0,
        created_at=utc_now(),
    )
    try:
        with session.begin_nested():
            session.add(analysis)
    except IntegrityError:
        return get_analysis(session, uuid5(_NAMESPACE, key).hex)
    return analysis


def queue(session: Session) -> list[str]:
    """Ids of the queued analyses, next one first: slides being looked at, then first come."""
    return list(session.scalars(_next_first(session)))


def claim(session: Session, owner: str, lease_s: float) -> Claim | None:
    """Take the next queued analysis, if there is one."""
    now = database_now(session)
    for analysis_id in session.scalars(_next_first(session).limit(8)).all():
        taken = _change(
            session,
            Analysis.id == analysis_id,
            Analysis.state == QUEUED,
            state=RUNNING,
            owner=owner,
            lease_until=now + timedelta(seconds=lease_s),
            attempts=Analysis.attempts + 1,
            started_at=func.coalesce(Analysis.started_at, literal(now, UtcDateTime())),
        )
        if taken:
            return Claim(analysis_id, owner)
    return None


def renew(session: Session, claim: Claim, lease_s: float, progressed: bool) -> bool:
    """Prolong the lease; False when the analysis is no longer ours.

    `progressed` (a chunk was stored since the claim) makes the attempts count from 0 again.
    """
    until = database_now(session) + timedelta(seconds=lease_s)
    values: dict[str, object] = {"attempts": 0} if progressed else {}
    return _change(session, *_held(claim), lease_until=until, **values)


def finish_done(session: Session, claim: Claim, summary: dict[str, Any]) -> bool:
    """Running → done; False when a cancel came first or the analysis is no longer ours."""
    now = database_now(session)
    mine = (*_held(claim), Analysis.state == RUNNING)
    return _change(session, *mine, state=DONE, summary=summary, finished_at=now, **_NOBODY)


def finish_failed(session: Session, claim: Claim, reason: str, hint: str) -> bool:
    """Running or cancelling → failed; False when the analysis is no longer ours."""
    error, now = {"reason": reason, "hint": hint}, database_now(session)
    return _change(session, *_held(claim), state=FAILED, error=error, finished_at=now, **_NOBODY)


def finish_cancelled(session: Session, claim: Claim) -> bool:
    """Cancelling → cancelled; False when the analysis is no longer ours."""
    now = database_now(session)
    mine = (*_held(claim), Analysis.state == CANCELLING)
    return _change(session, *mine, state=CANCELLED, finished_at=now, **_NOBODY)


def release(session: Session, claim: Claim) -> bool:
    """Give an unfinished analysis back at once: running → queued, cancelling → cancelled.

    The claim does not count as an attempt: nothing went wrong.
    """
    return _change(
        session,
        *_held(claim),
        state=case((Analysis.state == CANCELLING, CANCELLED), else_=QUEUED),
        attempts=case((Analysis.attempts > 0, Analysis.attempts - 1), else_=0),
        **_NOBODY,
    )


def request_cancel(session: Session, analysis_id: str) -> None:
    """Queued → cancelled at once; running → cancelling, or cancelled where its worker is silent.

    Anything else stays as it is. Raise AnalysisNotFound.
    """
    now = database_now(session)
    nobody_works = (Analysis.state == QUEUED) | (Analysis.lease_until < now)
    _change(
        session,
        Analysis.id == analysis_id,
        Analysis.state.in_((QUEUED, RUNNING)),
        state=case((nobody_works, CANCELLED), else_=CANCELLING),
        finished_at=case((nobody_works, literal(now, UtcDateTime())), else_=Analysis.finished_at),
    )
    get_analysis(session, analysis_id)


def requeue(session: Session, analysis_id: str, also_done: bool = False) -> bool:
    """Failed or cancelled → queued; what is stored of it is kept, so it goes on where it stopped.

    `also_done` is for an analysis whose heat map was lost.
    """
    ended = (FAILED, CANCELLED, DONE) if also_done else (FAILED, CANCELLED)
    return _change(
        session,
        Analysis.id == analysis_id,
        Analysis.state.in_(ended),
        state=QUEUED,
        attempts=0,
        error=None,
        summary=None,
        score=None,
        score_rule=None,
        hotspots=None,
        warnings=None,
        started_at=None,
        finished_at=None,
        focus=None,
        **_NOBODY,
    )


def recover(session: Session, dead_owners: set[str]) -> int:
    """Take back what silent workers held; how many analyses that were.

    `dead_owners` are known to be gone, so their leases need not run out first. Cancelling →
    cancelled; running → queued, or failed after MAX_ATTEMPTS claims without progress.
    """
    now = database_now(session)
    given_up = and_(Analysis.state == RUNNING, Analysis.attempts >= MAX_ATTEMPTS)
    ends = (Analysis.state == CANCELLING) | given_up
    poisoned = literal(POISONED, Analysis.error.type)
    return _count(
        session,
        *_abandoned(now, dead_owners),
        error=case((given_up, poisoned), else_=Analysis.error),
        finished_at=case((ends, literal(now, UtcDateTime())), else_=None),
        state=case((Analysis.state == CANCELLING, CANCELLED), (given_up, FAILED), else_=QUEUED),
        **_NOBODY,
    )


def anything_queued(session: Session) -> bool:
    """Whether there is something to claim; takes no lock, for idle workers."""
    queued = select(Analysis.id).where(Analysis.state == QUEUED)
    return session.scalar(queued.limit(1)) is not None


def anything_abandoned(session: Session, dead_owners: set[str]) -> bool:
    """Whether `recover` would take something back; takes no lock, for idle workers."""
    abandoned = select(Analysis.id).where(*_abandoned(database_now(session), dead_owners))
    return session.scalar(abandoned.limit(1)) is not None


def owners(session: Session) -> set[str]:
    """Workers that hold an analysis now."""
    held = select(Analysis.owner).where(Analysis.state.in_(CLAIMED)).distinct()
    return {owner for owner in session.scalars(held) if owner is not None}


def set_focus(session: Session, analysis_id: str, x_l0_px: float, y_l0_px: float) -> None:
    """Somebody looks at this point; raise AnalysisNotFound."""
    focus = {"x_l0_px": x_l0_px, "y_l0_px": y_l0_px}
    now = database_now(session)
    if not _change(session, Analysis.id == analysis_id, focus=focus, focus_at=now):
        raise AnalysisNotFound


def someone_waits(session: Session, claim: Claim) -> bool:
    """Whether a queued slide was looked at clearly later than the one being analysed."""
    mine = session.scalar(select(Analysis.focus_at).where(*_held(claim)))
    since = database_now(session) - timedelta(seconds=LOOKED_AT_S)
    if mine is not None:
        since = max(since, mine + timedelta(seconds=TURN_S))
    waiting = select(Analysis.id).where(Analysis.state == QUEUED, Analysis.focus_at > since)
    return session.scalar(waiting.limit(1)) is not None


def _next_first(session: Session) -> Select[str]:
    recent = Analysis.focus_at > database_now(session) - timedelta(seconds=LOOKED_AT_S)
    return (
        select(Analysis.id)
        .where(Analysis.state == QUEUED)
        .order_by(
            case((recent, 0), else_=1),
            case((recent, Analysis.focus_at)).desc(),
            Analysis.created_at,
            Analysis.id,
        )
    )


def _abandoned(now: datetime, dead_owners: set[str]) -> tuple[ColumnElement[bool], ...]:
    silent = (Analysis.lease_until < now) | Analysis.owner.in_(dead_owners)
    return Analysis.state.in_(CLAIMED), silent


def _held(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    return (
        Analysis.id == claim.analysis_id,
        Analysis.owner == claim.owner,
        Analysis.state.in_(CLAIMED),
    )


def _change(session: Session, *conditions: ColumnElement[bool], **values: object) -> bool:
    return _count(session, *conditions, **values) == 1


def _count(session: Session, *conditions: ColumnElement[bool], **values: object) -> int:
    statement = update(Analysis).where(*conditions).values(**values)
    result = session.execute(statement.execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)
    return result.rowcount
