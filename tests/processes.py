"""Sentinode's own processes, started by tests as a user starts them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.engine_room import wait_until
from viewer.settings import PROJECT_FOLDER, Settings

READY = "Sentinode is ready at "


@dataclass
class Running:
    """A command of Sentinode with all processes it started."""

    process: subprocess.Popen[str]
    log: Path
    url: str = ""

    def tree(self) -> list[psutil.Process]:
        """It and everything below it."""
        try:
            top = psutil.Process(self.process.pid)
            return [top, *top.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def child(self, command: str) -> psutil.Process | None:
        """The child that carries out a command of ours."""
        try:
            below = psutil.Process(self.process.pid).children()
        except psutil.NoSuchProcess:
            return None
        return next((p for p in below if command in args(p)), None)

    def send(self, number: signal.Signals) -> int:
        """Send a signal and wait; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)


def args(process: psutil.Process) -> list[str]:
    """Its command line; empty once it ended."""
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that did not end; one that only waits to be buried did."""
    return [p for p in processes if p.is_running() and args(p)]


@contextmanager
def start(command: list[str], settings: Settings, log: Path) -> Iterator[Running]:
    """`python -m viewer COMMAND` from another folder; what is left at the end is killed."""
    environment = os.environ | {
        "PYTHONPATH": str(PROJECT_FOLDER),
        "SENTINODE_SLIDES": os.pathsep.join(map(str, settings.slides)),
        "SENTINODE_DATA": str(settings.data),
        "SENTINODE_MODELS": os.pathsep.join(map(str, settings.models)),
        "SENTINODE_WORKERS": str(settings.workers),
        "SENTINODE_SCAN_INTERVAL_S": str(settings.scan_interval_s),
    }
    with log.open("a") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "viewer", *command],
            cwd=log.parent,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    running = Running(process, log)
    seen = running.tree()
    try:
        yield running
        seen = running.tree()
    finally:
        for leftover in {*seen, *running.tree()}:
            if leftover.is_running():
                leftover.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@contextmanager
def serve(settings: Settings, log: Path) -> Iterator[Running]:
    """The viewer on a free port, ready to be asked."""
    with start(["serve", "--port", "0"], settings, log) as running:
        assert running.process.stdout is not None
        line = running.process.stdout.readline()
        assert line.startswith(READY), log.read_text()
        running.url = line.removeprefix(READY).strip()
        yield running


def scoring_processes(running: Running) -> list[psutil.Process]:
    """The processes that Dask started below it."""
    return [p for p in running.tree() if any("spawn_main" in arg for arg in args(p))]


def wait_for_scoring_processes(running: Running, count: int) -> list[psutil.Process]:
    """The same, once they are there."""

    def all_there() -> list[psutil.Process]:
        found = scoring_processes(running)
        return found if len(found) == count else []

    found: list[psutil.Process] = wait_until(all_there)
    return found
