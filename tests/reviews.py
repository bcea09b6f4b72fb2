"""A study that was read in the real viewer: slides, manifest, hot spots, and what readers said."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner
from flask import Flask

from model.cli import main
from tests.conftest import BufferedClient
from tests.flags import Flagged
from tests.slides import DARK, EOSIN, Square, make_scn
from tests.studies import Drawn, make_study
from tests.tours import STEP_PX, draw_analysis
from viewer import create_app
from viewer.analyses.hotspots import with_findings
from viewer.migrations import migrate
from viewer.services import EXTENSION, Services
from viewer.settings import Settings
from viewer.slides.scanner import scan_once

LESION = Square(640, 640, 960, 960)
SPLIT = {
    "train": ["normal_1", "tumor_1"],
    "validation": ["normal_2", "tumor_2"],
    "test": ["normal_3", "tumor_3"],
}
# A slide whose bounds begin elsewhere than its scan, with one dark square on eosin.
OFFSET_SQUARE = Square(300, 240, 620, 560)


def call(*arguments: Any) -> Any:
    return CliRunner().invoke(main, [str(each) for each in arguments])


def make_cut_study(folder: Path) -> Path:
    """Six slides in three parts, cut into patches by their centres, and one more slide."""
    lesions = {"tumor": (LESION,), "normal": ()}
    names = [name for part in SPLIT.values() for name in part]
    make_study(folder, [Drawn(name, lesions[name.split("_")[0]]) for name in names])
    (folder / "split.json").write_text(json.dumps(SPLIT))
    cut = ["--out", folder / "patches", "--split", folder / "split.json", "--label", "centre"]
    result = call("patches", folder, *cut)
    assert result.exit_code == 0, result.output
    picture = np.full((900, 1200, 3), EOSIN, np.uint8)
    picture[OFFSET_SQUARE.top : OFFSET_SQUARE.bottom, OFFSET_SQUARE.left : OFFSET_SQUARE.right] = (
        DARK
    )
    make_scn(folder / "slides" / "fresh.scn", draw=picture)
    return folder


@contextmanager
def viewer_of(slides: Path, data: Path, **changes: Any) -> Iterator[Flask]:
    """The viewer over a folder of slides, which it has looked through."""
    app = create_app(Settings(slides=(slides,), data=data, workers=1, tile_cache_mb=16, **changes))
    app.test_client_class = BufferedClient
    services: Services = app.extensions[EXTENSION]
    migrate(services.engine)
    scan_once(services.sessions, services.settings)
    yield app
    services.images.close()
    services.engine.dispose()


class Reading:
    """Readers at work in a viewer, by the slides' names."""

    def __init__(self, app: Flask) -> None:
        self.services: Services = app.extensions[EXTENSION]
        self.client = app.test_client()
        items = self.client.get("/api/v1/slides").get_json()["items"]
        self.slides = {Path(item["name"]).stem: item for item in items}

    def be(self, reader: str) -> None:
        assert self.client.put("/api/v1/me", json={"name": reader}).status_code == 200

    def flag(self, slide: str, geometry: Any, reader: str = "Ada", **fields: Any) -> dict[str, Any]:
        return Flagged(self.client, self.slides[slide]["id"], reader).create(geometry, **fields)

    def verdict(self, slide: str, value: str, reader: str = "Ada") -> None:
        self.be(reader)
        body = {"value": value, "overlay_on": True}
        place = f"/api/v1/slides/{self.slides[slide]['id']}/verdicts"
        assert self.client.post(place, json=body).status_code == 201

    def state(self, slide: str, state: str) -> None:
        place = f"/api/v1/slides/{self.slides[slide]['id']}/reading"
        answer = self.client.patch(place, json={"state": state}, headers={"If-Match": "*"})
        assert answer.status_code == 200, answer.text

    def analyse(self, slide: str, *spots: list[tuple[slice, slice]], number: int = 0) -> str:
        """A finished analysis whose hot spots are those blocks of cells, ranked in this order."""
        item = self.slides[slide]
        columns, rows = (-(-item[side] // STEP_PX) for side in ("width_px", "height_px"))
        grid = np.full((rows, columns), 0.1, np.float32)
        for rank, blocks in enumerate(spots):
            for block in blocks:
                grid[block] = 0.95 - 0.05 * rank
        analysis_id = draw_analysis(
            self.services.sessions,
            self.services.settings,
            item,
            grid,
            number=number,
            level=0,
            mpp_x=item["mpp_x"],
            mpp_y=item["mpp_y"],
        )
        with_findings(self.services.sessions, self.services.settings, analysis_id)
        return analysis_id

    def think(self, analysis_id: str, rank: int, opinion: str | None, reader: str = "Ada") -> None:
        self.be(reader)
        place = f"/api/v1/analyses/{analysis_id}/hotspots/{rank}/review"
        assert self.client.put(place, json={"opinion": opinion}).status_code == 200

    def export(self, path: Path, query: str = "") -> Path:
        answer = self.client.get(f"/api/v1/reviews.json{query}")
        assert (answer.status_code, answer.mimetype) == (200, "application/json")
        path.write_bytes(answer.data)
        return path


def block(top: int, bottom: int, left: int, right: int) -> tuple[slice, slice]:
    """Rows and columns of cells."""
    return slice(top, bottom), slice(left, right)
