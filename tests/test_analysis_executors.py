"""Where chunks run: processes of our own, or a Dask cluster that is there already."""

import os

import psutil
import pytest
from distributed import LocalCluster

from tests.engine_room import (
    ask,
    heatmap_of,
    look,
    make_speckled,
    wait_until,
    with_random_model,
    worker,
)
from viewer.analyses import executors
from viewer.analyses.executors import CHUNKS_AT_ONCE, NICENESS, RESOURCE, open_pool
from viewer.analyses.reasons import reason_and_hint
from viewer.analyses.runner import PoolLost
from viewer.errors import Unavailable


@pytest.fixture
def settings(settings):
    return with_random_model(settings)


@pytest.fixture
def asked(settings, sessions, slide_folder, scan):
    make_speckled(slide_folder / "slide.tif")
    return ask(sessions, settings, scan()[0]["id"])


@pytest.fixture
def cluster():
    """A cluster of somebody else, without TLS."""
    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        protocol="tcp",
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        resources=RESOURCE,
    ) as cluster:
        yield cluster


@pytest.fixture
def elsewhere(settings, cluster):
    address = {"dask_address": cluster.scheduler_address, "dask_allow_insecure": True}
    return settings.model_copy(update=address)


def test_our_processes_are_humble_and_their_end_is_explained(settings):
    with open_pool(settings) as pool:
        assert pool.slots() == CHUNKS_AT_ONCE * settings.workers
        pid = pool.executor.submit(os.getpid).result()
        assert psutil.Process(pid).nice() == min(19, os.nice(0) + NICENESS)

        error = pool.executor.submit(os._exit, 1).exception()

        reason, hint = reason_and_hint(error)
        assert "ended three times" in reason
        assert "memory" in hint
        assert pool.executor.submit(os.getpid).result() != pid, "another one took its place"


def test_an_existing_cluster_computes_the_same_way(elsewhere, sessions, asked):
    with open_pool(elsewhere) as pool:
        assert worker(elsewhere, sessions).work_once(pool)

    assert look(sessions, asked).state == "done"
    heatmap = heatmap_of(elsewhere, asked)
    assert set(heatmap.planned_chunks()) == heatmap.stored_chunks().keys()


def test_an_analysis_goes_back_when_the_cluster_is_lost(elsewhere, cluster, sessions, asked):
    with open_pool(elsewhere) as pool:
        cluster.close()
        wait_until(lambda: not pool.alive())

        with pytest.raises(PoolLost):
            worker(elsewhere, sessions).work_once(pool)

    assert look(sessions, asked).state == "queued"


def test_a_cluster_without_tls_is_refused(settings):
    open_to_all = settings.model_copy(update={"dask_address": "tcp://127.0.0.1:8786"})

    with pytest.raises(Unavailable, match="not protected by TLS"), open_pool(open_to_all):
        pass


def test_a_cluster_that_is_not_there_is_named(elsewhere, cluster, monkeypatch):
    monkeypatch.setattr(executors, "CONNECT_TIMEOUT_S", 1)
    cluster.close()

    with pytest.raises(Unavailable, match="SENTINODE_DASK_ADDRESS"), open_pool(elsewhere):
        pass
