"""Tiles: fetched ahead while idle, given up when they leave the view, replaced without a flash."""

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import CDPSession, Page, Request

from tests.browser.conftest import OpenPage, centre_of_map, eventually, go_to, turn_wheel
from tests.browser.gate import TILE, Gate
from tests.browser.pictures import screenshot
from tests.browser.site import Site
from tests.slides import EOSIN, make_slide

pytestmark = pytest.mark.browser

SIZE_PX = (4003, 3001)
MAX_LEVEL = 12  # 2^12 ≥ 4003
CENTRE = {"x": 2000, "y": 1500}
# Share of the looked-at part that a seam of a pixel's width may take while a zoom is under way; the
# smallest tile that could be missing takes twenty times as much.
HAIRLINE = 0.002
HEADING_MS = 700  # a move of the view is forgotten after 600 ms, unless what it led to is awaited


@pytest.fixture
def gate(site: Site) -> Iterator[Gate]:
    """A slide of one colour: whatever else is seen on it is a fault of the viewer."""
    pixels = np.empty((SIZE_PX[1], SIZE_PX[0], 3), np.uint8)
    pixels[:] = EOSIN
    make_slide(site.slides / "slide.tif", SIZE_PX, draw=pixels)
    site.scan()
    gate = Gate(site)
    site.start()
    yield gate
    gate.open()


@pytest.fixture
def traffic() -> "Traffic":
    return Traffic()


@pytest.fixture
def page(site: Site, gate: Gate, traffic: "Traffic", open_viewer: OpenPage) -> Page:
    url = site.viewer_url("slide.tif")
    page = open_viewer(url, reduced_motion="no-preference", before=traffic.watch)
    go_to(page, **CENTRE, mag=10)
    traffic.wait_until_quiet(page)
    return page


class Traffic:
    """Tiles that are on their way to a page, be it for the view or ahead of it."""

    def __init__(self) -> None:
        self._coming: set[Request] = set()
        self._asked = 0

    def watch(self, page: Page) -> None:
        page.on("request", self._ask)
        page.on("requestfinished", lambda request: self._coming.discard(request))
        page.on("requestfailed", lambda request: self._coming.discard(request))

    def _ask(self, request: Request) -> None:
        if TILE.search(request.url):
            self._asked += 1
            self._coming.add(request)

    def wait_until_quiet(self, page: Page) -> None:
        """Until no tile is on its way, and none was asked for after what the page plans idly."""
        asked = -1
        while asked != self._asked:
            asked = self._asked
            eventually(page, lambda: not self._coming)
            page.evaluate(
                """async () => {
                  for (let n = 0; n < 3; n++)
                    await new Promise(idle => requestIdleCallback(idle, { timeout: 1000 }));
                }"""
            )
            frames(page)


class Network:
    """What the browser asks for, and what it gives up."""

    def __init__(self, page: Page) -> None:
        self.asked: list[str] = []
        self.priorities: dict[str, str] = {}
        self.cancelled: list[str] = []
        self._urls: dict[str, str] = {}
        session: CDPSession = page.context.new_cdp_session(page)
        session.on("Network.requestWillBeSent", self._sent)
        session.on("Network.loadingFailed", self._failed)
        session.send("Network.enable")

    def _sent(self, event: dict) -> None:  # type: ignore[type-arg] # CDP: any JSON
        url = event["request"]["url"]
        if TILE.search(url):
            self.asked.append(url)
            self._urls[event["requestId"]] = url
            self.priorities[url] = event["request"]["initialPriority"]

    def _failed(self, event: dict) -> None:  # type: ignore[type-arg] # CDP: any JSON
        if event.get("canceled") and event["requestId"] in self._urls:
            self.cancelled.append(self._urls[event["requestId"]])


def address(url: str) -> tuple[int, int, int]:
    """Level, column and row of a tile."""
    found = TILE.search(url)
    assert found
    level, column, row = (int(part) for part in found.groups())
    return level, column, row


def frames(page: Page, number: int = 2) -> None:
    page.evaluate("async n => { while (n--) await new Promise(requestAnimationFrame); }", number)


def loaded(page: Page) -> list[tuple[int, int, int]]:
    """The tiles of the slide that are on the map and drawn."""
    urls = page.evaluate(
        "() => [...document.querySelectorAll('img.leaflet-tile-loaded')].map(image => image.src)"
    )
    return [address(url) for url in urls]


def shown(page: Page) -> list[tuple[int, int, int]]:
    """The tiles that touch the view."""
    urls = page.evaluate(
        """() => {
          const map = document.getElementById('map').getBoundingClientRect();
          return [...document.querySelectorAll('img.leaflet-tile-loaded')].filter(image => {
            const box = image.getBoundingClientRect();
            return box.left < map.right && box.right > map.left;
          }).map(image => image.src);
        }"""
    )
    return [address(url) for url in urls]


def blank(page: Page, device_pixel_ratio: float) -> float:
    """Share of the middle of the map where the slide should be and is not."""
    picture = screenshot(page)
    x, y = (round(value * device_pixel_ratio) for value in centre_of_map(page))
    middle = picture[y - 120 : y + 100, x - 160 : x + 160]
    return float(
        (np.abs(middle - np.array(EOSIN)).max(axis=2) > 12).mean()
    )  # the stage is far darker


