"""The focus is never lost to the page when a button hides itself; the overview stays readable."""

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, go_to, wait_for_heatmap
from tests.browser.site import Site
from tests.slides import make_slide

pytestmark = pytest.mark.browser

NAME = "slide.tif"


@pytest.fixture
def address(site: Site) -> str:
    make_slide(site.slides / NAME, (8000, 6000), draw=np.full((6000, 8000, 3), 200, np.uint8))
    site.scan()
    site.start()
    return site.viewer_url(NAME)


def is_focused(page: Page, element_id: str) -> None:
    expect(page.locator(f"#{element_id}")).to_be_focused()


def test_cancel_hands_the_focus_to_what_it_brought_about(
    site: Site, address: str, open_viewer: OpenPage
) -> None:
    site.analysis(NAME, "queued")
    page = open_viewer(address)
    page.focus("#analysis-cancel")
    page.keyboard.press("Enter")
    expect(page.locator("#analysis-state")).to_contain_text("Cancelled")
    is_focused(page, "analysis-state")
    page.keyboard.press("Tab")
    is_focused(page, "analysis-start")  # the next stop is what can be done now
    page.keyboard.press("Enter")
    expect(page.locator("#analysis-state")).to_contain_text("Waiting")
    is_focused(page, "analysis-state")


def test_reset_hands_the_focus_to_the_limit_it_reset(
    site: Site, address: str, open_viewer: OpenPage
) -> None:
    grid = np.full((94, 125), 0.8, np.float32)
    site.finished(NAME, grid, step_l0_x_px=64, step_l0_y_px=64)
    page = open_viewer(address)
    wait_for_heatmap(page)
    page.keyboard.press("]")
    page.focus("#heat-reset")
    page.keyboard.press("Enter")
    expect(page.locator("#heat-reset")).to_be_hidden()
    is_focused(page, "heat-lower")


def test_the_frame_of_the_overview_can_be_seen_at_40x(address: str, open_viewer: OpenPage) -> None:
    page = open_viewer(address, viewport={"width": 420, "height": 800})
    page.click("#panel-toggle")
    go_to(page, x=4000, y=3000, mag=160)
    box = page.locator("#overview-frame").bounding_box()
    around = page.locator("#overview").bounding_box()
    assert box
    assert around
    assert min(box["width"], box["height"]) >= 14
    assert page.locator("#overview-frame").evaluate("e => e.classList.contains('is-small')")
    # It still says where: its middle is the middle of the view.
    across = (box["x"] + box["width"] / 2 - around["x"]) / around["width"]
    assert across == pytest.approx(0.5, abs=0.02)
    go_to(page, x=4000, y=3000, mag=2.5)
    assert not page.locator("#overview-frame").evaluate("e => e.classList.contains('is-small')")
