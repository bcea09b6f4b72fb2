"""The tour: hot spots by keyboard alone, what was seen and said kept, the sweep, the trail."""

from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped] # has none
from playwright.sync_api import Page, expect

from tests.browser.conftest import MakeSite, OpenPage, eventually, wait_for_heatmap
from tests.browser.held import Held
from tests.browser.site import Site
from tests.slides import EOSIN, GLASS, make_slide

pytestmark = pytest.mark.browser

STEP_PX = 64
STEPS = {"step_l0_x_px": STEP_PX, "step_l0_y_px": STEP_PX}
COLUMNS, ROWS = 60, 45
SIZE_PX = (COLUMNS * STEP_PX, ROWS * STEP_PX)

GRID = np.full((ROWS, COLUMNS), np.nan, np.float32)
GRID[2:40, 2:55] = 0.1
GRID[30, 40] = 0.95  # rank 1
GRID[5:9, 6:12] = 0.8  # rank 2
GRID[20, 50] = 0.6  # rank 3
MIDDLES = {1: (40.5, 30.5), 3: (50.5, 20.5)}


def has_spots(page: Page, count: int) -> None:
    expect(page.locator(".spot")).to_have_count(count)


def draw(grid: np.ndarray) -> np.ndarray:
    tissue = np.kron(~np.isnan(grid), np.ones((STEP_PX, STEP_PX), bool))
    return np.where(tissue[..., None], EOSIN, GLASS).astype(np.uint8)


@pytest.fixture
def library(site: Site) -> Site:
    make_slide(site.slides / "spots.tif", SIZE_PX, draw=draw(GRID))
    make_slide(site.slides / "none.tif", (1280, 1024))
    site.scan()
    site.finished("spots.tif", GRID, **STEPS)
    site.finished("none.tif", np.full((16, 20), 0.2, np.float32), **STEPS)
    site.start()
    return site


def opened(site: Site, open_page: OpenPage, reader: str | None = "Ann", name="spots.tif") -> Page:
    page = open_page(f"{site.url}/", may_fail=True)
    if reader:
        page.request.put(f"{site.url}/api/v1/me", data={"name": reader})
    page.goto(site.viewer_url(name))
    page.wait_for_selector("body[data-ready]")
    return page


@pytest.fixture
def page(library: Site, open_page: OpenPage) -> Page:
    page = opened(library, open_page)
    wait_for_heatmap(page)
    has_spots(page, 3)
    return page


def status(page: Page, text: str) -> None:
    expect(page.locator("#tour-status")).to_have_text(text)


def centre(page: Page) -> tuple[float, float, float]:
    """Centre of the view in cells, and its magnification."""
    page.wait_for_function("() => location.hash.includes('x=')")
    fields = dict(
        part.split("=") for part in page.evaluate("() => location.hash.slice(1)").split("&")
    )
    return float(fields["x"]) / STEP_PX, float(fields["y"]) / STEP_PX, float(fields["mag"])


def is_at(page: Page, x: float, y: float, magnification: float) -> None:
    page.wait_for_function(
        """([x, y, mag]) => {
          const fields = new URLSearchParams(location.hash.slice(1));
          return Math.abs(fields.get('x') - x) < 3 && Math.abs(fields.get('y') - y) < 3
            && Math.abs(fields.get('mag') / mag - 1) < 0.02;
        }""",
        arg=[x * STEP_PX, y * STEP_PX, magnification],
    )


def kept(page: Page) -> None:
    """Until the server has all that was seen and said; only once the page shows it."""
    expect(page.locator("#spots-progress")).to_have_attribute("data-state", "saved")


def ask_hotspots(page: Page, site: Site) -> dict[str, Any]:
    """As the server has them for the reader of this page."""
    slide = site.slide("spots.tif")
    address = f"{site.url}/api/v1/analyses/{slide['id']:0>32}/hotspots"
    shown: dict[str, Any] = page.request.get(address).json()
    return shown


