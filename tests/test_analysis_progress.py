"""What the API says of an analysis' progress is counted from what is stored."""

import shutil

import pytest

from model.prediction.scoring import prepare, score_chunk
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
from viewer.analyses.catalog import find_model
from viewer.analyses.job import heatmap_path
from viewer.analyses.status import Status, seconds_left_s
from viewer.db import writing

S = 1_000_000_000


@pytest.fixture
def settings(settings):
    return with_random_model(settings)


@pytest.fixture
def slide(slide_folder):
    return make_speckled(slide_folder / "slide.tif", chunks=(3, 2))


@pytest.fixture
def asked(settings, sessions, slide, scan):
    return ask(sessions, settings, scan()[0]["id"])


@pytest.fixture
def status(settings, sessions, asked):
    def status():
        with sessions() as session:
            return Status(session, settings).of(records.get_analysis(session, asked))

    return status


def store(settings, slide, asked, count):
    """What a worker has done when it dies: claimed, prepared, stored some chunks; not counted."""
    model, path = find_model(settings).folder, heatmap_path(settings, asked)
    path.parent.mkdir(parents=True, exist_ok=True)
    prepare(slide, model, path, None)
    for chunk in heatmap_of(settings, asked).planned_chunks()[:count]:
        score_chunk(slide, model, path, chunk)


def test_a_queued_analysis_has_a_place_and_no_total(status):
    shown = status()

    assert (shown["state"], shown["queue_position"]) == ("queued", 1)
    assert (shown["progress"], shown["chunks_done"], shown["chunks_total"]) == (0.0, 0, None)
    assert shown["seconds_left_s"] is None


def test_progress_after_a_crash_is_what_is_stored(settings, sessions, slide, asked, status):
    with writing(sessions) as session:
        records.claim(session, "dead", 60)
    store(settings, slide, asked, count=4)

    shown = status()

    assert (shown["state"], shown["queue_position"]) == ("running", None)
    assert (shown["chunks_done"], shown["chunks_total"]) == (4, 6)
    assert shown["progress"] == pytest.approx(4 / 6)
    assert shown["seconds_left_s"] > 0


def test_progress_counts_each_chunk_once_after_a_crash(settings, sessions, slide, asked, status):
    with writing(sessions) as session:
        records.claim(session, "dead", 60)
    store(settings, slide, asked, count=4)
    with writing(sessions) as session:
        records.recover(session, {"dead"})

    threads = Threads()
    worker(settings, sessions).work_once(threads.pool)

    shown = status()
    assert len(threads.scored) == 2
    assert (shown["state"], shown["chunks_done"], shown["chunks_total"]) == ("done", 6, 6)
    assert (shown["progress"], shown["seconds_left_s"]) == (1.0, None)


def test_what_is_being_written_does_not_count(settings, slide, asked, status):
    store(settings, slide, asked, count=1)
    chunk = next((heatmap_path(settings, asked) / "probability" / "c").glob("*/*"))
    shutil.copy(chunk, chunk.with_name("1.partial"))

    assert status()["chunks_done"] == 1


def test_the_revision_changes_with_each_chunk(settings, slide, asked, status):
    revisions = []
    for count in range(3):
        store(settings, slide, asked, count)
        revisions.append(int(status()["revision"]))

    assert revisions[0] == 0
    assert revisions == sorted(set(revisions))


def test_a_summary_comes_at_the_end(settings, sessions, asked, status):
    assert status()["summary"] is None

    worker(settings, sessions).work_once(Threads().pool)

    assert status()["summary"] == heatmap_of(settings, asked).summary()
    assert status()["revision"] == str(heatmap_of(settings, asked).revision())


def test_a_model_that_is_gone_is_still_named(settings, sessions, asked, tmp_path):
    worker(settings, sessions).work_once(Threads().pool)
    empty = settings.model_copy(update={"models": (tmp_path,)})

    with sessions() as session:
        shown = Status(session, empty).of(look(sessions, asked))["model"]

    assert shown["id"] == find_model(settings).id
    assert shown["threshold"] == find_model(settings).threshold


def test_no_pace_before_two_chunks():
    assert seconds_left_s([], 9) is None
    assert seconds_left_s([5 * S], 9) is None


def test_time_left_follows_the_pace_of_the_last_chunks():
    assert seconds_left_s([n * 2 * S for n in range(30)], 10) == 20


def test_chunks_that_appear_in_pairs_are_no_reason_for_haste():
    pairs = [n * 4 * S + extra for n in range(12) for extra in (0, 1)]

    assert seconds_left_s(pairs, 10) == pytest.approx(20, rel=0.01)


def test_a_pause_is_forgotten():
    before, after = range(0, 12 * S, S), range(5000 * S, 5012 * S, S)

    assert seconds_left_s([*before, *after], 10) == 10
