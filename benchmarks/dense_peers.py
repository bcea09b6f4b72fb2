"""Whole slides against WSInfer and TIAToolbox, end to end, with the same net on the same slide.

    python -m benchmarks.dense_peers [--json] [--rounds 3] [--slide-mm2 100] [--quick]

`python -m benchmarks.dense` runs this too. Each is a process of its own with all cores, started in
turns: `python -m model predict`; `wsinfer run` as it comes; TIAToolbox's PatchPredictor in batches
of 32 with a loading process a core (its defaults are 8 and none). The peers get our net as
TorchScript, in float32 and with padded patches, at 0.972 µm, which the slide holds, so that nobody
needs to resample. They score one patch of 96 px after another; we score every 32 px, nine times as
many. Each finds tissue by itself, so times are divided by the area each has scored.

The peers' environments are made once, outside the repository, several GB each. A peer that cannot
be installed or run is skipped with the reason; --quick installs nothing.
"""

import argparse
import json
import os
import shutil
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks import slide_runs
from benchmarks.browser_servers import PeerMissingError
from benchmarks.dense_peer_runs import (
    PEERS,
    RUNNERS,
    Run,
    Scored,
    Task,
    make_task,
    peer_python,
    versions,
)
from benchmarks.large_slides import MPP, NET_LEVEL, lay_out, write_slide
from model.prediction.models import DEFAULT_MODEL, load_model

TISSUE_SHARE = 0.2
SLIDE_MM2 = 100.0
SMALL_MM2 = 5.0  # what a start costs: little else happens on it
ROUNDS = 3


def compare(
    folder: Path,
    tissue: slide_runs.Tiles,
    model_folder: Path,
    *,
    quick: bool = False,
    rounds: int = ROUNDS,
    slide_mm2: float = SLIDE_MM2,
) -> dict[str, Any]:
    """All rounds: figures of Sentinode and of each peer, or why it was skipped."""
    task = make_task(folder, model_folder)
    sizes = {"small": SMALL_MM2} if quick else {"small": SMALL_MM2, "whole": slide_mm2}
    slides = {name: _slide(folder, name, mm2, tissue) for name, mm2 in sizes.items()}
    skipped: dict[str, str] = {}
    runs: dict[tuple[str, str], list[Run]] = {}
    loads = [os.getloadavg()[0]]
    for number in range(rounds + 1):  # the first fills caches and does not count
        for size, slide in slides.items():
            if number == 0 and size == "whole":
                continue
            for name in list(RUNNERS)[:: 1 if number % 2 else -1]:
                if name not in skipped:
                    try:
                        run = _once(name, task, slide, folder, quick)
                    except PeerMissingError as error:
                        skipped[name] = str(error)
                    else:
                        if number:
                            runs.setdefault((name, size), []).append(run)
        loads.append(os.getloadavg()[0])
    size = "small" if quick else "whole"
    ours, ours_small = runs["sentinode", size], runs["sentinode", "small"]
    found: dict[str, Any] = {"sentinode": _figures(ours, ours_small)}
    for name in PEERS:
        if name in skipped:
            found[name] = {"skipped": skipped[name]}
        else:
            theirs, small = runs[name, size], runs[name, "small"]
            found[name] = versions(name) | _figures(theirs, small)
            found[name] |= ratios(theirs, small, ours, ours_small)
    layout = lay_out(sizes[size], TISSUE_SHARE)
    return found | {
        "slide_mm2": round(layout.width_mm * layout.height_mm, 1),
        "tissue_mm2": round(layout.tissue_mm2, 1),
        "mpp_of_levels": [round(MPP * 2**level, 3) for level in range(NET_LEVEL + 1)],
        "rounds": rounds,
        "loads": [round(load, 1) for load in loads],
        "cores": os.cpu_count(),
    }


def _once(name: str, task: Task, slide: Path, folder: Path, quick: bool) -> Run:
    if name in PEERS:
        peer_python(name, install=not quick)
    out = folder / f"out-{name}"
    shutil.rmtree(out, ignore_errors=True)
    return RUNNERS[name](task, slide, out)


