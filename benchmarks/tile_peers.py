"""Who serves tiles in the benchmark, in which environment, by which command and addresses."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO

import psutil

from benchmarks.browser_servers import CACHE, REPOSITORY, PeerMissingError, free_port, peer_folder
from benchmarks.tile_load import fetch

Address = tuple[int, int, int]  # Deep Zoom level, column, row
START_S = 120
SERVER_CORE = 1
THREADS = 8
LARGE_IMAGE_NEEDS = [
    "large-image==1.35.6",
    "large-image-source-tiff==1.35.6",
    "openslide-python==1.4.7",
    "openslide-bin",
    "gunicorn[fast]",
    "granian",
]


@dataclass(frozen=True)
class Running:
    """A server that answers: its process, its port and the path of each tile."""

    process: psutil.Process
    port: int
    path: Callable[[Address], str]


@dataclass(frozen=True)
class Peer:
    """A server under test; `start` may raise PeerMissingError."""

    name: str
    start: Callable[[Path, int], "ContextRunning"]


class ContextRunning:
    """Starts a process pinned to one core, and sees that the port is its own."""

    def __init__(
        self,
        command: Callable[[int], list[str]],
        path: Callable[[int], Callable[[Address], str]],
        environment: dict[str, str] | None = None,
        folder: Path = REPOSITORY,
        listener: bool = False,
    ) -> None:
        self._command, self._path = command, path
        self._environment, self._folder = environment or {}, folder
        self._listener = listener

    @contextmanager
    def running(self) -> Iterator[Running]:
        """The server, until the block ends."""
        # A file, for a pipe that nobody empties would stop a server that logs each request.
        with TemporaryFile() as errors, socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            port = free_port()
            fds: tuple[int, ...] = ()
            argument = port
            if self._listener:  # as `serve` does it
                listener.bind(("127.0.0.1", port))
                listener.listen(128)
                argument = listener.fileno()
                fds = (argument,)
            server = subprocess.Popen(
                self._command(argument),
                env=os.environ | self._environment,
                cwd=self._folder,
                pass_fds=fds,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE % (os.cpu_count() or 1)}),
            )
            if self._listener:
                listener.close()
            try:
                process = psutil.Process(server.pid)
                _await(server, port, errors)
                _check_owner(process, port)
                yield Running(process, port, self._path(port))
            finally:
                _end(server)


def _await(server: "subprocess.Popen[bytes]", port: int, errors: IO[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            errors.seek(0)
            raise PeerMissingError(f"the server ended: {errors.read().decode()[-2000:]}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise PeerMissingError("the server did not listen in time")


def _check_owner(process: psutil.Process, port: int) -> None:
    """Another server on the port would answer for this one."""
    owners = {
        connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    }
    # After the owners: a worker may have been forked while they were looked for.
    own = {process.pid, *(child.pid for child in process.children(recursive=True))}
    assert owners <= own, f"port {port} belongs to {owners}, not to {own}"
    cores = {tuple(psutil.Process(pid).cpu_affinity()) for pid in own}
    assert cores == {(SERVER_CORE % (os.cpu_count() or 1),)}, f"not pinned: {cores}"


def _end(server: "subprocess.Popen[bytes]") -> None:
    tree = [*psutil.Process(server.pid).children(recursive=True)] if server.poll() is None else []
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    for process in tree:
        if process.is_running():
            process.kill()


# ---- Sentinode ---------------------------------------------------------------------------------


@contextmanager
def library(slide: Path) -> Iterator[dict[str, str]]:
    """A data folder that lists the slide; the environment that a web process of it needs."""
    from viewer.db import make_engine, make_sessions
    from viewer.migrations import migrate
    from viewer.settings import Settings
    from viewer.slides.scanner import scan_once

    with TemporaryDirectory() as temporary:
        slides = Path(temporary) / "slides"
        slides.mkdir()
        try:
            os.link(slide, slides / slide.name)
        except OSError:
            shutil.copyfile(slide, slides / slide.name)
        settings = Settings(slides=(slides,), data=Path(temporary) / "data")
        engine = make_engine(settings)
        migrate(engine)
        scan_once(make_sessions(engine), settings)
        engine.dispose()
        yield {
            "SENTINODE_SLIDES": str(slides),
            "SENTINODE_DATA": str(settings.data),
            "SENTINODE_WEB_THREADS": str(THREADS),
        }


def sentinode(server: str, environment: dict[str, str]) -> ContextRunning:
    """The product's web process as `serve` starts it, with everything that is in its path."""

    def paths(port: int) -> Callable[[Address], str]:
        listed = json.loads(fetch(port, "/api/v1/slides"))
        prefix = listed["items"][0]["dzi_url"].removesuffix(".dzi")
        return lambda tile: "{}_files/{}/{}_{}.jpeg".format(prefix, *tile)

    # Tiles on disk from the round before would make a cold server warm.
    shutil.rmtree(Path(environment["SENTINODE_DATA"]) / "tiles", ignore_errors=True)
    return ContextRunning(
        lambda fd: [sys.executable, "-m", "viewer", "web", "--fd", str(fd)],
        paths,
        environment | {"SENTINODE_WEB_SERVER": server},
        listener=True,
    )


