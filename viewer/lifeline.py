"""Child processes that do not outlive the process that started them, even when it is killed."""

import ctypes
import os
import signal
import sys

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
