"""Dark and light chrome: as the system asks, or as chosen; tissue looks the same in both."""

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped] # has none
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, centre_of_map, wait_for_heatmap, wait_for_tiles
from tests.browser.pictures import screenshot
from tests.browser.site import Site
from tests.slides import make_slide

pytestmark = pytest.mark.browser

NAME = "slide.tif"


@pytest.fixture
def library(site: Site) -> Site:
    make_slide(site.slides / NAME, (3000, 2000))
    site.scan()
    site.finished(NAME, np.full((32, 47), 0.8, np.float32), step_l0_x_px=64, step_l0_y_px=64)
    site.start()
    return site


def theme(page: Page) -> str:
    found: str = page.evaluate("() => document.documentElement.dataset.theme")
    return found


def ground(page: Page) -> int:
    """Lightness of the page's own ground, 0 to 255."""
    return int(screenshot(page, (2, 2, 4, 4)).mean())


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_system_decides_until_somebody_chooses(
    library: Site, open_page: OpenPage, scheme: str
) -> None:
    page = open_page(f"{library.url}/", color_scheme=scheme)
    assert theme(page) == scheme
    assert (ground(page) > 128) == (scheme == "light")
    page.emulate_media(color_scheme="light" if scheme == "dark" else "dark")
    page.wait_for_function("was => document.documentElement.dataset.theme !== was", arg=scheme)


def test_the_choice_is_remembered_on_every_page(library: Site, open_viewer: OpenPage) -> None:
    page = open_viewer(library.viewer_url(NAME), color_scheme="dark")
    switch = page.get_by_role("button", name="Dark colours")
    expect(switch).to_have_attribute("aria-pressed", "true")
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "false")
    assert ground(page) > 128
    page.reload()
    assert theme(page) == "light"
    page.goto(f"{library.url}/")
    assert theme(page) == "light"
    page.emulate_media(color_scheme="light")
    page.emulate_media(color_scheme="dark")
    assert theme(page) == "light"


def test_tissue_and_heat_map_look_the_same_in_both(library: Site, open_viewer: OpenPage) -> None:
    page = open_viewer(library.viewer_url(NAME), color_scheme="dark")
    wait_for_heatmap(page)
    expect(page.locator(".spot-mark")).not_to_have_count(0)  # drawn over the tissue when it comes
    page.mouse.move(3, 3)
    x, y = (round(value) for value in centre_of_map(page))
    clip = (x - 150, y - 100, 300, 200)
    dark = screenshot(page, clip)
    page.get_by_role("button", name="Dark colours").focus()
    page.keyboard.press("Enter")
    assert theme(page) == "light"
    light = screenshot(page, clip)
    assert np.array_equal(dark, light)


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("width", [420, 1440])
def test_axe_finds_nothing_in_a_chosen_theme(
    library: Site, open_page: OpenPage, scheme: str, width: int
) -> None:
    """The system asks for the other one."""
    other = "light" if scheme == "dark" else "dark"
    page = open_page(
        f"{library.url}/", color_scheme=other, viewport={"width": width, "height": 800}
    )
    page.evaluate("theme => localStorage.setItem('sentinode.theme', theme)", scheme)
    page.reload()
    page.wait_for_selector(".slide")
    assert theme(page) == scheme
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    page.goto(library.viewer_url(NAME))
    page.wait_for_selector("body[data-ready]")
    wait_for_tiles(page)
    if width < 760:
        page.click("#panel-toggle")
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
