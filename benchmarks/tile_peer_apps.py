"""The peers as WSGI applications; runs in their environment, without any of Sentinode.

    python tile_peer_apps.py KIND SERVER SLIDE TILE_PX PORT

KIND: deepzoom, large-image, large-image-tuned. SERVER: gunicorn, granian. The addresses are
/<level>/<column>_<row>.jpeg, with the levels of Deep Zoom for all. No Flask, no look-up, no access
rule: a floor that is kind to the peers.
"""

import os
import sys
from collections.abc import Callable
from io import BytesIO
from typing import Any

Tile = Callable[[int, int, int], bytes]
Application = Callable[[dict[str, Any], Any], list[bytes]]

TILE_QUALITY = 75  # as OpenSlide's example has it
THREADS = 8


def deepzoom(path: str, tile_px: int) -> Tile:
    """OpenSlide's generator, in the tiles of the file."""
    import openslide
    from openslide.deepzoom import DeepZoomGenerator

    slide = openslide.OpenSlide(path)
    generator = DeepZoomGenerator(slide, tile_size=tile_px, overlap=0)

    def tile(level: int, column: int, row: int) -> bytes:
        buffer = BytesIO()
        generator.get_tile(level, (column, row)).save(buffer, "jpeg", quality=TILE_QUALITY)
        return buffer.getvalue()

    return tile


def large_image(path: str, tuned: bool) -> Tile:
    """large-image's source for TIFF, with its own cache."""
    import large_image

    if tuned:
        large_image.config.setConfig("icc_correction", False)
    import large_image_source_tiff

    source = large_image_source_tiff.open(path)
    about = source.getMetadata()
    shift = (max(about["sizeX"], about["sizeY"]) - 1).bit_length() - (about["levels"] - 1)

    def tile(level: int, column: int, row: int) -> bytes:
        return bytes(source.getTile(column, row, level - shift))

    return tile


def application(tile: Tile) -> Application:
    """Nothing but tiles."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        try:
            level, name = environ["PATH_INFO"].strip("/").split("/")
            column, row = name.removesuffix(".jpeg").split("_")
            body = tile(int(level), int(column), int(row))
        except ValueError:
            start_response("404 Not Found", [("Content-Length", "0")])
            return [b""]
        start_response(
            "200 OK", [("Content-Type", "image/jpeg"), ("Content-Length", str(len(body)))]
        )
        return [body]

    return app


def make(kind: str, path: str, tile_px: int) -> Application:
    """The application of a peer."""
    if kind == "deepzoom":
        return application(deepzoom(path, tile_px))
    return application(large_image(path, kind == "large-image-tuned"))


def run_gunicorn(make_app: Callable[[], Application], port: int) -> None:
    """Serve until a signal."""
    from gunicorn.app.base import BaseApplication

    class Server(BaseApplication):
        def load_config(self) -> None:
            self.cfg.set("bind", f"127.0.0.1:{port}")
            self.cfg.set("worker_class", "gthread")
            self.cfg.set("threads", THREADS)
            self.cfg.set("loglevel", "warning")
            if os.path.isdir("/dev/shm"):
                self.cfg.set("worker_tmp_dir", "/dev/shm")

        def load(self) -> Application:
            return make_app()

    sys.argv = sys.argv[:1]
    Server().run()


def run_granian(make_app: Callable[[], Application], port: int) -> None:
    """Serve until a signal."""
    from granian import Granian
    from granian.constants import Interfaces

    Granian(
        "none",
        port=port,
        interface=Interfaces.WSGI,
        blocking_threads=THREADS,
        backpressure=1024,
        websockets=False,
        log_enabled=False,
    ).serve(target_loader=make_app, wrap_loader=False)


if __name__ == "__main__":
    kind, server, path, tile_px, port = sys.argv[1:]
    run = {"gunicorn": run_gunicorn, "granian": run_granian}[server]
    run(lambda: make(kind, path, int(tile_px)), int(port))