def hotspots(page: Page, site: Site) -> dict[str, Any]:
    """Once all is kept."""
    kept(page)
    return ask_hotspots(page, site)


def wait_for_seen(page: Page, text: str) -> None:
    expect(page.locator("#spots-progress")).to_have_text(text)


def test_a_slide_is_toured_by_keyboard_alone(page: Page, library: Site) -> None:
    page.keyboard.press("n")
    status(page, "Hot spot 1 of 3")
    is_at(page, *MIDDLES[1], 20)
    wait_for_seen(page, "1 of 3 seen")

    page.keyboard.press("j")  # agrees and goes on
    status(page, "Hot spot 2 of 3")
    wait_for_seen(page, "2 of 3 seen: 1 agreed")
    page.keyboard.press("Shift+N")
    status(page, "Hot spot 1 of 3")
    page.keyboard.press("n")
    page.keyboard.press("k")
    status(page, "Hot spot 3 of 3")
    is_at(page, *MIDDLES[3], 20)
    wait_for_seen(page, "All 3 hot spots are seen: 1 agreed, 1 disagreed")
    page.keyboard.press("n")
    expect(page.locator("#toast")).to_have_text("All 3 hot spots are seen: 1 agreed, 1 disagreed")

    shown = hotspots(page, library)
    assert [spot["review"]["opinion"] for spot in shown["items"]] == ["agree", "disagree", None]
    assert shown["all_seen"]


def test_an_opinion_is_kept_though_the_page_is_left_at_once(page: Page, library: Site) -> None:
    held = Held("/hotspots/1/review$", "PUT")(page)
    page.keyboard.press("n")
    held.wait()
    page.keyboard.press("j")  # waits for the answer to what was said before
    wait_for_seen(page, "2 of 3 seen: 1 agreed")
    page.evaluate("() => window.dispatchEvent(new Event('pagehide'))")
    eventually(page, lambda: ask_hotspots(page, library)["agreed"] == 1)


def test_what_is_said_while_the_list_comes_is_shown(page: Page, library: Site) -> None:
    held = Held("/hotspots[?]")(page)
    page.evaluate(
        """async () => (await import('/static/js/reader.js')).readerChanges
          .dispatchEvent(new CustomEvent('change', { detail: 'Ann' }))"""
    )
    held.wait()
    page.keyboard.press("n")
    page.keyboard.press("j")
    wait_for_seen(page, "2 of 3 seen: 1 agreed")
    held.let_go()
    kept(page)
    wait_for_seen(page, "2 of 3 seen: 1 agreed")


def test_it_survives_a_reload_and_goes_on_with_what_was_not_seen(
    page: Page, library: Site, open_page: OpenPage
) -> None:
    page.keyboard.press("n")
    wait_for_seen(page, "1 of 3 seen")
    kept(page)
    page.reload()
    page.wait_for_selector("body[data-ready]")
    wait_for_seen(page, "1 of 3 seen")
    page.keyboard.press("n")
    status(page, "Hot spot 2 of 3")
    wait_for_seen(page, "2 of 3 seen")
    kept(page)

    elsewhere = opened(library, open_page)
    wait_for_seen(elsewhere, "2 of 3 seen")
    other = opened(library, open_page, "Ben")
    wait_for_seen(other, "0 of 3 seen")


def test_what_others_say_is_shown_beside_it(page: Page, library: Site, open_page: OpenPage) -> None:
    page.keyboard.press("n")
    page.keyboard.press("k")
    wait_for_seen(page, "2 of 3 seen: 1 disagreed")
    kept(page)
    other = opened(library, open_page, "Ben")
    expect(other.locator(".spot-others").first).to_have_text("Ann disagrees")


def test_the_same_key_takes_an_opinion_back(page: Page, library: Site) -> None:
    page.uncheck("#tour-go-on")
    page.keyboard.press("n")
    page.keyboard.press("j")
    wait_for_seen(page, "1 of 3 seen: 1 agreed")
    status(page, "Hot spot 1 of 3")  # it does not go on
    page.keyboard.press("j")
    wait_for_seen(page, "1 of 3 seen")


