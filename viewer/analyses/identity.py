"""Names of workers, and whether a worker of this machine is gone."""

import socket

import psutil

# A process that took over the number of a dead worker within so short a time is taken for it; its
# lease runs out all the same.
CLOCK_STEP_S = 60.0


def own_name() -> str:
    """A name no other worker has, now or later: machine, process and when the process began."""
    return _name(psutil.Process())


def is_gone(name: str) -> bool:
    """Whether the worker certainly ended. Of other machines nothing is known: False."""
    here = f"{socket.gethostname()}/"
    if not name.startswith(here):
        return False
    pid, began_s = name.removeprefix(here).split("/")
    try:
        began_now_s = psutil.Process(int(pid)).create_time()
    except psutil.NoSuchProcess:
        return True
    # Counted from when the machine started, which moves when its clock is set.
    return abs(began_now_s - float(began_s)) > CLOCK_STEP_S


def _name(process: psutil.Process) -> str:
    return f"{socket.gethostname()}/{process.pid}/{process.create_time():.2f}"
