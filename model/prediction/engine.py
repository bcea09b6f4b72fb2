"""The one way from pixels to probabilities, for viewer, command line and evaluation alike.

An `Engine` is a model in memory on top of one of two ways of computing its nets (`Net`): PyTorch,
the reference, which uses a GPU where there is one, and OpenVINO on CPUs. Neither is imported before
it is needed; a process that computes with OpenVINO never imports PyTorch.
"""

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from model.prediction.errors import EngineUnavailable
from model.prediction.lite0 import SQUARE, SQUARE_STEP
from model.prediction.models import SIDE_FILE, Model, load_model

ENGINE_VARIABLE = "SENTINODE_ENGINE"
# What may be asked for. `openvino` computes in bfloat16 where the processor does, else in float32.
CHOICES = ("auto", "torch", "openvino", "openvino-float32")
TORCH = "torch float32"
OPENVINO_FLOAT32, OPENVINO_BFLOAT16 = "openvino float32", "openvino bfloat16"

# Large enough to keep one core busy, small enough that activations stay in its caches: 64 patches
# at a time took a fifth longer on a Xeon with 2 MB of second-level cache.
BATCH_PATCHES = 32

Pixels = NDArray[np.uint8]
Logits = NDArray[np.float32]
Mask = NDArray[np.bool_]


class Net(Protocol):
    """The nets of a model, by one way of computing them. May be used by several threads."""

    def patches(self, patches: Pixels) -> Logits:
        """Logits (n,) of patches (n, side, side, 3)."""

    def shared(self, regions: Pixels) -> tuple[NDArray[np.float32], Logits]:
        """Of regions (n, h, w, 3): shared features (n, 40, …), first answers (n, rows, columns)."""

    def rest(self, squares: NDArray[np.float32]) -> Logits:
        """Logits (n,) from squares (n, 40, 8, 8) of shared features."""


@dataclass(frozen=True)
class Scores:
    """Probabilities (n,), and which of them are the gate's own answers (n,)."""

    probabilities: NDArray[np.float32]
    by_gate: Mask


class Engine:
    """A model in memory, ready to score. Safe to share between threads.

    `how` is what computes, as `available_engines` names it; by default `choose_engine()`. With
    `gated=False` every cell goes through the whole net.
    """

    def __init__(self, model: Model, how: str | None = None, gated: bool = True) -> None:
        self.model = model
        self.how = how or choose_engine()
        self._net = _make_net(model, self.how, threads())
        self._first_below = _logit(model.gate.first_below) if gated and model.gate else -np.inf

    def probabilities(self, patches: Pixels) -> NDArray[np.float32]:
        """Tumour probability (n,) of the central cell of each uint8 patch (n, side, side, 3).

        Any view will do; raises ValueError for another shape or type than the model's patches.
        """
        return self._to_probabilities(self.logits(patches))

    def logits(self, patches: Pixels) -> Logits:
        """Logits (n,) of uint8 patches (n, side, side, 3), before any temperature."""
        return self._logits(patches)[0]

    def score_patches(self, patches: Pixels) -> Scores:
        """As `probabilities`, and who answered."""
        logits, by_gate = self._logits(patches)
        return Scores(self._to_probabilities(logits), by_gate)

    def score_cells(self, region: Pixels, cells: Mask) -> Scores:
        """Scores of the chosen cells (rows, columns) of a region, row by row.

        The region is the cells' pixels with the margin by which patches reach beyond them.
        """
        rows, columns = cells.shape
        side, step = self.model.patch_size_px, self.model.cell_size_px
        expected = (rows - 1) * step + side, (columns - 1) * step + side, 3
        if region.dtype != np.uint8 or region.shape != expected:
            raise ValueError(f"expected a uint8 region {expected}, got {region.shape}")
        if not self.model.dense:
            windows = sliding_window_view(region, (side, side), axis=(0, 1))
            return self.score_patches(np.moveaxis(windows[::step, ::step][cells], 1, -1))
        maps, answers = self._net.shared(region[None])
        squares = sliding_window_view(maps[0], (SQUARE, SQUARE), axis=(1, 2))
        squares = squares[:, ::SQUARE_STEP, ::SQUARE_STEP]
        places = np.nonzero(cells)
        logits, by_gate = self._through_gate(
            answers[0][cells],
            lambda kept: np.moveaxis(squares[:, places[0][kept], places[1][kept]], 1, 0),
        )
        return Scores(self._to_probabilities(logits), by_gate)

    def _logits(self, patches: Pixels) -> tuple[Logits, Mask]:
        side = self.model.patch_size_px
        if patches.dtype != np.uint8 or patches.shape[1:] != (side, side, 3):
            raise ValueError(
                f"expected uint8 patches (n, {side}, {side}, 3),"
                f" got {patches.dtype} {patches.shape}"
            )
        if not self.model.dense:
            return self._net.patches(patches), np.zeros(len(patches), np.bool_)
        starts = range(0, len(patches), BATCH_PATCHES)
        parts = [self._dense_batch(patches[at : at + BATCH_PATCHES]) for at in starts]
        if not parts:
            return np.empty(0, np.float32), np.empty(0, np.bool_)
        return np.concatenate([a for a, _ in parts]), np.concatenate([b for _, b in parts])

    def _dense_batch(self, patches: Pixels) -> tuple[Logits, Mask]:
        maps, answers = self._net.shared(patches)
        return self._through_gate(answers[:, 0, 0], lambda kept: maps[kept])

    def _through_gate(
        self, answers: Logits, squares: Callable[[NDArray[np.intp]], NDArray[np.float32]]
    ) -> tuple[Logits, Mask]:
        """First answers where those are sure of no tumour, the whole net's elsewhere."""
        by_gate = answers < self._first_below
        kept = np.nonzero(~by_gate)[0]
        logits = answers.astype(np.float32)
        if kept.size:
            logits[kept] = self._net.rest(squares(kept))
        return logits, by_gate

    def _to_probabilities(self, logits: Logits) -> NDArray[np.float32]:
        # In float64: exp of a float32 may overflow.
        scaled = logits.astype(np.float64) / (self.model.temperature or 1.0)
        return (1 / (1 + np.exp(-scaled))).astype(np.float32)