def test_the_magnification_is_remembered(page: Page) -> None:
    page.select_option("#tour-power", "10")
    page.locator("#map").focus()
    page.keyboard.press("n")
    is_at(page, *MIDDLES[1], 10)
    page.reload()
    page.wait_for_selector("body[data-ready]")
    expect(page.locator("#tour-power")).to_have_value("10")


def test_a_spot_of_the_list_is_gone_to(page: Page) -> None:
    page.locator(".spot").nth(2).click()
    is_at(page, *MIDDLES[3], 20)
    expect(page.locator(".spot").nth(2)).to_have_attribute("aria-current", "true")
    picture = page.locator(".spot-picture").nth(2)
    picture.scroll_into_view_if_needed()
    page.wait_for_function(
        "() => [...document.querySelectorAll('.spot-picture')].at(2).naturalWidth > 0"
    )


def test_numbers_on_the_slide_can_be_switched_off(page: Page) -> None:
    expect(page.locator(".spot-mark")).to_have_count(3)
    page.locator(".spot-mark", has_text="2").click()
    status(page, "Hot spot 2 of 3")
    page.keyboard.press("Shift+H")
    expect(page.locator(".spot-mark")).to_have_count(0)
    page.reload()
    page.wait_for_selector("body[data-ready]")
    has_spots(page, 3)
    expect(page.locator(".spot-mark")).to_have_count(0)


def test_a_flag_knows_its_hot_spot(page: Page, library: Site) -> None:
    page.wait_for_selector("body[data-flags=ready]")
    page.keyboard.press("n")
    wait_for_seen(page, "1 of 3 seen")
    with page.expect_response(lambda a: a.request.method == "POST" and "/flags" in a.url) as made:
        page.keyboard.press("f")
    flag = made.value.json()
    assert flag["kind"] == "point"
    assert flag["hotspot"]["rank"] == 1
    x, y = MIDDLES[1]
    assert flag["geometry"]["coordinates"] == [x * STEP_PX, y * STEP_PX]


def test_without_a_name_nothing_is_asked_until_there_is_an_opinion(
    library: Site, open_page: OpenPage
) -> None:
    page = opened(library, open_page, reader=None)
    has_spots(page, 3)
    page.keyboard.press("n")
    wait_for_seen(page, "1 of 3 seen")
    expect(page.locator("#spots-unsigned")).to_contain_text("not kept yet")
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.keyboard.press("j")
    page.fill("#reader-name", "Ann")
    page.keyboard.press("Enter")
    wait_for_seen(page, "2 of 3 seen: 1 agreed")
    expect(page.locator("#spots-unsigned")).to_have_text("")
    shown = hotspots(page, library)
    assert (shown["seen"], shown["agreed"]) == (2, 1)


def test_a_slide_without_hot_spots_offers_the_sweep(library: Site, open_page: OpenPage) -> None:
    page = opened(library, open_page, name="none.tif")
    expect(page.locator("#spots-none")).to_contain_text("no proof of absence")
    page.click("#spots-sweep")
    expect(page.locator("#sweep-start")).to_be_visible()


# ---- the sweep --------------------------------------------------------------------------------


