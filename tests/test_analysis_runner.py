"""One analysis from its queue to its end: done, failed with a reason, or back in the queue."""

import json
import os
import shutil
from threading import Thread

import numpy as np
import pytest

from model.prediction.scoring import score_chunk
from tests.engine_room import (
    CHUNK_PX,
    Threads,
    ask,
    grid_of,
    heatmap_of,
    look,
    make_speckled,
    wait_until,
    with_random_model,
    worker,
)
from tests.model_folders import make_model_folder
from tests.slides import GLASS, make_slide
from viewer.analyses import job, records
from viewer.analyses.catalog import find_model
from viewer.analyses.job import heatmap_path
from viewer.db import writing


@pytest.fixture
def settings(settings):
    return with_random_model(settings)


@pytest.fixture
def slide(slide_folder):
    return make_speckled(slide_folder / "slide.tif", chunks=(3, 2))


@pytest.fixture
def asked(settings, sessions, slide, scan):
    return ask(sessions, settings, scan()[0]["id"])


def run(settings, sessions, threads=None):
    threads = threads or Threads()
    assert worker(settings, sessions).work_once(threads.pool)
    return threads


def failure(sessions, analysis_id):
    ended = look(sessions, analysis_id)
    assert ended.state == "failed"
    assert ended.error["hint"]
    return ended.error["reason"]


def test_it_ends_with_a_whole_heat_map_and_a_summary(settings, sessions, asked):
    run(settings, sessions)

    ended = look(sessions, asked)
    heatmap = heatmap_of(settings, asked)
    assert ended.state == "done"
    assert (ended.owner, ended.lease_until, ended.error) == (None, None, None)
    assert set(heatmap.planned_chunks()) == heatmap.stored_chunks().keys()
    assert ended.summary.items() >= heatmap.summary().items()
    assert ended.summary["cells_analysed"] == heatmap.to_analyse.sum() > 0


def test_a_slide_without_tissue_is_done_with_nothing_analysed(
    settings, sessions, slide_folder, scan
):
    glass = np.full((700, 900, 3), GLASS, np.uint8)
    make_slide(slide_folder / "glass.tif", (900, 700), mpp=0.97, draw=glass)
    asked = ask(sessions, settings, scan()[0]["id"])

    run(settings, sessions)

    assert look(sessions, asked).state == "done"
    assert look(sessions, asked).summary["cells_analysed"] == 0
    assert look(sessions, asked).summary["peak_probability"] is None


def test_the_part_somebody_looks_at_is_computed_first(settings, sessions, asked):
    with writing(sessions) as session:
        records.set_focus(session, asked, 2.5 * CHUNK_PX, 1.5 * CHUNK_PX)

    threads = run(settings, sessions)

    order = [chunk for _, chunk in threads.scored]
    assert order == [(1, 2), (0, 2), (1, 1), (0, 1), (1, 0), (0, 0)]


def test_a_moved_focus_is_followed_while_it_runs(settings, sessions, asked):
    threads = Threads()
    threads.free.clear()
    with writing(sessions) as session:
        records.set_focus(session, asked, 0, 0)
    running = Thread(target=run, args=(settings, sessions, threads))
    running.start()
    wait_until(lambda: threads.scored)

    with writing(sessions) as session:
        records.set_focus(session, asked, 3 * CHUNK_PX, 2 * CHUNK_PX)
    threads.free.set()
    running.join()

    # One chunk ran and one was waiting in the window when the focus moved; one more may have been.
    order = [chunk for _, chunk in threads.scored]
    assert order[0] == (0, 0)
    assert (1, 2) in order[2:4]


def test_a_chunk_that_was_stored_meanwhile_is_kept(settings, sessions, asked, slide):
    threads = Threads()
    threads.free.clear()
    running = Thread(target=run, args=(settings, sessions, threads))
    running.start()
    wait_until(lambda: threads.scored)
    # As a process does that is killed after storing a chunk and before saying so.
    heatmap, chunk = heatmap_of(settings, asked), threads.scored[0][1]
    score_chunk(slide, find_model(settings).folder, heatmap.path, chunk)
    stored_ns = heatmap.stored_chunks()[chunk]

    threads.free.set()
    running.join()

    assert look(sessions, asked).state == "done"
    assert heatmap.stored_chunks()[chunk] == stored_ns


