"""Tiles a second of Sentinode and of its peers, side by side in one run.

    python -m benchmarks.tiles [--json] [--rounds N] [--seconds S] [--slide NAME] [--work DIR]

Each server is one process pinned to one core, asked over eight connections from another; servers
take turns within each round. Cold: a tile that this process was never asked for. Native: levels
that the file has. Full: all levels of the Deep Zoom pyramid. Warm: tiles asked for before.
Sentinode is the whole product, as `serve` starts it; peers are bare WSGI applications, or
OpenSlide's example as it is shipped. What cannot be installed is skipped, with the reason.
"""

import argparse
import json
import os
import random
import statistics
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import openslide
from PIL import Image

from benchmarks import tile_peers as peers
from benchmarks.browser_servers import PeerMissingError
from benchmarks.tile_load import fetch, load
from benchmarks.tile_peers import Address, ContextRunning, Running
from benchmarks.tile_slides import make_slide
from viewer.slides.deepzoom import DeepZoom

CASES = ("native cold", "full pyramid cold", "warm")
WARM_TILES = 300
CHECKED_TILES = 40
REAL = Path(__file__).parents[2] / "shared" / "data" / "slides" / "CMU-1-Small-Region.svs"
OURS = {"gunicorn": "sentinode, gunicorn", "granian": "sentinode, granian"}
TUNED = {server: f"large-image tuned, {server}" for server in OURS}
ON_GUNICORN = "openslide deepzoom, gunicorn"
AS_SHIPPED = "openslide example as shipped"
LARGE_IMAGE = "large-image as shipped, gunicorn"
# What is wanted: at least so many times the tiles a second of the peer, for each case.
BARS = {TUNED["gunicorn"]: (1.5, 4, 1), TUNED["granian"]: (1.5, 4, 1)} | {
    ON_GUNICORN: (12, 12, 12),
    AS_SHIPPED: (20, 20, 20),
}


@dataclass(frozen=True)
class Subject:
    """A slide to serve: its file, the factors of its levels and the tiles to ask for, by case."""

    name: str
    path: Path
    tile_px: int
    lists: dict[str, list[Address]]
    native: list[Address]


def subjects(work: Path, wanted: str | None) -> list[Subject]:
    """The slides of the benchmark, made at the first use."""
    made = {
        "aperio 256, factors of 4": (work / "aperio.svs", 25_600 - 70, (1, 4, 16), 256, True),
        "generic 512, factors of 2": (work / "generic.tif", 32_768 - 70, (1, 2, 4, 8), 512, False),
    }
    found = []
    for name, (path, side_px, factors, tile_px, aperio) in made.items():
        if wanted is None or wanted in name:
            make_slide(path, side_px, factors, tile_px, aperio, REAL)
            found.append(_subject(name, path, (side_px, side_px), factors, tile_px))
    return found


