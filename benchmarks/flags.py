"""Panning with many flags: frames a second in Chromium, with the layer of flags and without it.

    python -m benchmarks.flags [--rounds N] [--outlines jsons.zip] [--json]

One slide of 4,000 mm² with 5,000 flags (points, boxes, outlines), then with 50,000 imported
outlines. Shapes are those of real lesions (`--outlines`, the JSON of baidu-research/NCRF), else
drawn; they are scattered over the slide. At each zoom the view pans for some seconds, in turns with
the layer of flags and without it, so that what slows the machine down slows down both. Frames are
those of requestAnimationFrame while it pans; processor time is that of all processes of the
browser for each frame drawn (the trace's DrawFrame), fetching and painting included.
"""

import argparse
import json
import os
import shutil
import statistics
import time
import urllib.request
import zipfile
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.browser_drive import NOTE_MAP, SIZE_PX
from benchmarks.browser_servers import sentinode
from benchmarks.large_slides import drawn_tiles, lay_out, write_slide

ARGUMENTS = ["--no-sandbox", "--disable-gpu"]
CASES = {"5,000 flags": 5_000, "50,000 outlines": 50_000}
ZOOMS = (-7.0, -5.0, -3.0, -1.0)
PAN_MS = 3000
PAN_PX_S = 500
VERTICES = 24
SMALLEST_UM, LARGEST_UM, UM = 15, 800, 0.243
TRACE = ["devtools.timeline", "disabled-by-default-devtools.timeline.frame"]
LONGEST_MS = 300_000

# Pans there and back as the page itself does by key: whole pixels, a frame at a time.
PAN = """
async ({ zoom, ms, speed, width, height, shown }) => {
  const map = window.theMap;
  const pane = map.getPane('flags');
  pane.style.display = shown ? '' : 'none';
  map.setView([height * 0.5, width * 0.5], map._limitZoom(zoom), { animate: false });
  const frame = () => new Promise(requestAnimationFrame);
  for (const end = performance.now() + 1500; performance.now() < end; ) await frame();
  performance.mark('pan-begin');
  const begin = performance.now();
  const intervals = [];
  let last = begin;
  for (;;) {
    const now = await frame();
    intervals.push(now - last);
    const passed = now - begin;
    if (passed > ms) break;
    const there = Math.floor(passed / 1000) % 2 === 0 ? 1 : -1;
    const step = Math.round(((now - last) * speed * there) / 1000);
    map._rawPanBy(L.point(step, Math.round(step / 3)));
    map.fire('move');
    last = now;
  }
  performance.mark('pan-end');
  map.fire('moveend');
  return intervals;
}
"""


def main() -> None:
    """Measure, print a table or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--outlines", type=Path)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    layout = lay_out(4000, 0.5)
    shapes = _real_shapes(given.outlines) if given.outlines else _drawn_shapes()
    found: dict[str, Any] = {}
    with TemporaryDirectory() as temporary:
        slide = Path(temporary) / "slide.tif"
        write_slide(slide, layout, drawn_tiles())
        with sentinode(slide, threads=4) as url, sync_playwright() as playwright:
            chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
            had = 0
            for case, count in CASES.items():
                api = _api(url)
                size_px = _size(api)
                import_s = _import(api, _features(count - had, shapes, size_px))
                had = count
                found[case] = {"import_s": round(import_s, 1)}
                found[case] |= _case(browser, url, size_px, given.rounds)
            browser.close()
    print(json.dumps(found, indent=1) if given.json else _table(found, given.rounds))


def _case(browser: Browser, url: str, size_px: tuple[int, int], rounds: int) -> dict[str, Any]:
    runs: dict[tuple[float, bool], list[dict[str, float]]] = defaultdict(list)
    context = browser.new_context(viewport=SIZE_PX)  # type: ignore[arg-type] # a literal
    page = context.new_page()
    page.set_default_timeout(LONGEST_MS)
    page.add_init_script(NOTE_MAP)
    page.goto(url)
    page.wait_for_selector("body[data-flags]")
    for n in range(-1, rounds):  # the first one fetches the tiles of the slide and does not count
        for zoom in ZOOMS:
            for shown in (True, False) if n % 2 else (False, True):
                run = _pan(browser, page, zoom, size_px, shown)
                if n >= 0:
                    runs[zoom, shown].append(run)
    context.close()
    return {
        f"zoom {zoom:g}": {
            "flags": _figures(runs[zoom, True]),
            "without": _figures(runs[zoom, False]),
        }
        for zoom in ZOOMS
    }


def _pan(
    browser: Browser, page: Page, zoom: float, size_px: tuple[int, int], shown: bool
) -> dict[str, float]:
    browser.start_tracing(page=page, categories=TRACE)
    before_s = _cpu_s(browser)
    asked = {"zoom": zoom, "ms": PAN_MS, "speed": PAN_PX_S, "shown": shown}
    intervals = page.evaluate(PAN, asked | {"width": size_px[0], "height": size_px[1]})
    cpu_s = _cpu_s(browser) - before_s
    events = json.loads(browser.stop_tracing())["traceEvents"]
    drawn = sum(event["name"] == "DrawFrame" for event in events)
    ms = np.array(intervals[1:])
    return {
        "fps": 1000 * len(ms) / float(ms.sum()),
        "cpu_ms": 1000 * cpu_s / max(1, drawn),
        "p95_ms": float(np.percentile(ms, 95)),
    }


def _cpu_s(browser: Browser) -> float:
    """Processor time of all processes of the browser: other programs do not count."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return float(sum(process["cpuTime"] for process in processes))