def test_the_next_zooms_are_fetched_while_idle_and_not_urgently(
    site: Site, gate: Gate, traffic: Traffic, open_viewer: OpenPage
) -> None:
    url = f"{site.viewer_url('slide.tif')}#x=3000&y=2200&mag=20"
    page = open_viewer(url, before=traffic.watch)
    traffic.wait_until_quiet(page)
    network = Network(page)
    go_to(page, x=900, y=700, mag=40)
    traffic.wait_until_quiet(page)
    wider = {url for url in network.asked if address(url)[0] == MAX_LEVEL - 1}
    seen = len(network.asked)
    go_to(page, x=2000, y=2400, mag=20)
    traffic.wait_until_quiet(page)
    closer = {url for url in network.asked[seen:] if address(url)[0] == MAX_LEVEL}
    assert wider
    assert closer
    ahead = wider | closer
    assert {network.priorities[url] for url in ahead} <= {"Low", "VeryLow"}
    assert len(ahead) <= 80  # two views at most were planned for: bounded


def test_what_was_fetched_ahead_is_shown_without_the_server(
    page: Page, traffic: Traffic, gate: Gate
) -> None:
    page.mouse.move(*centre_of_map(page))
    traffic.wait_until_quiet(page)
    gate.shut()
    turn_wheel(page, -180)
    page.wait_for_function("() => /mag=(19|20)/.test(location.hash)")
    x, y = CENTRE["x"] // 512, CENTRE["y"] // 512
    assert (MAX_LEVEL - 1, x, y) in loaded(page)


def test_a_pan_finds_the_tiles_ahead_of_it_however_slow_the_server_is(
    page: Page, traffic: Traffic, gate: Gate
) -> None:
    """The view reaches to column 6 and moves on to column 8: two more are fetched."""
    go_to(page, x=400, y=1500, mag=40)
    traffic.wait_until_quiet(page)
    network = Network(page)
    gate.shut()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    page.wait_for_selector("#map:not([aria-busy=true])")
    page.evaluate("() => { window.since = performance.now(); }")
    page.wait_for_function(f"() => performance.now() - window.since > {HEADING_MS}")
    gate.open()
    traffic.wait_until_quiet(page)
    asked = {address(url) for url in network.asked}
    right = max(column for level, column, _ in shown(page) if level == MAX_LEVEL)
    columns = {column for level, column, _ in asked if level == MAX_LEVEL}
    assert columns >= {right + 1, right + 2}


def test_nothing_is_fetched_ahead_while_the_view_is_awaited(page: Page, gate: Gate) -> None:
    gate.shut()
    network = Network(page)
    page.evaluate("() => { location.hash = '#x=700&y=600&mag=40'; }")
    page.wait_for_function(
        "() => location.hash.includes('mag=40') && location.hash.includes('lo')"
        " || location.hash.includes('ov')"
    )
    page.wait_for_selector("#map:not([aria-busy=true])")
    frames(page, 90)
    assert network.asked
    assert {address(url)[0] for url in network.asked} == {MAX_LEVEL}


def test_requests_that_left_the_view_are_given_up(page: Page, gate: Gate) -> None:
    gate.shut()
    network = Network(page)
    page.evaluate("async () => (await import('/static/js/viewer-map.js')).goToL0(600, 500, 40)")
    page.wait_for_function("() => location.hash.includes('mag=40')")
    eventually(page, lambda: bool(network.asked))
    frames(page)
    left = set(network.asked)
    page.evaluate("async () => (await import('/static/js/viewer-map.js')).goToL0(3300, 2500, 40)")
    eventually(page, lambda: left <= set(network.cancelled))
    # Those of the new view are not.
    eventually(page, lambda: bool(set(network.asked) - left - set(network.cancelled)))


@pytest.mark.parametrize("device_pixel_ratio", [1, 1.5])
def test_nothing_flashes_while_the_server_is_slow(
    site: Site, gate: Gate, open_viewer: OpenPage, device_pixel_ratio: float
) -> None:
    page = open_viewer(
        site.viewer_url("slide.tif"),
        reduced_motion="no-preference",
        device_scale_factor=device_pixel_ratio,
    )
    go_to(page, **CENTRE, mag=20)
    page.evaluate("() => { document.getElementById('crosshair').style.visibility = 'hidden'; }")
    gate.shut()
    page.mouse.move(*centre_of_map(page))
    worst = 0.0
    for delta in (-130, -400, 90, 500, -333, 450, -700):
        turn_wheel(page, delta)
        for _ in range(2):
            worst = max(worst, blank(page, device_pixel_ratio))
    for key in ("ArrowRight", "ArrowDown", "6", "ArrowLeft", "3", "+", "-"):
        page.keyboard.press(key)
        worst = max(worst, blank(page, device_pixel_ratio))
    assert worst <= HAIRLINE


def test_finer_tiles_stay_until_the_coarser_ones_are_there(
    page: Page, traffic: Traffic, gate: Gate
) -> None:
    go_to(page, **CENTRE, mag=40)
    traffic.wait_until_quiet(page)
    gate.shut()
    page.keyboard.press("3")  # three levels out at once
    page.wait_for_function("() => location.hash.includes('mag=5')")
    frames(page, 30)
    wanted = MAX_LEVEL - 3
    if (wanted, 1, 0) not in loaded(page):  # it may have been fetched ahead
        assert any(level == MAX_LEVEL for level, _, _ in loaded(page))
    gate.open()
    page.wait_for_function(
        """level => [...document.querySelectorAll('img.leaflet-tile')]
          .every(image => !image.src.includes(`_files/${level}/`))""",
        arg=MAX_LEVEL,
    )
    assert any(level == wanted for level, _, _ in loaded(page))


def test_a_flight_fetches_what_is_seen_on_arrival_only(page: Page, gate: Gate) -> None:
    gate.shut()
    network = Network(page)
    arrived = page.evaluate(
        "async () => (await import('/static/js/viewer-map.js')).goToL0(600, 2500, 40)"
    )
    assert arrived
    eventually(page, lambda: bool(network.asked))
    frames(page, 3)
    assert {address(url)[0] for url in network.asked} == {MAX_LEVEL}
