"""The report of a slide: everything that was decided, and nothing that is closed to who asks."""

import re
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from tests.browser.site import Site
from tests.slides import make_slide
from viewer.report.snapshots import bar_length_um

STEPS = {"step_l0_x_px": 64, "step_l0_y_px": 64}
NOTICE = "Research use only. Not for diagnostic procedures."
POINT = {"kind": "point", "geometry": {"type": "Point", "coordinates": [800, 300]}}


def make_site(folder: Path, **options: Any) -> Site:
    site = Site(folder, **options)
    make_slide(site.slides / "слайд 1.tif", (1280, 1024), draw=np.full((1024, 1280, 3), 200, "u1"))
    site.scan()
    grid = np.full((16, 20), 0.1, np.float32)
    grid[3:6, 3:6] = 0.97
    site.finished("слайд 1.tif", grid, **STEPS)
    return site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path)


def reader(site: Site, name: str = "Ann Ångström") -> tuple[FlaskClient, str]:
    client = site.app.test_client()
    assert client.put("/api/v1/me", json={"name": name}).status_code == 200
    return client, site.slide("слайд 1.tif")["id"]


def decide(client: FlaskClient, slide_id: str) -> None:
    verdict = {"value": "micro", "overlay_on": True, "comment": "Subcapsular <b>nest</b>."}
    assert client.post(f"/api/v1/slides/{slide_id}/verdicts", json=verdict).status_code == 201
    flag = POINT | {"reason": "Look again"}
    answer = client.post(f"/api/v1/slides/{slide_id}/flags", json=flag)
    assert answer.status_code == 201, answer.text


def pictures(page: str) -> list[Image.Image]:
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    return [Image.open(BytesIO(b64decode(text))).convert("RGB") for text in found]


def yellow(image: Image.Image) -> int:
    pixels = np.asarray(image).astype(int)
    return int(((pixels[..., 0] - pixels[..., 2]) > 50).sum())


def test_the_page_says_what_was_seen_and_decided(site: Site) -> None:
    client, slide_id = reader(site)
    decide(client, slide_id)
    answer = client.get(f"/slides/{slide_id}/report")
    assert answer.status_code == 200
    for text in (NOTICE, "слайд 1.tif", "Micrometastasis", "Ann Ångström", "heat map shown"):
        assert text in answer.text
    assert "test-model, version 1.0.0" in answer.text
    assert "Look again" in answer.text
    assert "&lt;b&gt;nest&lt;/b&gt;" in answer.text  # what people type is text, never markup
    assert str(site.slides) not in answer.text


def test_pictures_show_the_tissue_with_and_without_the_heat_map(site: Site) -> None:
    client, slide_id = reader(site)
    decide(client, slide_id)
    plain, heat, *of_flag = pictures(client.get(f"/slides/{slide_id}/report").text)
    assert yellow(plain) == 0
    share = yellow(heat) / (heat.width * heat.height)
    assert share == pytest.approx(9 * 64 * 64 / (1280 * 1024), rel=0.1)
    assert len(of_flag) == 2


def test_the_pdf_holds_the_same(site: Site) -> None:
    client, slide_id = reader(site)
    decide(client, slide_id)
    answer = client.get(f"/slides/{slide_id}/report.pdf")
    assert answer.mimetype == "application/pdf"
    assert answer.data.startswith(b"%PDF-")
    assert answer.data.count(b"/Subtype /Image") == 4
    assert "слайд" not in answer.headers["Content-Disposition"]


def test_a_slide_nobody_analysed_or_read_says_so(tmp_path: Path) -> None:
    site = Site(tmp_path)
    make_slide(site.slides / "new.tif", (640, 512), mpp=None)
    site.scan()
    slide_id = site.slide("new.tif")["id"]
    client = site.app.test_client()
    page = client.get(f"/slides/{slide_id}/report").text
    assert "This says nothing about cancer" in page
    assert "No verdict was given yet" in page
    assert "no lengths or areas can be given" in page
    assert client.get(f"/slides/{slide_id}/report.pdf").status_code == 200


def test_what_is_closed_to_the_reader_is_not_in_the_report(tmp_path: Path) -> None:
    site = make_site(tmp_path, blind_first_read=("all",))
    client, slide_id = reader(site)
    page = client.get(f"/slides/{slide_id}/report").text
    assert "Closed to the reader" in page
    assert "test-model" not in page
    (plain,) = pictures(page)
    assert yellow(plain) == 0
    decide(client, slide_id)
    page = client.get(f"/slides/{slide_id}/report").text
    assert "blind: before the heat map opened" in page
    assert "test-model" in page


def test_an_unreadable_slide_gives_its_reason(tmp_path: Path) -> None:
    site = Site(tmp_path)
    (site.slides / "broken.svs").write_bytes(b"")
    site.scan()
    answer = site.app.test_client().get(f"/slides/{site.slide('broken.svs')['id']}/report")
    assert answer.status_code >= 400
    assert "empty" in answer.text


@pytest.mark.parametrize(("width_um", "length_um"), [(400, 100), (40, 10), (10_000, 2000), (1, 1)])
def test_scale_bars_have_round_lengths(width_um: float, length_um: int) -> None:
    assert bar_length_um(width_um) == length_um
