"""kill -9 in mid-slide: nothing stored is computed again, and the map ends as if undisturbed."""

import signal

import numpy as np
import pytest

from tests.engine_room import (
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
from tests.processes import alive, scoring_processes, start
from viewer.analyses.job import heatmap_path


@pytest.fixture
def settings(settings):
    return with_random_model(settings)


@pytest.fixture
def slide_id(slide_folder, scan):
    # Larger specks: a chunk must take long enough to be interrupted.
    make_speckled(slide_folder / "slide.tif", chunks=(4, 3), speck_px=190)
    return scan()[0]["id"]


@pytest.fixture
def undisturbed(settings, sessions, slide_id):
    """The map of a run that nobody disturbs."""
    asked = ask(sessions, settings, slide_id)
    worker(settings, sessions).work_once(Threads().pool)
    return grid_of(settings, asked)


@pytest.fixture
def asked(settings, sessions, slide_id, undisturbed):
    return ask(sessions, settings, slide_id, again=True)


def stored(settings, asked):
    """When each stored chunk was written, from the files themselves."""
    chunks = heatmap_path(settings, asked) / "probability" / "c"
    return {path: path.stat().st_mtime_ns for path in chunks.glob("[0-9]*/[0-9]*")}


def test_what_is_stored_is_kept_whatever_is_killed(
    settings, sessions, asked, undisturbed, tmp_path
):
    log = tmp_path / "log"
    with start(["worker"], settings, log) as running:
        wait_until(lambda: stored(settings, asked))
        for process in scoring_processes(running):
            process.kill()
        before = stored(settings, asked)
        wait_until(lambda: len(stored(settings, asked)) > len(before) + 1)  # Dask started others
        assert before.items() <= stored(settings, asked).items()

        processes = running.tree()
        for process in processes:
            process.kill()
        running.process.wait()
        wait_until(lambda: not alive(processes))
    before = stored(settings, asked)
    assert 3 <= len(before) < len(heatmap_of(settings, asked).planned_chunks())
    assert look(sessions, asked).state == "running", "nobody could say otherwise"

    with start(["worker"], settings, log) as running:
        wait_until(lambda: look(sessions, asked).state in ("done", "failed"))
        assert look(sessions, asked).state == "done", log.read_text()
        assert running.send(signal.SIGTERM) == 0

    np.testing.assert_array_equal(grid_of(settings, asked), undisturbed)
    assert before.items() <= stored(settings, asked).items()
    assert str(settings.data) not in log.read_text()
