"""The worker process: scans the folders, and carries out one analysis after the other.

The chunks of an analysis run side by side, its slide alone: that shows something sooner than many
slides at once would. Several workers may share a database, on one machine or many.
"""

import logging
import os
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from time import monotonic

from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from model.prediction.errors import ModelInvalid
from viewer.analyses import records
from viewer.analyses.catalog import find_model
from viewer.analyses.executors import Pool, open_pool
from viewer.analyses.hotspots import catch_up
from viewer.analyses.identity import is_gone, own_name
from viewer.analyses.lease import Lease
from viewer.analyses.runner import Runner
from viewer.db import make_engine, make_sessions, utc_now, writing
from viewer.errors import ModelNotFound
from viewer.migrations import migrate
from viewer.records import Worker as WorkerRecord
from viewer.settings import Settings
from viewer.slides.scanner import scan_once

log = logging.getLogger(__name__)

IDLE_S = 0.5  # how long a new analysis waits at most for an idle worker
BEAT_S = 3.0
SCANNER_END_S = 2.0
FORGET_AFTER = timedelta(days=1)


def run_worker(settings: Settings, stop: Event) -> None:
    """Work until `stop` is set; raise Unavailable or PoolLost when nothing can be computed."""
    engine = make_engine(settings)
    migrate(engine)
    worker = Worker(settings, make_sessions(engine), stop)
    try:
        worker.run()
    finally:
        engine.dispose()


class Worker:
    """One worker process, under a name of its own."""

    def __init__(
        self,
        settings: Settings,
        sessions: sessionmaker[Session],
        stop: Event,
        name: str | None = None,
    ) -> None:
        self.name = name or own_name()
        self._settings = settings
        self._sessions = sessions
        self.stop = stop
        self._beat_at = 0.0
        # Those that could not be looked at are not tried again and again.
        self._looked_at: set[str] = set()

    def run(self) -> None:
        """Scan and analyse until told to stop."""
        self._beat()
        scanner = Thread(target=self._scan, name="scanner", daemon=True)
        scanner.start()
        try:
            with open_pool(self._settings, self._model_to_warm_up()) as pool:
                log.info("Worker is ready: %s chunks at once", pool.slots())
                while not self.stop.is_set():
                    self._beat()
                    if not scanner.is_alive():
                        msg = "the scanner ended"
                        raise RuntimeError(msg)
                    if not self.work_once(pool) and not self.catch_up():
                        self.stop.wait(IDLE_S)
        finally:
            self.stop.set()
            scanner.join(SCANNER_END_S)
            self._sign_off()

    def work_once(self, pool: Pool) -> bool:
        """Carry out one analysis; False when there is none."""
        self._recover()
        claim = self._claim()
        if claim is None:
            return False
        log.info("Analysis %s starts", claim.analysis_id)
        lease = Lease(self._sessions, claim, self._settings.lease_s, self.stop)
        Runner(self._sessions, self._settings, pool, lease, self._beat).run()
        with self._sessions() as session:
            state = records.get_analysis(session, claim.analysis_id).state
        log.info("Analysis %s is %s now", claim.analysis_id, state)
        return True

    def catch_up(self) -> bool:
        """Look for the hot spots of one analysis that ended before this version; False: none."""
        analysis_id = catch_up(self._sessions, self._settings, self._looked_at)
        if analysis_id is not None:
            self._looked_at.add(analysis_id)
        return analysis_id is not None

    def _recover(self) -> None:
        with self._sessions() as session:
            gone = {name for name in records.owners(session) if is_gone(name)}
            if not records.anything_abandoned(session, gone):
                return
        with writing(self._sessions) as session:
            taken_back = records.recover(session, gone)
        log.warning("Took back %s analyses from workers that ended or fell silent", taken_back)

    def _claim(self) -> records.Claim | None:
        with self._sessions() as session:
            if not records.anything_queued(session):
                return None
        with writing(self._sessions) as session:
            return records.claim(session, self.name, self._settings.lease_s)

    def _scan(self) -> None:
        while not self.stop.is_set():
            try:
                scan_once(self._sessions, self._settings)
            except (SQLAlchemyError, OSError):
                log.exception("The slide folders could not be looked through; trying again")
            self.stop.wait(self._settings.scan_interval_s)

    def _beat(self) -> None:
        """Tell that this worker lives."""
        if monotonic() < self._beat_at:
            return
        self._beat_at = monotonic() + BEAT_S
        beat = WorkerRecord(name=self.name, pid=os.getpid(), seen_at=utc_now(), scanning=False)
        with writing(self._sessions) as session:
            session.merge(beat)

    def _sign_off(self) -> None:
        long_ago = utc_now() - FORGET_AFTER
        gone = (WorkerRecord.name == self.name) | (WorkerRecord.seen_at < long_ago)
        with writing(self._sessions) as session:
            session.execute(delete(WorkerRecord).where(gone))

    def _model_to_warm_up(self) -> Path | None:
        try:
            return find_model(self._settings).folder
        except (ModelInvalid, ModelNotFound) as error:
            log.warning("%s", error)  # each analysis that asks for it says so too
            return None
