"""Two models laid over each other: what differs, in colours, in words, and never for good."""

from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped] # has none
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    OpenPage,
    centre_of_map,
    go_to,
    press_shortly,
    wait_for_heatmap,
    wait_for_tiles,
)
from tests.browser.held import Held
from tests.browser.pictures import screenshot
from tests.browser.site import Site
from tests.slides import EOSIN, make_slide
from tests.tours import draw_analysis
from viewer.analyses.job import discard, heatmap_path

pytestmark = pytest.mark.browser

STEP_PX = 64
BLUE, ORANGE, WHITE = np.array([[0, 160, 255], [255, 165, 0], [255, 255, 255]])
FADING = 0.75

# Columns of cells: the shown model higher, lower, the same, alone, neither, the other alone.
SHOWN, OTHER = (np.full((16, 20), np.nan, np.float32) for _ in range(2))
SHOWN[2:14, 2:5], OTHER[2:14, 2:5] = 0.9, 0.1
SHOWN[2:14, 5:8], OTHER[2:14, 5:8] = 0.2, 0.7
SHOWN[2:14, 8:11], OTHER[2:14, 8:11] = 0.8, 0.8
SHOWN[2:14, 11:14] = 0.9
OTHER[2:14, 17:19] = 0.9
HIGHER, LOWER, EQUAL, ALONE, NEITHER, OTHER_ALONE = 3, 6, 9, 12, 15, 18
ROW = 8


Grid = NDArray[np.float32]


def add(site: Site, grid: Grid, number: int, model_id: str, step_px: int = STEP_PX) -> str:
    """A finished analysis of the slide; its id."""
    slide = site.slide("slide.tif")
    geometry: dict[str, Any] = {"step_l0_x_px": step_px, "step_l0_y_px": step_px}
    geometry |= {"chunk_cells": 32, "model_id": model_id}
    return draw_analysis(site.sessions, site.settings, slide, grid, number=number, **geometry)


def prepare(site: Site, shown: Grid, other: Grid, step_px: int = STEP_PX) -> Site:
    tissue = np.empty((1024, 1280, 3), np.uint8)
    tissue[:] = EOSIN
    make_slide(site.slides / "slide.tif", (1280, 1024), draw=tissue)
    site.scan()
    add(site, other, 1, "other-model", step_px)
    add(site, shown, 2, "shown-model", step_px)  # the newest is shown
    site.start()
    return site


def other_id(site: Site) -> str:
    return f"{site.slide('slide.tif')['id']}{1:012x}"


@pytest.fixture
def library(site: Site) -> Site:
    return prepare(site, SHOWN, OTHER)


@pytest.fixture
def opened(site: Site, open_viewer: OpenPage) -> OpenPage:
    """Opens the slide at 10×, so that every cell has 16 px, and the comparison beside it."""

    def opened(**options: Any) -> Page:
        page = open_viewer(site.viewer_url("slide.tif"), **options)
        wait_for_heatmap(page)
        # Their numbers lie over cells.
        expect(page.locator(".spot-mark")).not_to_have_count(0)
        go_to(page, x=640, y=512, mag=10, op=0.5)
        page.locator("#agreement summary").click()
        return page

    return opened


def switch_on(page: Page) -> None:
    """As people without a pointer do it; the overlay is drawn then."""
    expect(page.locator("#agreement-difference")).to_be_enabled()
    page.focus("#agreement-difference")
    page.keyboard.press("Space")
    expect(page.locator("#agreement-difference")).to_be_checked()
    drawn(page)


def drawn(page: Page) -> None:
    """Until the overlay has tiles, all are painted, and none is waited for."""
    page.wait_for_selector(".heatmap-layer .leaflet-tile", state="attached")
    wait_for_tiles(page)


def place(page: Page, column: int) -> tuple[int, int]:
    """Middle of a cell in CSS px; the view is centred on the corner of cell (10, 8)."""
    x, y = centre_of_map(page)
    magnification = page.evaluate("() => Number(location.hash.match(/mag=([^&]*)/)[1])")
    cell_px = STEP_PX * magnification / 40  # 40×: 0.25 µm/px
    return round(x + (column + 0.5 - 10) * cell_px), round(y + (ROW + 0.5 - 8) * cell_px)


def colour(page: Page, column: int) -> NDArray[np.float64]:
    """Most of a cell, without lines that hatch it: the middle of each channel."""
    x, y = place(page, column)
    pixels = screenshot(page, (x - 5, y - 5, 10, 10)).reshape(-1, 3)
    return np.asarray(np.median(pixels, axis=0), np.float64)


def across(page: Page) -> NDArray[np.int16]:
    """A strip through all columns, while no cell is pointed at."""
    page.mouse.move(1, 1)
    (left, y), (right, _) = place(page, 1), place(page, OTHER_ALONE)
    return screenshot(page, (left, y - 5, right - left, 10))