def test_the_sweep_covers_the_tissue_by_one_key_and_goes_on_after_a_reload(
    page: Page, library: Site
) -> None:
    page.click("#tour-sweep")
    page.select_option("#tour-power", "40")
    page.locator("#map").focus()
    page.keyboard.press("n")
    slide = library.slide("spots.tif")
    address = f"{library.url}/api/v1/slides/{slide['id']}/sweep"
    expect(page.locator("#sweep-status")).to_contain_text("Field 1 of ")
    sweep = page.request.get(address).json()["sweep"]
    fields = sweep["centres_l0_px"]
    assert len(fields) > 6
    is_at(page, fields[0][0] / STEP_PX, fields[0][1] / STEP_PX, 40)

    for n in (2, 3):
        page.keyboard.press("n")
        expect(page.locator("#sweep-status")).to_contain_text(f"Field {n} of ")
        is_at(page, fields[n - 1][0] / STEP_PX, fields[n - 1][1] / STEP_PX, 40)
    expect(page.locator("#sweep-status")).to_have_attribute("data-state", "saved")
    assert len(page.request.get(address).json()["sweep"]["seen"]) == 3
    page.reload()
    page.wait_for_selector("body[data-ready]")
    page.click("#tour-sweep")
    expect(page.locator("#sweep-status")).to_contain_text("Field 3 of ")
    page.locator("#map").focus()
    page.keyboard.press("n")
    expect(page.locator("#sweep-status")).to_contain_text("Field 4 of ")
    page.keyboard.press("Shift+N")
    expect(page.locator("#sweep-status")).to_contain_text("Field 3 of ")


def test_keys_before_the_sweep_is_known_go_on_with_it(library: Site, open_page: OpenPage) -> None:
    page = opened(library, open_page)
    address = f"{library.url}/api/v1/slides/{library.slide('spots.tif')['id']}/sweep"
    field = {"magnification": 40, "field_width_l0_px": 600, "field_height_l0_px": 600}
    begun = page.request.put(address, data=field).json()["sweep"]["started_at"]
    page.request.patch(address, data={"position": 2, "seen": 2})
    held = Held("/sweep$")(page)
    page.reload()
    page.wait_for_selector("body[data-ready]")
    page.click("#tour-sweep")
    page.locator("#map").focus()
    page.keyboard.press("n")
    page.keyboard.press("n")
    held.let_go()
    expect(page.locator("#sweep-status")).to_contain_text("Field 5 of ")
    expect(page.locator("#sweep-status")).to_have_attribute("data-state", "saved")
    assert page.request.get(address).json()["sweep"]["started_at"] == begun


def test_quick_keys_begin_one_sweep(page: Page) -> None:
    page.click("#tour-sweep")
    page.select_option("#tour-power", "40")
    page.locator("#map").focus()
    held = Held("/sweep$", "PUT")(page)
    page.keyboard.press("n")
    page.keyboard.press("n")
    held.let_go()
    expect(page.locator("#sweep-status")).to_contain_text("Field 2 of ")


def test_the_end_of_the_sweep_is_told(page: Page) -> None:
    page.click("#tour-sweep")
    page.select_option("#tour-power", "10")
    page.locator("#map").focus()
    page.keyboard.press("n")
    status_line = page.locator("#sweep-status")
    expect(status_line).to_contain_text("Field 1 of ")
    count = int((status_line.text_content() or "").split(" of ")[1].split(",")[0])
    for n in range(2, count + 1):
        page.keyboard.press("n")
        wanted = f"All {count} fields seen." if n == count else f"Field {n} of {count}"
        expect(status_line).to_contain_text(wanted)


# ---- the trail --------------------------------------------------------------------------------


def test_what_was_viewed_is_recorded_once_it_is_wished(page: Page) -> None:
    page.keyboard.press("n")
    expect(page.locator("#trail-share")).to_have_text("")
    page.check("#trail-record")
    expect(page.locator("#trail-share")).to_contain_text("% of the tissue was on your screen")
    page.wait_for_function(
        "() => !document.getElementById('trail-share').textContent.startsWith('0 ')"
    )
    painted = (
        "() => { const c = document.querySelector('.trail');"
        " return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v); }"
    )
    page.wait_for_function(painted)
    page.reload()
    page.wait_for_selector("body[data-ready]")
    expect(page.locator("#trail-record")).to_be_checked()
    page.click("#trail-forget")
    expect(page.locator("#trail-record")).not_to_be_checked()
    page.wait_for_function(painted.replace(".some(v => v)", ".every(v => !v)"))


