"""`make` that gets SIGINT alone: what it started notices, and ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest

PROJECT = Path(__file__).resolve().parent.parent
CHILD = """
import signal
from threading import Event
from viewer.lifeline import make_was_interrupted

print("before" if not make_was_interrupted() else "too early", flush=True)
never = Event()
while not make_was_interrupted():
    never.wait(0.02)
print("noticed", flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="read from Linux's /proc")
@pytest.mark.skipif(which("make") is None, reason="needs make")
def test_an_interrupted_make_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text(CHILD)
    (tmp_path / "Makefile").write_text(
        f"child:\n\t@exec env PYTHONPATH={PROJECT} {sys.executable} child.py\n"
    )
    # This test may itself run under make, which would make this one talkative.
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    make = subprocess.Popen(
        ["make", "child"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A test runner in the background may ignore SIGINT, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert make.stdout is not None
    assert make.stdout.readline() == "before\n"
    make.send_signal(signal.SIGINT)
    assert make.stdout.readline() == "noticed\n"
    assert make.wait() != 0
    make.stdout.close()
