"""What tests of the engine share: quick slides, a model, watched threads, waiting for a condition.

A chunk covers about a square millimetre. The slides here have one speck of tissue in each, so that
a chunk is scored in a fraction of a second.
"""

import atexit
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from threading import Event, Lock
from time import monotonic
from typing import Any

import numpy as np
import torch
from sqlalchemy.orm import Session, sessionmaker

from model.prediction import scoring
from model.prediction.heatmap import Chunk, Heatmap
from tests.model_folders import make_model_folder
from tests.slides import EOSIN, GLASS, make_slide
from viewer.analyses import records
from viewer.analyses.catalog import find_model
from viewer.analyses.executors import Pool
from viewer.analyses.job import heatmap_path
from viewer.analyses.tasks import score_missing_chunk
from viewer.analyses.worker import Worker
from viewer.db import writing
from viewer.records import Analysis
from viewer.settings import Settings

MPP = 0.97  # the model's own, so that level 0 is read as it is
CHUNK_PX = 32 * scoring.CHUNK_CELLS
SPECK_PX = 64
DEADLINE_S = 120.0


def wait_until(condition: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
    """The first true value of `condition`; fails when there is none for long."""
    until, nobody = monotonic() + deadline_s, Event()
    while not (value := condition()):
        assert monotonic() < until, "waited in vain"
        nobody.wait(0.02)
    return value


@cache
def models_folder() -> Path:
    """A folder with one model of random weights."""
    folder = Path(tempfile.mkdtemp(prefix="sentinode-models-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    make_model_folder(folder / "random")
    torch.set_num_threads(1)  # as in the scoring processes
    return folder


def with_random_model(settings: Settings) -> Settings:
    return settings.model_copy(update={"models": (models_folder(),)})


def make_speckled(
    path: Path, chunks: tuple[int, int] = (2, 2), seed: int = 0, speck_px: int = SPECK_PX
) -> Path:
    """A slide of so many chunks across and down, with a speck of tissue in each, no two alike."""
    size_px = chunks[0] * CHUNK_PX, chunks[1] * CHUNK_PX
    chance = np.random.default_rng(seed)
    pixels = np.full((size_px[1], size_px[0], 3), GLASS, np.uint8)
    start = (CHUNK_PX - speck_px) // 2
    for row in range(chunks[1]):
        for column in range(chunks[0]):
            x, y = column * CHUNK_PX + start, row * CHUNK_PX + start
            grain = chance.integers(-40, 40, (speck_px, speck_px, 3))
            pixels[y : y + speck_px, x : x + speck_px] = np.array(EOSIN) + grain
    return make_slide(path, size_px, level_factors=(1,), mpp=MPP, draw=pixels)


def ask(sessions: sessionmaker[Session], settings: Settings, slide_id: str, again=False) -> str:
    """Ask for an analysis as a request would; its id."""
    with writing(sessions) as session:
        model, mpp = find_model(settings), records.Mpp(MPP, MPP)
        analysis_id = records.create_or_reuse(session, slide_id, model, mpp, again).id
        records.requeue(session, analysis_id)
        return analysis_id


def look(sessions: sessionmaker[Session], analysis_id: str) -> Analysis:
    """The record as it is now."""
    with sessions() as session:
        return records.get_analysis(session, analysis_id)


def heatmap_of(settings: Settings, analysis_id: str) -> Heatmap:
    return Heatmap.open(heatmap_path(settings, analysis_id))


def grid_of(settings: Settings, analysis_id: str) -> np.ndarray:
    """All probabilities of a heat map."""
    heatmap = heatmap_of(settings, analysis_id)
    return heatmap.probabilities(0, heatmap.geometry.rows, 0, heatmap.geometry.columns)


class Threads(ThreadPoolExecutor):
    """Scores in this process, notes every chunk that starts, and can be held before a chunk."""

    def __init__(self, slots: int = 1) -> None:
        super().__init__(slots)
        self.slots = slots
        self.scored: list[tuple[str, Chunk]] = []
        self.stored = 0  # chunks that came to their end
        self.free = Event()  # clear it to hold chunks at their beginning
        self.free.set()
        self._lock = Lock()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(self._run, fn, args)

    @property
    def pool(self) -> Pool:
        return Pool(self, lambda: self.slots, lambda: True)

    def _run(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        if fn is score_missing_chunk:
            with self._lock:
                self.scored.append((args[2].stem, args[3]))
            assert self.free.wait(DEADLINE_S)
        result = fn(*args)
        if fn is score_missing_chunk:
            with self._lock:
                self.stored += 1
        return result


def worker(settings: Settings, sessions: sessionmaker[Session], name: str | None = None) -> Worker:
    return Worker(settings, sessions, Event(), name)