def is_hatched(page: Page, column: int) -> bool:
    """Whether lines lighter than the rest cross a cell."""
    x, y = place(page, column)
    cell = screenshot(page, (x - 7, y - 7, 14, 14)).sum(axis=2)
    return bool((cell > np.median(cell) + 30).sum() >= 10)


def over_tissue(end: NDArray[np.int64], difference: float) -> NDArray[np.float64]:
    """The colour of a difference over the slide, at half opacity."""
    share = 0.5 * abs(difference) ** FADING
    return np.asarray(np.asarray(EOSIN) * (1 - share) + end * share, np.float64)


def reads(page: Page, column: int, text: str) -> None:
    """What the probe reads of a cell."""
    page.mouse.move(*place(page, column))
    expect(page.locator("#probe-value")).to_have_text(text)


@pytest.mark.usefixtures("library")
def test_colours_and_probe_say_which_model_is_higher_and_how_much(opened: OpenPage) -> None:
    page = opened()
    switch_on(page)
    assert np.abs(colour(page, HIGHER) - over_tissue(ORANGE, 0.8)).max() <= 3
    assert np.abs(colour(page, LOWER) - over_tissue(BLUE, 0.5)).max() <= 3
    assert np.abs(colour(page, EQUAL) - EOSIN).max() <= 2
    assert not any(is_hatched(page, column) for column in (HIGHER, LOWER, EQUAL))
    reads(page, HIGHER, "this 0.90 · other 0.10 · difference +0.80")
    expect(page.locator("#difference-probe")).to_be_visible()
    reads(page, LOWER, "this 0.20 · other 0.70 · difference −0.50")
    reads(page, EQUAL, "this 0.80 · other 0.80 · difference 0.00")


@pytest.mark.usefixtures("library")
def test_what_one_model_alone_analysed_is_hatched_and_not_a_difference(opened: OpenPage) -> None:
    page = opened()
    assert not is_hatched(page, NEITHER)
    switch_on(page)
    for column in (ALONE, NEITHER, OTHER_ALONE):
        assert is_hatched(page, column)
        assert np.abs(colour(page, column) - EOSIN).max() <= 2
    reads(page, ALONE, "this 0.90 · other not analysed")
    reads(page, OTHER_ALONE, "this not analysed · other 0.90")
    reads(page, NEITHER, "not analysed")
    expect(page.locator("#difference-probe")).to_be_hidden()


@pytest.mark.usefixtures("library")
def test_legend_names_both_models_and_what_a_spot_stands_for(opened: OpenPage) -> None:
    page = opened()
    switch_on(page)
    legend = page.locator(".difference-only")
    expect(legend).to_contain_text("Blue: higher in other-model, version 1.0.0 (the other)")
    expect(legend).to_contain_text("Orange: higher in shown-model, version 1.0.0 (shown)")
    expect(legend).to_contain_text("Hatched: analysed by one of them only")
    for hidden in ("#heat-lower", "#heat-colormap", "#heat-hatch", "#heat-maximum"):
        expect(page.locator(hidden)).to_be_hidden()


