"""Whole slides against the plain way: the same net, eager, in float32, patch by patch.

    python -m benchmarks.dense [--json] [--patches val.zip] [--model DIR] [--quick]

What is measured, each in one run and in turns with what it is compared to:

- `ratio_to_patchwise`: CPU time of the plain way over ours for the same cells of one region, on one
  thread. The plain way: PyTorch, the net as trained, batches of 32 patches at stride 32, each with
  the surroundings that the net sees.
- `ratio_to_bare_patches`: the same over patches without surroundings, which give other answers:
  less work for the plain way.
- `max_abs_difference_fp32`: of probabilities, our way in float32 against the plain way.
- `auc_loss_low_precision`: of the path that ships against the plain way, on --patches.
- `seconds_typical_slide`: `python -m model predict` on a slide of 1,250 mm² with 188 mm² of tissue,
  from the start of the process to its end. Beside it the CPU time, which other load on the machine
  disturbs less, and the load itself.
- `peers`: WSInfer and TIAToolbox end to end with the same net, by `benchmarks.dense_peers`.
- where the time goes; slides of other sizes and shares of tissue; 1, 2 and 4 processes of Dask.

Tissue is painted from --patches (PatchCamelyon's validation part, if it is at hand), else drawn.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before PyTorch is imported: comparisons are on one thread

import argparse
import json
import statistics
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import dense_peers, large_slides, slide_runs
from benchmarks.dense_peer_runs import padded
from benchmarks.ratios import Comparison, compare
from model.evaluation.metrics import roc_auc
from model.evaluation.patches import PatchFolder
from model.prediction.engine import OPENVINO_FLOAT32, TORCH, Engine, choose_engine, has_openvino
from model.prediction.engine_torch import load_network, scale_patches
from model.prediction.models import DEFAULT_MODEL, Model, load_model

BATCH_PATCHES = 32
PATCHES = Path(__file__).resolve().parents[2] / "shared" / "data" / "pcam" / "val.zip"
TYPICAL = (1250.0, 0.15)  # mm², share of tissue
CELLS = 16  # along a side of the region that is compared
Pixels = NDArray[np.uint8]


def main() -> None:
    """Run all parts and print them."""
    arguments = _arguments()
    torch.set_num_threads(1)
    model = load_model(arguments.model)
    pixels, labels = read_patches(arguments.patches, model)
    result: dict[str, Any] = {"engine": choose_engine()}
    result |= engines(model, pixels, arguments.rounds)
    result |= accuracy(model, pixels, labels)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tissue = tissue_of(pixels, labels)
        result["tissue"] = "drawn" if labels is None else "validation patches, normal"
        result |= slide_runs.typical(folder, tissue, arguments.model, TYPICAL, arguments.quick)
        result["slides"] = slide_runs.table(folder, tissue, arguments.model, arguments.quick)
        result["dask"] = slide_runs.dask(folder, tissue, arguments.model, arguments.quick)
        result["peers"] = dense_peers.compare(
            folder, tissue, arguments.model, quick=arguments.quick
        )
    result |= {"load": os.getloadavg()[0], "cores": os.cpu_count()}
    print(json.dumps(result, indent=None if arguments.json else 2))


def engines(model: Model, pixels: Pixels | None, rounds: int) -> dict[str, Any]:
    """Cells of one region: ours, each engine, against the plain way."""
    region, cells = _region(pixels, model), np.ones((CELLS, CELLS), np.bool_)
    step, side, before = model.cell_size_px, model.seen_px, model.surroundings_px[0]
    corners = np.argwhere(cells) * step
    patches = np.stack([region[y : y + side, x : x + side] for y, x in corners])
    inner = slice(before, before + model.patch_size_px)
    bare = np.ascontiguousarray(patches[:, inner, inner])
    expected = plain(model, patches)
    ours = Engine(model)
    ours.score_cells(region, cells)
    ratio = compare(lambda: plain(model, patches), lambda: ours.score_cells(region, cells), rounds)
    found = _ratios("ratio_to_patchwise", ratio, cells.size)
    less = compare(
        lambda: plain(padded(model), bare), lambda: ours.score_cells(region, cells), rounds
    )
    found |= _ratios("ratio_to_bare_patches", less, cells.size)
    kinds = [TORCH, OPENVINO_FLOAT32] if has_openvino() else [TORCH]
    differences = []
    for how in kinds:
        engine = Engine(model, how)
        probabilities = engine.score_cells(region, cells)
        differences.append(float(abs(probabilities - expected).max()))
        each = compare(
            lambda: plain(model, patches), lambda e=engine: e.score_cells(region, cells), 2
        )
        found |= _ratios(f"ratio {how}", each, cells.size)
    return found | {"max_abs_difference_fp32": max(differences)}


def _ratios(name: str, ratio: Comparison, cells: int) -> dict[str, Any]:
    """The median, the range, and milliseconds a cell of both ways."""
    ratios = [a / b for a, b in zip(ratio.plain_s, ratio.ours_s, strict=True)]
    return {
        name: round(statistics.median(ratios), 1),
        f"{name} range": [round(min(ratios), 1), round(max(ratios), 1)],
        f"{name} plain_ms": round(statistics.median(ratio.plain_s) / cells * 1e3, 3),
        f"{name} ours_ms": round(statistics.median(ratio.ours_s) / cells * 1e3, 3),
    }


def accuracy(
    model: Model, pixels: Pixels | None, labels: NDArray[np.int64] | None
) -> dict[str, Any]:
    """ROC-AUC of the path that ships, and of the plain way."""
    if pixels is None or labels is None:
        return {"auc_loss_low_precision": None, "auc_reason": "no --patches"}
    auc = {
        "padded": plain(padded(model), pixels),
        "plain": plain(model, pixels),
        "ships": Engine(model).probabilities(pixels),
    }
    aucs = {name: float(roc_auc(labels, values) or 0) for name, values in auc.items()}
    return {
        "auc": {name: round(value, 5) for name, value in aucs.items()},
        "auc_loss_low_precision": round(aucs["plain"] - aucs["ships"], 5),
        "patches": len(labels),
    }


@torch.inference_mode()
def plain(model: Model, patches: Pixels) -> NDArray[np.float32]:
    """Probabilities (n,) by the net as it was trained, batch by batch."""
    net = _net(model)
    parts = [
        torch.sigmoid(
            net(scale_patches(patches[at : at + BATCH_PATCHES], model).contiguous())
            / (model.temperature or 1.0)
        )
        for at in range(0, len(patches), BATCH_PATCHES)
    ]
    return torch.cat(parts).numpy()


_nets: dict[str, torch.nn.Module] = {}


def _net(model: Model) -> torch.nn.Module:
    if model.architecture not in _nets:
        _nets[model.architecture] = load_network(model)
    return _nets[model.architecture]


def _region(pixels: Pixels | None, model: Model) -> Pixels:
    side = (CELLS - 1) * model.cell_size_px + model.seen_px
    tiles = (
        large_slides.drawn_tiles()[:1] * 4
        if pixels is None
        else large_slides.tiles_of_patches(pixels)
    )
    rows = [np.concatenate(tiles[:2], 1), np.concatenate(tiles[2:4], 1)]
    return np.ascontiguousarray(np.concatenate(rows)[:side, :side])


def tissue_of(pixels: Pixels | None, labels: NDArray[np.int64] | None) -> slide_runs.Tiles:
    """Tiles for slides: of the normal patches, or drawn."""
    if pixels is None or labels is None:
        return large_slides.drawn_tiles()
    return large_slides.tiles_of_patches(pixels[labels == 0])


def read_patches(path: Path | None, model: Model) -> tuple[Pixels | None, NDArray[np.int64] | None]:
    """All patches (n, h, w, 3) with their labels, if there are any."""
    if path is None:
        return None, None
    with PatchFolder(path) as folder:
        batches = list(folder.batches(model.patch_size_px, 512))
        return np.concatenate(batches), folder.labels


def default_patches() -> Path | None:
    """PatchCamelyon's validation part, if it is at hand."""
    return PATCHES if PATCHES.exists() else None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dense")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--patches", type=Path, default=default_patches())
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--quick", action="store_true", help="a fiftieth of each slide's area: whether it runs"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
