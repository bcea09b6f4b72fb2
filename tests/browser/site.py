"""A running Sentinode for browser tests: the real application on a free port."""

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.serving import ThreadedWSGIServer

from model.prediction.heatmap import Heatmap
from tests.heatmaps import make_heatmap
from viewer import create_app
from viewer.analyses.job import heatmap_path
from viewer.db import utc_now, writing
from viewer.migrations import migrate
from viewer.records import Analysis
from viewer.services import EXTENSION, Services
from viewer.settings import Settings
from viewer.slides.scanner import scan_once

MODEL = {"model_id": "test-model", "model_version": "1.0.0"}


class Site:
    """Start it once the slides lie in its folder; nothing analyses them but the test itself."""

    def __init__(
        self,
        folder: Path,
        *,
        slides: bool = True,
        analyse_on_open: bool = False,
        blind_first_read: tuple[str, ...] = (),
    ) -> None:
        self.slides = folder / "slides"
        self.slides.mkdir(parents=True)
        self.settings = Settings(
            slides=(self.slides,) if slides else (),
            data=folder / "data",
            analyse_on_open=analyse_on_open,
            tile_cache_mb=32,
            blind_first_read=blind_first_read,
        )
        self.app = create_app(self.settings)
        self._services: Services = self.app.extensions[EXTENSION]
        migrate(self._services.engine)
        self._server: Server | None = None
        self._port = 0

    @property
    def sessions(self) -> sessionmaker[Session]:
        return self._services.sessions

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen; again on the same port after `stop`."""
        self._server = Server("127.0.0.1", self._port, self.app)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Answer no more, also nobody who is connected already."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server.hang_up()
            self._server = None

    def close(self) -> None:
        self.stop()
        self._services.images.close()
        self._services.engine.dispose()

    def scan(self) -> None:
        scan_once(self._services.sessions, self._services.settings)

    def slide(self, name: str) -> dict[str, Any]:
        """The slide with this file name, as the API shows it."""
        items = self.app.test_client().get("/api/v1/slides").get_json()["items"]
        return next(item for item in items if item["name"] == name)

    def viewer_url(self, name: str) -> str:
        return f"{self.url}{self.slide(name)['page_url']}"

    def analysis(
        self, name: str, state: str, summary: dict[str, Any] | None = None, **columns: Any
    ) -> str:
        """Record an analysis of a slide in this state; returns its id."""
        slide = self.slide(name)
        analysis = Analysis(
            id=f"{slide['id']:0>32}",
            slide_id=slide["id"],
            mpp_x=slide["mpp_x"],
            mpp_y=slide["mpp_y"],
            state=state,
            summary=summary,
            created_at=utc_now(),
            **MODEL,
            **columns,
        )
        with writing(self._services.sessions) as session:
            session.merge(analysis)
        return analysis.id

    def heatmap(
        self, name: str, tissue: NDArray[np.float32] | float = 1.0, **geometry: Any
    ) -> Heatmap:
        """An empty heat map for the analysis that `analysis` records for this slide."""
        path = heatmap_path(self.settings, f"{self.slide(name)['id']:0>32}")
        path.parent.mkdir(parents=True, exist_ok=True)
        # Slides of tests have few levels: the model is taken to have read them resampled.
        return make_heatmap(path, tissue, **({"level": None} | geometry))

    def finished(self, name: str, probabilities: NDArray[np.float32], **geometry: Any) -> Heatmap:
        """A whole heat map with these probabilities (NaN: not analysed), and its analysis, done."""
        rows, columns = probabilities.shape
        tissue = (~np.isnan(probabilities)).astype(np.float32)
        heatmap = self.heatmap(name, tissue, rows=rows, columns=columns, **geometry)
        store(heatmap, probabilities)
        chunks, revision = len(heatmap.planned_chunks()), str(heatmap.revision())
        self.analysis(name, "done", heatmap.summary() | {"chunks": chunks, "revision": revision})
        return heatmap


class Server(ThreadedWSGIServer):
    """Knows who is connected: browsers connect ahead, and would be answered after the end."""

    def __init__(self, host: str, port: int, app: Any) -> None:
        super().__init__(host, port, app)
        self._connected: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connected.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connected.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        for connection in list(self._connected):
            with suppress(OSError):  # ended by itself meanwhile
                connection.shutdown(socket.SHUT_RDWR)


def store(heatmap: Heatmap, probabilities: NDArray[np.float32]) -> None:
    """Write all planned chunks from the whole grid."""
    for chunk in heatmap.planned_chunks():
        top, bottom, left, right = heatmap.geometry.chunk_cells_range(chunk)
        heatmap.write_chunk(chunk, probabilities[top:bottom, left:right])
