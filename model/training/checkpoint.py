"""A run's whole state in one file, so that a killed run goes on where it was.

safetensors, with JSON in its header: nothing is unpickled. Written beside its place and renamed, so
a kill leaves the checkpoint before it. No generator of random numbers is stored: all chance comes
from the step number (batches.py).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from model.extraction.errors import ManifestInvalid
from model.extraction.files import whole_file
from model.prediction.network import EfficientNetLite0

STATE_KEY = "sentinode"
Tensors = dict[str, Tensor]


@dataclass
class State:
    """Everything that changes while a net is trained."""

    net: EfficientNetLite0
    average: EfficientNetLite0
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    step: int = 0  # steps done
    seconds: float = 0.0
    best: Tensors | None = None  # weights of the best validation
    best_score: float | None = None
    stale: int = 0  # validations since
    finished: bool = False


PLAIN = ("step", "seconds", "best_score", "stale", "finished")


@dataclass(frozen=True)
class Checkpoint:
    """Where the state of the run with one seed is kept; `path` None keeps nothing.

    Of several processes all read it and the first one writes it.
    """

    path: Path | None
    writes: bool = True

    def save(self, state: State, log_bytes: int) -> None:
        """Replace the checkpoint, whole or not at all; raise WriteFailed.

        Of a finished run only the net it gave is kept.
        """
        if self.path is None or not self.writes:
            return
        described: dict[str, Any] = {name: getattr(state, name) for name in PLAIN}
        described |= {"log_bytes": log_bytes, "scaler": state.scaler.state_dict()}
        tensors = _prefixed("average", state.average.state_dict())
        if not state.finished:
            tensors |= _prefixed("net", state.net.state_dict())
            tensors |= _prefixed("best", state.best or {})
            for index, values in state.optimizer.state_dict()["state"].items():
                tensors |= _prefixed(f"optimizer.{index}", values)
        # A copy of each: safetensors takes neither GPU memory nor channels-last strides.
        plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        with whole_file(self.path) as file:
            file.write(save(plain, {STATE_KEY: json.dumps(described)}))

    def log_bytes(self) -> int | None:
        """How long metrics.jsonl was then; None without a checkpoint."""
        if self.path is None or not self.path.is_file():
            return None
        return int(_read(self.path)[0]["log_bytes"])

    def restore(self, state: State) -> None:
        """Put `state` where the checkpoint left it, if there is one; raise ManifestInvalid."""
        if self.path is None or not self.path.is_file():
            return
        described, tensors = _read(self.path)
        for name in PLAIN:
            setattr(state, name, described[name])
        state.average.load_state_dict(_below("average", tensors))
        if state.finished:
            return
        state.net.load_state_dict(_below("net", tensors))
        state.best = _below("best", tensors) or None
        state.scaler.load_state_dict(described["scaler"])
        _restore_optimizer(state.optimizer, _below("optimizer", tensors))


def _read(path: Path) -> tuple[dict[str, Any], Tensors]:
    try:
        with safe_open(path, framework="pt") as file:
            described = json.loads(file.metadata()[STATE_KEY])
            return described, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 -- no dict
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ManifestInvalid(
            f"Checkpoint '{path.name}' could not be read.",
            "Delete it, or begin anew with --again.",
        ) from error


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    groups = optimizer.state_dict()["param_groups"]
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, Tensors] = {}
    for name, value in tensors.items():
        index, _, key = name.partition(".")
        like = parameters[int(index)]
        # In the parameter's own layout: another one would round differently.
        stored = torch.empty_like(like).copy_(value) if value.shape == like.shape else value
        state.setdefault(int(index), {})[key] = stored
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _prefixed(prefix: str, tensors: Tensors) -> Tensors:
    return {f"{prefix}.{name}": value for name, value in tensors.items()}


def _below(prefix: str, tensors: Tensors) -> Tensors:
    start = prefix + "."
    return {
        name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)
    }
