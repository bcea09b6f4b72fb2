"""Opacity, limits, colours, peeking: all in the browser, without a request."""

import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    OpenPage,
    centre_of_map,
    go_to,
    next_frame,
    press_shortly,
    wait_for_heatmap,
)
from tests.browser.pictures import screenshot
from tests.browser.site import Site
from tests.slides import GLASS, make_slide

pytestmark = pytest.mark.browser

STEP_PX = 64
# What a page asks every few seconds, whatever one does, and the tiles it fetches while idle.
BY_ITSELF = re.compile(r"/analyses/\w+$|/flags\?limit=1$|/presence$|_files/")
GRID = np.full((16, 20), np.nan, np.float32)
GRID[4:12, 5:10] = 0.8
GRID[4:12, 10:15] = 0.3


@pytest.fixture
def page(site: Site, open_viewer: OpenPage) -> Page:
    """Left of the middle 0.8, right of it 0.3, all around not analysed; threshold 0.5."""
    glass = np.empty((1024, 1280, 3), np.uint8)
    glass[:] = GLASS
    make_slide(site.slides / "slide.tif", (1280, 1024), draw=glass)
    site.scan()
    site.finished("slide.tif", GRID, step_l0_x_px=STEP_PX, step_l0_y_px=STEP_PX)
    site.start()
    page = open_viewer(site.viewer_url("slide.tif"))
    wait_for_heatmap(page)
    go_to(page, x=640, y=512, mag=20, op=0.5)
    return page


def colours(page: Page) -> tuple[list[int], list[int]]:
    """What is seen left and right of the middle."""
    x, y = (round(value) for value in centre_of_map(page))
    picture = screenshot(page, (x - 60, y - 40, 120, 20))
    return picture[5, 5].tolist(), picture[5, -5].tolist()


def set_range(page: Page, element_id: str, value: float) -> None:
    page.locator(f"#{element_id}").evaluate(
        "(input, value) => { input.value = value;"
        " input.dispatchEvent(new Event('input', { bubbles: true })); }",
        value,
    )


def test_cells_below_the_threshold_are_transparent(page: Page) -> None:
    left, right = colours(page)
    assert left != list(GLASS)
    assert np.abs(np.subtract(right, GLASS)).max() <= 2


def test_every_control_recolours_without_a_request(page: Page) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    seen = [colours(page)]

    def shown_after_change() -> None:
        next_frame(page)
        assert colours(page) != seen[-1]
        seen.append(colours(page))

    set_range(page, "heat-lower", 0.2)
    shown_after_change()
    set_range(page, "heat-upper", 0.6)
    shown_after_change()
    set_range(page, "heat-opacity", 90)
    shown_after_change()
    page.select_option("#heat-colormap", "inferno")
    shown_after_change()
    press_shortly(page, "h")
    shown_after_change()
    page.check("#heat-smooth")
    page.check("#heat-hatch")
    next_frame(page)
    assert [url for url in requests if not BY_ITSELF.search(url)] == []


def test_upper_limit_cuts_what_lies_above(page: Page) -> None:
    set_range(page, "heat-lower", 0.1)
    set_range(page, "heat-upper", 0.5)
    next_frame(page)
    left, right = colours(page)
    assert np.abs(np.subtract(left, GLASS)).max() <= 2
    assert right != list(GLASS)


def key(page: Page, kind: str) -> None:
    page.evaluate(
        "kind => document.body.dispatchEvent("
        "new KeyboardEvent(kind, { key: 'h', code: 'KeyH', bubbles: true }))",
        kind,
    )


def is_visible(page: Page) -> bool:
    visibility: str = page.locator(".heatmap-layer").evaluate("e => e.style.visibility")
    return visibility == "visible"


def test_short_press_of_h_toggles(page: Page) -> None:
    press_shortly(page, "h")
    assert not is_visible(page)
    press_shortly(page, "h")
    assert is_visible(page)


def test_a_short_press_is_short_however_late_a_busy_page_hears_of_it(page: Page) -> None:
    page.evaluate(
        """() => {
          const [down, up] = ['keydown', 'keyup']
            .map(kind => new KeyboardEvent(kind, { key: 'h', code: 'KeyH', bubbles: true }));
          document.body.dispatchEvent(down);
          const since = performance.now();
          while (performance.now() - since < 300);
          document.body.dispatchEvent(up);
        }"""
    )
    assert not is_visible(page)


def test_holding_h_shows_the_raw_tissue_until_it_is_let_go(page: Page) -> None:
    key(page, "keydown")
    assert not is_visible(page)
    page.evaluate("() => { window.pressedAt = performance.now(); }")
    page.wait_for_function("() => performance.now() - window.pressedAt > 300")
    assert not is_visible(page)
    key(page, "keyup")
    assert is_visible(page)
    assert page.get_attribute("#heat-toggle", "aria-pressed") == "true"


def test_brackets_move_the_lower_limit(page: Page) -> None:
    page.keyboard.press("]")
    assert page.input_value("#heat-lower") == "0.55"
    page.keyboard.press("[")
    page.keyboard.press("[")
    assert page.input_value("#heat-lower") == "0.45"


def test_probe_tells_a_value_from_not_analysed(page: Page) -> None:
    x, y = centre_of_map(page)
    page.mouse.move(x - 20, y)
    value = page.locator("#probe-value")
    expect(value).to_have_text("0.80")
    expect(page.locator(".cell-outline")).to_have_count(1)
    page.mouse.move(x + 20, y)
    expect(value).to_have_text("0.30")  # read although it is not drawn
    page.mouse.move(x - 200, y)
    expect(value).to_have_text("not analysed")


def test_result_and_legend_name_model_and_threshold(page: Page) -> None:
    panel = page.inner_text("#panel")
    assert "test-model" in panel
    assert "Threshold of the model: 0.50" in panel
    assert "not calibrated" in panel
    expect(page.locator("#analysis-result")).to_contain_text("0.80")
