"""A running analysis is watched, not reloaded."""

from datetime import timedelta

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import (
    MakeSite,
    OpenPage,
    centre_of_map,
    go_to,
    next_frame,
    wait_for_address,
    wait_for_heatmap,
)
from tests.browser.held import Held
from tests.browser.pictures import screenshot
from tests.browser.site import Site
from tests.slides import make_slide
from viewer.db import utc_now

pytestmark = pytest.mark.browser

NAME = "slide.tif"
SHAPE = (16, 20)


@pytest.fixture
def slide(site: Site) -> Site:
    make_slide(site.slides / NAME, (1280, 1024))
    site.scan()
    site.start()
    return site


def test_new_cells_appear_by_themselves(slide: Site, open_viewer: OpenPage) -> None:
    geometry = {"columns": SHAPE[1], "rows": SHAPE[0], "chunk_cells": 8}
    heatmap = slide.heatmap(NAME, step_l0_x_px=64, step_l0_y_px=64, **geometry)
    slide.analysis(NAME, "running", started_at=utc_now() - timedelta(minutes=1))
    page = open_viewer(slide.viewer_url(NAME))
    wait_for_heatmap(page)
    go_to(page, x=256, y=256, mag=20)
    x, y = centre_of_map(page)
    page.mouse.move(x + 5, y + 5)
    expect(page.locator("#probe-value")).to_have_text("not analysed")
    before = screenshot(page, (round(x) - 30, round(y) - 30, 20, 20))
    page.evaluate("() => { window.stillTheSamePage = true; }")

    heatmap.write_chunk((0, 0), np.full((8, 8), 0.9, np.float32))

    expect(page.locator("#probe-value")).to_have_text("0.90")
    next_frame(page)
    after = screenshot(page, (round(x) - 30, round(y) - 30, 20, 20))
    assert np.abs(after - before).max() > 30
    expect(page.locator("#panel")).to_contain_text("16 %")  # one of six chunks
    assert page.evaluate("() => window.stillTheSamePage")


def test_what_was_not_analysed_yet_is_hatched_while_running(
    slide: Site, open_viewer: OpenPage
) -> None:
    slide.heatmap(NAME, columns=SHAPE[1], rows=SHAPE[0], step_l0_x_px=64, step_l0_y_px=64)
    slide.analysis(NAME, "running")
    page = open_viewer(slide.viewer_url(NAME))
    wait_for_heatmap(page)
    expect(page.locator("#heat-hatch")).to_be_checked()
    go_to(page, x=256, y=256, mag=20, op=1)
    x, y = centre_of_map(page)
    clip = (round(x), round(y), 40, 40)
    hatched = screenshot(page, clip)
    page.uncheck("#heat-hatch")
    go_to(page, x=256, y=256, mag=20, op=0.99)
    bare = screenshot(page, clip)
    changed = (np.abs(hatched - bare).max(axis=2) > 20).mean()
    assert 0.05 < changed < 0.3  # thin lines


def test_cancel_and_continue(slide: Site, open_viewer: OpenPage) -> None:
    slide.analysis(NAME, "queued")
    page = open_viewer(slide.viewer_url(NAME))
    expect(page.locator("#analysis-state")).to_contain_text("Waiting")
    page.click("#analysis-cancel")
    expect(page.locator("#analysis-state")).to_contain_text("Cancelled")
    expect(page.locator("#analysis-start")).to_have_text("Continue")


def test_how_it_was_before_the_cancelling_does_not_come_back(
    slide: Site, open_viewer: OpenPage
) -> None:
    slide.analysis(NAME, "queued")
    page = open_viewer(slide.viewer_url(NAME))
    held = Held(r"/analyses/\w+$")(page)
    held.wait()
    page.click("#analysis-cancel")
    expect(page.locator("#analysis-state")).to_contain_text("Cancelled")
    page.evaluate(
        """() => {
          window.said = [];
          const state = document.getElementById('analysis-state');
          new MutationObserver(() => window.said.push(state.textContent))
            .observe(state, { childList: true, characterData: true, subtree: true });
        }"""
    )
    held.let_go()
    assert page.evaluate("() => window.said") == []


def test_opening_a_slide_asks_for_its_analysis_when_that_is_set(
    make_site: MakeSite, open_viewer: OpenPage
) -> None:
    site = make_site(analyse_on_open=True)
    make_slide(site.slides / NAME, (1280, 1024))
    site.scan()
    site.start()
    page = open_viewer(site.viewer_url(NAME))
    expect(page.locator("#analysis-state")).to_contain_text("Waiting")
    expect(
        page.locator("#analysis-worker")
    ).to_be_visible()  # none runs in this test, and it says so
    assert site.slide(NAME)["state"] == "queued"


def test_a_button_asks_for_the_analysis_otherwise(slide: Site, open_viewer: OpenPage) -> None:
    page = open_viewer(slide.viewer_url(NAME))
    assert slide.slide(NAME)["state"] == "unanalysed"
    page.click("#analysis-start")
    expect(page.locator("#analysis-state")).to_contain_text("Waiting")


def test_failure_gives_reason_hint_and_another_try(slide: Site, open_viewer: OpenPage) -> None:
    error = {"reason": "Level 2 cannot be read.", "hint": "Copy the file again."}
    slide.analysis(NAME, "failed", error=error)
    page = open_viewer(slide.viewer_url(NAME))
    expect(page.locator("#analysis-problem")).to_contain_text("Level 2 cannot be read.")
    expect(page.locator("#analysis-problem")).to_contain_text("Copy the file again.")
    expect(page.locator("#analysis-start")).to_have_text("Try again")


def test_no_tissue_is_never_no_cancer(slide: Site, open_viewer: OpenPage) -> None:
    slide.finished(NAME, np.full(SHAPE, np.nan, np.float32), step_l0_x_px=64, step_l0_y_px=64)
    page = open_viewer(slide.viewer_url(NAME))
    expect(page.locator("#analysis-state")).to_contain_text("nothing was analysed")
    expect(page.locator("#analysis-result")).to_be_hidden()


def test_a_reload_before_the_model_is_known_keeps_the_models_threshold(
    slide: Site, open_viewer: OpenPage
) -> None:
    page = open_viewer(slide.viewer_url(NAME))
    page.wait_for_function("() => location.hash.includes('op=')")
    assert "lo=" not in page.evaluate("() => location.hash")

    slide.heatmap(NAME, columns=SHAPE[1], rows=SHAPE[0], step_l0_x_px=64, step_l0_y_px=64)
    slide.analysis(NAME, "running")
    page.reload()
    wait_for_heatmap(page)
    wait_for_address(page)

    threshold = page.evaluate("() => new URLSearchParams(location.hash.slice(1)).get('lo')")
    info = page.request.get(f"{slide.url}/api/v1/analyses/{slide.slide(NAME)['id']:0>32}/heatmap")
    assert float(threshold) == pytest.approx(info.json()["threshold"], abs=1e-4)
