"""Who works on which analysis: claims, leases, order, and what becomes of dead workers' ones."""

import socket
from collections import Counter
from datetime import timedelta
from threading import Thread

import pytest

from tests.engine_room import (
    Threads,
    ask,
    heatmap_of,
    look,
    make_speckled,
    with_random_model,
    worker,
)
from viewer.analyses import records
from viewer.analyses.identity import is_gone, own_name
from viewer.analyses.lease import Lease, LeaseLost
from viewer.db import utc_now, writing
from viewer.records import Analysis

LEASE_S = 60.0


@pytest.fixture
def settings(settings):
    return with_random_model(settings)


@pytest.fixture
def slide_ids(slide_folder, scan):
    for seed in range(3):
        make_speckled(slide_folder / f"{seed}.tif", seed=seed)
    return [item["id"] for item in scan()]


def claim(sessions, owner):
    with writing(sessions) as session:
        return records.claim(session, owner, LEASE_S)


def change(sessions, analysis_id, **values):
    with writing(sessions) as session:
        for name, value in values.items():
            setattr(session.get_one(Analysis, analysis_id), name, value)


def recover(sessions, *dead):
    with writing(sessions) as session:
        return records.recover(session, set(dead))


def test_two_workers_compute_each_chunk_of_many_analyses_once(settings, sessions, slide_ids):
    ids = {ask(sessions, settings, slide_id) for slide_id in slide_ids}
    pools = [Threads(2), Threads(2)]

    def work(name, threads):
        mine = worker(settings, sessions, name)
        while mine.work_once(threads.pool):
            pass

    running = [Thread(target=work, args=pair) for pair in zip("AB", pools, strict=True)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()

    runs = Counter(run for threads in pools for run in threads.scored)
    planned = {(i, chunk) for i in ids for chunk in heatmap_of(settings, i).planned_chunks()}
    assert len(planned) == 12
    assert runs == Counter(planned)
    assert {look(sessions, i).state for i in ids} == {"done"}


def test_an_analysis_is_claimed_once(settings, sessions, slide_ids):
    asked = ask(sessions, settings, slide_ids[0])

    assert claim(sessions, "A") == records.Claim(asked, "A")
    assert claim(sessions, "B") is None


def test_first_come_first_served(settings, sessions, slide_ids):
    asked = [ask(sessions, settings, slide_id) for slide_id in slide_ids]

    assert [claim(sessions, "A").analysis_id for _ in asked] == asked


def test_what_somebody_looks_at_goes_first(settings, sessions, slide_ids):
    first, second, third = (ask(sessions, settings, slide_id) for slide_id in slide_ids)
    with writing(sessions) as session:
        records.set_focus(session, third, 10, 10)
    long_ago = utc_now() - timedelta(seconds=records.LOOKED_AT_S + 60)
    change(sessions, second, focus={"x_l0_px": 1, "y_l0_px": 1}, focus_at=long_ago)

    with sessions() as session:
        assert records.queue(session) == [third, first, second]


def test_asking_twice_gives_the_same_analysis(settings, sessions, slide_ids):
    asked = ask(sessions, settings, slide_ids[0])

    assert ask(sessions, settings, slide_ids[0]) == asked
    assert ask(sessions, settings, slide_ids[0], again=True) == asked, "it has not even begun"


def test_asking_again_after_the_end_gives_another_one(settings, sessions, slide_ids):
    asked = ask(sessions, settings, slide_ids[0])
    with writing(sessions) as session:
        mine = records.claim(session, "A", LEASE_S)
        assert records.finish_done(session, mine, {})

    assert ask(sessions, settings, slide_ids[0]) == asked
    assert ask(sessions, settings, slide_ids[0], again=True) != asked


def test_a_silent_workers_analysis_is_taken_over_when_its_lease_ended(
    settings, sessions, slide_ids
):
    asked = ask(sessions, settings, slide_ids[0])
    theirs = claim(sessions, "elsewhere/1/0")
    assert recover(sessions) == 0, "the lease still runs"

    change(sessions, asked, lease_until=utc_now() - timedelta(seconds=5))

    assert recover(sessions) == 1
    assert claim(sessions, "B") is not None
    with writing(sessions) as session:
        assert not records.renew(session, theirs, LEASE_S, progressed=True)
        assert not records.finish_done(session, theirs, {})
        assert not records.finish_failed(session, theirs, "reason", "hint")
        assert not records.release(session, theirs)
    assert look(sessions, asked).owner == "B"


def test_the_overtaken_worker_notices(settings, sessions, slide_ids):
    mine = worker(settings, sessions, "A")
    asked = ask(sessions, settings, slide_ids[0])
    lease = Lease(sessions, claim(sessions, mine.name), LEASE_S, mine.stop)
    lease.check()

    change(sessions, asked, owner="B")

    with pytest.raises(LeaseLost):
        lease.check()


def test_a_dead_worker_of_this_machine_needs_no_waiting(settings, sessions, slide_ids):
    asked = ask(sessions, settings, slide_ids[0])
    dead = f"{socket.gethostname()}/1/0.00"  # process 1 did not begin in 1970
    claim(sessions, dead)

    assert worker(settings, sessions, "A").work_once(Threads().pool)

    assert look(sessions, asked).state == "done"


def test_only_dead_workers_are_taken_for_dead():
    assert not is_gone(own_name())
    assert not is_gone("elsewhere/1/0.00"), "of other machines nothing is known"


def test_an_analysis_that_kills_its_workers_is_given_up(settings, sessions, slide_ids):
    asked = ask(sessions, settings, slide_ids[0])
    for attempt in range(records.MAX_ATTEMPTS):
        assert look(sessions, asked).state == "queued", attempt
        claim(sessions, "A")
        recover(sessions, "A")

    given_up = look(sessions, asked)
    assert given_up.state == "failed"
    assert "stopped unexpectedly 3 times" in given_up.error["reason"]
    assert given_up.finished_at is not None


def test_attempts_with_progress_do_not_count(settings, sessions, slide_ids):
    asked = ask(sessions, settings, slide_ids[0])
    for _ in range(records.MAX_ATTEMPTS + 1):
        mine = claim(sessions, "A")
        with writing(sessions) as session:
            assert records.renew(session, mine, LEASE_S, progressed=True)
        recover(sessions, "A")

    assert look(sessions, asked).state == "queued"


def test_giving_an_analysis_back_does_not_count_as_an_attempt(settings, sessions, slide_ids):
    asked = ask(sessions, settings, slide_ids[0])
    mine = claim(sessions, "A")
    with writing(sessions) as session:
        assert records.release(session, mine)

    assert (look(sessions, asked).state, look(sessions, asked).attempts) == ("queued", 0)
    assert claim(sessions, "B") is not None, "at once, without waiting for the lease"


def test_a_slide_being_looked_at_takes_the_place_of_one_that_is_not(settings, sessions, slide_ids):
    first, second = (ask(sessions, settings, slide_id) for slide_id in slide_ids[:2])
    mine = claim(sessions, "A")
    with writing(sessions) as session:
        records.set_focus(session, first, 1, 1)
        records.set_focus(session, second, 1, 1)
        assert not records.someone_waits(session, mine), "both are looked at"
    change(sessions, first, focus_at=utc_now() - timedelta(seconds=2 * records.TURN_S))
    with sessions() as session:
        assert records.someone_waits(session, mine)