def test_a_removed_slide_is_the_reason(settings, sessions, asked, slide):
    slide.unlink()

    run(settings, sessions)

    assert "changed or removed" in failure(sessions, asked)


def test_a_slide_replaced_in_the_middle_is_the_reason(settings, sessions, asked, slide):
    threads = Threads()
    threads.free.clear()
    running = Thread(target=run, args=(settings, sessions, threads))
    running.start()
    wait_until(lambda: threads.scored)

    make_speckled(slide, chunks=(3, 2), seed=9)
    threads.free.set()
    running.join()

    assert "changed or removed" in failure(sessions, asked)


def test_a_slide_that_cannot_be_read_is_the_reason(settings, sessions, asked, slide):
    times = slide.stat().st_atime_ns, slide.stat().st_mtime_ns
    data = bytearray(slide.read_bytes())
    middle = len(data) // 2
    data[1000:middle] = os.urandom(middle - 1000)
    with slide.open("r+b") as file:
        file.write(data)
    os.utime(slide, ns=times)  # so that it passes for the one that was listed

    run(settings, sessions)

    reason = failure(sessions, asked)
    assert str(slide.parent) not in reason
    assert "three times" not in reason, "this is one of the foreseen reasons"


def test_a_removed_model_is_the_reason(settings, sessions, asked, tmp_path):
    empty = settings.model_copy(update={"models": (tmp_path / "none",)})

    run(empty, sessions)

    assert "no model" in failure(sessions, asked)


def test_an_altered_model_is_the_reason(settings, sessions, slide, scan, tmp_path):
    folder = make_model_folder(tmp_path / "models" / "mine")
    mine = settings.model_copy(update={"models": (folder.parent,)})
    asked = ask(sessions, mine, scan()[0]["id"])
    (folder / "model.safetensors").write_bytes(b"altered")

    run(mine, sessions)

    assert "weights" in failure(sessions, asked)


def test_a_full_disk_is_the_reason(settings, sessions, asked, monkeypatch):
    monkeypatch.setattr(job, "MIN_FREE_BYTES", 2**60)

    run(settings, sessions)

    assert "full" in failure(sessions, asked)


def test_a_failed_analysis_can_be_asked_for_again(settings, sessions, asked, slide, scan):
    aside = slide.rename(slide.with_suffix(".aside"))
    run(settings, sessions)
    assert look(sessions, asked).state == "failed"

    aside.rename(slide)
    assert ask(sessions, settings, look(sessions, asked).slide_id) == asked
    run(settings, sessions)

    assert look(sessions, asked).state == "done"
    assert look(sessions, asked).error is None


def test_a_damaged_heat_map_is_made_anew(settings, sessions, asked):
    run(settings, sessions)
    whole = grid_of(settings, asked)
    shutil.rmtree(heatmap_path(settings, asked) / "tissue")
    with writing(sessions) as session:
        records.requeue(session, asked, also_done=True)

    run(settings, sessions)

    np.testing.assert_array_equal(grid_of(settings, asked), whole)


def test_a_heat_map_of_other_weights_is_not_continued(settings, sessions, asked):
    run(settings, sessions)
    about = heatmap_path(settings, asked) / "zarr.json"
    values = json.loads(about.read_text())
    values["attributes"]["geometry"]["weights_sha256"] = "0" * 64
    about.write_text(json.dumps(values))
    with writing(sessions) as session:
        records.requeue(session, asked, also_done=True)

    threads = run(settings, sessions)

    assert len(threads.scored) == 6


def test_a_stopping_worker_gives_its_analysis_back(settings, sessions, asked):
    threads = Threads()
    threads.free.clear()
    stopping = worker(settings, sessions)
    running = Thread(target=stopping.work_once, args=(threads.pool,))
    running.start()
    wait_until(lambda: threads.scored)

    stopping.stop.set()
    running.join()
    threads.free.set()

    assert look(sessions, asked).state == "queued"
    assert look(sessions, asked).owner is None
    run(settings, sessions)
    assert look(sessions, asked).state == "done"
