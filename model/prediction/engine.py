"""The one way from pixels to probabilities, for viewer, command line and evaluation alike.

An `Engine` is a model in memory on top of one of two ways of computing its net (`Net`): PyTorch,
the reference, which uses a GPU where there is one, and OpenVINO on CPUs. Neither is imported before
it is needed; a process that computes with OpenVINO never imports PyTorch.
"""

import importlib.util
import os
import sys
from functools import lru_cache
from pathlib import Path
from threading import Lock, Semaphore
from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from model.prediction.errors import EngineUnavailable
from model.prediction.lite0 import SHARED_CHANNELS, SQUARE, SQUARE_STEP
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
PADDED_AT_ONCE = 256  # patches, of some 80 kB each with their surroundings

Pixels = NDArray[np.uint8]
Logits = NDArray[np.float32]
Probabilities = NDArray[np.float32]
Mask = NDArray[np.bool_]


class Net(Protocol):
    """The net of a model, by one way of computing it. May be used by several threads."""

    def patches(self, patches: Pixels) -> Logits:
        """Logits (n,) of patches with their surroundings, (n, side, side, 3)."""

    def shared(self, regions: Pixels) -> NDArray[np.float32]:
        """Of a dense net: shared features (n, 80, …) of regions (n, h, w, 3)."""

    def rest(self, squares: NDArray[np.float32]) -> Logits:
        """Of a dense net: logits (n,) from squares (n, 80, 6, 6) of shared features."""


class Engine:
    """A model in memory, ready to score. Safe to share between threads.

    `how` is what computes, as `choose_engine` names it.
    """

    def __init__(self, model: Model, how: str | None = None) -> None:
        self.model, self.how = model, how or choose_engine()
        self._net = _make_net(model, self.how)
        # More threads may read pixels than compute.
        self._computing = Semaphore(threads())

    def probabilities(self, patches: Pixels) -> Probabilities:
        """Tumour probability (n,) of the central cell of each patch; see `logits`."""
        return self._probabilities(self.logits(patches))

    def logits(self, patches: Pixels) -> Logits:
        """Logits (n,), before any temperature, of uint8 patches (n, side, side, 3).

        Any view will do. A side is the model's `patch_size_px`, or its `seen_px` with the patch's
        surroundings; a patch without them gets its mirror image for those that the net wants.
        Raises ValueError for another shape or type.
        """
        bare, seen = self.model.patch_size_px, self.model.seen_px
        side = patches.shape[1] if patches.ndim == 4 else 0
        if patches.dtype != np.uint8 or side not in (bare, seen) or patches.shape[2:] != (side, 3):
            raise ValueError(
                f"expected uint8 patches (n, {bare}, {bare}, 3),"
                f" got {patches.dtype} {patches.shape}"
            )
        if side == seen:
            return self._net.patches(patches)
        around = (0, 0), self.model.surroundings_px, self.model.surroundings_px, (0, 0)
        logits = [np.empty(0, np.float32)]
        for start in range(0, len(patches), PADDED_AT_ONCE):
            some = np.pad(patches[start : start + PADDED_AT_ONCE], around, mode="reflect")
            logits.append(self._net.patches(some))
        return np.concatenate(logits)

    def score_cells(self, region: Pixels, cells: Mask) -> Probabilities:
        """Probabilities (n,) of the chosen cells (rows, columns) of a region, row by row.

        The region is the cells' pixels with the margin by which what the net sees of a patch
        reaches beyond its cell.
        """
        rows, columns = cells.shape
        side, step = self.model.seen_px, self.model.cell_size_px
        expected = (rows - 1) * step + side, (columns - 1) * step + side, 3
        if region.dtype != np.uint8 or region.shape != expected:
            raise ValueError(f"expected a uint8 region {expected}, got {region.shape}")
        with self._computing:
            if self.model.dense:
                return self._probabilities(self._net.rest(self._squares(region, cells)))
            windows = sliding_window_view(region, (side, side), axis=(0, 1))
            windows = np.moveaxis(windows[::step, ::step], 2, -1)
            return self._probabilities(self._net.patches(windows[cells]))

    def warm_up(self) -> None:
        """Score nothing of meaning once, so that the first cells do not wait for a compiler."""
        side = (REGION_CELLS - 1) * self.model.cell_size_px + self.model.seen_px
        cells = np.zeros((REGION_CELLS, REGION_CELLS), np.bool_)
        cells[:3] = True
        self.score_cells(np.full((side, side, 3), 200, np.uint8), cells)

    def _squares(self, region: Pixels, cells: Mask) -> NDArray[np.float32]:
        """The square of shared features (n, 80, 6, 6) of each chosen cell of a dense net's region.

        In blocks of one size, for which a net is compiled; blocks without cells are left out.
        """
        squares = np.empty((int(cells.sum()), SHARED_CHANNELS, SQUARE, SQUARE), np.float32)
        places = np.cumsum(cells).reshape(cells.shape) - 1  # of chosen cells in `squares`
        for top in range(0, cells.shape[0], REGION_CELLS):
            for left in range(0, cells.shape[1], REGION_CELLS):
                block = slice(top, top + REGION_CELLS), slice(left, left + REGION_CELLS)
                chosen = cells[block]
                if not chosen.any():
                    continue
                maps = self._net.shared(self._block(region, top, left))[0]
                windows = sliding_window_view(maps, (SQUARE, SQUARE), axis=(1, 2))
                windows = np.moveaxis(windows[:, ::SQUARE_STEP, ::SQUARE_STEP], 0, 2)
                windows = windows[: chosen.shape[0], : chosen.shape[1]]
                squares[places[block][chosen]] = windows[chosen]
        return squares

    def _block(self, region: Pixels, top: int, left: int) -> Pixels:
        """The pixels (1, side, side, 3) of a block of cells; black where the region ends."""
        step = self.model.cell_size_px
        side = (REGION_CELLS - 1) * step + self.model.seen_px
        pixels = np.zeros((1, side, side, 3), np.uint8)
        there = region[top * step :, left * step :][:side, :side]
        pixels[0, : there.shape[0], : there.shape[1]] = there
        return pixels

    def _probabilities(self, logits: Logits) -> Probabilities:
        # In float64: exp of a float32 may overflow.
        scaled = logits.astype(np.float64) / (self.model.temperature or 1.0)
        probabilities: Probabilities = (1 / (1 + np.exp(-scaled))).astype(np.float32)
        return probabilities


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


def _make_net(model: Model, how: str) -> Net:
    if how == TORCH or model.scripted:  # a program of somebody else's runs where it was written for
        from model.prediction.engine_torch import TorchNet

        return TorchNet(model)
    _without_telemetry()
    from model.prediction.engine_openvino import OpenVinoNet

    return OpenVinoNet(model, how == OPENVINO_BFLOAT16, threads())


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
