"""Carries out one claimed analysis: tissue, then chunks, then the summary.

It keeps a window of chunks in flight and a lease, nothing else. What is done is what the heat map
stores; a runner that dies loses the chunks in flight and no more.
"""

import logging
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from sqlalchemy.orm import Session, sessionmaker

from model.prediction import scoring
from model.prediction.errors import HeatmapInvalid, HeatmapUnwritable
from model.prediction.findings import Findings
from model.prediction.heatmap import Chunk, Heatmap
from viewer.analyses import records
from viewer.analyses.executors import Pool
from viewer.analyses.hotspots import store
from viewer.analyses.job import Job, discard, load_job, make_room
from viewer.analyses.lease import CancelRequested, Lease, LeaseLost, Stopping
from viewer.analyses.order import farthest_first
from viewer.analyses.reasons import EXPECTED, reason_and_hint
from viewer.analyses.tasks import look_at_slide, score_missing_chunk
from viewer.errors import SlideChanged
from viewer.settings import Settings

log = logging.getLogger(__name__)

# How soon a cancel, a stop or a moved focus is noticed. A user is promised 2 s.
LOOK_S = 0.5
# Enough that no process waits for the next chunk, few enough that a new focus is soon reached.
WINDOW_PER_SLOT = 2
# A chunk that was computed but is not stored, on a network share say, is computed again.
ROUNDS = 3


class PoolLost(Exception):  # noqa: N818 - named after what happened
    """The processes that score are gone; the worker must start anew."""


class Runner:
    """One analysis in the hands of one worker."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        settings: Settings,
        pool: Pool,
        lease: Lease,
        beat: Callable[[], None],
    ) -> None:
        self._sessions = sessions
        self._settings = settings
        self._pool = pool
        self._lease = lease
        self._beat = beat
        self._in_flight: dict[Future[Any], Chunk | None] = {}

    def run(self) -> None:
        """Work until done, failed, cancelled, stopped or overtaken; the record says which.

        Raises PoolLost, with the analysis back in the queue, when nothing can be computed.
        """
        claim, write = self._lease.claim, self._lease.write
        try:
            summary, findings = self._analyse()
            if not write(lambda session: _finish(session, claim, summary, findings)):
                write(lambda session: records.finish_cancelled(session, claim))
        except CancelRequested:
            # A chunk that still runs will be stored: that is harmless, and used after a retry.
            write(lambda session: records.finish_cancelled(session, claim))
        except (Stopping, PoolLost) as interruption:
            write(lambda session: records.release(session, claim))
            if isinstance(interruption, PoolLost):
                raise
        except LeaseLost:
            log.warning("Analysis %s was taken over by another worker", claim.analysis_id)
        except ChunkFailed as failure:
            self._fail(failure.error)
        except EXPECTED as error:
            self._fail(error)
        finally:
            for future in self._in_flight:
                future.cancel()

    def _analyse(self) -> tuple[dict[str, Any], Findings]:
        with self._sessions() as session:
            job = load_job(session, self._settings, self._lease.claim.analysis_id)
        make_room(self._settings)
        try:
            self._prepare(job)
        except ChunkFailed as failure:
            if not isinstance(failure.error, HeatmapInvalid):
                raise
            # Damaged, or made by other weights of the same name: nothing of it can be used.
            discard(job.heatmap_path)
            self._prepare(job)
        heatmap = Heatmap.open(job.heatmap_path)
        engine = heatmap.geometry.engine
        log.info("Analysis %s is computed with %s", self._lease.claim.analysis_id, engine)
        planned = set(heatmap.planned_chunks())
        for _ in range(ROUNDS):
            if missing := planned - heatmap.stored_chunks().keys():
                self._score(job, heatmap, missing)
        if planned - heatmap.stored_chunks().keys():
            raise HeatmapUnwritable(
                "Parts of the heat map were computed but are not there.",
                "Check that all workers see the data folder under the same path; start it again.",
            )
        extent = {"chunks": len(planned), "revision": str(heatmap.revision())}
        return heatmap.summary() | extent, self._look(job)

    def _prepare(self, job: Job) -> None:
        """Have the tissue found, and the heat map made, in one of the processes."""
        task = self._pool.executor.submit(
            scoring.prepare,
            job.slide.path,
            job.model.folder,
            job.heatmap_path,
            job.mpp,
            self._settings.engine,
        )
        self._in_flight[task] = None
        while self._in_flight:
            self._collect(job)
        try:
            job.check_slide()
        except SlideChanged:
            discard(job.heatmap_path)  # its tissue may be that of another file
            raise

    def _look(self, job: Job) -> Findings:
        """Have the finished map looked at in one of the processes."""
        task = self._pool.executor.submit(
            look_at_slide, job.slide, job.model.folder, job.heatmap_path
        )
        self._in_flight[task] = None
        while self._in_flight:
            self._collect(job)
        return task.result()

    def _score(self, job: Job, heatmap: Heatmap, chunks: Collection[Chunk]) -> None:
        """Have these chunks computed, those nearest to the viewer's focus first."""
        focus = self._lease.check()
        waiting = farthest_first(chunks, heatmap.geometry, focus)
        while waiting or self._in_flight:
            self._refill(job, waiting)
            focus_before, focus = focus, self._collect(job)
            if focus != focus_before:
                waiting = farthest_first(waiting, heatmap.geometry, focus)

    def _refill(self, job: Job, waiting: list[Chunk]) -> None:
        room = WINDOW_PER_SLOT * self._pool.slots() - len(self._in_flight)
        if not waiting or room <= 0:
            return
        job.check_slide()
        for chunk in [waiting.pop() for _ in range(min(room, len(waiting)))]:
            task = self._pool.executor.submit(
                score_missing_chunk, job.slide, job.model.folder, job.heatmap_path, chunk
            )
            self._in_flight[task] = chunk

    def _collect(self, job: Job) -> dict[str, float] | None:
        """Wait a moment for something to finish; the present focus."""
        finished, _ = wait(self._in_flight, timeout=LOOK_S, return_when=FIRST_COMPLETED)
        if not self._pool.alive():
            raise PoolLost
        for task in finished:
            chunk = self._in_flight.pop(task)
            if task.cancelled():
                raise PoolLost
            if (error := task.exception()) is not None:
                job.check_slide()  # a better reason than what reading another file led to
                raise ChunkFailed(error)
            self._lease.progressed |= chunk is not None
        self._beat()
        return self._lease.check()

    def _fail(self, error: BaseException) -> None:
        reason, hint = reason_and_hint(error)
        claim = self._lease.claim
        log.warning("Analysis %s failed: %s", claim.analysis_id, reason)
        self._lease.write(lambda session: records.finish_failed(session, claim, reason, hint))


def _finish(
    session: Session, claim: records.Claim, summary: dict[str, Any], findings: Findings
) -> bool:
    if not records.finish_done(session, claim, summary):
        return False
    store(session, claim.analysis_id, findings)
    return True


class ChunkFailed(Exception):  # noqa: N818 - named after what happened
    """What a chunk, or the search for tissue, raised in its process."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error
