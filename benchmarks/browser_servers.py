"""The servers that the browser looks at: Sentinode, and OpenSlide's example in its own place."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

OPENSLIDE_PYTHON = "openslide-python==1.4.7"
PEER_NEEDS = [OPENSLIDE_PYTHON, "openslide-bin", "flask", "gunicorn"]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "sentinode-benchmarks"
START_S = 120
REPOSITORY = Path(__file__).parents[1]


class PeerMissingError(Exception):
    """OpenSlide's example cannot be had here; the text says why."""


def peer_folder() -> Path:
    """OpenSlide's example with an environment beside it, made once outside the repository."""
    folder = CACHE / "openslide-example"
    example = folder / "deepzoom"
    if (folder / "complete").exists():
        return folder
    try:
        venv.create(folder / "venv", with_pip=True)
        pip = [str(folder / "venv/bin/python"), "-m", "pip", "--disable-pip-version-check"]
        _run([*pip, "install", "--quiet", *PEER_NEEDS])
        # The example is in the source archive only.
        fetch = ["download", "--quiet", "--no-deps", "--no-binary=:all:", "--dest", str(folder)]
        _run([*pip, *fetch, OPENSLIDE_PYTHON])
        with tarfile.open(next(folder.glob("openslide_python-*.tar.gz"))) as archive:
            archive.extractall(folder, filter="data")
        next(folder.glob("openslide_python-*/examples/deepzoom")).rename(example)
    except (OSError, subprocess.CalledProcessError, StopIteration, tarfile.TarError) as error:
        raise PeerMissingError(f"OpenSlide's example cannot be installed: {error}") from error
    (folder / "complete").touch()
    return folder


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def sentinode(slide: Path, threads: int) -> Iterator[str]:
    """The address of the viewer page of this slide; one web process, nothing is analysed."""
    with TemporaryDirectory() as temporary:
        slides, port = Path(temporary) / "slides", free_port()
        slides.mkdir()
        shutil.copyfile(slide, slides / slide.name)  # links out of a folder are not followed
        environment = os.environ | {
            "SENTINODE_SLIDES": str(slides),
            "SENTINODE_DATA": str(Path(temporary) / "data"),
            "SENTINODE_ANALYSE_ON_OPEN": "false",
            "SENTINODE_WEB_THREADS": str(threads),
        }
        command = [sys.executable, "-m", "viewer", "serve", "--port", str(port)]
        with _running(command, environment, REPOSITORY):
            origin = f"http://127.0.0.1:{port}"
            page = _until(lambda: _page_of(origin), "Sentinode")
            yield f"{origin}{page}"


def _page_of(origin: str) -> str | None:
    with urllib.request.urlopen(f"{origin}/api/v1/slides", timeout=10) as answer:
        items = json.load(answer)["items"]
    return items[0]["page_url"] if items else None


@contextmanager
def openslide_example(slide: Path, threads: int) -> Iterator[str]:
    """The address of OpenSlide's example viewer, as shipped, under one gunicorn process."""
    folder, port = peer_folder(), free_port()
    with TemporaryDirectory() as temporary:
        settings = Path(temporary) / "settings.py"
        settings.write_text(f"DEEPZOOM_SLIDE = {str(slide.resolve())!r}\n", "utf-8")
        environment = os.environ | {"DEEPZOOM_TILER_SETTINGS": str(settings)}
        command = [str(folder / "venv/bin/gunicorn"), "deepzoom_server:create_app()"]
        command += ["--bind", f"127.0.0.1:{port}", "--workers", "1", "--worker-class", "gthread"]
        command += ["--threads", str(threads), "--log-level", "warning"]
        with _running(command, environment, folder / "deepzoom"):
            origin = f"http://127.0.0.1:{port}"
            _until(lambda: _answers(origin), "OpenSlide's example")
            yield f"{origin}/"


def _answers(origin: str) -> str:
    with urllib.request.urlopen(f"{origin}/slide.dzi", timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def _until(ask: Callable[[], str | None], who: str) -> str:
    """Ask until there is an answer."""
    end_s = time.monotonic() + START_S
    while time.monotonic() < end_s:
        try:
            answer = ask()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            answer = None
        if answer:
            return answer
        time.sleep(0.2)
    raise SystemExit(f"{who} did not start within {START_S} s.")


@contextmanager
def _running(command: list[str], environment: dict[str, str], folder: Path) -> Iterator[None]:
    process = subprocess.Popen(
        command, env=environment, cwd=folder, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield
        if process.poll() is not None:
            raise SystemExit(f"{command[0]} ended while it was measured.")
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
