"""The picture of what is suspicious lies where the tissue is, and hides no single hot cell."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.browser.site import Site
from tests.slides import make_slide

STEPS = {"step_l0_x_px": 64, "step_l0_y_px": 64}


@pytest.fixture
def analysed(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    make_slide(site.slides / "slide.tif", (1280, 1024))
    site.scan()
    grid = np.full((16, 20), 0.1, np.float32)
    grid[3:6, 3:6] = 1.0
    grid[10, 15] = 0.8
    grid[0, :] = np.nan
    site.finished("slide.tif", grid, **STEPS)
    return site


def picture(site: Site) -> Image.Image:
    analysis = site.slide("slide.tif")["score_analysis_id"]
    answer = site.app.test_client().get(f"/api/v1/analyses/{analysis}/heatmap/thumbnail.png")
    assert answer.status_code == 200
    assert answer.headers["ETag"]
    return Image.open(BytesIO(answer.data))


def test_hot_cells_lie_where_they_are_on_the_slide(analysed: Site) -> None:
    image = picture(analysed)
    assert image.size == (240, 192)  # the shape of the slide
    alpha = np.asarray(image)[..., 3]
    hot = alpha > 0
    scale = 240 / 1280
    rows, columns = np.nonzero(hot[:100, :100])
    assert abs(columns.min() - 3 * 64 * scale) <= 1
    assert abs(columns.max() + 1 - 6 * 64 * scale) <= 1
    assert abs(rows.min() - 3 * 64 * scale) <= 1
    assert hot[round(10.5 * 64 * scale), round(15.5 * 64 * scale)]
    assert not hot[round(13 * 64 * scale) :].any()
    assert alpha.max() > alpha[round(10.5 * 64 * scale), round(15.5 * 64 * scale)]  # 1.0 over 0.8


def test_what_was_not_analysed_and_what_is_below_is_clear(analysed: Site) -> None:
    alpha = np.asarray(picture(analysed))[..., 3]
    assert not alpha[:11].any()
    assert not alpha[:, 230:].any()


def test_one_hot_cell_of_a_large_slide_is_seen(tmp_path: Path) -> None:
    site = Site(tmp_path)
    make_slide(site.slides / "slide.tif", (1280, 1024))
    site.scan()
    grid = np.full((512, 640), 0.1, np.float32)  # more cells than the picture has pixels
    grid[301, 407] = 0.99
    site.finished("slide.tif", grid, step_l0_x_px=2, step_l0_y_px=2)
    alpha = np.asarray(picture(site))[..., 3]
    rows, columns = np.nonzero(alpha)
    assert 1 <= rows.size <= 9
    assert abs(columns.mean() - 407 / 640 * 240) <= 2
    assert abs(rows.mean() - 301 / 512 * 192) <= 2


def test_without_a_heat_map_there_is_none(analysed: Site) -> None:
    answer = analysed.app.test_client().get(f"/api/v1/analyses/{'0' * 32}/heatmap/thumbnail.png")
    assert answer.status_code == 404
