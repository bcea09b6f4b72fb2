"""Two linked panes: one slide twice, two slides, and nobody else's page around them."""

import re

import numpy as np
import pytest
from playwright.sync_api import Frame, Page, expect

from tests.browser.conftest import OpenPage, wait_for_address
from tests.browser.site import Site
from tests.slides import make_slide

pytestmark = pytest.mark.browser

GRID = np.full((16, 20), 0.9, np.float32)
STEPS = {"step_l0_x_px": 64, "step_l0_y_px": 64}


@pytest.fixture
def library(site: Site) -> Site:
    for name, mpp in (("a.tif", 0.25), ("b.tif", 0.5)):
        shade = np.full((1024, 1280, 3), 200 + ord(name[0]) % 50, np.uint8)
        make_slide(site.slides / name, (1280, 1024), draw=shade, mpp=mpp)
    site.scan()
    site.finished("a.tif", GRID, **STEPS)
    site.start()
    return site


def panes(page: Page) -> tuple[Frame, Frame]:
    page.wait_for_selector("body[data-ready]")
    left, right = (page.frame(url=re.compile(f"pane={side}")) for side in ("left", "right"))
    assert left is not None
    assert right is not None
    for frame in (left, right):
        frame.wait_for_selector("body[data-ready]")
    return left, right


def wait_for_view(frame: Frame, **wanted: float) -> None:
    """Until the hash of a pane, which tells its view, has these numbers."""
    frame.wait_for_function(
        """wanted => {
          const fields = new URLSearchParams(location.hash.slice(1));
          return Object.entries(wanted).every(
            ([name, value]) => Math.abs(Number(fields.get(name)) - value) < 0.01 * Math.abs(value));
        }""",
        arg=wanted,
    )


def test_one_slide_twice_is_shown_with_and_without_the_heat_map(
    library: Site, open_page: OpenPage
) -> None:
    page = open_page(library.viewer_url("a.tif") + "#x=640&y=512&mag=40")
    page.wait_for_selector("body[data-ready]")
    page.keyboard.press("Shift+C")
    page.wait_for_url("**/compare**")
    left, right = panes(page)
    expect(left.locator("#heat-toggle")).to_have_attribute("aria-pressed", "true")
    expect(right.locator("#heat-toggle")).to_have_attribute("aria-pressed", "false")
    left.locator("#map").press("ArrowRight")
    left.wait_for_function("() => !location.hash.includes('x=640.0')")
    x = left.evaluate("() => Number(new URLSearchParams(location.hash.slice(1)).get('x'))")
    wait_for_view(right, x=x, y=512, mag=40)


def test_the_comparison_opens_where_the_view_is_at_that_moment(
    library: Site, open_page: OpenPage
) -> None:
    page = open_page(library.viewer_url("a.tif") + "#x=640&y=512&mag=40")
    page.wait_for_selector("body[data-ready]")
    wait_for_address(page)
    page.evaluate(
        """() => {
          for (const [key, shiftKey] of [['ArrowRight', false], ['C', true]]) {
            const press = new KeyboardEvent('keydown', { key, shiftKey, bubbles: true });
            document.body.dispatchEvent(press);
          }
        }"""
    )
    page.wait_for_url("**/compare**")
    left, _ = panes(page)
    wait_for_view(left, x=640 + 90, y=512, mag=40)


def test_two_slides_move_by_the_same_distance_at_the_same_magnification(
    library: Site, open_page: OpenPage
) -> None:
    ids = [library.slide(name)["id"] for name in ("a.tif", "b.tif")]
    page = open_page(f"{library.url}/compare?left={ids[0]}&right={ids[1]}#x=600&y=500&mag=20")
    left, right = panes(page)
    wait_for_view(left, x=600, y=500, mag=20)
    wait_for_view(right, x=600, y=500, mag=20)
    left.evaluate("() => { location.hash = '#x=700&y=500&mag=20'; }")
    wait_for_view(left, x=700, y=500)
    wait_for_view(right, x=650, y=500, mag=20)  # 100 px of 0.25 µm are 50 px of 0.5 µm


def test_panes_that_are_not_linked_move_alone(library: Site, open_page: OpenPage) -> None:
    slide = library.slide("a.tif")["id"]
    page = open_page(f"{library.url}/compare?left={slide}#x=600&y=500&mag=40")
    left, right = panes(page)
    page.click("#compare-link")
    left.evaluate("() => { location.hash = '#x=700&y=500&mag=40'; }")
    wait_for_view(left, x=700)
    wait_for_view(right, x=600, y=500, mag=40)


def test_escape_leads_back_to_the_slide(library: Site, open_page: OpenPage) -> None:
    slide = library.slide("a.tif")["id"]
    page = open_page(f"{library.url}/compare?left={slide}")
    left, _ = panes(page)
    left.locator("#map").press("Escape")
    page.wait_for_url(f"**/slides/{slide}**")


def test_only_our_own_pages_may_hold_a_viewer(library: Site) -> None:
    client = library.app.test_client()
    slide = library.slide("a.tif")["id"]

    def policy(path: str) -> str:
        return client.get(path).headers["Content-Security-Policy"]

    assert "frame-ancestors 'none'" in policy(f"/slides/{slide}")
    assert "frame-ancestors 'self'" in policy(f"/slides/{slide}?pane=left")
    assert "frame-ancestors 'none'" in policy(f"/compare?left={slide}")
    assert client.get("/compare?left=../x").status_code == 400
    assert client.get(f"/compare?left={'0' * 20}").status_code == 404