def test_zoomed_out_it_is_the_difference_of_maxima_and_says_so(
    site: Site, opened: OpenPage
) -> None:
    """Where either model is high in every other cell, they differ in each and not in any block."""
    shown, other = (np.kron(grid, np.ones((16, 16), np.float32)) for grid in (SHOWN, OTHER))
    board = np.indices(shown.shape).sum(axis=0) % 2 == 0
    part = np.s_[:, 16 * 8 : 16 * 11]
    shown[part] = np.where(board, 0.9, 0.1)[part]
    other[part] = np.where(board, 0.1, 0.9)[part]
    prepare(site, shown, other, STEP_PX // 16)
    page = opened()
    go_to(page, x=640, y=512, mag=20)
    switch_on(page)
    expect(page.locator("#heat-maximum")).to_be_hidden()
    page.mouse.move(*place(page, EQUAL))
    value = page.locator("#probe-value")
    expect(value).to_contain_text("difference")
    expect(value).not_to_contain_text("difference 0.00")
    go_to(page, x=640, y=512, mag=5)
    drawn(page)
    expect(page.locator("#heat-maximum")).to_contain_text("the highest of 2 × 2 cells of the one")
    reads(page, EQUAL, "this 0.90 · other 0.90 · difference 0.00")
    expect(page.locator("#probe-note")).to_have_text("each the highest of 2 × 2 cells")
    page.uncheck("#agreement-difference")
    expect(page.locator("#heat-maximum")).to_have_text(
        "At this zoom each spot shows the highest of 2 × 2 cells."
    )


@pytest.mark.usefixtures("library")
def test_hidden_with_h_and_switched_off_it_is_what_it_was(opened: OpenPage) -> None:
    page = opened()
    page.keyboard.press("]")
    drawn(page)
    before, limits = across(page), page.inner_text("#heat-range")
    reads(page, HIGHER, "0.90")
    switch_on(page)
    page.keyboard.press("[")  # moves nothing that is not seen
    difference = across(page)
    assert np.abs(difference - before).max() > 30
    press_shortly(page, "h")
    drawn(page)
    assert np.abs(across(page) - EOSIN).max() <= 2
    press_shortly(page, "h")
    drawn(page)
    assert np.array_equal(across(page), difference)
    page.keyboard.press("Space")
    expect(page.locator("#agreement-difference")).not_to_be_checked()
    drawn(page)
    assert np.array_equal(across(page), before)
    assert page.inner_text("#heat-range") == limits
    reads(page, HIGHER, "0.90")
    expect(page.locator(".difference-only")).to_be_hidden()


@pytest.mark.usefixtures("library")
def test_choosing_another_model_goes_back_to_the_plain_heat_map(opened: OpenPage) -> None:
    page = opened()
    switch_on(page)
    page.select_option("#models-shown", index=1)
    expect(page.locator("#agreement-difference")).not_to_be_checked()
    expect(page.locator(".difference-only")).to_be_hidden()
    expect(page.locator("#model-name")).to_contain_text("other-model")
    expect(page.locator("#agreement-other option")).to_contain_text("shown-model")
    switch_on(page)  # now the other way round
    reads(page, HIGHER, "this 0.10 · other 0.90 · difference −0.80")
    assert np.abs(colour(page, HIGHER) - over_tissue(BLUE, 0.8)).max() <= 3


def test_a_heat_map_that_comes_late_does_not_take_the_place_of_the_chosen_one(
    library: Site, open_viewer: OpenPage
) -> None:
    page = open_viewer(library.viewer_url("slide.tif"))
    wait_for_heatmap(page)
    go_to(page, x=640, y=512, mag=10)
    held = Held(f"/analyses/{other_id(library)}/heatmap$")(page)
    page.select_option("#models-shown", index=1)
    held.wait()
    page.select_option("#models-shown", index=0)
    held.let_go()
    assert "shown-model" in page.inner_text("#model-name")
    wait_for_tiles(page)
    reads(page, LOWER, "0.20")


def test_another_heat_map_that_is_gone_is_told_and_nothing_of_it_stays(
    library: Site, opened: OpenPage
) -> None:
    page = opened(may_fail=True)
    expect(page.locator("#agreement-difference")).to_be_enabled()
    discard(heatmap_path(library.settings, other_id(library)))
    page.locator("#agreement-difference").click()
    reason = page.locator("#agreement-difference-reason")
    expect(reason).to_contain_text("is not there")
    expect(page.locator("#agreement-difference")).to_be_disabled()
    expect(page.locator("#agreement-difference")).not_to_be_checked()
    expect(page.locator(".difference-only")).to_be_hidden()


def test_other_cells_cannot_be_subtracted_and_the_page_says_why(
    library: Site, opened: OpenPage
) -> None:
    wider = np.full((8, 10), 0.5, np.float32)
    coarse_id = add(library, wider, 3, "coarse-model", 2 * STEP_PX)
    page = opened(may_fail=True)
    expect(page.locator("#agreement-other option")).to_have_count(2)
    reason = page.locator("#agreement-difference-reason")
    why = "Not possible for these two: their cells differ in size and number."
    expect(reason).to_have_text(why)
    switch = page.get_by_label("Show the difference on the slide")
    expect(switch).to_be_disabled()
    expect(switch).to_have_accessible_description(why)
    # Two that do have the same cells are found among the three.
    page.select_option("#models-shown", index=1)
    expect(page.locator("#model-name")).to_contain_text("shown-model")
    expect(page.locator(f"#agreement-other option[value='{coarse_id}']")).to_have_count(1)
    page.select_option("#agreement-other", value=other_id(library))
    expect(reason).to_be_hidden()
    switch_on(page)
    page.select_option("#agreement-other", value=coarse_id)
    expect(switch).to_be_disabled()
    expect(page.locator(".difference-only")).to_be_hidden()


@pytest.mark.usefixtures("library")
def test_a_slide_that_is_gone_keeps_no_difference(opened: OpenPage) -> None:
    page = opened()
    switch_on(page)
    # How a page finds that out is tested in test_slide_gone.py.
    page.evaluate("async () => (await import('/static/js/banner.js')).showSlideGone()")
    expect(page.locator("#banner-worklist")).to_be_visible()
    expect(page.locator(".difference-only")).to_be_hidden()
    expect(page.locator("#agreement-difference")).not_to_be_checked()


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_no_barrier_in_the_difference(opened: OpenPage, scheme: str) -> None:
    page = opened(color_scheme=scheme)
    switch_on(page)
    reads(page, HIGHER, "this 0.90 · other 0.10 · difference +0.80")
    assert Axe().run(page).response["violations"] == []
