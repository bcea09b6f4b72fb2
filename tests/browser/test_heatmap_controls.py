"""Opacity, limits, colours, peeking: all in the browser, without a request."""

import numpy as np
import pytest
from playwright.sync_api import Page

from tests.browser.conftest import OpenPage, centre_of_map, go_to, wait_for_heatmap
from tests.browser.pictures import screenshot
from tests.browser.site import Site
from tests.slides import GLASS, make_slide

pytestmark = pytest.mark.browser

STEP_PX = 64
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


def next_frame(page: Page) -> None:
    page.evaluate("() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")


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
    page.keyboard.press("h")
    shown_after_change()
    page.check("#heat-smooth")
    page.check("#heat-hatch")
    next_frame(page)
    assert requests == []


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
    page.evaluate(
        "() => { for (const kind of ['keydown', 'keyup']) document.body.dispatchEvent("
        "new KeyboardEvent(kind, { key: 'h', code: 'KeyH', bubbles: true })); }"
    )
    assert not is_visible(page)
    page.evaluate(
        "() => { for (const kind of ['keydown', 'keyup']) document.body.dispatchEvent("
        "new KeyboardEvent(kind, { key: 'h', code: 'KeyH', bubbles: true })); }"
    )
    assert is_visible(page)


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
    assert page.inner_text("#probe-value") == "0.80"
    assert page.locator(".cell-outline").count() == 1
    page.mouse.move(x + 20, y)
    assert page.inner_text("#probe-value") == "0.30"  # read although it is not drawn
    page.mouse.move(x - 200, y)
    assert page.inner_text("#probe-value") == "not analysed"


def test_result_and_legend_name_model_and_threshold(page: Page) -> None:
    panel = page.inner_text("#panel")
    assert "test-model" in panel
    assert "Threshold of the model: 0.50" in panel
    assert "not calibrated" in panel
    assert "0.80" in page.inner_text("#analysis-result")
