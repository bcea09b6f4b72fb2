"""Names of workers, and whether a worker of this machine is gone."""

import socket

import psutil


def own_name() -> str:
    """A name no other worker has, now or later: machine, process and when the process began."""
    return _name(psutil.Process())


def is_gone(name: str) -> bool:
    """Whether the worker certainly ended. Of other machines nothing is known: False."""
    here = f"{socket.gethostname()}/"
    if not name.startswith(here):
        return False
    pid, _ = name.removeprefix(here).split("/")
    try:
        return _name(psutil.Process(int(pid))) != name
    except psutil.NoSuchProcess:
        return True


def _name(process: psutil.Process) -> str:
    return f"{socket.gethostname()}/{process.pid}/{process.create_time():.2f}"