def test_an_answer_from_before_does_not_switch_the_recording_off(
    library: Site, open_page: OpenPage
) -> None:
    page = opened(library, open_page)
    held = Held("/coverage$")(page)
    page.reload()
    held.wait()
    page.wait_for_selector("body[data-ready]")
    page.check("#trail-record")
    expect(page.locator("#trail-share")).to_contain_text("% of the tissue was on your screen")
    held.let_go()
    expect(page.locator("#trail-record")).to_be_checked()
    expect(page.locator("#trail-share")).to_contain_text("% of the tissue was on your screen")


# ---- states -----------------------------------------------------------------------------------


def test_a_running_analysis_says_when_hot_spots_come(site: Site, open_page: OpenPage) -> None:
    make_slide(site.slides / "running.tif", (1280, 1024))
    site.scan()
    site.heatmap("running.tif", 1.0, rows=16, columns=20, **STEPS)
    site.analysis("running.tif", "running")
    site.start()
    page = opened(site, open_page, name="running.tif")
    expect(page.locator("#spots-note")).to_have_text(
        "Hot spots appear here once the whole slide is analysed."
    )
    page.keyboard.press("n")
    expect(page.locator("#toast")).to_have_text(
        "Hot spots appear here once the whole slide is analysed."
    )


def test_a_locked_slide_shows_nothing_of_it_but_can_be_swept(
    make_site: MakeSite, open_page: OpenPage
) -> None:
    site = make_site(blind_first_read=("slides",))
    make_slide(site.slides / "spots.tif", SIZE_PX, draw=draw(GRID))
    site.scan()
    site.finished("spots.tif", GRID, **STEPS)
    site.start()
    page = opened(site, open_page)
    expect(page.locator("#spots-note")).to_contain_text("after your first verdict")
    expect(page.locator(".spot, .spot-mark, #analysis-cautions li")).to_have_count(0)
    page.click("#tour-sweep")
    page.locator("#map").focus()
    page.keyboard.press("n")
    expect(page.locator("#sweep-status")).to_contain_text("Field 1 of ")


def test_warnings_stand_with_the_result_and_the_legend(page: Page) -> None:
    expect(page.locator("#analysis-cautions")).to_contain_text("The model is not calibrated")
    expect(page.locator("#heat-cautions")).to_have_text("Caution: model not calibrated.")


def test_two_models_can_be_chosen_between_and_compared(library: Site, open_page: OpenPage) -> None:
    from tests.tours import draw_analysis

    other = GRID.copy()
    other[30, 40] = 0.2
    slide = library.slide("spots.tif")
    draw_analysis(
        library.sessions, library.settings, slide, other, number=7, model_id="other", **STEPS
    )
    page = opened(library, open_page)
    has_spots(page, 2)  # of the newest
    page.locator("#agreement summary").click()
    expect(page.locator("#agreement-facts")).to_contain_text("Largest difference")
    expect(page.locator("#agreement-facts")).to_contain_text("0.750")
    page.click("#agreement-largest")
    is_at(page, *MIDDLES[1], 20)
    page.select_option("#models-shown", index=1)
    has_spots(page, 3)


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_no_barrier_in_the_tour(library: Site, open_page: OpenPage, scheme: str) -> None:
    page = open_page(f"{library.url}/", color_scheme=scheme)
    page.request.put(f"{library.url}/api/v1/me", data={"name": "Ann"})
    page.goto(library.viewer_url("spots.tif"))
    page.wait_for_selector("body[data-ready]")
    has_spots(page, 3)
    page.keyboard.press("n")
    status(page, "Hot spot 1 of 3")
    page.keyboard.press("j")
    status(page, "Hot spot 2 of 3")
    assert Axe().run(page).response["violations"] == []
    page.click("#tour-sweep")
    page.click("#sweep-start")
    expect(page.locator("#sweep-status")).to_contain_text("Field 1 of ")
    assert Axe().run(page).response["violations"] == []
