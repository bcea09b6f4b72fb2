from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import Session

from viewer.db import Base, iso_utc, make_engine, make_sessions, writing
from viewer.migrations import is_current, migrate
from viewer.records import Resolution, Worker
from viewer.settings import Settings


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    engine = make_engine(settings)
    yield engine
    engine.dispose()


def test_migrations_make_the_tables_of_the_records(engine: Engine):
    migrate(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        assert is_current(connection)


def test_a_new_database_is_not_current(engine: Engine):
    with engine.connect() as connection:
        assert not is_current(connection)


def test_migrating_again_keeps_what_is_stored(engine: Engine):
    migrate(engine)
    now = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    with Session(engine) as session, session.begin():
        session.add(Worker(name="w", pid=1, seen_at=now, scanning=False))
    migrate(engine)
    with Session(engine) as session:
        assert session.get(Worker, "w").seen_at == now


def test_several_processes_may_migrate_at_once(settings: Settings):
    engines = [make_engine(settings) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(migrate, engines))
    with engines[0].connect() as connection:
        assert is_current(connection)
    for engine in engines:
        engine.dispose()


def test_sqlite_writes_ahead_and_keeps_references(engine: Engine):
    migrate(engine)
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    with Session(engine) as session:
        now = datetime.now(UTC)
        session.add(Resolution(slide_id="none", mpp_x=1, mpp_y=1, set_by="me", set_at=now))
        with pytest.raises(IntegrityError, match="FOREIGN KEY"):
            session.commit()


def test_transactions_that_read_and_then_write_wait_for_each_other(engine: Engine):
    migrate(engine)
    sessions = make_sessions(engine)
    with writing(sessions) as session:
        session.add(Worker(name="w", pid=0, seen_at=datetime.now(UTC), scanning=False))

    def count_up(_: int) -> None:
        with writing(sessions) as session:
            worker = session.get(Worker, "w")
            assert worker is not None
            worker.pid += 1

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(count_up, range(80)))
    with sessions() as session:
        assert session.get(Worker, "w").pid == 80


def test_times_are_utc_whatever_their_zone(engine: Engine):
    migrate(engine)
    there = datetime(2026, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    with Session(engine) as session, session.begin():
        session.add(Worker(name="w", pid=1, seen_at=there, scanning=False))
    with Session(engine) as session:
        assert iso_utc(session.get(Worker, "w").seen_at) == "2025-12-31T23:00:00.000Z"


def test_times_without_zone_are_refused(engine: Engine):
    migrate(engine)
    with Session(engine) as session:
        naive = datetime(2026, 1, 1)  # noqa: DTZ001 - the very thing that must be refused
        session.add(Worker(name="w", pid=1, seen_at=naive, scanning=False))
        with pytest.raises(StatementError, match="without zone"):
            session.commit()