def _subject(
    name: str, path: Path, size_px: tuple[int, int], factors: tuple[int, ...], tile_px: int
) -> Subject:
    zoom = DeepZoom(*size_px, tile_px)
    native, other = list[Address](), list[Address]()
    for level in range(zoom.level_count):
        if max(zoom.level_sizes_dz_px[level]) <= tile_px:
            continue  # large-image has no levels below one tile
        columns, rows = zoom.grid(level)
        tiles = [(level, column, row) for column in range(columns) for row in range(rows)]
        (native if zoom.step_l0_px(level) in factors else other).extend(tiles)
    for tiles in (native, other):
        random.Random(1).shuffle(tiles)
    # A tile is cold once: the native list and the other one share none.
    half = len(native) // 2
    full = native[half:] + other[: len(other) // 2]
    random.Random(2).shuffle(full)
    lists = {"native cold": native[:half], "full pyramid cold": full, "warm": full[:WARM_TILES]}
    return Subject(name, path, tile_px, lists, native)


def contenders(subject: Subject, environment: dict[str, str]) -> dict[str, Any]:
    """By name, what starts each server."""
    slide, tile_px = subject.path, subject.tile_px
    return {
        OURS["gunicorn"]: lambda: peers.sentinode("gunicorn", environment),
        TUNED["gunicorn"]: lambda: peers.wsgi_peer("large-image-tuned", "gunicorn", slide, tile_px),
        ON_GUNICORN: lambda: peers.wsgi_peer("deepzoom", "gunicorn", slide, tile_px),
        AS_SHIPPED: lambda: peers.example_as_shipped(slide),
        LARGE_IMAGE: lambda: peers.wsgi_peer("large-image", "gunicorn", slide, tile_px),
        OURS["granian"]: lambda: peers.sentinode("granian", environment),
        TUNED["granian"]: lambda: peers.wsgi_peer("large-image-tuned", "granian", slide, tile_px),
    }


def measure(running: Running, subject: Subject, seconds: float) -> dict[str, dict[str, float]]:
    """The figures of each case, from one server."""
    peers.warm_up(running, subject.native[-1])
    figures = {}
    for case in CASES:
        paths = [running.path(address) for address in subject.lists[case]]
        if case == "warm":
            load(running.port, paths, 60, running.process)
            paths = paths * 200
        figures[case] = load(running.port, paths, seconds, running.process).figures()
    return figures


def check_pixels(running: Running, subject: Subject, name: str) -> int:
    """Compare tiles of native levels with OpenSlide's pixels; return how many were equal.

    Sentinode's must be, all of them. Peers re-encode, crop or pad: they must show the same place.
    """
    equal = 0
    with openslide.OpenSlide(subject.path) as slide:
        width, height = slide.dimensions
        zoom = DeepZoom(width, height, subject.tile_px)
        edge = [tile for tile in subject.native if _is_cut(zoom, tile)][:5]
        for address in subject.native[:CHECKED_TILES] + edge:
            step = zoom.step_l0_px(address[0])
            factors = [round(factor) for factor in slide.level_downsamples]
            x, y, tile_width, tile_height = zoom.tile_box_dz_px(address)
            read = slide.read_region(
                (x * step, y * step), factors.index(step), (tile_width, tile_height)
            )
            expected = np.asarray(read.convert("RGB"))
            if not slide.level_downsamples[factors.index(step)].is_integer():
                continue  # OpenSlide itself moves such a level by a part of a pixel
            body = fetch(running.port, running.path(address))
            shown = np.asarray(Image.open(BytesIO(body)).convert("RGB"))
            same = np.array_equal(shown, expected)
            equal += same
            if name in OURS.values():
                assert same, f"{name}: other pixels than OpenSlide's at {address}"
            elif name != AS_SHIPPED:  # another grid
                shown = shown[:tile_height, :tile_width]
                off = np.abs(shown.astype(int) - expected).mean()
                assert off < 12, f"{name}: another place at {address} ({off:.1f})"
    return equal


def _is_cut(zoom: DeepZoom, address: Address) -> bool:
    side = zoom.tile_size_px
    return zoom.tile_box_dz_px(address)[2:] != (side, side)


def run(subject: Subject, rounds: int, seconds: float) -> dict[str, Any]:
    """All rounds over one slide: figures of each peer and case, ratios, and who was skipped."""
    runs: dict[str, list[dict[str, dict[str, float]]]] = {}
    skipped: dict[str, str] = {}
    equal: dict[str, int] = {}
    with ExitStack() as stack:
        environment = stack.enter_context(peers.library(subject.path))
        for number in range(rounds):
            for name, start in contenders(subject, environment).items():
                if name in skipped:
                    continue
                try:
                    context: ContextRunning = start()
                    with context.running() as running:
                        if number == 0:
                            equal[name] = check_pixels(running, subject, name)
                    with start().running() as running:
                        runs.setdefault(name, []).append(measure(running, subject, seconds))
                except PeerMissingError as error:
                    skipped[name] = str(error)
                print(f"{subject.name}: round {number + 1}, {name}", file=sys.stderr, flush=True)
        heatmap = {
            name: _heatmap_figures(server, environment, seconds) for server, name in OURS.items()
        }
    return {
        "slide": subject.name,
        "heatmap_tiles": heatmap,
        "peers": {name: _summary(each) for name, each in runs.items()},
        "ratios": list(_ratios(runs)),
        "equal_pixels": equal,
        "skipped": skipped,
    }


def _heatmap_figures(server: str, environment: dict[str, str], seconds: float) -> dict[str, float]:
    """Value tiles of a finished heat map of random values, each asked for once."""
    paths = peers.heatmap_paths(environment)
    with peers.sentinode(server, environment).running() as running:
        fetch(running.port, paths[0])
        return load(running.port, paths[1:], seconds, running.process).figures()


def _summary(runs: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, dict[str, float]]]:
    return {
        case: {figure: spread([each[case][figure] for each in runs]) for figure in runs[0][case]}
        for case in CASES
    }


