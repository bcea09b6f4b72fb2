"""The engine for CPUs: OpenVINO, in bfloat16 where the processor computes in it, else in float32.

The same tensors as PyTorch's, and in float32 the same probabilities within 1e-5.
"""

import os
import sys
from functools import lru_cache
from pathlib import Path
from threading import Lock, local

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import CompiledModel, Core, InferRequest, Type
from openvino import Model as Graph
from openvino.properties import cache_dir, inference_num_threads
from openvino.properties import hint as hints
from openvino.properties.streams import num as stream_count
from safetensors import SafetensorError
from safetensors.numpy import load_file

from model.prediction.errors import ModelInvalid
from model.prediction.lite0 import ARCHITECTURE
from model.prediction.models import Model
from model.prediction.openvino_graph import Lite0Graphs

# Shapes are fixed when a graph is compiled: what does not fill a batch goes through the small one.
BATCHES = (32, 4)
# Compiled graphs that are kept, of some 14 MB each; a model has two to six.
MOST_COMPILED = 16

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Key = tuple[str, tuple[int, ...]]  # a graph and the shape it is compiled for


@lru_cache(maxsize=1)
def core() -> Core:
    """OpenVINO, with a folder for what it compiles."""
    found = Core()
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _forget_old(folder)
    except OSError:
        return found  # compiled anew each time
    found.set_property({cache_dir: str(folder)})
    return found


def _forget_old(folder: Path) -> None:
    """Remove what was compiled long ago: OpenVINO itself never does."""
    blobs = sorted(folder.glob("*.blob"), key=lambda blob: blob.stat().st_mtime_ns, reverse=True)
    for blob in blobs[MOST_COMPILED:]:
        blob.unlink(missing_ok=True)


def cache_folder() -> Path:
    """Where compiled nets are kept, for this machine alone; may be deleted at any time."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home()))
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "sentinode" / f"openvino-{openvino.__version__.split('-')[0]}"


def computes_bfloat16() -> bool:
    """Whether the processor has instructions for bfloat16."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoNet:
    """A model's net on the CPU; up to `threads` calls are computed at once, each by one thread."""

    def __init__(self, model: Model, bfloat16: bool, threads: int) -> None:
        self._settings = {
            hints.inference_precision: Type.bf16 if bfloat16 else Type.f32,
            inference_num_threads: threads,
            stream_count: threads,
            # Several processes would all take the same core.
            hints.enable_cpu_pinning: False,
        }
        self._compiled: dict[Key, CompiledModel] = {}
        self._compiling, self._requests = Lock(), local()
        side = model.seen_px
        try:
            self._graphs = Lite0Graphs(
                load_file(model.weights_path), model.mean, model.std, model.dense
            )
            self._graph("patches", (BATCHES[0], side))
        except (OSError, SafetensorError, KeyError, RuntimeError) as error:
            raise ModelInvalid(
                f"{model.weights_file} of model '{model.folder.name}' does not hold an"
                f" {ARCHITECTURE}.",
                "Copy the whole folder again.",
            ) from error

    def patches(self, patches: Pixels) -> Floats:
        """See Net.patches."""
        return self._in_batches("patches", patches)

    def shared(self, regions: Pixels) -> Floats:
        """See Net.shared."""
        request = self._request("shared", regions.shape)
        maps: Floats = request.infer([np.ascontiguousarray(regions)])[0].copy()
        return maps

    def rest(self, squares: Floats) -> Floats:
        """See Net.rest."""
        return self._in_batches("rest", squares)

    def _in_batches(self, graph: str, items: NDArray[np.generic]) -> Floats:
        """Logits (n,) of items (n, …), in large batches and a few small ones."""
        logits, done = np.empty(len(items), np.float32), 0
        for size in BATCHES:
            while len(items) - done >= size or (size == BATCHES[-1] and done < len(items)):
                part = items[done : done + size]
                batch = np.zeros((size, *items.shape[1:]), items.dtype)
                batch[: len(part)] = part
                results = self._request(graph, batch.shape).infer([batch])
                logits[done : done + len(part)] = results[0][: len(part)]
                done += len(part)
        return logits

    def _request(self, graph: str, shape: tuple[int, ...]) -> InferRequest:
        """This thread's own request: two threads must not share one."""
        known: dict[Key, InferRequest] = self._requests.__dict__.setdefault("known", {})
        key = graph, shape
        if key not in known:
            with self._compiling:
                known[key] = self._compile(graph, shape).create_infer_request()
        return known[key]

    def _compile(self, graph: str, shape: tuple[int, ...]) -> CompiledModel:
        key = graph, shape
        if key not in self._compiled:
            built = self._graph(graph, shape)
            self._compiled[key] = core().compile_model(built, "CPU", self._settings)
        return self._compiled[key]

    def _graph(self, graph: str, shape: tuple[int, ...]) -> Graph:
        if graph == "patches":
            return self._graphs.patches(shape[0], shape[1])
        if graph == "rest":
            return self._graphs.rest(shape[0])
        return self._graphs.shared(*shape[:3])
