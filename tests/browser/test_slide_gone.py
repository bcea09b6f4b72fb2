"""A slide is removed while somebody looks at it: one clear way on, and nothing is asked again."""

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, wait_for_heatmap
from tests.browser.gate import TILE
from tests.browser.site import Site
from tests.slides import make_slide

pytestmark = pytest.mark.browser

NAME = "slide.tif"
STOPPED_MS = 3000  # a missing tile is tried again after 500 ms, an analysis polled each second


@pytest.fixture
def page(site: Site, open_viewer: OpenPage) -> Page:
    make_slide(site.slides / NAME, (3000, 2000))
    site.scan()
    site.finished(NAME, np.full((32, 47), 0.8, np.float32), step_l0_x_px=64, step_l0_y_px=64)
    site.start()
    page = open_viewer(site.viewer_url(NAME), may_fail=True)
    wait_for_heatmap(page)
    (site.slides / NAME).unlink()
    site.scan()
    return page


def test_one_way_on_is_offered_and_nothing_contradicts_it(page: Page, site: Site) -> None:
    page.evaluate("() => { location.hash = '#x=300&y=300&mag=40'; }")
    expect(page.locator("#banner")).to_contain_text("was changed or removed")
    expect(page.locator("#banner").get_by_role("link")).to_have_text("To the worklist")
    for gone in ("#analysis-start", "#analysis-cancel", "#analysis-problem", "#stage-problem"):
        expect(page.locator(gone)).to_be_hidden()
    page.locator("#banner").get_by_role("link").click()
    page.wait_for_url(f"{site.url}/**")


def test_nothing_is_asked_for_any_more(page: Page) -> None:
    asked: list[str] = []
    page.evaluate("() => { location.hash = '#x=300&y=300&mag=40'; }")
    expect(page.locator("#banner")).to_be_visible()
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("() => { location.hash = '#x=2500&y=1500&mag=40'; }")
    page.keyboard.press("-")
    page.evaluate("() => { window.since = performance.now(); }")
    page.wait_for_function(f"() => performance.now() - window.since > {STOPPED_MS}")
    assert [url for url in asked if TILE.search(url) or "/analyses" in url] == []
