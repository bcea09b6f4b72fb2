"""The web side under granian: HTTP in Rust, Python for the answers alone."""

import os
import socket
from collections.abc import Callable
from typing import Any

from flask import Flask
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.net import SocketHolder  # type: ignore[attr-defined] # as granian itself imports it
from granian.server.mp import MPServer

from viewer import create_app
from viewer.lifeline import end_with
from viewer.settings import Settings

BACKLOG = 1024
GRACE_S = 3


class GranianServer(MPServer):
    """Serves on a listening socket that the caller opened, as granian itself offers for none."""

    def __init__(self, settings: Settings, socket_fd: int) -> None:
        self._socket_fd = socket_fd
        super().__init__(
            "viewer",  # not used: the application is given as what makes it
            interface=Interfaces.WSGI,
            blocking_threads=settings.web_threads,
            backpressure=BACKLOG,
            backlog=BACKLOG,
            websockets=False,
            respawn_failed_workers=True,
            workers_kill_timeout=GRACE_S,
            log_level=LogLevels.error,
            log_access=False,  # addresses tell who looked at what
        )

    def _init_shared_socket(self) -> None:
        self._ssp = None
        # Granian's base class types both as the None they begin with.
        self._sfd = self._socket_fd  # type: ignore[assignment] # as above
        holder = SocketHolder(self._socket_fd, False, BACKLOG)  # type: ignore[call-arg] # not in its stub
        self._shd = holder  # type: ignore[assignment] # as above
        self._sso = socket.socket(fileno=self._socket_fd)
        self._sso.set_inheritable(True)


def run_granian(settings: Settings, socket_fd: int) -> None:
    """Serve until a signal."""
    GranianServer(settings, socket_fd).serve(target_loader=_loader(settings), wrap_loader=False)


def _loader(settings: Settings) -> Callable[[], Any]:
    server_pid = os.getpid()

    def load() -> Flask:
        """The application, made in granian's worker after its fork."""
        end_with(server_pid)
        return create_app(settings)

    return load
