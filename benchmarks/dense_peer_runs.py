"""Sentinode, WSInfer and TIAToolbox as processes over one slide, and what each leaves behind.

Each peer has an environment of its own, made once outside the repository, several GB, for both want
torchvision, whose wheels go with PyTorch's wheels for CUDA; nothing here needs a GPU.
"""

import json
import os
import resource
import shutil
import subprocess
import time
import venv
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import zarr
from numpy.typing import NDArray

from benchmarks import slide_runs
from benchmarks.browser_servers import CACHE, PeerMissingError
from benchmarks.large_slides import MPP, NET_LEVEL
from model.prediction.engine_torch import load_network
from model.prediction.heatmap import Heatmap
from model.prediction.lite0 import ARCHITECTURE
from model.prediction.models import Model, load_model

NET_MPP = MPP * 2**NET_LEVEL
BATCH_PATCHES = 32
INSTALL_S = 3600
INSTALL_GB = 12
RUN_S = 3600
APP = Path(__file__).with_name("dense_peer_app.py")
FOLDER = CACHE / "dense-peers"
TORCH = ["torch==2.12.1", "torchvision==0.27.1"]  # the newest that TIAToolbox admits
# WSInfer patches a class that Zarr 3 lacks; OpenSlide, if it is there, reads for it.
WSINFER_NEEDS = ["zarr==2.18.7", "numcodecs<0.16", "tifffile==2024.12.12", "tiffslide==2.5.1"]
WSINFER_NEEDS += ["openslide-python==1.4.7", "openslide-bin"]
NEEDS = {
    "wsinfer": [*TORCH, "wsinfer==0.6.1", *WSINFER_NEEDS],
    "tiatoolbox": [*TORCH, "tiatoolbox==2.1.3"],
}


@dataclass(frozen=True)
class Scored:
    """What a run left: centres (n, 2: x, y) in level-0 px, probabilities (n,), area of one."""

    centres_l0_px: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    each_mm2: float


@dataclass(frozen=True)
class Run:
    """One process from its start to its end."""

    seconds: float
    cpu_s: float
    scored: Scored

    @property
    def mm2(self) -> float:
        """The area that was scored."""
        return len(self.scored.probabilities) * self.scored.each_mm2


@dataclass(frozen=True)
class Task:
    """The net as each program wants it."""

    model_folder: Path
    model: Model
    script: Path
    config: Path


Runner = Callable[[Task, Path, Path], Run]  # slide, empty folder for the result


# ---- the peers' environments ---------------------------------------------------------------------


