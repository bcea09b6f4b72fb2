"""The worklist: views, filters, order, and what a long list costs the page."""

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped] # has none
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.held import Held
from tests.browser.site import Site
from tests.slides import make_slide

pytestmark = pytest.mark.browser

GRID = np.full((16, 20), 0.2, np.float32)
STEPS = {"step_l0_x_px": 64, "step_l0_y_px": 64}


@pytest.fixture
def library(site: Site) -> Site:
    for name in ("a-calm.tif", "b-suspicious.tif", "c-new.tif"):
        shade = np.full((1024, 1280, 3), 200 + ord(name[0]) % 50, np.uint8)
        make_slide(site.slides / name, (1280, 1024), draw=shade)
    (site.slides / "d-broken.svs").write_bytes(b"")
    site.scan()
    site.finished("a-calm.tif", GRID, **STEPS)
    suspicious = GRID.copy()
    suspicious[3:6, 3:6] = 0.97
    site.finished("b-suspicious.tif", suspicious, **STEPS)
    site.start()
    return site


def names(page: Page) -> list[str]:
    return page.locator(".slide-name").all_inner_texts()


def say_name(page: Page, name: str = "Ann") -> None:
    page.click("#reader")
    page.fill("#reader-name", name)
    page.keyboard.press("Enter")
    expect(page.locator("#reader")).to_have_text(f"Reading as {name}")


def opened(library: Site, open_page: OpenPage, query: str = "") -> Page:
    page = open_page(f"{library.url}/{query}")
    page.wait_for_selector(".slide")
    return page


def test_filters_narrow_the_list_and_stay_in_the_address(
    library: Site, open_page: OpenPage
) -> None:
    page = opened(library, open_page)
    page.click(".filters summary")
    page.select_option("#filter-analysis", "done")
    expect(page.locator(".slide")).to_have_count(2)
    expect(page.locator("#count")).to_have_text("2 slides")
    expect(page.locator("#filters-count")).to_have_text("1")
    page.reload()
    expect(page.locator(".slide")).to_have_count(2)
    page.go_back()
    expect(page.locator(".slide")).to_have_count(4)


def test_nothing_found_offers_the_whole_list_again(library: Site, open_page: OpenPage) -> None:
    page = opened(library, open_page)
    page.fill("#filter", "nowhere")
    expect(page.locator("#no-match")).to_be_visible()
    page.click("#filter-clear")
    expect(page.locator(".slide")).to_have_count(4)
    expect(page.locator("#filter")).to_be_focused()


def test_a_view_is_saved_under_a_name_shown_again_and_deleted(
    library: Site, open_page: OpenPage
) -> None:
    page = open_page(f"{library.url}/?analysis=done&sort=name", may_fail=True)
    page.click("#view-save")
    page.fill("#view-name", "Finished ones")
    page.keyboard.press("Enter")
    page.fill("#reader-name", "Ann")
    page.keyboard.press("Enter")
    view = page.get_by_role("link", name="Finished ones")
    expect(view).to_have_attribute("aria-current", "page")
    expect(page.locator("#view-save")).to_be_hidden()
    page.get_by_role("link", name="All").click()
    expect(page.locator(".slide")).to_have_count(4)
    view.click()
    expect(page.locator(".slide")).to_have_count(2)
    expect(page.locator(".slide-name")).to_have_text(["a-calm.tif", "b-suspicious.tif"])
    page.get_by_role("button", name="Delete the view “Finished ones”").click()
    expect(view).to_have_count(0)


def test_mine_needs_a_name_and_says_so(library: Site, open_page: OpenPage) -> None:
    page = open_page(f"{library.url}/", may_fail=True)
    page.wait_for_selector(".slide")
    page.get_by_role("link", name="Mine").click()
    expect(page.locator("#list-problem")).to_be_visible()
    say_name(page)
    expect(page.locator("#list-problem")).to_be_hidden()
    expect(page.locator("#no-match")).to_be_visible()


def test_a_list_that_comes_late_does_not_take_the_place_of_the_chosen_one(
    library: Site, open_page: OpenPage
) -> None:
    page = open_page(f"{library.url}/", may_fail=True)
    page.wait_for_selector(".slide")
    held = Held("/slides[?].*mine=")(page)
    page.get_by_role("link", name="Mine").click()
    held.wait()
    page.get_by_role("link", name="All").click()
    expect(page.get_by_role("link", name="All")).to_have_attribute("aria-current", "page")
    expect(page.locator(".slide")).to_have_count(4)
    held.let_go()
    expect(page.locator("#list-problem")).to_be_hidden()
    expect(page.locator(".slide")).to_have_count(4)


def test_a_slide_shows_where_it_is_suspicious_on_its_thumbnail(
    library: Site, open_page: OpenPage
) -> None:
    page = opened(library, open_page)
    first = page.locator(".slide").first
    expect(first).to_contain_text("b-suspicious.tif")
    heat = first.locator(".is-heat")
    page.wait_for_function("image => image.complete", arg=heat.element_handle())
    assert heat.evaluate("image => image.naturalWidth") > 0
    # At one moment: rows are moved by what comes above them.
    slide, overlay = first.evaluate(
        "row => [...row.querySelectorAll('img')].map(img => img.getBoundingClientRect().toJSON())"
    )
    assert slide == overlay


def test_a_long_list_is_loaded_as_far_as_it_is_looked_at(site: Site, open_page: OpenPage) -> None:
    first = make_slide(site.slides / "s000.tif", (64, 64))
    for n in range(1, 150):
        # Other bytes at the end: other slides, of the same pixels.
        (site.slides / f"s{n:03}.tif").write_bytes(first.read_bytes() + bytes([n]) * n)
    site.scan()
    site.start()
    page = open_page(f"{site.url}/?sort=name")
    page.wait_for_selector(".slide")
    expect(page.locator("#count")).to_have_text("150 slides")
    for shown in (60, 120):
        expect(page.locator("#slides > li")).to_have_count(shown)
        page.locator("#slides > li").last.scroll_into_view_if_needed()
    expect(page.locator("#slides > li")).to_have_count(150)
    expect(page.locator("#more")).to_be_hidden()
    # Not as rendered: rows out of sight are not laid out.
    found = page.locator(".slide-name").all_text_contents()
    assert found == [f"s{n:03}.tif" for n in range(150)]


def test_a_list_in_use_keeps_its_order_until_asked(library: Site, open_page: OpenPage) -> None:
    page = opened(library, open_page)
    page.locator(".slide").nth(1).focus()
    hot = GRID.copy()
    hot[2, 2] = 0.99
    library.finished("c-new.tif", hot, **STEPS)
    page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#stale")).to_be_visible()
    assert names(page)[0] == "b-suspicious.tif"
    page.click("#stale")
    expect(page.locator(".slide-name").first).to_have_text("c-new.tif")


def test_enter_opens_the_most_suspicious_slide(library: Site, open_page: OpenPage) -> None:
    page = opened(library, open_page)
    page.keyboard.press("Enter")
    page.wait_for_url(library.viewer_url("b-suspicious.tif") + "**")
    expect(page.locator("#slide-position")).to_have_text("1 of 3")


@pytest.mark.parametrize("layout", ["list", "grid"])
def test_axe_finds_nothing_with_everything_open(
    library: Site, open_page: OpenPage, layout: str
) -> None:
    page = opened(library, open_page)
    page.click(".filters summary")
    page.click(f"#layout-{layout}")
    page.click("#reader")
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
