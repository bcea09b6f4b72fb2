"""Flags in the browser: drawn by pointer and by keys, kept whatever happens to the server."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import OpenPage, centre_of_map, eventually, go_to, next_frame
from tests.browser.held import Held
from tests.browser.pictures import screenshot
from tests.browser.site import Site
from tests.flags import Flagged, point, polygon, rectangle, ring
from tests.slides import make_slide

pytestmark = pytest.mark.browser

SIZE = (2000, 1600)
MPP = 0.5
OpenAs = Callable[..., Page]


@pytest.fixture
def started(site: Site) -> Site:
    make_slide(site.slides / "slide.tif", SIZE, mpp=MPP)
    site.scan()
    site.start()
    return site


@pytest.fixture
def flagged(started: Site) -> Flagged:
    """The same slide over the API, as somebody else."""
    return Flagged(started.app.test_client(), started.slide("slide.tif")["id"], "Bob")


@pytest.fixture
def open_as(started: Site, open_viewer: OpenPage) -> OpenAs:
    """The viewer at 10×, level-0 (1000, 800) in its middle."""

    def open_as(reader: str = "Ada", **options: Any) -> Page:
        page = open_viewer(started.viewer_url("slide.tif"), **options)
        page.request.put(f"{started.url}/api/v1/me", data={"name": reader})
        go_to(page, x=1000, y=800, mag=10)
        return page

    return open_as


def saved(page: Page) -> None:
    """Until the server has all that was changed; only once the page knows of the change."""
    expect(page.locator("#flag-saving")).to_have_attribute("data-state", "saved")


def flags_drawn(page: Page) -> None:
    """Until flags are on the map and none is to come: before that, nothing is hit there."""
    page.wait_for_function(
        """() => {
          const layer = document.querySelector('.flag-layer');
          const shown = [...layer.querySelectorAll('canvas')]
            .filter(canvas => canvas.style.display !== 'none'); // those without a flag are not
          return layer.ariaBusy === 'false' && shown.length > 0;
        }"""
    )
    next_frame(page)


def at(page: Page, x_l0_px: float, y_l0_px: float) -> tuple[float, float]:
    """Where a place of the slide is on the screen, at 10×: two level-0 pixels on one."""
    x, y = centre_of_map(page)
    return x + (x_l0_px - 1000) / 2, y + (y_l0_px - 800) / 2


def click(page: Page, *places: tuple[float, float]) -> None:
    for place in places:
        page.mouse.click(*at(page, *place))


def drag(page: Page, start: tuple[float, float], *places: tuple[float, float]) -> None:
    page.mouse.move(*at(page, *start))
    page.mouse.down()
    for place in places:
        page.mouse.move(*at(page, *place), steps=4)
    page.mouse.up()


def near(geometry: dict[str, Any], wanted: list[list[float]], reach: float = 3) -> bool:
    found = geometry["coordinates"][0]
    return len(found) == len(wanted) and all(
        abs(a - b) <= reach
        for one, other in zip(found, wanted, strict=True)
        for a, b in zip(one, other, strict=True)
    )


SQUARE = rectangle(800, 600, 1200, 1000)


def test_a_polygon_with_a_hole_label_and_reason(open_as, flagged):
    page = open_as()
    page.keyboard.press("p")
    click(page, *SQUARE[:-1])
    page.keyboard.press("Enter")
    expect(page.locator("#flag-selected")).to_be_visible()
    page.keyboard.press("Shift+T")
    page.keyboard.press("c")
    click(page, (900, 700), (1000, 700), (1000, 800))
    page.keyboard.press("Enter")
    page.fill("#flag-reason", "mitoses")
    page.locator("#flag-reason").blur()
    saved(page)
    (flag,) = flagged.list()["items"]
    assert (flag["kind"], flag["label"], flag["reason"]) == ("polygon", "Tumor", "mitoses")
    assert near(flag["geometry"], SQUARE)
    assert len(flag["geometry"]["coordinates"]) == 2
    assert flag["created_by"] == "Ada"
    assert flag["area_mm2"] == pytest.approx((400**2 - 100**2 / 2) * MPP**2 / 1e6, rel=0.02)
    expect(page.locator("#flag-size")).to_have_text("0.04 mm²")


def test_box_freehand_ruler_and_point_by_pointer(open_as, flagged):
    page = open_as()
    page.keyboard.press("r")
    drag(page, (700, 500), (900, 650))
    page.keyboard.press("d")
    drag(page, (1100, 500), (1300, 520), (1310, 700), (1120, 690))
    page.keyboard.press("m")
    click(page, (700, 1000), (900, 1000))
    page.keyboard.press("o")
    click(page, (1200, 1100))
    saved(page)
    flags = {flag["kind"]: flag for flag in flagged.list()["items"]}
    assert set(flags) == {"box", "freehand", "ruler", "point"}
    assert flags["box"]["bbox_l0_px"] == pytest.approx([700, 500, 900, 650], abs=3)
    assert flags["freehand"]["area_mm2"] == pytest.approx(195 * 185 * MPP**2 / 1e6, rel=0.1)
    assert flags["ruler"]["length_um"] == pytest.approx(100, abs=2)
    assert flags["point"]["geometry"]["coordinates"] == pytest.approx([1200, 1100], abs=3)


def test_everything_is_drawn_by_keys_alone(open_as, flagged):
    page = open_as()
    page.locator("#map").focus()
    page.keyboard.press("p")
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft"):
        page.keyboard.press("Space")
        page.keyboard.press(key)
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.keyboard.press("r")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.keyboard.press("m")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.keyboard.press("d")
    page.keyboard.press("Space")
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft"):
        page.keyboard.press(key)
    page.keyboard.press("Space")
    saved(page)
    kinds = sorted(flag["kind"] for flag in flagged.list()["items"])
    assert kinds == ["box", "freehand", "polygon", "ruler"]
    page.keyboard.press("Enter")  # describes the selected flag
    expect(page.locator("#flag-label")).to_be_focused()


def test_corners_are_moved_added_and_removed_by_keys(open_as, flagged):
    flagged.create(polygon(rectangle(800, 600, 1200, 1000)))
    page = open_as()
    page.click(".flag-row")
    page.locator("#map").focus()
    page.keyboard.press(".")
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Space")
    saved(page)
    ring_now = flagged.list()["items"][0]["geometry"]["coordinates"][0]
    assert len(ring_now) == 6
    assert ring_now[0][0] < 800
    page.keyboard.press("Delete")
    saved(page)
    assert len(flagged.list()["items"][0]["geometry"]["coordinates"][0]) == 5
    page.keyboard.press("Delete")  # no corner is in hand now: the flag itself
    saved(page)
    assert flagged.list()["total"] == 0


def test_undo_and_redo_survive_a_reload(open_as, flagged):
    flag = flagged.create(polygon(SQUARE))
    page = open_as()
    flags_drawn(page)
    click(page, (800, 800))  # its border
    expect(page.locator("#flag-selected")).to_be_visible()
    drag(page, (1200, 1000), (1300, 1100))
    saved(page)
    moved = flagged.get(flag).get_json()["geometry"]
    assert not near(moved, SQUARE)
    page.reload()
    page.wait_for_selector("body[data-flags]")
    page.keyboard.press("Control+z")
    expect(page.locator("#toast")).to_have_text("Undone.")
    saved(page)
    assert near(flagged.get(flag).get_json()["geometry"], SQUARE, 0)
    page.keyboard.press("Control+y")
    expect(page.locator("#toast")).to_have_text("Done again.")
    saved(page)
    assert flagged.get(flag).get_json()["geometry"] == moved


def test_a_deleted_flag_comes_back_by_undo(open_as, flagged):
    flag = flagged.create(point(1000, 800), label="Tumor")
    page = open_as()
    page.click(".flag-row")
    page.click("#flag-delete")
    saved(page)
    assert flagged.get(flag).status_code == 404
    page.keyboard.press("Control+z")
    expect(page.locator("#toast")).to_have_text("Undone.")
    saved(page)
    assert flagged.get(flag).get_json()["label"] == "Tumor"


def test_the_second_editor_is_told_and_both_are_kept(open_as, flagged):
    flag = flagged.create(polygon(SQUARE))
    page = open_as(may_fail=True)
    page.click(".flag-row")
    expect(page.locator("#flag-selected")).to_be_visible()
    # A page that is looked at asks for news now and then: it would be told too early.
    page.evaluate("() => Object.defineProperty(document, 'visibilityState', { value: 'hidden' })")
    theirs = flagged.patch(flag, state="disagreed", reason="a follicle").get_json()
    page.select_option("#flag-label", "Tumor")
    dialog = page.locator(".flag-conflict")
    expect(dialog).to_contain_text("Bob changed it")
    expect(dialog).to_contain_text("a follicle")
    dialog.get_by_role("button", name="Keep theirs, and mine as a copy").click()
    saved(page)
    now = flagged.get(flag).get_json()
    assert (now["version"], now["state"], now["label"]) == (theirs["version"], "disagreed", None)
    copy = next(one for one in flagged.list()["items"] if one["id"] != flag["id"])
    assert (copy["label"], copy["geometry"], copy["created_by"]) == (
        "Tumor",
        flag["geometry"],
        "Ada",
    )


def test_what_the_server_did_not_take_is_kept_and_sent_later(open_as, flagged, started):
    page = open_as(may_fail=True)
    started.stop()
    page.keyboard.press("f")
    expect(page.locator("#flag-saving")).to_have_attribute("data-state", "waiting")
    expect(page.locator("#flag-saving")).to_contain_text("1 change kept here")
    expect(page.locator(".flag-row")).to_have_count(1)
    started.start()
    saved(page)
    (flag,) = flagged.list()["items"]
    assert flag["geometry"]["coordinates"] == pytest.approx([1000, 800], abs=2)


def test_what_is_written_after_a_flag_whose_answer_was_lost_is_kept(open_as, flagged, started):
    page = open_as(may_fail=True)

    taken = []

    # Not by stopping the server: connections that are open would still be answered.
    def take_and_break_off(route: Route) -> None:
        if not taken and route.request.method == "POST":
            taken.append(route.fetch().status)
        route.abort()

    page.route(re.compile(r"/flags$|/healthz"), take_and_break_off)
    assert page.evaluate("fetch('/healthz').then(() => 'answered', () => 'cut')") == "cut"
    page.keyboard.press("f")
    expect(page.locator("#flag-saving")).to_have_attribute("data-state", "waiting")
    page.fill("#flag-reason", "Look here")
    page.locator("#flag-reason").blur()
    page.unroute(re.compile(r"/flags$|/healthz"))
    saved(page)
    (flag,) = flagged.list()["items"]
    assert flag["reason"] == "Look here"


def test_nothing_is_lost_when_the_page_is_left_before_it_was_saved(open_as, flagged, started):
    page = open_as(may_fail=True)
    page.on("dialog", lambda dialog: dialog.accept())
    page.route("**/api/v1/slides/*/flags", lambda route: route.abort())
    page.keyboard.press("f")
    expect(page.locator("#flag-saving")).to_have_attribute("data-state", "waiting")
    page.unroute("**/api/v1/slides/*/flags")
    page.reload()
    page.wait_for_selector("body[data-flags]")
    saved(page)
    assert flagged.list()["total"] == 1


def test_the_name_is_asked_for_once_and_refusing_it_loses_nothing(started, open_viewer, flagged):
    page = open_viewer(started.viewer_url("slide.tif"), may_fail=True)
    page.keyboard.press("f")
    dialog = page.locator("dialog[open]")
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.locator("#flag-saving")).to_have_attribute("data-state", "nameless")
    page.click("#flag-save-again")
    page.fill("#reader-name", "Cleo")
    page.keyboard.press("Enter")
    saved(page)
    assert flagged.list()["items"][0]["created_by"] == "Cleo"


def test_the_list_filters_and_leads_to_a_flag(open_as, flagged):
    flagged.create(point(100, 100), label="Tumor", reason="first")
    flagged.create(point(1900, 1500), label="Stroma", reason="second", state="agreed")
    page = open_as()
    expect(page.locator(".flag-row")).to_have_count(2)
    page.select_option("#flag-filter-label", "Stroma")
    expect(page.locator(".flag-row")).to_have_count(1)
    expect(page.locator("#flag-count")).to_have_text("1 of 2 flags")
    page.click(".flag-row")
    page.wait_for_function(
        "() => location.hash.includes('x=1900') && location.hash.includes('y=1500')"
    )
    expect(page.locator("#flag-state")).to_have_value("agreed")
    page.select_option("#flag-filter-label", "*")
    page.fill("#flag-filter-text", "nothing like it")
    expect(page.locator("#flag-no-match")).to_be_visible()


def test_comments_and_history_are_told(open_as, flagged):
    flag = flagged.create(point(1000, 800))
    flagged.client.post(f"/api/v1/flags/{flag['id']}/comments", json={"text": "Why here?"})
    page = open_as()
    page.click(".flag-row")
    expect(page.locator("#flag-comments")).to_contain_text("Why here?")
    page.fill("#flag-comment", "A mitosis.")
    page.click("#flag-comment-send")
    expect(page.locator("#flag-comments li")).to_have_count(2)
    page.select_option("#flag-state", "agreed")
    saved(page)
    page.click("#flag-history summary")
    expect(page.locator("#flag-versions li")).to_have_count(2)


def test_escape_lays_the_tool_down_and_stays_on_the_page(open_as):
    page = open_as()
    page.keyboard.press("p")
    expect(page.locator("#tool-polygon")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect(page.locator("#tool-polygon")).to_have_attribute("aria-pressed", "false")
    assert "/slides/" in page.url
    page.keyboard.press("Escape")
    page.wait_for_url(re.compile(r"/$"))


def test_many_small_flags_are_one_number_that_opens(open_as, flagged, started):
    for n in range(40):
        x, y = 990 + n % 8 * 3, 790 + n // 8 * 4
        flagged.create(polygon(ring((x, y), (x + 2, y), (x, y + 2))), label="Tumor")
    page = open_as()
    go_to(page, x=1000, y=800, mag=2.5)
    expect(page.locator("#flag-count")).to_have_text("40 flags")
    flags_drawn(page)
    x, y = (round(value) for value in centre_of_map(page))
    before = screenshot(page, (x - 30, y - 30, 60, 60))
    assert before.min() < 60  # the dark disc with the number
    page.mouse.click(x, y)
    page.wait_for_function("() => Number(/mag=([0-9.]+)/.exec(location.hash)[1]) > 5")


def test_outlines_of_others_appear_by_themselves(open_as, flagged):
    page = open_as()
    expect(page.locator("#flag-empty")).to_be_visible()
    flagged.create(polygon(SQUARE), label="Tumor")
    # As when a reader comes back to this tab; else it looks every 15 seconds.
    page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator(".flag-row")).to_have_count(1)


def test_a_flag_that_came_while_the_page_opened_is_shown(open_as, flagged):
    held = Held(r"/flags\?limit=1$")
    page = open_as(before=held)
    expect(page.locator("#flag-empty")).to_be_visible()
    flagged.create(polygon(SQUARE), label="Tumor")
    page.unroute_all()
    page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator(".flag-row")).to_have_count(1)


def test_steps_back_are_sent_in_their_order(open_as, flagged):
    flag = flagged.create(point(1000, 800), label="Tumor")
    page = open_as()
    page.click(".flag-row")
    page.select_option("#flag-state", "agreed")
    page.select_option("#flag-label", "Stroma")
    page.select_option("#flag-state", "disagreed")
    saved(page)
    page.reload()
    page.wait_for_selector("body[data-flags]")
    # After a reload the page has to ask how the flag is now.
    held = Held(rf"/flags/{flag['id']}$", number=3)(page)
    press_undo = "document.dispatchEvent(new KeyboardEvent('keydown', { key: 'z', ctrlKey: true }))"
    page.evaluate(f"() => {{ for (let n = 0; n < 3; n++) {press_undo}; }}")
    held.wait()
    held.let_go(lambda all_held: all_held[::-1])

    def now() -> tuple[str, str]:
        flag_now = flagged.get(flag).get_json()
        return flag_now["state"], flag_now["label"]

    eventually(page, lambda: now() == ("open", "Tumor"))
    saved(page)
    assert now() == ("open", "Tumor")


def test_what_is_changed_while_news_come_is_not_given_up(open_as, flagged):
    flag = flagged.create(polygon(SQUARE))
    page = open_as(may_fail=True)
    page.click(".flag-row")
    expect(page.locator("#flag-selected")).to_be_visible()
    held = Held(rf"/flags/{flag['id']}$")(page)
    flagged.patch(flag, reason="a follicle")
    page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    held.wait()
    page.select_option("#flag-label", "Tumor")
    dialog = page.locator(".flag-conflict")
    expect(dialog).to_contain_text("a follicle")
    held.let_go()
    dialog.get_by_role("button", name="Keep theirs, and mine as a copy").click()
    saved(page)
    labels = {one["label"] for one in flagged.list()["items"]}
    assert labels == {None, "Tumor"}


def test_the_slide_is_moved_by_keys_before_the_flags_are_there(started, open_page):
    labels = Held("/api/v1/labels$")
    page = open_page(started.viewer_url("slide.tif"), before=labels)
    labels.wait()
    expect(page.locator("#magnification-value")).not_to_be_empty()
    page.keyboard.press("3")
    expect(page.locator("#magnification-value")).to_have_text("5×")
    labels.let_go()
    page.wait_for_selector("body[data-flags=ready]")


def test_files_are_taken_in_whole_or_with_leave_in_part(open_as, flagged, tmp_path):
    page = open_as(may_fail=True)
    path = tmp_path / "flags.csv"
    path.write_text("label,geometry_wkt\nTumor,POINT (50 60)\nTumor,nonsense\n")
    page.click(".flag-files summary")
    page.set_input_files("#flag-file", path)
    expect(page.locator("#flag-report")).to_contain_text("line 3: geometry_wkt is no WKT")
    assert flagged.list()["total"] == 0
    page.click("#flag-import-rest")
    expect(page.locator("#flag-report")).to_contain_text("1 flag taken")
    expect(page.locator(".flag-row")).to_have_count(1)


def test_drawing_by_touch(open_as, flagged):
    page = open_as(has_touch=True)
    page.tap("#tool-polygon")
    expect(page.locator("#tool-polygon")).to_have_attribute("aria-pressed", "true")
    for place in SQUARE[:-1]:
        page.touchscreen.tap(*at(page, *place))
    page.tap("#tool-polygon")  # laid down: nothing is made
    expect(page.locator("#tool-polygon")).to_have_attribute("aria-pressed", "false")
    page.tap("#tool-point")
    expect(page.locator("#tool-point")).to_have_attribute("aria-pressed", "true")
    page.touchscreen.tap(*at(page, 1100, 900))
    expect(page.locator(".flag-row")).to_have_count(1)
    saved(page)
    (flag,) = flagged.list()["items"]
    assert flag["geometry"]["coordinates"] == pytest.approx([1100, 900], abs=3)


def test_a_second_tab_leaves_alone_what_waits_in_the_first(
    open_as: OpenAs, started: Site, flagged: Flagged
) -> None:
    first = open_as()
    key = f"sentinode.flags.{flagged.slide_id}"
    first.evaluate('key => localStorage.setItem(key, \'{"undo":["mine"]}\')', key)
    second = first.context.new_page()
    second.goto(started.viewer_url("slide.tif"))
    second.wait_for_selector("body[data-ready]")
    second.keyboard.press("f")
    expect(second.locator("#flag-list li")).to_have_count(1)
    saved(second)
    assert first.evaluate("key => localStorage.getItem(key)", key) == '{"undo":["mine"]}'
