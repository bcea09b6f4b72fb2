"""The web side under gunicorn (or granian): one process with threads, so that caches are shared."""

import os
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped] # has no types

from viewer import create_app
from viewer.settings import Settings

# A worker that is stuck for so long is replaced; no tile takes a fraction of it.
TIMEOUT_S = 60
GRACE_S = 3
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - gunicorn's heartbeat file: unnamed, written each second


def run_web(settings: Settings, socket_fd: int) -> None:
    """Serve until a signal, by the server that the settings name."""
    if settings.web_server == "granian":
        from viewer.granian_server import run_granian

        run_granian(settings, socket_fd)
    else:
        WebServer(settings, socket_fd).run()


class WebServer(BaseApplication):  # type: ignore[misc] # as above
    """Serves the viewer on a listening socket that the caller opened."""

    def __init__(self, settings: Settings, socket_fd: int) -> None:
        self._settings = settings
        self._socket_fd = socket_fd
        super().__init__()

    def load_config(self) -> None:
        """Gunicorn's settings; its own files and environment are not read."""
        options: dict[str, Any] = {
            "bind": f"fd://{self._socket_fd}",
            "worker_class": "gthread",
            "workers": 1,
            "threads": self._settings.web_threads,
            "timeout": TIMEOUT_S,
            "graceful_timeout": GRACE_S,
            "accesslog": None,  # addresses tell who looked at what
            "loglevel": "warning",
            "control_socket_disable": True,
            "proc_name": "sentinode-web",
        }
        if os.path.isdir(SHARED_MEMORY):
            options["worker_tmp_dir"] = SHARED_MEMORY
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The application, made in gunicorn's worker after its fork."""
        return create_app(self._settings)
