"""Fingers: real touch events through the browser's own gesture path."""

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import CDPSession, Page

from tests.browser.conftest import OpenPage, centre_of_map, go_to, wait_for_tiles
from tests.browser.site import Site
from tests.browser.test_moving import view
from tests.slides import make_slide

pytestmark = pytest.mark.browser

TABLET = {"width": 820, "height": 1180}
CENTRE = {"x": 2000, "y": 1500}


@pytest.fixture
def page(site: Site, open_viewer: OpenPage) -> Page:
    make_slide(site.slides / "slide.tif", (4096, 3072))
    site.scan()
    site.finished("slide.tif", np.full((48, 64), 0.8, np.float32), step_l0_x_px=64, step_l0_y_px=64)
    site.start()
    page = open_viewer(
        site.viewer_url("slide.tif"), viewport=TABLET, has_touch=True, is_mobile=True
    )
    go_to(page, **CENTRE, mag=10)
    return page


class Fingers:
    def __init__(self, page: Page) -> None:
        self._page = page
        self._session: CDPSession = page.context.new_cdp_session(page)

    def _send(self, kind: str, points: list[tuple[float, float]]) -> None:
        touches: list[dict[str, Any]] = [
            {"x": x, "y": y, "id": index} for index, (x, y) in enumerate(points)
        ]
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    def move(self, ways: list[tuple[tuple[float, float], tuple[float, float]]]) -> None:
        """Put a finger at each start, move all to their ends at once, lift them."""
        self._send("touchStart", [start for start, _ in ways])
        for share in np.linspace(0.1, 1, 10):
            at = [(x0 + (x1 - x0) * share, y0 + (y1 - y0) * share) for (x0, y0), (x1, y1) in ways]
            self._send("touchMove", at)
            self._page.evaluate("() => new Promise(requestAnimationFrame)")
        self._page.evaluate(
            """() => { window.lifted = new Promise(heard =>
              window.addEventListener('pointerup', () => heard(), { once: true })); }"""
        )
        self._send("touchEnd", [])
        self._page.evaluate("() => window.lifted")


def test_two_fingers_zoom_about_their_middle(page: Page) -> None:
    x, y = centre_of_map(page)
    Fingers(page).move([((x - 60, y), (x - 180, y)), ((x + 60, y), (x + 180, y))])
    at = view(page)
    assert at["mag"] == pytest.approx(30, rel=0.12)
    assert abs(at["x"] - CENTRE["x"]) < 40
    assert abs(at["y"] - CENTRE["y"]) < 40
    wait_for_tiles(page)
    Fingers(page).move([((x - 180, y), (x - 45, y)), ((x + 180, y), (x + 45, y))])
    assert view(page)["mag"] == pytest.approx(7.5, rel=0.15)


def test_one_finger_drags_the_slide(page: Page) -> None:
    x, y = centre_of_map(page)
    Fingers(page).move([((x, y), (x - 100, y + 60))])
    at = view(page)
    assert at["x"] == pytest.approx(CENTRE["x"] + 400, abs=90)
    assert at["y"] == pytest.approx(CENTRE["y"] - 240, abs=90)
    assert at["mag"] == pytest.approx(10, rel=0.01)


def test_a_tap_reads_a_value(page: Page) -> None:
    x, y = centre_of_map(page)
    page.touchscreen.tap(x + 20, y + 20)
    page.wait_for_function("() => document.getElementById('probe-value').textContent === '0.80'")


def test_a_tablet_shows_slide_and_panel_side_by_side(page: Page) -> None:
    assert page.evaluate("() => document.documentElement.scrollWidth") <= TABLET["width"]
    stage = page.locator(".stage").bounding_box()
    panel = page.locator("#panel").bounding_box()
    bar = page.locator(".magnification").bounding_box()
    assert stage
    assert panel
    assert bar
    assert stage["x"] + stage["width"] <= panel["x"] + 1
    assert stage["width"] >= 480
    assert bar["x"] >= stage["x"]
    assert bar["x"] + bar["width"] <= stage["x"] + stage["width"]
    for button in page.locator(".step").all():
        box = button.bounding_box()
        assert box
        assert min(box["width"], box["height"]) >= 24  # WCAG 2.5.8
