"""`serve`: starts the web side and the worker, watches over both, and stops what it started."""

import logging
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from threading import Event
from time import monotonic

from viewer.lifeline import make_was_interrupted
from viewer.settings import PROJECT_FOLDER, Settings

log = logging.getLogger(__name__)

BACKLOG = 128
LOOK_S = 0.2
READY_WITHIN_S = 120.0
END_WITHIN_S = 10.0
BACK_OFF_S = (1.0, 2.0, 5.0, 10.0, 30.0)
HEALTHY_AFTER_S = 60.0


class CannotServe(Exception):  # noqa: N818 - named after what is wrong
    """The viewer cannot be started, or its web side ended; the text says why and what to do."""


class Child:
    """A `python -m viewer …` process in a process group of its own."""

    def __init__(
        self, arguments: Sequence[str], environment: dict[str, str], fds: Sequence[int] = ()
    ) -> None:
        self._arguments, self._environment, self._fds = arguments, environment, fds
        self._process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0

    def start(self) -> None:
        """Start it (again)."""
        self.started_at = monotonic()
        # Its own group: Ctrl-C in a terminal reaches `serve` alone, which ends it in order.
        self._process = subprocess.Popen(  # noqa: S603 - our own module, arguments of ours
            [sys.executable, "-m", "viewer", *self._arguments, "--parent-pid", str(os.getpid())],
            env=self._environment,
            pass_fds=self._fds,
            process_group=0,
            stdin=subprocess.DEVNULL,
        )

    @property
    def exit_code(self) -> int | None:
        """None while it runs, or before it was started."""
        return self._process.poll() if self._process else None

    def terminate(self) -> None:
        """Ask it to end."""
        if self._process:
            self._process.terminate()

    def end(self, deadline: float) -> None:
        """Wait for its end until `deadline`; then kill it with all processes it started."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, deadline - monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("A process did not end in time and is killed")
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


class Supervisor:
    """The web side and the worker; the worker is restarted after a crash."""

    def __init__(self, settings: Settings, listener: socket.socket, stop: Event) -> None:
        self._stop = stop
        self._url = f"http://{_host_in_url(settings.host)}:{listener.getsockname()[1]}"
        environment = _environment(settings)
        fd = listener.fileno()
        self._web = Child(["web", "--fd", str(fd)], environment, [fd])
        self._worker = Child(["worker"], environment)
        self._crashes = 0
        self._restart_at: float | None = None

    def run(self, ready: Callable[[str], None]) -> None:
        """Call `ready` with the address once pages can be opened; return after `stop`.

        Raises CannotServe when the web side ends by itself.
        """
        try:
            self._web.start()
            self._worker.start()
            self._await_health()
            if not self._stop.is_set():
                ready(self._url)
            while not self._stop.wait(LOOK_S):
                self._look()
        finally:
            self._end()

    def _await_health(self) -> None:
        deadline = monotonic() + READY_WITHIN_S
        while not self._stop.is_set() and not _answers(f"{self._url}/healthz"):
            self._look()
            if monotonic() > deadline:
                raise CannotServe("The web side did not answer in time; its log tells more.")
            self._stop.wait(LOOK_S)

    def _look(self) -> None:
        if make_was_interrupted():
            self._stop.set()
        if (code := self._web.exit_code) is not None:
            raise CannotServe(f"The web side ended (exit code {code}); its log tells more.")
        if self._restart_at is not None:
            if monotonic() >= self._restart_at:
                self._restart_at = None
                self._worker.start()
        elif (code := self._worker.exit_code) is not None:
            self._plan_restart(code)

    def _plan_restart(self, code: int) -> None:
        if monotonic() - self._worker.started_at > HEALTHY_AFTER_S:
            self._crashes = 0
        wait_s = BACK_OFF_S[min(self._crashes, len(BACK_OFF_S) - 1)]
        self._crashes += 1
        self._restart_at = monotonic() + wait_s
        log.error("The worker ended (exit code %s); it is started again in %.0f s", code, wait_s)

    def _end(self) -> None:
        children = (self._web, self._worker)
        for child in children:
            child.terminate()
        deadline = monotonic() + END_WITHIN_S
        for child in children:
            child.end(deadline)


def open_listener(host: str, port: int) -> socket.socket:
    """The web side's listening socket; raise CannotServe when the port is taken.

    Opened here, so that a busy port is known before anything starts, and nobody takes it between.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise CannotServe(
            f"Cannot listen on {host}, port {port}: {error.strerror}. "
            f"Choose another port (--port, or PORT= with make) or stop what uses it."
        ) from error
    listener.listen(BACKLOG)
    return listener


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _environment(settings: Settings) -> dict[str, str]:
    """What the children need to have the same settings as this process."""
    given = {
        "SENTINODE_SLIDES": os.pathsep.join(map(str, settings.slides)),
        "SENTINODE_HOST": settings.host,
        # The package is importable wherever the user stands.
        "PYTHONPATH": os.pathsep.join(
            filter(None, (str(PROJECT_FOLDER), os.environ.get("PYTHONPATH")))
        ),
    }
    return os.environ | given


def _host_in_url(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _answers(url: str) -> bool:
    # No proxy of the environment stands between two processes of one machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
