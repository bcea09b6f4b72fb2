"""The view: deep links, calibration, scale, and what happens when the server goes away."""

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    OpenPage,
    go_to,
    next_frame,
    turn_wheel,
    wait_for_address,
    wait_for_heatmap,
    wait_for_tiles,
)
from tests.browser.pictures import screenshot
from tests.browser.site import Site
from tests.slides import DARK, GLASS, Square, make_slide, square_on_glass

pytestmark = pytest.mark.browser

NAME = "slide.tif"
GRID = np.full((32, 47), 0.8, np.float32)


def start(site: Site, mpp: float | None = 0.25) -> str:
    make_slide(site.slides / NAME, (3000, 2000), mpp=mpp)
    site.scan()
    if mpp:
        site.finished(NAME, GRID, step_l0_x_px=64, step_l0_y_px=64)
    site.start()
    return site.viewer_url(NAME)


def test_deep_link_survives_a_reload(site: Site, open_viewer: OpenPage) -> None:
    page = open_viewer(start(site))
    wait_for_heatmap(page)
    go_to(page, x=1234.5, y=777, mag=13.7, ov=1, op=0.35, lo=0.25, hi=0.9, map="cividis")
    page.mouse.move(5, 5)
    whole(page)
    before, link = screenshot(page), page.url
    page.reload()
    page.wait_for_selector("body[data-ready]")
    wait_for_heatmap(page)
    whole(page)
    after = screenshot(page)
    assert (np.abs(after - before).max(axis=2) > 40).mean() < 0.005
    assert page.input_value("#heat-opacity") == "35"
    assert page.input_value("#heat-colormap") == "cividis"
    assert page.inner_text("#heat-range") == "Shown: 0.25 to 0.90"
    assert page.url == link  # nothing drifts from reload to reload


def whole(page: Page) -> None:
    """Until everything is there that a page shows by itself, and the address tells it."""
    wait_for_address(page)
    wait_for_tiles(page)
    expect(page.locator("#slide-position")).to_have_text("1 of 1")
    expect(page.locator("#reader")).to_be_visible()
    expect(page.locator(".spot")).not_to_have_count(0)
    # Told with the next look at the analysis.
    expect(page.locator("#spots-score")).not_to_be_empty()
    expect(page.locator("#flag-empty")).to_be_visible()
    expect(page.locator("#analysis-result")).to_be_visible()
    page.wait_for_function(
        """() => [...document.images].every(image => {
          const { top, bottom } = image.getBoundingClientRect();
          const inView = bottom > 0 && top < innerHeight && image.checkVisibility();
          return !inView || (image.complete && image.naturalWidth > 0);
        })"""
    )
    next_frame(page)


def test_nonsense_in_a_link_is_harmless(site: Site, open_viewer: OpenPage) -> None:
    page = open_viewer(start(site) + "#x=1e99&y=&mag=-3&op=7&lo=x&map=<img>&ov=")
    expect(page.locator("#magnification-value")).not_to_be_empty()
    assert page.locator(".leaflet-tile-loaded").count() > 0


def test_overlay_off_in_a_link_stays_off(site: Site, open_viewer: OpenPage) -> None:
    page = open_viewer(start(site) + "#ov=0")
    wait_for_heatmap(page)
    assert page.locator(".heatmap-layer").evaluate("e => e.style.visibility") == "hidden"


def test_uncalibrated_slide_asks_for_its_resolution(site: Site, open_viewer: OpenPage) -> None:
    page = open_viewer(start(site, mpp=None))
    expect(page.locator("#scalebar")).to_have_text("uncalibrated")
    expect(page.locator("#magnification-value")).to_contain_text("%")
    page.fill("#mpp-x", "0,5")
    expect(page.locator("#mpp-y")).to_have_value("0,5")
    page.click("#resolution-form button")
    expect(page.locator("#resolution-problem")).to_contain_text("Who sets the resolution?")
    page.fill("#mpp-set-by", "Dr Hedda")
    page.fill("#mpp-x", "500")
    page.click("#resolution-form button")
    expect(page.locator("#resolution-problem")).to_contain_text("0.05 to 20")
    page.fill("#mpp-x", "0.5")
    page.click("#resolution-form button")
    expect(page.locator("#magnification-value")).to_contain_text("×")
    expect(page.locator("#slide-facts")).to_contain_text("set by Dr Hedda")
    expect(page.locator("#scalebar-label")).to_contain_text("µm")
    assert site.slide(NAME)["mpp_set_by"] == "Dr Hedda"


def test_scale_bar_is_true_to_the_pixel(site: Site, open_viewer: OpenPage) -> None:
    """A square of known size is as long as the bar says."""
    side_um = 200
    side_px = round(side_um / 0.25)
    square = Square(700, 700, 700 + side_px, 700 + side_px)
    make_slide(site.slides / NAME, (3000, 2400), draw=square_on_glass(square))
    site.scan()
    site.start()
    page = open_viewer(site.viewer_url(NAME))
    for mag in (10, 13.37, 20):
        go_to(page, x=1100, y=1100, mag=mag)
        label = page.inner_text("#scalebar-label")
        bar_px = page.evaluate(
            "() => document.getElementById('scalebar-line').getBoundingClientRect().width"
        )
        um_per_px = float(label.removesuffix(" µm")) / bar_px
        line = screenshot(page)[340].sum(axis=1)
        seen_px = int((line < (sum(GLASS) + sum(DARK)) / 2)[:680].sum())
        assert abs(seen_px - side_um / um_per_px) <= 1.5


def test_zooming_does_not_move_what_is_under_the_cursor(site: Site, open_viewer: OpenPage) -> None:
    page = open_viewer(start(site))
    wait_for_heatmap(page)
    go_to(page, x=1500, y=1000, mag=10)
    page.mouse.move(400, 300)
    expect(page.locator("#probe-place")).to_contain_text("mm")
    before = place(page)
    turn_wheel(page, -300)
    page.wait_for_function("() => Number(location.hash.match(/mag=([0-9.]+)/)[1]) > 25")
    after = place(page)
    assert np.abs(np.subtract(before, after)).max() <= 0.011  # mm, as it is shown


def place(page: Page) -> list[float]:
    text = page.inner_text("#probe-place").removesuffix(" mm")
    return [float(part) for part in text.split(", ")]


def test_page_survives_a_server_that_goes_away(site: Site, open_viewer: OpenPage) -> None:
    url = start(site)
    page = open_viewer(url, may_fail=True)
    wait_for_heatmap(page)
    site.stop()
    page.evaluate("() => { location.hash = '#x=300&y=300&mag=40'; }")
    expect(page.locator("#banner")).to_contain_text("does not answer")
    site.start()
    expect(page.locator("#banner")).to_contain_text("answers again")
    wait_for_tiles(page)


def test_changed_file_is_told_and_not_mixed_in(site: Site, open_viewer: OpenPage) -> None:
    page = open_viewer(start(site), may_fail=True)
    make_slide(site.slides / NAME, (2000, 1500))
    site.scan()
    page.evaluate("() => { location.hash = '#x=300&y=300&mag=40'; }")
    expect(page.locator("#banner")).to_contain_text("was changed or removed")
    expect(page.locator("#banner-worklist")).to_be_visible()