def heatmap_paths(environment: dict[str, str]) -> list[str]:
    """The addresses of the value tiles of a large finished heat map, made at the first call."""
    from tests.heatmaps import fill, make_heatmap
    from viewer.analyses.heatmap_tiles import heatmap_version
    from viewer.analyses.heatmaps import open_heatmap
    from viewer.analyses.job import heatmap_path
    from viewer.settings import Settings
    from viewer.web import tickets

    settings, analysis_id = Settings(data=Path(environment["SENTINODE_DATA"])), "b" * 32
    path = heatmap_path(settings, analysis_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    if (opened := open_heatmap(path)) is None:
        fill(make_heatmap(path, columns=6000, rows=5600))
        opened = open_heatmap(path)
    assert opened is not None, "just made"
    ticket = tickets.issue(settings, "heatmap", analysis_id, heatmap_version(opened.heatmap))
    prefix = f"/api/v1/analyses/{analysis_id}/heatmap/tiles.{ticket}"
    return [f"{prefix}/0/{column}_{row}.png" for column in range(23) for row in range(21)]


# ---- peers -------------------------------------------------------------------------------------


def large_image_python() -> Path:
    """The Python of the peers' environment, made once outside the repository."""
    folder = CACHE / "tile-peers"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        try:
            venv.create(folder, with_pip=True)
            pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
            subprocess.run([*pip, *LARGE_IMAGE_NEEDS], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise PeerMissingError(f"the peers cannot be installed: {error}") from error
        (folder / "complete").touch()
    return python


def wsgi_peer(kind: str, server: str, slide: Path, tile_px: int) -> ContextRunning:
    """A peer as a bare WSGI application on a server."""
    python = large_image_python()
    script = Path(__file__).with_name("tile_peer_apps.py")
    return ContextRunning(
        lambda port: [str(python), str(script), kind, server, str(slide), str(tile_px), str(port)],
        lambda port: lambda tile: "/{}/{}_{}.jpeg".format(*tile),
        folder=slide.parent,
    )


def example_as_shipped(slide: Path) -> ContextRunning:
    """OpenSlide's Deep Zoom example on its own development server, tiles 254 with overlap 1."""
    folder = peer_folder()
    return ContextRunning(
        lambda port: [
            str(folder / "venv/bin/python"),
            str(folder / "deepzoom" / "deepzoom_server.py"),
            "-p",
            str(port),
            str(slide),
        ],
        lambda port: lambda tile: "/slide_files/{}/{}_{}.jpeg".format(*tile),
        folder=folder,
    )


def warm_up(running: Running, address: Address) -> None:
    """One tile, so that the slide is open."""
    with urllib.request.urlopen(
        f"http://127.0.0.1:{running.port}{running.path(address)}", timeout=START_S
    ) as answer:
        assert answer.status == 200
