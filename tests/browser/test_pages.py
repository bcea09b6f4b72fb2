"""The pages as people use them: by keyboard, on a narrow window, with a screen reader."""

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped] # has none
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    MakeSite,
    OpenPage,
    wait_for_address,
    wait_for_heatmap,
    wait_for_tiles,
)
from tests.browser.site import Site
from tests.slides import make_slide

pytestmark = pytest.mark.browser

RESEARCH_USE = "Research use only. Not for diagnostic procedures."
GRID = np.full((16, 20), 0.2, np.float32)


@pytest.fixture
def library(site: Site) -> Site:
    """Two analysed slides, one not analysed, one unreadable."""
    for name in ("a-calm.tif", "b-suspicious.tif", "c-new.tif"):
        shade = np.full((1024, 1280, 3), 200 + ord(name[0]) % 50, np.uint8)
        make_slide(site.slides / name, (1280, 1024), draw=shade)
    (site.slides / "d-broken.svs").write_bytes(b"")
    site.scan()
    steps = {"step_l0_x_px": 64, "step_l0_y_px": 64}
    site.finished("a-calm.tif", GRID, **steps)
    suspicious = GRID.copy()
    suspicious[3:6, 3:6] = 0.97
    site.finished("b-suspicious.tif", suspicious, **steps)
    site.start()
    return site


def names(page: Page) -> list[str]:
    return page.locator(".slide-name").all_inner_texts()


def test_worklist_shows_suspicion_first_and_sorts_by_name(
    library: Site, open_page: OpenPage
) -> None:
    page = open_page(f"{library.url}/")
    page.wait_for_selector(".slide")
    assert names(page) == ["b-suspicious.tif", "a-calm.tif", "c-new.tif", "d-broken.svs"]
    assert "0.97" in page.locator(".slide").first.inner_text()
    broken = page.locator(".slide").last.inner_text()
    assert "cannot be read" in broken
    assert "empty" in broken
    page.select_option("#sort", "name")
    expect(page.locator(".slide-name").first).to_have_text("a-calm.tif")
    page.fill("#filter", "SUSP")
    expect(page.locator(".slide-name")).to_have_text(["b-suspicious.tif"])
    page.reload()
    page.wait_for_selector(".slide")
    assert names(page) == ["b-suspicious.tif"]  # the address keeps filter and order


def test_new_slides_appear_without_a_reload(library: Site, open_page: OpenPage) -> None:
    page = open_page(f"{library.url}/")
    page.wait_for_selector(".slide")
    make_slide(library.slides / "e-late.tif", (800, 600))
    library.scan()
    page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator(".slide")).to_have_count(5)


def test_empty_worklist_says_where_to_put_slides(site: Site, open_page: OpenPage) -> None:
    site.scan()
    site.start()
    page = open_page(f"{site.url}/")
    expect(page.locator("#empty")).to_contain_text("No slides yet")
    expect(page.locator("#empty-folders")).to_have_text(site.slides.name)
    assert str(site.slides.parent) not in page.content()


def test_a_missing_folder_is_named_and_the_other_slides_stay(
    library: Site, open_page: OpenPage
) -> None:
    library.slides.rename(library.slides.with_name("away"))
    page = open_page(f"{library.url}/", may_fail=True)
    expect(page.locator("#folder-problems")).to_contain_text(f"Folder “{library.slides.name}”")
    expect(page.locator(".slide")).to_have_count(4)


def test_worklist_without_folders_says_how_to_name_one(
    make_site: MakeSite, open_page: OpenPage
) -> None:
    site = make_site(slides=False)
    site.scan()
    site.start()
    page = open_page(f"{site.url}/")
    expect(page.locator("#empty")).to_contain_text("make serve SLIDES=")


def test_a_slide_is_reviewed_by_keyboard_alone(library: Site, open_page: OpenPage) -> None:
    page = open_page(f"{library.url}/")
    page.wait_for_selector(".slide")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(page.locator(".slide", has_text="b-suspicious.tif")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_selector("body[data-ready]")
    wait_for_heatmap(page)
    page.keyboard.press("5")
    expect(page.locator("#magnification-value")).to_have_text("20×")
    page.keyboard.press("6")
    expect(page.locator("#magnification-digital")).to_be_hidden()
    page.keyboard.press("+")
    expect(page.locator("#magnification-digital")).to_be_visible()
    wait_for_address(page)
    before = page.evaluate("() => location.hash")
    page.keyboard.press("ArrowLeft")
    wait_for_address(page)
    assert page.evaluate("() => location.hash") != before
    # At the centre, for want of a pointer.
    expect(page.locator("#probe-value")).to_have_text("0.20")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_url(library.viewer_url("a-calm.tif") + "**")
    page.wait_for_selector("body[data-ready]")
    page.keyboard.press("Escape")
    page.wait_for_url(f"{library.url}/**")
    page.wait_for_selector(".slide")


def test_keys_are_quiet_in_text_fields(site: Site, open_viewer: OpenPage) -> None:
    make_slide(site.slides / "slide.tif", (1280, 1024), mpp=None)
    site.scan()
    site.start()
    page = open_viewer(site.viewer_url("slide.tif"))
    before = page.inner_text("#magnification-value")
    page.focus("#mpp-set-by")
    page.keyboard.type("h6?")
    assert page.input_value("#mpp-set-by") == "h6?"
    assert page.inner_text("#magnification-value") == before
    expect(page.locator("#help")).to_be_hidden()


PAGES = ["worklist", "viewer", "error"]


def open_one(page_name: str, library: Site, open_page: OpenPage, **options: object) -> Page:
    if page_name == "worklist":
        page = open_page(f"{library.url}/", **options)
        page.wait_for_selector(".slide")
        return page
    if page_name == "error":
        return open_page(f"{library.url}/nowhere", may_fail=True, **options)
    page = open_page(library.viewer_url("b-suspicious.tif"), **options)
    page.wait_for_selector("body[data-ready]")
    wait_for_tiles(page)
    return page


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("page_name", PAGES)
def test_axe_finds_nothing(library: Site, open_page: OpenPage, page_name: str, scheme: str) -> None:
    page = open_one(page_name, library, open_page, color_scheme=scheme)
    if page_name == "viewer":
        wait_for_heatmap(page)
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    if page_name == "viewer":
        page.keyboard.press("?")
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("page_name", PAGES)
def test_narrow_window_needs_no_horizontal_scrolling(
    library: Site, open_page: OpenPage, page_name: str
) -> None:
    page = open_one(page_name, library, open_page, viewport={"width": 360, "height": 740})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    assert RESEARCH_USE in page.inner_text("footer")
    if page_name == "viewer":
        page.click("#panel-toggle")
        expect(page.locator("#reading-chip")).to_be_in_viewport()
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("page_name", PAGES)
def test_every_page_says_research_use_only(
    library: Site, open_page: OpenPage, page_name: str
) -> None:
    page = open_one(page_name, library, open_page)
    expect(page.get_by_text(RESEARCH_USE)).to_be_in_viewport()