def choose_engine(choice: str | None = None) -> str:
    """What computes: of what this machine has, what was asked for (else by SENTINODE_ENGINE).

    `auto`: PyTorch where it has a GPU, else OpenVINO, else PyTorch. Raises EngineUnavailable.
    """
    choice = choice or os.environ.get(ENGINE_VARIABLE) or "auto"
    if choice not in CHOICES:
        raise EngineUnavailable(
            f"There is no engine '{choice}'.", f"Choose one of {', '.join(CHOICES)}."
        )
    if choice == "torch" or (choice == "auto" and _has_gpu()):
        return TORCH
    if not has_openvino():
        if choice == "auto":
            return TORCH
        raise EngineUnavailable(
            "OpenVINO is not installed.", "Install it with `pip install openvino`, or use torch."
        )
    return (
        OPENVINO_BFLOAT16 if choice != "openvino-float32" and _has_bfloat16() else OPENVINO_FLOAT32
    )


def is_automatic(choice: str | None) -> bool:
    """Whether any engine will do."""
    return (choice or os.environ.get(ENGINE_VARIABLE) or "auto") == "auto"


def check_engine(how: str) -> None:
    """Raise EngineUnavailable unless this machine can compute as `how` says."""
    if how == TORCH or (how == OPENVINO_FLOAT32 and has_openvino()):
        return
    if how == OPENVINO_BFLOAT16 and has_openvino() and _has_bfloat16():
        return
    raise EngineUnavailable(
        f"The analysis was begun with the engine {how}, which this machine does not have.",
        f"Set {ENGINE_VARIABLE} on all machines to one they all have (torch, say), and begin anew.",
    )


def has_openvino() -> bool:
    """Whether OpenVINO is installed."""
    return importlib.util.find_spec("openvino") is not None


def threads() -> int:
    """Threads a process computes with: those of OMP_NUM_THREADS, else a thread for each core."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() and int(given) else os.cpu_count() or 1


def load_engine(folder: Path, how: str | None = None) -> Engine:
    """The engine of a model folder, loaded once in this process (again if the folder changed)."""
    try:
        changed_ns = (folder / SIDE_FILE).stat().st_mtime_ns
    except OSError:
        changed_ns = 0  # load_model says what is missing
    with _LOADING:  # two threads would load it twice
        return _load_engine(folder, changed_ns, how or choose_engine())


_LOADING = Lock()


@lru_cache(maxsize=4)
def _load_engine(folder: Path, changed_ns: int, how: str) -> Engine:
    return Engine(load_model(folder), how)


def _make_net(model: Model, how: str, threads: int) -> Net:
    if how == TORCH or model.scripted:  # a program of somebody else's runs where it was written for
        from model.prediction.engine_torch import TorchNet

        return TorchNet(model)
    from model.prediction.engine_openvino import OpenVinoNet

    return OpenVinoNet(model, how == OPENVINO_BFLOAT16, threads)


def _has_gpu() -> bool:
    """Whether PyTorch has a GPU; does not import it, which takes seconds, where no driver is."""
    if not any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")):
        return False
    import torch

    return torch.cuda.is_available()


@lru_cache(maxsize=1)
def _has_bfloat16() -> bool:
    from model.prediction.engine_openvino import computes_bfloat16

    return computes_bfloat16()


def _logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability))) if probability > 0 else -np.inf
