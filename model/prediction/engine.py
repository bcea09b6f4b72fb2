"""The one way from pixels to probabilities, for viewer, command line and evaluation alike.

An `Engine` is a model in memory on top of one of two ways of computing its nets (`Net`): PyTorch,
the reference, which uses a GPU where there is one, and OpenVINO on CPUs. Neither is imported before
it is needed; a process that computes with OpenVINO never imports PyTorch.
"""

import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock, Semaphore
from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from model.prediction.errors import EngineUnavailable
from model.prediction.lite0 import CELL_PX, PATCH_PX, SHARED_CHANNELS, SQUARE, SQUARE_STEP
from model.prediction.models import SIDE_FILE, Model, load_model

ENGINE_VARIABLE = "SENTINODE_ENGINE"
# What may be asked for. `openvino` computes in bfloat16 where the processor does, else in float32.
CHOICES = ("auto", "torch", "openvino", "openvino-float32")
TORCH = "torch float32"
OPENVINO_FLOAT32, OPENVINO_BFLOAT16 = "openvino float32", "openvino bfloat16"

# Large enough to keep one core busy, small enough that activations stay in its caches: 64 patches
# at a time took a fifth longer on a Xeon with 2 MB of second-level cache.
BATCH_PATCHES = 32
# Cells along a side of the regions whose first blocks are computed at once.
REGION_CELLS = 16

Pixels = NDArray[np.uint8]
Logits = NDArray[np.float32]
Mask = NDArray[np.bool_]
Indices = NDArray[np.intp]


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
    """Probabilities (n,), and which of them are the gate's or a first answer (n,)."""

    probabilities: NDArray[np.float32]
    by_gate: Mask


