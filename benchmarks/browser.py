"""Panning and zooming against OpenSlide's example viewer (OpenSeadragon), in the same Chromium.

    python -m benchmarks.browser [--slide FILE] [--rounds 5] [--latency-ms 0] [--json]

Both viewers are moved along the same path, frame by frame, and filmed; in turns, each round with
fresh servers (one process each, the same number of threads) and a fresh browser profile. Measured:
blank-pixel-seconds (pixels of the slide on which nothing is drawn, times how long) and the time
from coming to rest until the picture is the one that stays. Ratios are peer / ours: more than 1
means ours is better.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import openslide
from playwright.sync_api import Browser, sync_playwright

from benchmarks.browser_drive import Run, run
from benchmarks.browser_servers import PeerMissingError, openslide_example, peer_folder, sentinode
from tests.browser.conftest import ARGUMENTS, CHROMIUM

DEMO_SLIDE = Path(".demo/phantoms/slides/phantom-1.tif")
Server = Callable[[Path, int], AbstractContextManager[str]]
VIEWERS: dict[str, Server] = {"sentinode": sentinode, "openslide_example": openslide_example}


def main() -> None:
    """Measure, and print a table or JSON."""
    options = _options()
    if CHROMIUM is None:
        sys.exit("Chromium is not installed (Debian: apt-get install chromium).")
    skipped: dict[str, str] = {}
    try:
        peer_folder()
    except PeerMissingError as error:
        skipped["openslide_example"] = str(error)
    names = [name for name in VIEWERS if name not in skipped]
    with openslide.OpenSlide(options.slide) as slide:
        size_px = slide.dimensions
    runs: dict[str, list[Run]] = {name: [] for name in names}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for number in range(options.rounds):
            # In turns, and who begins changes: what slows the machine down slows down both.
            for name in names if number % 2 == 0 else names[::-1]:
                runs[name].append(_one(browser, name, size_px, options))
                print(f"round {number + 1} {name}: {_said(runs[name][-1])}", file=sys.stderr)
        version = browser.version
        browser.close()
    report = _report(runs) | {"skipped": skipped, "chromium": version, "slide_px": size_px}
    report |= {"rounds": options.rounds, "threads": options.threads, "processes": 1}
    report |= {"latency_ms": options.latency_ms}
    print(json.dumps(report, indent=2) if options.json else _table(report))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--slide", type=Path, default=DEMO_SLIDE, help="made by `make demo-slides`")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=8, help="of each server's one process")
    parser.add_argument("--latency-ms", type=float, default=0, help="added to every request")
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args()
    if not options.slide.exists():
        parser.error(f"{options.slide.name} is not there; run `make demo-slides` or name a slide.")
    return options


def _one(browser: Browser, name: str, size_px: tuple[int, int], options: argparse.Namespace) -> Run:
    with VIEWERS[name](options.slide, options.threads) as url:
        return run(browser, url, name == "sentinode", size_px, options.latency_ms)


def _said(one: Run) -> str:
    sharp = statistics.mean(one.to_sharp_s)
    said = f"blank {one.blank_mpx_s:.3f} Mpx·s, to sharp {sharp:.3f} s, {one.frames} frames"
    return f"{said}, {one.late} rests late"


def _report(runs: dict[str, list[Run]]) -> dict[str, object]:
    """Medians with their range; the ratios come from pairs of the same round."""
    viewers = {
        name: {
            "blank_mpx_s": _spread([one.blank_mpx_s for one in done]),
            "to_sharp_s": _spread([statistics.mean(one.to_sharp_s) for one in done]),
            "slowest_to_sharp_s": _spread([max(one.to_sharp_s) for one in done]),
            "tile_requests": _spread([one.requests for one in done]),
            "late_rests": _spread([one.late for one in done]),
            "frames": _spread([one.frames for one in done]),
        }
        for name, done in runs.items()
    }
    if "openslide_example" not in runs:
        return {"viewers": viewers, "ratios": None}
    pairs = list(zip(runs["openslide_example"], runs["sentinode"], strict=True))
    sharp = [statistics.mean(p.to_sharp_s) / statistics.mean(o.to_sharp_s) for p, o in pairs]
    blank = [p.blank_mpx_s / o.blank_mpx_s if o.blank_mpx_s else None for p, o in pairs]
    known = [ratio for ratio in blank if ratio is not None]
    ratios = {
        "to_sharp": _spread(sharp),
        # null: nothing was blank here in any round, so that there is nothing to divide by
        "blank": _spread(known) if len(known) == len(blank) else None,
    }
    return {"viewers": viewers, "ratios": ratios}


def _spread(values: list[float]) -> dict[str, float]:
    median = statistics.median(values)
    return {"median": round(median, 4), "min": round(min(values), 4), "max": round(max(values), 4)}


def _table(report: dict[str, object]) -> str:
    lines = [f"{'':24}{'blank Mpx·s':>26}{'to sharp s':>26}{'tiles asked':>14}"]
    viewers: dict[str, dict[str, dict[str, float]]] = report["viewers"]  # type: ignore[assignment]  # built above
    for name, told in viewers.items():
        blank, sharp = (
            f"{part['median']:.3f} ({part['min']:.3f}–{part['max']:.3f})"
            for part in (told["blank_mpx_s"], told["to_sharp_s"])
        )
        lines.append(f"{name:24}{blank:>26}{sharp:>26}{told['tile_requests']['median']:>14.0f}")
    skipped: dict[str, str] = report["skipped"]  # type: ignore[assignment] # built above
    lines += [f"{name} skipped: {why}" for name, why in skipped.items()]
    return "\n".join([*lines, f"ratios (peer / ours): {json.dumps(report['ratios'])}"])


if __name__ == "__main__":
    main()