def _ratios(runs: dict[str, list[dict[str, dict[str, float]]]]) -> list[dict[str, Any]]:
    """Ours against each peer, round by round: the server of both is the same where it has two."""
    rows = []
    for peer in (*TUNED.values(), ON_GUNICORN, AS_SHIPPED, LARGE_IMAGE):
        for server, ours in OURS.items():
            if (
                peer not in runs
                or ours not in runs
                or (peer in TUNED.values() and peer != TUNED[server])
            ):
                continue
            for index, case in enumerate(CASES):
                pairs = [
                    (mine[case], other[case])
                    for mine, other in zip(runs[ours], runs[peer], strict=False)
                ]
                wall = [mine["tiles_per_s"] / other["tiles_per_s"] for mine, other in pairs]
                cpu = [other["cpu_ms_per_tile"] / mine["cpu_ms_per_tile"] for mine, other in pairs]
                bar = BARS[peer][index] if peer in BARS else None
                met = bar is None or statistics.median(wall) >= bar
                rows.append(
                    {"ours": ours, "peer": peer, "case": case, "tiles_per_s": spread(wall)}
                    | {"cpu_per_tile": spread(cpu), "bar": bar, "met": met}
                )
    return rows


def spread(values: list[float]) -> dict[str, float]:
    """Median and range."""
    return {
        "median": round(statistics.median(values), 4),
        "min": round(min(values), 4),
        "max": round(max(values), 4),
    }


def show(report: dict[str, Any]) -> None:
    """The tables for people."""
    for slide in report["slides"]:
        print(f"\n{slide['slide']}, {report['rounds']} rounds, {report['machine']}\n")
        print("| server | case | tiles/s | CPU ms per tile | p95 ms | bytes | RSS MB |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for name, cases in slide["peers"].items():
            for case, figures in cases.items():
                print(
                    f"| {name} | {case} | {_said(figures['tiles_per_s'], 0)}"
                    f" | {_said(figures['cpu_ms_per_tile'], 3)} | {_said(figures['p95_ms'], 1)}"
                    f" | {figures['bytes_per_tile']['median']:.0f}"
                    f" | {figures['rss_mb']['median']:.0f} |"
                )
        print("\n| ours | against | case | tiles/s, ratio | CPU per tile, ratio | bar | |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for row in slide["ratios"]:
            bar = f"≥ {row['bar']}×" if row["bar"] else "–"
            verdict = "" if row["bar"] is None else "met" if row["met"] else "**missed**"
            print(
                f"| {row['ours']} | {row['peer']} | {row['case']} | {_said(row['tiles_per_s'], 1)}×"
                f" | {_said(row['cpu_per_tile'], 1)}× | {bar} | {verdict} |"
            )
        print()
        for name, figures in slide["heatmap_tiles"].items():
            print(
                f"Heat-map value tiles, cold, {name}: {figures['tiles_per_s']:.0f}/s,"
                f" {figures['cpu_ms_per_tile']:.2f} ms of processor time"
            )
        for name, reason in slide["skipped"].items():
            print(f"\nSkipped: {name}: {reason}")


def _said(figure: dict[str, float], digits: int) -> str:
    low, high = (f"{figure[end]:.{digits}f}" for end in ("min", "max"))
    return f"{figure['median']:.{digits}f} ({low}–{high})"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="JSON instead of tables")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each case in each round")
    parser.add_argument("--slide", help="a part of the name of the slide to take alone")
    parser.add_argument("--work", type=Path, default=peers.CACHE / "tile-slides")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    os.sched_setaffinity(0, {0})  # servers have the other core
    slides = [run(each, given.rounds, given.seconds) for each in subjects(given.work, given.slide)]
    machine = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    report = {
        "rounds": given.rounds,
        "seconds": given.seconds,
        "machine": machine,
        "slides": slides,
    }
    if given.json:
        print(json.dumps(report, indent=1))
    else:
        show(report)


if __name__ == "__main__":
    main()
