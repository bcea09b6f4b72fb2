"""A claimed analysis as its runner holds it: renewed in time, and watched for a change of plan."""

from collections.abc import Callable
from threading import Event
from time import monotonic

from sqlalchemy.orm import Session, sessionmaker

from viewer.analyses import records
from viewer.analyses.records import CANCELLING, CLAIMED, Claim
from viewer.db import writing

RENEWALS_PER_LEASE = 4
# Another slide that somebody looks at is not asked for at each look.
TURN_LOOK_S = 2.0


class Interrupted(Exception):  # noqa: N818 - a change of plan is no error
    """The runner must leave its analysis now."""


class CancelRequested(Interrupted):
    """A user cancelled it."""


class LeaseLost(Interrupted):
    """Another worker took it over: nothing may be written to its record any more."""


class Stopping(Interrupted):
    """It goes back to the queue: the worker ends, or a slide that is looked at comes first."""


class Lease:
    """The right to work on one analysis, kept up by calling `check` often."""

    def __init__(
        self, sessions: sessionmaker[Session], claim: Claim, lease_s: float, stop: Event
    ) -> None:
        self.claim = claim
        self.progressed = False  # set when a chunk was stored
        self._sessions = sessions
        self._lease_s = lease_s
        self._stop = stop
        self._renew_at = monotonic() + lease_s / RENEWALS_PER_LEASE
        self._look_at = monotonic() + TURN_LOOK_S

    def check(self) -> dict[str, float] | None:
        """The point somebody looks at (level-0 px), if any; raise Interrupted to leave."""
        if self._stop.is_set():
            raise Stopping
        with self._sessions() as session:
            analysis = records.get_analysis(session, self.claim.analysis_id)
            if analysis.owner != self.claim.owner or analysis.state not in CLAIMED:
                raise LeaseLost
            if analysis.state == CANCELLING:
                raise CancelRequested
            self._take_turns(session)
            focus = analysis.focus
        self._renew()
        return focus

    def write(self, change: Callable[[Session], bool]) -> bool:
        """Make one change of state; False when it came too late."""
        with writing(self._sessions) as session:
            return change(session)

    def _take_turns(self, session: Session) -> None:
        if monotonic() >= self._look_at:
            self._look_at = monotonic() + TURN_LOOK_S
            if records.someone_waits(session, self.claim):
                raise Stopping

    def _renew(self) -> None:
        if monotonic() < self._renew_at:
            return
        self._renew_at = monotonic() + self._lease_s / RENEWALS_PER_LEASE
        progressed, self.progressed = self.progressed, False
        if not self.write(lambda s: records.renew(s, self.claim, self._lease_s, progressed)):
            raise LeaseLost
