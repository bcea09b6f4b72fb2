"""What a run tells while it goes: metrics.jsonl, and TensorBoard's files if it is installed."""

import json
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

METRICS_FILE = "metrics.jsonl"
EVENTS_FOLDER = "tensorboard"


class Events(Protocol):
    """tensorboardX's SummaryWriter, as far as it is used here."""

    def add_scalar(self, name: str, value: float, step: int) -> None:
        """One point of a curve."""

    def close(self) -> None:
        """Write what is left."""


class Log:
    """Writes lines as they come. `folder` None writes nothing: only one of several processes does.

    `kept_bytes` of an earlier run's lines stay; what came after its checkpoint is told again.
    """

    def __init__(self, folder: Path | None, kept_bytes: int = 0) -> None:
        self._folder = folder
        self._events: dict[int, Events | None] = {}
        self._file = None
        if folder is not None:
            path = folder / METRICS_FILE
            path.touch()
            self._file = path.open("r+b")
            self._file.truncate(kept_bytes)
            self._file.seek(kept_bytes)

    @property
    def bytes(self) -> int:
        """Length of the lines so far."""
        return self._file.tell() if self._file else 0

    def write(self, seed: int, step: int, **values: float | int | None) -> None:
        """One line, readable at once by whoever watches."""
        if self._file is None:
            return
        self._file.write((json.dumps({"seed": seed, "step": step, **values}) + "\n").encode())
        self._file.flush()
        events = self._events_of(seed, step)
        for name, value in values.items():
            if events is not None and value is not None:
                events.add_scalar(name, value, step)

    def _events_of(self, seed: int, step: int) -> Events | None:
        if seed not in self._events:
            assert self._folder is not None
            self._events[seed] = open_events(self._folder / EVENTS_FOLDER / f"seed-{seed}", step)
        return self._events[seed]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for events in self._events.values():
            if events is not None:
                events.close()
        if self._file:
            self._file.close()


def open_events(folder: Path, step: int) -> Events | None:
    """A TensorBoard file that goes on at `step`; None where tensorboardX is not installed."""
    try:
        tensorboard = import_module("tensorboardX")
    except ImportError:
        return None
    # TensorBoard forgets what a killed run said of this step and later ones.
    events: Events = tensorboard.SummaryWriter(str(folder), purge_step=step)
    return events
