"""Cancelling: at once where nobody works, soon where somebody does, not undone by late results."""

from datetime import timedelta
from threading import Thread

import pytest

from tests.engine_room import (
    Threads,
    ask,
    heatmap_of,
    look,
    make_speckled,
    wait_until,
    with_random_model,
    worker,
)
from viewer.analyses import records
from viewer.db import utc_now, writing
from viewer.errors import AnalysisNotFound
from viewer.records import Analysis


@pytest.fixture
def settings(settings):
    return with_random_model(settings)


@pytest.fixture
def slide_id(slide_folder, scan):
    make_speckled(slide_folder / "slide.tif")
    return scan()[0]["id"]


@pytest.fixture
def asked(settings, sessions, slide_id):
    return ask(sessions, settings, slide_id)


@pytest.fixture
def held(settings, sessions, asked):
    """A worker in the middle of the analysis: one chunk runs and cannot end before `free`."""
    threads = Threads()
    threads.free.clear()
    working = Thread(target=worker(settings, sessions).work_once, args=(threads.pool,))
    working.start()
    wait_until(lambda: threads.scored)
    yield threads, working
    threads.free.set()
    working.join()


def cancel(sessions, analysis_id):
    with writing(sessions) as session:
        records.request_cancel(session, analysis_id)
    return look(sessions, analysis_id).state


def test_a_queued_analysis_is_cancelled_at_once(sessions, asked):
    assert cancel(sessions, asked) == "cancelled"
    assert look(sessions, asked).finished_at is not None


def test_a_cancelled_analysis_is_never_begun(settings, sessions, asked):
    cancel(sessions, asked)

    assert not worker(settings, sessions).work_once(Threads().pool)


def test_a_running_one_is_cancelled_while_its_chunk_still_runs(settings, sessions, asked, held):
    threads, working = held
    assert look(sessions, asked).state == "running"

    assert cancel(sessions, asked) == "cancelling"
    working.join()  # without the chunk: nothing has set it free

    assert look(sessions, asked).state == "cancelled"
    assert len(threads.scored) == 1, "the chunks in waiting never began"
    assert not heatmap_of(settings, asked).stored_chunks()


def test_a_late_chunk_changes_nothing_but_is_not_lost(settings, sessions, asked, held):
    threads, working = held
    cancel(sessions, asked)
    working.join()

    threads.free.set()
    wait_until(lambda: threads.stored)

    assert look(sessions, asked).state == "cancelled"
    assert list(heatmap_of(settings, asked).stored_chunks()) == [threads.scored[0][1]]


def test_after_cancelling_it_goes_on_where_it_stopped(settings, sessions, slide_id, asked, held):
    threads, working = held
    cancel(sessions, asked)
    working.join()
    threads.free.set()
    wait_until(lambda: threads.stored)

    assert ask(sessions, settings, slide_id) == asked
    again = Threads()
    worker(settings, sessions).work_once(again.pool)

    assert look(sessions, asked).state == "done"
    assert len(again.scored) == 3
    assert threads.scored[0] not in again.scored


def test_cancelling_twice_is_cancelling_once(sessions, asked, held):
    assert cancel(sessions, asked) == "cancelling"
    assert cancel(sessions, asked) in ("cancelling", "cancelled")


def test_nobody_waits_for_a_silent_worker(sessions, asked):
    with writing(sessions) as session:
        records.claim(session, "elsewhere/1/0", 60)
        session.get_one(Analysis, asked).lease_until = utc_now() - timedelta(seconds=5)

    assert cancel(sessions, asked) == "cancelled"


def test_what_a_worker_left_cancelling_ends_as_cancelled(sessions, asked):
    with writing(sessions) as session:
        records.claim(session, "dead", 60)
    cancel(sessions, asked)

    with writing(sessions) as session:
        records.recover(session, {"dead"})

    assert look(sessions, asked).state == "cancelled"


def test_a_cancel_just_before_the_end_counts(sessions, asked):
    with writing(sessions) as session:
        mine = records.claim(session, "A", 60)
    cancel(sessions, asked)

    with writing(sessions) as session:
        assert not records.finish_done(session, mine, {})
        assert records.finish_cancelled(session, mine)


def test_a_finished_analysis_stays_finished(sessions, asked):
    with writing(sessions) as session:
        records.finish_done(session, records.claim(session, "A", 60), {})

    assert cancel(sessions, asked) == "done"


def test_an_unknown_analysis_cannot_be_cancelled(sessions, app):
    with pytest.raises(AnalysisNotFound):
        cancel(sessions, "0" * 32)
