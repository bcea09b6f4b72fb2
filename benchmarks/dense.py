"""Whole slides against the plain way: the same net, eager, in float32, patch by patch.

    python -m benchmarks.dense [--json] [--patches val.zip] [--model DIR] [--quick]

What is measured, each in one run and in turns with what it is compared to:

- `ratio_to_patchwise`: CPU time of the plain way over ours for the same cells of one region, on one
  thread. The plain way: PyTorch, the net as trained, batches of 32 patches at stride 32.
- `max_abs_difference_fp32`: of probabilities, our way in float32 (no gate) against the plain way.
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
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import dense_peers, large_slides, slide_runs
from benchmarks.ratios import compare
from model.evaluation.metrics import roc_auc
from model.evaluation.patches import PatchFolder
from model.prediction.engine import OPENVINO_FLOAT32, TORCH, Engine, choose_engine, has_openvino
from model.prediction.engine_torch import load_network, scale_patches
from model.prediction.models import DEFAULT_MODEL, Model, load_model

BATCH_PATCHES = 32
PATCHES = Path(__file__).resolve().parents[2] / "shared" / "data" / "pcam" / "val.zip"
TYPICAL = (1250.0, 0.15)  # mm², share of tissue
Pixels = NDArray[np.uint8]


def main() -> None:
    """Run all parts and print them."""
    arguments = _arguments()
    torch.set_num_threads(1)
    model = load_model(arguments.model)
    pixels, labels = read_patches(arguments.patches, model)
    result: dict[str, Any] = {"engine": choose_engine(), "gate": _gate(model)}
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
    region, cells = _region(pixels), np.ones((16, 16), np.bool_)
    patches = np.stack([region[y : y + 96, x : x + 96] for y, x in np.argwhere(cells) * 32])
    expected = plain(model, patches)
    found: dict[str, Any] = {}
    ours = Engine(model)
    ours.score_cells(region, cells)
    ratio = compare(lambda: plain(model, patches), lambda: ours.score_cells(region, cells), rounds)
    ratios = [a / b for a, b in zip(ratio.plain_s, ratio.ours_s, strict=True)]
    found["ratio_to_patchwise"] = round(statistics.median(ratios), 1)
    found["ratio_range"] = [round(min(ratios), 1), round(max(ratios), 1)]
    found["plain_ms_per_cell"] = round(statistics.median(ratio.plain_s) / cells.size * 1e3, 3)
    found["ours_ms_per_cell"] = round(statistics.median(ratio.ours_s) / cells.size * 1e3, 3)
    kinds = [TORCH, OPENVINO_FLOAT32] if has_openvino() else [TORCH]
    differences = []
    for how in kinds:
        engine = Engine(model, how, gated=False)
        scores = engine.score_cells(region, cells)
        differences.append(float(abs(scores.probabilities - expected).max()))
        each = compare(
            lambda: plain(model, patches), lambda e=engine: e.score_cells(region, cells), 2
        )
        ratios = [a / b for a, b in zip(each.plain_s, each.ours_s, strict=True)]
        found[f"ratio {how}"] = round(statistics.median(ratios), 1)
    found["max_abs_difference_fp32"] = max(differences)
    share = ours.score_cells(region, cells).by_gate.mean()
    return found | {"share_by_gate_of_region": round(float(share), 3)}


def accuracy(
    model: Model, pixels: Pixels | None, labels: NDArray[np.int64] | None
) -> dict[str, Any]:
    """ROC-AUC of the path that ships, of what it is made of, and of the plain way."""
    if pixels is None or labels is None:
        return {"auc_loss_low_precision": None, "auc_reason": "no --patches"}
    reference = plain(model, pixels)
    ours = Engine(model).score_patches(pixels)
    ungated = Engine(model, gated=False).probabilities(pixels)
    auc = {"plain": reference, "ungated": ungated, "ships": ours.probabilities}
    aucs = {name: float(roc_auc(labels, values) or 0) for name, values in auc.items()}
    tumour = ungated >= model.threshold
    dropped = tumour & (ours.probabilities < model.threshold)
    return {
        "auc": {name: round(value, 5) for name, value in aucs.items()},
        "auc_loss_low_precision": round(aucs["plain"] - aucs["ships"], 5),
        "patches": len(labels),
        "share_by_gate_of_patches": round(float(ours.by_gate.mean()), 3),
        "tumour_cells_without_gate": int(tumour.sum()),
        "of_these_dropped_by_gate": int(dropped.sum()),
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
    if model.weights_sha256 not in _nets:
        _nets[model.weights_sha256] = load_network(replace(model))
    return _nets[model.weights_sha256]


def _region(pixels: Pixels | None) -> Pixels:
    side = 15 * 32 + 96
    if pixels is None:
        return np.tile(large_slides.drawn_tiles()[0], (2, 2, 1))[:side, :side]
    tile = large_slides.tiles_of_patches(pixels)
    rows = [np.concatenate(tile[:2], 1), np.concatenate(tile[2:4], 1)]
    return np.concatenate(rows)[:side, :side]


def _gate(model: Model) -> dict[str, Any] | None:
    return model.gate.model_dump(exclude_none=True) if model.gate else None


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