def _figures(runs: list[dict[str, float]]) -> dict[str, list[float]]:
    """Median, lowest and highest of the rounds."""
    return {
        name: [round(f([run[name] for run in runs]), 1) for f in (statistics.median, min, max)]
        for name in runs[0]
    }


def _table(found: dict[str, Any], rounds: int) -> str:
    lines = [f"{rounds} rounds; median (lowest–highest)"]
    for case, parts in found.items():
        lines.append(f"\n{case}: imported within {parts.pop('import_s')} s")
        lines.append(f"{'':18}{'frames/s':>20}{'CPU ms a frame':>22}{'p95 ms':>22}")
        for zoom, both in parts.items():
            for which, figures in both.items():
                cells = [
                    f"{mid} ({low}–{high})"
                    for mid, low, high in (figures[n] for n in ("fps", "cpu_ms", "p95_ms"))
                ]
                lines.append(f"{zoom:9} {which:8}{cells[0]:>20}{cells[1]:>22}{cells[2]:>22}")
    return "\n".join(lines)


def _api(url: str) -> str:
    """The address of the slide in the API."""
    origin, _, slide_id = url.rpartition("/slides/")
    return f"{origin}/api/v1/slides/{slide_id.partition('?')[0]}"


def _size(api: str) -> tuple[int, int]:
    with urllib.request.urlopen(api) as answer:
        slide = json.load(answer)
    return slide["width_px"], slide["height_px"]


def _import(api: str, features: list[dict[str, Any]]) -> float:
    """Seconds it took the server."""
    origin = api.partition("/api/")[0]
    name = json.dumps({"name": "benchmark"}).encode()
    headers = {"Content-Type": "application/json"}
    me = urllib.request.Request(f"{origin}/api/v1/me", name, headers, method="PUT")
    with urllib.request.urlopen(me) as answer:
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
    body = json.dumps({"type": "FeatureCollection", "features": features}).encode()
    begin = time.monotonic()
    request = urllib.request.Request(f"{api}/flags/import", body, {"Cookie": cookie})
    with urllib.request.urlopen(request) as answer:
        report = json.load(answer)
    assert report["created"] == len(features), report
    return time.monotonic() - begin


def _features(
    count: int, shapes: list[np.ndarray[Any, Any]], size_px: tuple[int, int]
) -> list[dict[str, Any]]:
    """Scattered shapes of 15 to 800 µm, small ones more often, and a point in every tenth place."""
    rng = np.random.default_rng(count)
    labels = ("Tumor", "Stroma", "Immune cells", "Necrosis", "Other")
    features = []
    for n in range(count):
        side = float(np.exp(rng.uniform(np.log(SMALLEST_UM), np.log(LARGEST_UM)))) / UM
        corner = rng.uniform(0, 1, 2) * (np.array(size_px) - side)
        geometry: dict[str, Any]
        if n % 10 == 0:
            geometry = {"type": "Point", "coordinates": corner.round(1).tolist()}
        else:
            outline = (shapes[n % len(shapes)] * side + corner).round(1).tolist()
            geometry = {"type": "Polygon", "coordinates": [[*outline, outline[0]]]}
        properties = {"objectType": "annotation", "classification": labels[n % len(labels)]}
        features.append({"type": "Feature", "geometry": geometry, "properties": properties})
    return features


def _drawn_shapes() -> list[np.ndarray[Any, Any]]:
    """Wavy rings within the unit square."""
    rng = np.random.default_rng(0)
    turn = np.linspace(0, 2 * np.pi, VERTICES, endpoint=False)
    shapes = []
    for _ in range(200):
        radius = 0.4 + 0.1 * np.sin(turn * rng.integers(2, 6) + rng.uniform(0, 6))
        shapes.append(np.stack([np.cos(turn), np.sin(turn)], 1) * radius[:, None] + 0.5)
    return shapes


def _real_shapes(path: Path) -> list[np.ndarray[Any, Any]]:
    """Outlines of lesions, thinned to VERTICES vertices, within the unit square."""
    shapes = []
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if not name.endswith(".json"):
                continue
            for entry in json.loads(archive.read(name))["positive"]:
                outline = np.array(entry["vertices"], np.float64)
                if len(outline) < VERTICES:
                    continue
                thin = outline[np.linspace(0, len(outline) - 1, VERTICES).astype(int)]
                low, high = thin.min(axis=0), thin.max(axis=0)
                shapes.append((thin - low) / max((high - low).max(), 1))
    return shapes


if __name__ == "__main__":
    main()
