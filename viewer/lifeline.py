"""Processes that do not outlive what started them, even when it is killed or tells nobody."""

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with(parent_pid: int) -> None:
    """Have the kernel send SIGTERM to this process when its parent ends, however it ends.

    Linux only. Elsewhere a killed `serve` leaves its children running; any other end of it stops
    them.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent_pid:  # it ended before the kernel was told
        sys.exit(1)


def make_was_interrupted() -> bool:
    """Whether the parent is a `make` that got SIGINT alone (`kill -INT`) and waits for us to end.

    A terminal's Ctrl-C reaches every process, so GNU make hands only SIGTERM on to its children. On
    SIGINT it gives up its handler and waits; Linux shows which signals a process handles.
    """
    try:
        status = Path(f"/proc/{os.getppid()}/status").read_text(encoding="utf-8")
    except OSError:  # not Linux, or the parent has just ended
        return False
    fields = dict(line.split(":\t", 1) for line in status.splitlines())
    heeded = int(fields["SigCgt"], 16) | int(fields["SigIgn"], 16)
    return fields["Name"] in ("make", "gmake") and not heeded >> (signal.SIGINT - 1) & 1
