"""Memory of the tile server, and whether each of 100,000 reads at once gets its own tile.

    python -m benchmarks.tile_memory [--slides 48] [--reads 100000] [--side 25600]

Everything goes the way a request goes, but for HTTP itself. Then the first thumbnail of a slide
that has one level alone: how long it takes, and how much memory beyond what was there.
"""

import argparse
import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory

from flask import Flask

from benchmarks.browser_servers import CACHE
from benchmarks.tile_slides import make_slide
from benchmarks.tiles import REAL
from viewer import create_app
from viewer.db import make_engine, make_sessions
from viewer.migrations import migrate
from viewer.settings import Settings
from viewer.slides.deepzoom import DeepZoom
from viewer.slides.scanner import scan_once

THREADS = 8
SMALL_PX = 3000


def main() -> None:
    """Run both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slides", type=int, default=48)
    parser.add_argument("--reads", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=25_600, help="of the slide of one level, in px")
    given = parser.parse_args()
    with TemporaryDirectory() as temporary:
        _many(Path(temporary), given.slides, given.reads)
    with TemporaryDirectory() as temporary:
        _giant(Path(temporary), given.side)


def _many(folder: Path, count: int, reads: int) -> None:
    (folder / "slides").mkdir()
    for number in range(count):
        path = folder / "slides" / f"{number}.svs"
        # A side of their own makes them different slides.
        make_slide(path, SMALL_PX + number, (1, 4), 256, True, REAL)
    app = _app(folder, open_slides=count)
    items = app.test_client().get(f"/api/v1/slides?limit={count}").get_json()["items"]
    tiles = [path for item in items for path in _tiles(item)]
    before = _anonymous_mb()
    for item in items:
        _get(app, _tiles(item)[0])
    opened = _anonymous_mb()
    print(f"{count} slides open: {(opened - before) / count:.2f} MB each, {_files()} descriptors")
    expected = {path: _digest(_get(app, path)) for path in tiles}
    print(f"each of {len(tiles)} tiles once: {_anonymous_mb():.0f} MB")
    with ThreadPoolExecutor(THREADS) as threads:
        for part in range(4):
            seeds = range(part * THREADS, (part + 1) * THREADS)
            share = partial(_wrong, app, expected, reads // 4 // THREADS)
            wrong = sum(threads.map(share, seeds))
            done = (part + 1) * (reads // 4)
            print(f"{done} reads by {THREADS} threads: {_anonymous_mb():.0f} MB, {wrong} wrong")


def _wrong(app: Flask, expected: dict[str, bytes], count: int, seed: int) -> int:
    """How many of so many reads, in an order by chance, gave other bytes than before."""
    chance, paths = random.Random(seed), list(expected)
    asked = (paths[chance.randrange(len(paths))] for _ in range(count))
    return sum(_digest(_get(app, path)) != expected[path] for path in asked)


def _giant(folder: Path, side_px: int) -> None:
    (folder / "slides").mkdir()
    source = make_slide(
        CACHE / "tile-slides" / f"one-{side_px}.tif", side_px, (1,), 256, False, REAL
    )
    os.link(source, folder / "slides" / "one.tif")
    for turn in ("first", "after a restart"):
        app = _app(folder)
        item = app.test_client().get("/api/v1/slides").get_json()["items"][0]
        before, started = _anonymous_mb(), time.process_time()
        _get(app, item["thumbnail_url"])
        used_s = time.process_time() - started
        kept_mb = sum(p.stat().st_size for p in (folder / "data" / "tiles").rglob("*.jpg")) / 1e6
        print(
            f"thumbnail of {side_px} × {side_px} px, one level, {turn}: {used_s:.2f} s of processor"
            f" time, {_anonymous_mb() - before:.0f} MB more, {kept_mb:.0f} MB on disk"
        )
        app.extensions["sentinode"].images.close()


def _app(folder: Path, **settings: int) -> Flask:
    made = Settings(slides=(folder / "slides",), data=folder / "data").model_copy(update=settings)
    engine = make_engine(made)
    migrate(engine)
    scan_once(make_sessions(engine), made)
    engine.dispose()
    return create_app(made)


def _tiles(item: dict[str, str | int]) -> list[str]:
    zoom = DeepZoom(int(item["width_px"]), int(item["height_px"]), int(item["tile_size_px"]))
    prefix = str(item["dzi_url"]).removesuffix(".dzi")
    paths = []
    for level in range(zoom.level_count - 5, zoom.level_count):
        columns, rows = zoom.grid(level)
        paths += [
            f"{prefix}_files/{level}/{column}_{row}.jpeg"
            for column in range(columns)
            for row in range(rows)
        ]
    return paths


def _get(app: Flask, path: str) -> bytes:
    said: list[str] = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "HTTP_HOST": "127.0.0.1"}
    environ |= {"wsgi.url_scheme": "http", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80"}
    start: Callable[..., None] = lambda status, headers, *_: said.append(status)  # noqa: E731
    body = b"".join(app.wsgi_app(environ, start))  # type: ignore[arg-type]
    assert said == ["200 OK"], (path, said)
    return body


def _digest(body: bytes) -> bytes:
    return blake2b(body, digest_size=16).digest()


def _files() -> int:
    return len(os.listdir("/proc/self/fd"))


def _anonymous_mb() -> float:
    """Memory that is not the file system's (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    raise OSError("this system does not tell")


if __name__ == "__main__":
    main()