class Engine:
    """A model in memory, ready to score. Safe to share between threads.

    `how` is what computes, as `choose_engine` names it. With `gated=False` every cell goes through
    the whole of the model's own net.
    """

    def __init__(self, model: Model, how: str | None = None, gated: bool = True) -> None:
        self.model, self.how = model, how or choose_engine()
        gate = model.gate if gated else None
        self._first_below = _logit(gate.first_below) if gate else -np.inf
        self._below = _logit(gate.below) if gate and gate.below else -np.inf
        self._net = _make_net(model, model.weights_path, model.dense, self.how)
        self._dense = self._net if model.dense else None
        if gate and model.gate_path:
            self._dense = _make_net(model, model.gate_path, True, self.how)
        # More threads may read pixels than compute.
        self._computing = Semaphore(threads())

    def probabilities(self, patches: Pixels) -> NDArray[np.float32]:
        """Tumour probability (n,) of the central cell of each uint8 patch (n, side, side, 3).

        Any view will do; raises ValueError for another shape or type than the model's patches.
        """
        return self.score_patches(patches).probabilities

    def logits(self, patches: Pixels) -> Logits:
        """Logits (n,) of uint8 patches (n, side, side, 3), before any temperature."""
        return self._score_patches(patches)[0]

    def score_patches(self, patches: Pixels) -> Scores:
        """As `probabilities`, and who answered."""
        return self._scores(*self._score_patches(patches))

    def score_cells(self, region: Pixels, cells: Mask) -> Scores:
        """Scores of the chosen cells (rows, columns) of a region, row by row.

        The region is the cells' pixels with the margin by which patches reach beyond them.
        """
        rows, columns = cells.shape
        side, step = self.model.patch_size_px, self.model.cell_size_px
        expected = (rows - 1) * step + side, (columns - 1) * step + side, 3
        if region.dtype != np.uint8 or region.shape != expected:
            raise ValueError(f"expected a uint8 region {expected}, got {region.shape}")
        windows = sliding_window_view(region, (side, side), axis=(0, 1))
        windows = np.moveaxis(windows[::step, ::step], 2, -1)
        with self._computing:
            if self._dense is None:
                logits = self._net.patches(windows[cells])
                return self._scores(logits, np.zeros(len(logits), np.bool_))
            maps, answers = self._shared(self._dense, region, cells)
            squares = sliding_window_view(maps, (SQUARE, SQUARE), axis=(1, 2))
            squares = np.moveaxis(squares[:, ::SQUARE_STEP, ::SQUARE_STEP], 0, 2)
            places = np.argwhere(cells)
            return self._scores(
                *self._cascade(
                    answers[cells],
                    lambda kept: squares[tuple(places[kept].T)],
                    lambda kept: windows[tuple(places[kept].T)],
                )
            )

    def warm_up(self) -> None:
        """Score nothing of meaning once, so that the first cells do not wait for a compiler."""
        side = (REGION_CELLS - 1) * self.model.cell_size_px + self.model.patch_size_px
        cells = np.zeros((REGION_CELLS, REGION_CELLS), np.bool_)
        cells[:3] = True
        self.score_cells(np.full((side, side, 3), 200, np.uint8), cells)
        self._net.patches(np.full((1, *[self.model.patch_size_px] * 2, 3), 200, np.uint8))

    @staticmethod
    def _shared(dense: Net, region: Pixels, cells: Mask) -> tuple[NDArray[np.float32], Logits]:
        """Shared features (40, …) and first answers (rows, columns) of a region with these cells.

        In blocks of one size, for which a net is compiled; blocks without cells stay zero.
        """
        rows, columns = cells.shape
        size = SHARED_CHANNELS, (rows + 1) * SQUARE_STEP, (columns + 1) * SQUARE_STEP
        maps, answers = np.zeros(size, np.float32), np.zeros(cells.shape, np.float32)
        side = REGION_CELLS * CELL_PX + PATCH_PX - CELL_PX
        for top in range(0, rows, REGION_CELLS):
            for left in range(0, columns, REGION_CELLS):
                block = slice(top, top + REGION_CELLS), slice(left, left + REGION_CELLS)
                if not cells[block].any():
                    continue
                y, x = top * CELL_PX, left * CELL_PX
                pixels = np.zeros((1, side, side, 3), np.uint8)
                there = region[y : y + side, x : x + side]
                pixels[0, : there.shape[0], : there.shape[1]] = there
                found, first = dense.shared(pixels)
                v, u = top * SQUARE_STEP, left * SQUARE_STEP
                place = maps[:, v : v + found.shape[2], u : u + found.shape[3]]
                place[:] = found[0, :, : place.shape[1], : place.shape[2]]
                inside = answers[block]
                inside[:] = first[0, : inside.shape[0], : inside.shape[1]]
        return maps, answers

    def _score_patches(self, patches: Pixels) -> tuple[Logits, Mask]:
        side = self.model.patch_size_px
        if patches.dtype != np.uint8 or patches.shape[1:] != (side, side, 3):
            raise ValueError(
                f"expected uint8 patches (n, {side}, {side}, 3),"
                f" got {patches.dtype} {patches.shape}"
            )
        if self._dense is None:
            return self._net.patches(patches), np.zeros(len(patches), np.bool_)
        logits = [np.empty(0, np.float32)]
        by_gate = [np.empty(0, np.bool_)]
        for start in range(0, len(patches), BATCH_PATCHES):
            some = patches[start : start + BATCH_PATCHES]
            maps, answers = self._dense.shared(some)
            found = self._cascade(answers[:, 0, 0], maps.__getitem__, some.__getitem__)
            logits.append(found[0])
            by_gate.append(found[1])
        return np.concatenate(logits), np.concatenate(by_gate)

    def _cascade(
        self,
        answers: Logits,
        squares: Callable[[Indices], NDArray[np.float32]],
        patches: Callable[[Indices], Pixels],
    ) -> tuple[Logits, Mask]:
        """First answers where those are sure of no tumour; elsewhere what is asked next."""
        assert self._dense is not None
        logits = answers.astype(np.float32)
        unsure = np.nonzero(logits >= self._first_below)[0]
        if unsure.size:
            logits[unsure] = self._dense.rest(squares(unsure))
        if self._dense is not self._net:
            unsure = unsure[logits[unsure] >= self._below]
            if unsure.size:
                logits[unsure] = self._net.patches(patches(unsure))
        by_gate = np.ones(len(logits), np.bool_)
        by_gate[unsure] = False
        return logits, by_gate

    def _scores(self, logits: Logits, by_gate: Mask) -> Scores:
        # In float64: exp of a float32 may overflow.
        scaled = logits.astype(np.float64) / (self.model.temperature or 1.0)
        return Scores((1 / (1 + np.exp(-scaled))).astype(np.float32), by_gate)


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


def _make_net(model: Model, weights: Path, dense: bool, how: str) -> Net:
    if how == TORCH or model.scripted:  # a program of somebody else's runs where it was written for
        from model.prediction.engine_torch import TorchNet

        return TorchNet(model, weights, dense)
    _without_telemetry()
    from model.prediction.engine_openvino import OpenVinoNet

    return OpenVinoNet(model, weights, dense, how == OPENVINO_BFLOAT16, threads())


def _has_gpu() -> bool:
    """Whether PyTorch has a GPU; does not import it, which takes seconds, where no driver is."""
    if not any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")):
        return False
    import torch

    return torch.cuda.is_available()


@lru_cache(maxsize=1)
def _has_bfloat16() -> bool:
    _without_telemetry()
    from model.prediction.engine_openvino import computes_bfloat16

    return computes_bfloat16()


def _without_telemetry() -> None:
    """See to it that OpenVINO's telemetry is never loaded: it does without where it is missing."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment] # how Python says missing


def _logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability))) if probability > 0 else -np.inf
