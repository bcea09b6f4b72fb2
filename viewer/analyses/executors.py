"""Where chunks are computed: processes of this machine, or a Dask cluster that is there already.

The runner sees a `concurrent.futures.Executor` and a number of slots, nothing of Dask. Processes,
their liveness, re-runs after a crash and transport are Dask's; nothing of it is durable, nor needs
to be.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dask
from distributed import Client, LocalCluster, Security, Worker, WorkerPlugin
from distributed.system import MEMORY_LIMIT

from viewer.errors import Unavailable
from viewer.settings import Settings

# One of these is held by each running chunk, so that a machine never computes more at once.
RESOURCE = {"score": 1}
# Chunks at once in a process: while one is computed, by one thread, the next one's pixels are read.
CHUNKS_AT_ONCE = 2
RETRIES = 2  # a chunk is tried three times
NICENESS = 10  # tiles that somebody waits for go first
MEMORY_SHARE = 0.7
STOP_TIMEOUT_S = 1.0  # then killed; a chunk is stored whole or not at all
CONNECT_TIMEOUT_S = 10
SECURE_SCHEMES = ("tls://", "wss://")

# Dask would serve HTTP pages on ports of its own, and write the arguments of failed tasks, which
# hold paths, into logs.
DASK_CONFIG = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.scheduler.allowed-failures": RETRIES,
}


@dataclass(frozen=True)
class Pool:
    """Processes that score; `slots()` chunks run at once."""

    executor: Executor
    slots: Callable[[], int]
    alive: Callable[[], bool]


class ScoringProcess(WorkerPlugin):
    """Turns a Dask worker process of ours into one that disturbs nobody and serves no HTTP."""

    name = "sentinode-scoring-process"

    def setup(self, worker: Worker) -> None:
        """Run in each process before its first task, after a restart too."""
        worker.http_server.stop()
        os.nice(NICENESS)


@contextmanager
def open_pool(settings: Settings, model_folder: Path | None = None) -> Iterator[Pool]:
    """The processes the settings ask for; raise Unavailable with a reason when there are none.

    `model_folder` is loaded by each local process while nobody waits for it yet.
    """
    if settings.dask_address is None:
        with local_cluster(settings) as client:
            warming = _warm_up(client, model_folder, settings.engine) if model_folder else []
            yield _pool(client)
            del warming  # a result nobody holds would not be computed at all
    else:
        with _existing_cluster(settings.dask_address, settings.dask_allow_insecure) as client:
            yield _pool(client)


@contextmanager
def local_cluster(settings: Settings) -> Iterator[Client]:
    """A Dask cluster inside this process and its children, reachable with its certificate alone.

    Without TLS any user of this machine could have it run any program as this user.
    """
    security = Security.temporary()
    with (
        dask.config.set(DASK_CONFIG),
        LocalCluster(
            n_workers=settings.workers,
            threads_per_worker=CHUNKS_AT_ONCE,
            processes=True,
            host="127.0.0.1",
            protocol="tls",
            security=security,
            dashboard_address=None,
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            resources={name: CHUNKS_AT_ONCE * each for name, each in RESOURCE.items()},
            memory_limit=int(MEMORY_SHARE * MEMORY_LIMIT / settings.workers),
            local_directory=str(settings.data / "dask"),
            plugins=(ScoringProcess(),),
            silence_logs=logging.CRITICAL,
        ) as cluster,
    ):
        cluster.scheduler.http_server.stop()
        with Client(cluster, set_as_default=False) as client:
            try:
                yield client
            finally:
                cluster.sync(_stop_processes, cluster)


async def _stop_processes(cluster: LocalCluster) -> None:
    """End the processes without waiting for running chunks, as closing the cluster would."""
    closing = (nanny.close(timeout=STOP_TIMEOUT_S) for nanny in cluster.workers.values())
    await asyncio.gather(*closing)


@contextmanager
def _existing_cluster(address: str, allow_insecure: bool) -> Iterator[Client]:
    if not address.startswith(SECURE_SCHEMES) and not allow_insecure:
        raise Unavailable(
            "The Dask address is not protected by TLS: whoever reaches it can run any program.",
            "Use a tls:// address, or set SENTINODE_DASK_ALLOW_INSECURE=true in a closed network.",
        )
    try:
        client = Client(address, timeout=CONNECT_TIMEOUT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise Unavailable(
            f"The Dask scheduler cannot be reached ({type(error).__name__}).",
            "Check SENTINODE_DASK_ADDRESS, the certificates in Dask's configuration, and that the "
            "scheduler runs.",
        ) from error
    with client:
        yield client


def _pool(client: Client) -> Pool:
    executor = client.get_executor(resources=RESOURCE, retries=RETRIES, pure=False)
    return Pool(executor, lambda: _slots(client), lambda: client.status == "running")


def _slots(client: Client) -> int:
    """Chunks that can run at once; at least 1, since processes may be about to join."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return max(1, int(sum(worker["resources"].get("score", 0) for worker in workers)))


def _warm_up(client: Client, model_folder: Path, engine: str) -> list[object]:
    workers = client.scheduler_info(n_workers=-1)["workers"]
    return [
        client.submit(
            load_model, model_folder, engine, workers=[address], resources=RESOURCE, pure=False
        )
        for address in workers
    ]


def load_model(model_folder: Path, choice: str) -> str:
    """Load the model in a scoring process, ready to compute on one thread; the engine's name.

    Runs elsewhere; an invalid model raises ModelInvalid there and is reported by its analyses.
    """
    from model.prediction.engine import choose_engine, load_engine

    # Of one thread: Dask's nanny sets OMP_NUM_THREADS.
    engine = load_engine(model_folder, choose_engine(choice))
    engine.warm_up()
    return engine.how
