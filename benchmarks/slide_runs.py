"""Whole slides from the start of a process to its end; parts of the benchmark `dense`."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from distributed import Client, LocalCluster
from numpy.typing import NDArray

from benchmarks.large_slides import Layout, lay_out, write_slide
from model.prediction import scoring
from model.prediction.engine import load_engine
from model.prediction.heatmap import Heatmap

Tiles = Sequence[NDArray[np.uint8]]
QUICK = 0.02  # of the area


def typical(
    folder: Path, tissue: Tiles, model: Path, size: tuple[float, float], quick: bool
) -> dict[str, Any]:
    """`python -m model predict` on the slide everything is promised for."""
    layout = lay_out(size[0] * (QUICK if quick else 1), size[1])
    slide = _slide(folder / "typical.tif", layout, tissue)
    run = predict(slide, folder / "typical", model)
    cpu = run["cpu_s"]
    return {
        "seconds_typical_slide": run["seconds"],
        "typical_slide": {
            "slide_mm2": round(layout.width_mm * layout.height_mm),
            "tissue_mm2": round(layout.tissue_mm2),
            "of_the_whole": QUICK if quick else 1,
            **run,
            "cpu_s_over_cores": round(cpu / (os.cpu_count() or 1), 1),
        },
        "peak_rss_mb": run["peak_rss_mb"],
        "cpu_shares": (shares := parts(slide, folder / "parts.zarr", model)),
        "bottleneck": max(shares, key=lambda name: shares[name]),
    }


def table(folder: Path, tissue: Tiles, model: Path, quick: bool) -> list[dict[str, Any]]:
    """CPU seconds over sizes and shares of tissue."""
    rows = []
    for slide_mm2, share in ((150, 0.15), (300, 0.075), (300, 0.15), (600, 0.0375), (600, 0.075)):
        layout = lay_out(slide_mm2 * (QUICK if quick else 1), share)
        slide = _slide(folder / f"{slide_mm2}-{share}.tif", layout, tissue)
        run = predict(slide, folder / "table", model)
        area = {
            "slide_mm2": round(layout.width_mm * layout.height_mm, 1),
            "tissue_mm2": round(layout.tissue_mm2, 1),
        }
        rows.append(area | {key: run[key] for key in ("cells", "cpu_s", "seconds")})
    return rows


def predict(slide: Path, out: Path, model: Path) -> dict[str, Any]:
    """Run the command as a user would; seconds, CPU seconds of all its threads, most memory."""
    command = [sys.executable, "-m", "model", "predict", str(slide), "--out", str(out), "--json"]
    command += ["--model", str(model)]
    surroundings = {name: v for name, v in os.environ.items() if name != "OMP_NUM_THREADS"}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=surroundings)
    first, chunks = None, out / f"{slide.stem}.zarr" / "probability" / "c"
    while process.poll() is None and first is None:
        time.sleep(0.05)
        if chunks.is_dir() and any(chunks.iterdir()):
            first = round(time.monotonic() - started, 1)
    printed, _ = process.communicate()
    seconds = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    summary = json.loads(printed)["summary"]
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "seconds": round(seconds, 1),
        "first_cells_s": first,
        "cpu_s": round(cpu, 1),
        "cells": summary["cells_analysed"],
        "cpu_ms_per_cell": round(cpu / max(1, summary["cells_analysed"]) * 1e3, 3),
        "peak_rss_mb": round(after.ru_maxrss / 1024),
        "load": round(os.getloadavg()[0], 1),
    }


def parts(slide: Path, path: Path, model: Path, chunks: int = 40) -> dict[str, float]:
    """CPU seconds of a whole slide by kind of work, from its tissue and a sample of its chunks."""
    spent = {"tissue": _cpu(lambda: scoring.prepare(slide, model, path, None))}
    heatmap = Heatmap.open(path)
    planned = heatmap.planned_chunks()
    chosen = np.random.default_rng(0).permutation(len(planned))[:chunks]
    engine = load_engine(model, heatmap.geometry.engine)
    engine.warm_up()
    read = score = write = 0.0
    with scoring.open_wsi(slide) as wsi:
        for chunk in (planned[index] for index in chosen):
            top, bottom, left, right = heatmap.geometry.chunk_cells_range(chunk)
            cells = heatmap.to_analyse[top:bottom, left:right]
            at = time.process_time()
            region = scoring.read_region(wsi, heatmap.geometry, engine.model, chunk, cells.shape)
            read, at = read + time.process_time() - at, time.process_time()
            probabilities = engine.score_cells(region, cells)
            score, at = score + time.process_time() - at, time.process_time()
            values = np.full(cells.shape, np.nan, np.float32)
            values[cells] = probabilities
            heatmap.write_chunk(chunk, values)
            write += time.process_time() - at
    scale = len(planned) / max(1, len(chosen))
    spent |= {"reading": read * scale, "net": score * scale, "writing": write * scale}
    return {name: round(seconds, 2) for name, seconds in spent.items()}


def dask(folder: Path, tissue: Tiles, model: Path, quick: bool) -> list[dict[str, Any]]:
    """Seconds of all chunks of one slide on 1, 2 and 4 processes that are warm."""
    layout = lay_out(150 * (QUICK if quick else 1), 0.15)
    slide, rows = _slide(folder / "dask.tif", layout, tissue), []
    for count in (1, 2, 4):
        path = folder / f"dask-{count}.zarr"
        scoring.prepare(slide, model, path, None)
        with (
            LocalCluster(
                n_workers=count, threads_per_worker=2, dashboard_address=None, host="127.0.0.1"
            ) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            client.run(_warm, model)
            began = sum(client.run(time.process_time).values())
            started, planned = time.monotonic(), Heatmap.open(path).planned_chunks()
            client.gather([client.submit(_score, slide, model, path, chunk) for chunk in planned])
            seconds = time.monotonic() - started
            cpu = sum(client.run(time.process_time).values()) - began
        cells = Heatmap.open(path).summary()["cells_analysed"]
        rows.append(
            {
                "processes": count,
                "cells": cells,
                "seconds": round(seconds, 1),
                "cpu_s": round(cpu, 1),
            }
        )
    return rows


def _warm(model: Path) -> None:
    load_engine(model).warm_up()


def _score(slide: Path, model: Path, path: Path, chunk: tuple[int, int]) -> None:
    scoring.score_chunk(slide, model, path, chunk)


def _cpu(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _slide(path: Path, layout: Layout, tissue: Tiles) -> Path:
    write_slide(path, layout, tissue)
    return path
