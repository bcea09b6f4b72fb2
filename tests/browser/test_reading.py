"""Verdicts: given by keyboard, kept with a name, seen by others, and blind where that is asked."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped] # has none
from flask import request, request_finished
from playwright.sync_api import Page, expect

from tests.browser.conftest import MakeSite, OpenPage, press_shortly, wait_for_heatmap
from tests.browser.held import Held
from tests.browser.site import Site
from tests.slides import make_slide

pytestmark = pytest.mark.browser

GRID = np.full((16, 20), 0.2, np.float32)
STEPS = {"step_l0_x_px": 64, "step_l0_y_px": 64}


def fill(site: Site) -> Site:
    for name in ("a.tif", "b.tif"):
        shade = np.full((1024, 1280, 3), 200 + ord(name[0]) % 50, np.uint8)
        make_slide(site.slides / name, (1280, 1024), draw=shade)
    site.scan()
    hot = GRID.copy()
    hot[3:6, 3:6] = 0.97
    site.finished("a.tif", hot, **STEPS)
    site.finished("b.tif", GRID, **STEPS)
    site.start()
    return site


@pytest.fixture
def library(site: Site) -> Site:
    return fill(site)


def opened(
    site: Site, open_page: OpenPage, name: str = "a.tif", reader: str | None = "Ann"
) -> Page:
    page = open_page(f"{site.url}/", may_fail=True)
    if reader:
        page.evaluate(
            "name => fetch('/api/v1/me', {method: 'PUT', body: JSON.stringify({name}),"
            " headers: {'Content-Type': 'application/json'}})",
            reader,
        )
    page.goto(site.viewer_url(name))
    page.wait_for_selector("body[data-ready]")
    return page


@contextmanager
def who_left(site: Site) -> Iterator[threading.Event]:
    """Set once the server has heard that somebody closed a slide: no page waits for that."""
    left = threading.Event()

    def hear(_sender: object, **_: Any) -> None:
        if request.path.endswith("/presence") and request.get_json().get("leaving"):
            left.set()

    with request_finished.connected_to(hear, site.app):
        yield left


def reading_of(site: Site, name: str) -> dict[str, object]:
    found: dict[str, object] = site.slide(name)["reading"]
    return found


def test_a_verdict_is_given_by_keyboard_and_leads_on(library: Site, open_page: OpenPage) -> None:
    page = opened(library, open_page, reader=None)
    wait_for_heatmap(page)
    press_shortly(page, "h")
    page.keyboard.press("v")
    page.keyboard.press("3")
    page.check("#verdict-next")
    page.keyboard.press("Enter")
    page.fill("#reader-name", "Ann")  # asked for once, when something is to be signed
    page.keyboard.press("Enter")
    page.wait_for_url(library.viewer_url("b.tif") + "**")
    reading = reading_of(library, "a.tif")
    verdict = reading["verdict"]
    assert isinstance(verdict, dict)
    assert (reading["state"], verdict["value"], verdict["reader"]) == ("reviewed", "micro", "Ann")
    assert verdict["overlay_on"] is False
    assert verdict["model_id"] == "test-model"


def test_a_verdict_tells_that_the_heat_map_was_shown(library: Site, open_page: OpenPage) -> None:
    page = opened(library, open_page)
    wait_for_heatmap(page)
    page.click("#verdict-open")
    page.get_by_text("No tumour").click()
    page.fill("#verdict-comment", "Sinus histiocytosis.")
    page.get_by_role("button", name="Give this verdict").click()
    expect(page.locator("#reading-chip")).to_have_text("reviewed")
    expect(page.locator("#reading-verdict")).to_have_text("No tumour, Ann")
    page.click("#verdict-count")
    expect(page.locator("#verdict-list li")).to_contain_text("with the heat map shown")
    expect(page.locator("#verdict-list li")).to_contain_text("Sinus histiocytosis.")


def test_without_a_choice_nothing_is_kept(library: Site, open_page: OpenPage) -> None:
    page = opened(library, open_page)
    page.click("#verdict-open")
    page.get_by_role("button", name="Give this verdict").click()
    expect(page.locator("#verdict-problem")).to_have_text("Choose one of the six.")
    assert reading_of(library, "a.tif")["verdicts"] == 0


def test_two_people_see_each_other(library: Site, open_page: OpenPage) -> None:
    first = opened(library, open_page, reader="Ann")
    expect(first.locator("#reading-chip")).to_have_text("in review")
    second = opened(library, open_page, reader="Ben")
    expect(second.locator("#reading-others")).to_have_text("Also open with Ann")
    with who_left(library) as left:
        second.goto("about:blank")
        assert left.wait(30)
    third = opened(library, open_page, reader="Cem")
    expect(third.locator("#reading-others")).to_have_text("Also open with Ann")


def test_assignee_and_second_opinion(library: Site, open_page: OpenPage) -> None:
    page = opened(library, open_page)
    expect(page.locator("#reading-chip")).to_have_text("in review")
    page.click("#assign-me")
    expect(page.locator("#reading-assignee")).to_have_text("Assigned to: Ann")
    page.click("#second-opinion")
    expect(page.locator("#reading-chip")).to_have_text("second opinion wanted")
    assert reading_of(library, "a.tif")["assignee"] == "Ann"
    page.goto(f"{library.url}/?state=second_opinion")
    expect(page.locator(".slide")).to_have_count(1)
    expect(page.locator(".slide")).to_contain_text("assigned to Ann")


def test_somebody_elses_change_is_told_and_nothing_is_lost(
    library: Site, open_page: OpenPage
) -> None:
    first = opened(library, open_page, reader="Ann")
    expect(first.locator("#reading-chip")).to_have_text("in review")
    second = opened(library, open_page, reader="Ben")
    second.click("#assign-me")
    expect(second.locator("#reading-assignee")).to_have_text("Assigned to: Ben")
    first.click("#assign-me")
    expect(first.locator("#reading-problem")).to_contain_text("Somebody changed this meanwhile")
    expect(first.locator("#reading-assignee")).to_have_text("Assigned to: Ben")


def test_ones_own_coming_is_nobody_elses_change(library: Site, open_page: OpenPage) -> None:
    page = opened(library, open_page)
    expect(page.locator("#reading-chip")).to_have_text("in review")
    page.goto("about:blank")
    coming = Held("/presence$", "POST")
    page = open_page(f"{library.url}/", may_fail=True)
    page.request.put(f"{library.url}/api/v1/me", data={"name": "Ben"})
    coming(page)
    page.goto(library.viewer_url("b.tif"))
    page.wait_for_selector("body[data-ready]")
    coming.wait()
    page.click("#assign-me")
    coming.let_go()
    expect(page.locator("#reading-assignee")).to_have_text("Assigned to: Ben")
    expect(page.locator("#reading-problem")).to_have_text("")


def test_who_is_asked_for_a_name_gets_the_slide_assigned(
    library: Site, open_page: OpenPage
) -> None:
    page = opened(library, open_page, reader=None)
    page.click("#assign-me")
    page.fill("#reader-name", "Ann")
    page.keyboard.press("Enter")
    expect(page.locator("#reading-assignee")).to_have_text("Assigned to: Ann")
    expect(page.locator("#reading-problem")).to_have_text("")


def test_how_it_was_before_the_verdict_does_not_come_back(
    library: Site, open_page: OpenPage
) -> None:
    page = open_page(f"{library.url}/")
    page.request.put(f"{library.url}/api/v1/me", data={"name": "Ann"})
    before = Held("/reading$")(page)
    page.goto(library.viewer_url("a.tif"))
    page.wait_for_selector("body[data-ready]")
    before.wait()
    page.keyboard.press("v")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.locator("#reading-verdict")).to_have_text("No tumour, Ann")
    before.let_go()
    assert page.inner_text("#reading-verdict") == "No tumour, Ann"


def test_a_blind_read_opens_the_heat_map_with_the_first_verdict(
    make_site: MakeSite, open_page: OpenPage
) -> None:
    site = fill(make_site(blind_first_read=("all",)))
    page = opened(site, open_page)
    expect(page.locator("#reading-locked")).to_be_visible()
    expect(page.locator("#heat-none")).to_contain_text("after your first verdict")
    expect(page.locator("#heat-controls")).to_be_hidden()
    assert "0.97" not in page.inner_text("#panel")
    page.keyboard.press("v")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    wait_for_heatmap(page)
    page.wait_for_selector("body[data-ready]")
    expect(page.locator("#reading-locked")).to_be_hidden()
    page.keyboard.press("v")
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    expect(page.locator("#verdict-count")).to_have_text("2 verdicts")
    page.click("#verdict-count")
    expect(page.locator("#verdict-list li").last).to_contain_text("without the heat map")


def test_a_verdict_sent_twice_is_one(library: Site, open_page: OpenPage) -> None:
    page = opened(library, open_page)
    page.keyboard.press("v")
    page.keyboard.press("1")
    page.locator("#verdict-form").evaluate("form => (form.requestSubmit(), form.requestSubmit())")
    expect(page.locator("#verdict")).to_be_hidden()
    expect(page.locator("#reading-verdict")).to_be_visible()
    assert reading_of(library, "a.tif")["verdicts"] == 1


def test_axe_finds_nothing_in_the_dialog(library: Site, open_page: OpenPage) -> None:
    page = opened(library, open_page)
    page.click("#verdict-open")
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