def peer_python(name: str, install: bool) -> Path:
    """The Python of a peer's environment; made now if `install`, else only if it is there."""
    folder = FOLDER / name
    python = folder / "bin" / "python"
    if (folder / "complete").exists():
        return python
    if not install:
        raise PeerMissingError(f"{name} is not installed yet, and --quick installs nothing")
    FOLDER.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(FOLDER).free < INSTALL_GB * 1e9:
        raise PeerMissingError(f"{name} needs {INSTALL_GB} GB to be installed; less is free")
    try:
        venv.create(folder, with_pip=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        subprocess.run(
            [*pip, *NEEDS[name]], check=True, capture_output=True, text=True, timeout=INSTALL_S
        )
    except subprocess.CalledProcessError as error:
        raise PeerMissingError(f"{name} cannot be installed: {_reason(error.stderr)}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerMissingError(f"{name} cannot be installed: {error}") from error
    (folder / "complete").touch()
    return python


def peer_environment() -> dict[str, str]:
    """A home of their own and no network: WSInfer asks the hub for its list of models first."""
    home = FOLDER / "home"
    registry = home / ".wsinfer-zoo" / "wsinfer-zoo-registry.json"
    registry.parent.mkdir(parents=True, exist_ok=True)
    registry.write_text('{"models": {}}', "utf-8")
    own = {"HOME": str(home), "HF_HUB_OFFLINE": "1"}
    return {name: v for name, v in os.environ.items() if name != "OMP_NUM_THREADS"} | own


def versions(name: str) -> dict[str, str]:
    """Of what a peer computes with."""
    code = "import sys; from importlib.metadata import version as v; print(*map(v, sys.argv[1:]))"
    names = [name, "torch"]
    command = [str(peer_python(name, install=False)), "-c", code, *names]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return dict(zip(["version", "torch"], told, strict=True))


# ---- the net -------------------------------------------------------------------------------------


def make_task(folder: Path, model_folder: Path) -> Task:
    """Write the model's net as TorchScript, and its description for WSInfer.

    It pads its patches: that is how peers use a net, and less work for them.
    """
    model = load_model(model_folder)
    net, side = load_network(padded(model)), model.patch_size_px
    script, config = folder / "net.pt", folder / "config.json"
    with torch.no_grad(), warnings.catch_warnings():
        # PyTorch advises against TorchScript, and that sizes become constants: one size is all.
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(  # type: ignore[no-untyped-call] # PyTorch has no types here
            _Column(net).eval(), torch.zeros(2, 3, side, side)
        )
        torch.jit.save(torch.jit.freeze(traced), script)
    told = json.loads((model_folder / "config.json").read_text("utf-8"))
    told |= {"spacing_um_px": NET_MPP, "architecture": ARCHITECTURE}
    # WSInfer reads level 0 and leaves it to the model to bring patches to its size.
    told["transform"].insert(0, {"name": "Resize", "arguments": {"size": side}})
    config.write_text(json.dumps(told), "utf-8")
    return Task(model_folder, model, script, config)


def padded(model: Model) -> Model:
    """The model with the plain net, which pads its patches and sees nothing beyond them."""
    return replace(model, architecture=ARCHITECTURE)


class _Column(torch.nn.Module):
    """Logits (n, 1), which WSInfer expects of a net with one class."""

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Patches (n, 3, h, w), normalised."""
        logits: torch.Tensor = self.net(patches)
        return logits.reshape(-1, 1)


# ---- who runs ------------------------------------------------------------------------------------


def _sentinode(task: Task, slide: Path, out: Path) -> Run:
    run = slide_runs.predict(slide, out, task.model_folder)
    return Run(run["seconds"], run["cpu_s"], read_heatmap(out / f"{slide.stem}.zarr"))


def _wsinfer(task: Task, slide: Path, out: Path) -> Run:
    command = ["-m", "wsinfer", "run", "-i", str(slide.parent), "-o", str(out)]
    command += ["-c", str(task.config), "-p", str(task.script)]
    seconds, cpu_s = _timed("wsinfer", command)
    return Run(seconds, cpu_s, read_wsinfer(out / "model-outputs-csv" / f"{slide.stem}.csv"))


def _tiatoolbox(task: Task, slide: Path, out: Path) -> Run:
    command = [str(APP), str(task.script), str(slide), str(out), str(NET_MPP)]
    command += [str(task.model.patch_size_px), str(BATCH_PATCHES), str(os.cpu_count() or 1)]
    command += [",".join(str(x) for x in values) for values in (task.model.mean, task.model.std)]
    seconds, cpu_s = _timed("tiatoolbox", command)
    return Run(seconds, cpu_s, read_tiatoolbox(out / f"{slide.stem}.zarr"))


def _timed(name: str, arguments: list[str]) -> tuple[float, float]:
    """Seconds and CPU seconds of a peer's process and its children."""
    command = [str(peer_python(name, install=False)), *arguments]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    try:
        done = subprocess.run(
            command,
            env=peer_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=RUN_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PeerMissingError(f"{name} did not end within {RUN_S} s") from error
    seconds = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise PeerMissingError(f"{name} failed: {_reason(done.stderr)}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu_s


def _reason(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]  # pip warns after its errors
    if errors:
        return "; ".join(errors[-2:])  # what, then why
    return lines[-1].strip() if lines else "it said nothing"


PEERS: dict[str, Runner] = {"wsinfer": _wsinfer, "tiatoolbox": _tiatoolbox}
RUNNERS: dict[str, Runner] = {"sentinode": _sentinode} | PEERS


# ---- what they leave -----------------------------------------------------------------------------


def read_heatmap(path: Path) -> Scored:
    """The cells of our heat map."""
    heatmap = Heatmap.open(path)
    geometry = heatmap.geometry
    grid = heatmap.probabilities(0, geometry.rows, 0, geometry.columns)
    rows, columns = np.nonzero(~np.isnan(grid))
    x = geometry.origin_l0_x_px + (columns + 0.5) * geometry.step_l0_x_px
    y = geometry.origin_l0_y_px + (rows + 0.5) * geometry.step_l0_y_px
    return Scored(
        np.stack([x, y], 1), grid[rows, columns].astype(np.float64), geometry.cell_area_mm2
    )


def read_wsinfer(path: Path) -> Scored:
    """WSInfer's table: minx, miny, width, height in level-0 px, probability."""
    if not path.exists():
        raise PeerMissingError("wsinfer wrote no table of patches")
    table = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
    centres = table[:, :2] + table[:, 2:4] / 2
    return Scored(centres, table[:, 4], float(table[0, 2] * table[0, 3] * (MPP / 1000) ** 2))


def read_tiatoolbox(path: Path) -> Scored:
    """TIAToolbox's arrays: boxes (x0, y0, x1, y1) at the net's level, probabilities of classes."""
    group = zarr.open_group(path, mode="r")
    boxes = np.asarray(group["coordinates"], np.float64)
    probabilities = np.asarray(group["probabilities"], np.float64)[:, 1]
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 * 2**NET_LEVEL
    side = boxes[0, 2] - boxes[0, 0]
    return Scored(centres, probabilities, float((side * NET_MPP / 1000) ** 2))