def _figures(runs: Sequence[Run], small: Sequence[Run]) -> dict[str, Any]:
    first = runs[0]
    return {
        "scores": len(first.scored.probabilities),
        "scores_per_mm2": round(1 / first.scored.each_mm2),
        "scored_mm2": round(first.mm2, 2),
        "seconds": round(_median(run.seconds for run in runs), 1),
        "cpu_s": round(_median(run.cpu_s for run in runs), 1),
        "s_per_mm2": round(_median(run.seconds / run.mm2 for run in runs), 3),
        "cpu_s_per_mm2": round(_median(run.cpu_s / run.mm2 for run in runs), 3),
        "small_slide": {
            "scored_mm2": round(small[0].mm2, 2),
            "seconds": round(_median(run.seconds for run in small), 1),
            "cpu_s": round(_median(run.cpu_s for run in small), 1),
        },
    }


def ratios(
    theirs: Sequence[Run], small: Sequence[Run], ours: Sequence[Run], ours_small: Sequence[Run]
) -> dict[str, Any]:
    """How many times longer a peer takes for the same area, round by round."""
    pairs = list(zip(theirs, ours, strict=True))
    wall = [(t.seconds / t.mm2) / (o.seconds / o.mm2) for t, o in pairs]
    cpu = [(t.cpu_s / t.mm2) / (o.cpu_s / o.mm2) for t, o in pairs]
    score = _median(wall) * theirs[0].scored.each_mm2 / ours[0].scored.each_mm2
    found: dict[str, Any] = {
        "ratio_per_mm2": round(_median(wall), 2),
        "ratio_range": [round(min(wall), 2), round(max(wall), 2)],
        "ratio_per_mm2_cpu": round(_median(cpu), 2),
        "ratio_range_cpu": [round(min(cpu), 2), round(max(cpu), 2)],
        "ratio_per_score": round(score, 1),
        "mean_abs_difference": difference(theirs[0].scored, ours[0].scored),
    }
    if theirs is not small and theirs[0].mm2 > small[0].mm2:
        beyond = {
            key: _growth(theirs, small, key) / max(1e-9, _growth(ours, ours_small, key))
            for key in ("seconds", "cpu_s")
        }
        found["ratio_per_mm2_beyond_start"] = round(beyond["seconds"], 2)
        found["ratio_per_mm2_beyond_start_cpu"] = round(beyond["cpu_s"], 2)
    return found


def _growth(runs: Sequence[Run], small: Sequence[Run], key: str) -> float:
    """Seconds that a further mm² costs."""
    more = _median(getattr(run, key) for run in runs) - _median(getattr(run, key) for run in small)
    return more / (runs[0].mm2 - small[0].mm2)


def difference(theirs: Scored, ours: Scored) -> dict[str, float | int | None]:
    """Mean difference of probabilities where both scored a patch around the same point."""
    # Within half a pixel of the net's level; no two of ours are that near.
    keys = [np.rint(s.centres_l0_px / 2**NET_LEVEL).astype(int) for s in (theirs, ours)]
    known = {(x, y): p for (x, y), p in zip(keys[1].tolist(), ours.probabilities, strict=True)}
    both = [
        abs(p - known[x, y])
        for (x, y), p in zip(keys[0].tolist(), theirs.probabilities, strict=True)
        if (x, y) in known
    ]
    return {"patches": len(both), "mean": round(float(np.mean(both)), 4) if both else None}


def _median(values: Iterable[float]) -> float:
    return statistics.median(list(values))


def _slide(folder: Path, name: str, slide_mm2: float, tissue: slide_runs.Tiles) -> Path:
    alone = folder / f"slides-{name}"  # WSInfer takes folders of slides
    alone.mkdir()
    path = alone / "slide.tif"
    write_slide(path, lay_out(slide_mm2, TISSUE_SHARE), tissue, finer_levels=True)
    return path


def main() -> None:
    """Run the comparison by itself."""
    from benchmarks import dense

    parser = argparse.ArgumentParser(prog="python -m benchmarks.dense_peers")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--patches", type=Path, default=dense.default_patches())
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--slide-mm2", type=float, default=SLIDE_MM2)
    parser.add_argument("--quick", action="store_true", help="one tiny slide; installs nothing")
    said = parser.parse_args()
    tissue = dense.tissue_of(*dense.read_patches(said.patches, load_model(said.model)))
    with TemporaryDirectory() as temporary:
        result = compare(
            Path(temporary),
            tissue,
            said.model,
            quick=said.quick,
            rounds=said.rounds,
            slide_mm2=said.slide_mm2,
        )
    print(json.dumps({"peers": result}, indent=None if said.json else 2))


if __name__ == "__main__":
    main()
