"""A real Chromium and a real Sentinode; every page is watched for what no page may do."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.browser.site import Site

NAMES = ("chromium", "chromium-browser")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
SIZE_PX = {"width": 1000, "height": 720}
# A page may have to wait long for its turn on a busy machine; what never comes still fails.
expect.set_options(timeout=30_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Werkzeug leaves the file of an answer that nobody waits for any more to the collector."""
    mark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(mark)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("SENTINODE_REQUIRE_BROWSER"):
            pytest.fail("Chromium is required here and is not installed.")
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


MakeSite = Callable[..., Site]


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[MakeSite]:
    """Makes Sentinodes with options of `Site`.

    Ask for it before `open_page`: then they close after the pages, which complain of a lost server.
    """
    sites: list[Site] = []

    def make_site(**options: Any) -> Site:
        sites.append(Site(tmp_path / f"site{len(sites)}", **options))
        return sites[-1]

    yield make_site
    for site in sites:
        site.close()


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """Sentinode with an empty slide folder; scanned and started by the test."""
    return make_site()


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Opens pages that move nothing by themselves; checks what they asked for and complained of.

    `may_fail=True` for tests that take the server away: then the browser reports failed requests.
    `before` gets the page before it asks for anything.
    """
    complaints: list[str] = []
    contexts = []

    def open_page(
        url: str,
        *,
        may_fail: bool = False,
        before: Callable[[Page], object] | None = None,
        **options: Any,
    ) -> Page:
        given: dict[str, Any] = {"viewport": SIZE_PX, "reduced_motion": "reduce", **options}
        context = browser.new_context(**given)
        contexts.append(context)
        page = context.new_page()
        origin = "/".join(url.split("/")[:3])

        def on_console(message: ConsoleMessage) -> None:
            network = "Failed to load resource" in message.text
            if message.type in ("error", "warning") and not (network and may_fail):
                complaints.append(f"{message.type}: {message.text}")

        page.on("console", on_console)
        page.on("pageerror", lambda error: complaints.append(f"uncaught: {error}"))
        page.on(
            "request",
            lambda request: (
                complaints.append(f"left the origin: {request.url}")
                if not request.url.startswith((f"{origin}/", "data:", "blob:"))
                else None
            ),
        )
        if before:
            before(page)
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def open_viewer(open_page: OpenPage) -> OpenPage:
    """As `open_page`, and waits until the slide and its heat map are drawn."""

    def open_viewer(url: str, **options: Any) -> Page:
        page = open_page(url, **options)
        page.wait_for_selector("body[data-ready]")
        wait_for_tiles(page)
        return page

    return open_viewer


def next_frame(page: Page) -> None:
    """Until what was to be painted with the next frame is painted."""
    page.evaluate("() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")


def eventually(page: Page, condition: Callable[[], bool], limit_s: float = 30) -> None:
    """Until something that the page does not show is so; asked once a frame."""
    until = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < until, "It did not come about."
        next_frame(page)


def wait_for_tiles(page: Page) -> None:
    """Until the view is at rest, and every tile on the map is there and painted."""
    page.wait_for_function(
        """() => {
          const busy = '#map[aria-busy=true], .heatmap-layer[aria-busy=true]';
          const tiles = [...document.querySelectorAll('.leaflet-tile')];
          return !document.querySelector(busy) && tiles.length > 0
            && tiles.every(t => t.classList.contains('leaflet-tile-loaded'));
        }"""
    )
    next_frame(page)


def wait_for_address(page: Page) -> None:
    """Until the address tells what is seen: it is written a moment after the view came to rest."""
    page.wait_for_selector("body:not([data-address])", state="attached")


def wait_for_heatmap(page: Page) -> None:
    page.wait_for_selector("#heat-controls:not([hidden])")
    wait_for_tiles(page)


def go_to(page: Page, **view: object) -> None:
    """Move the view by its address: x, y (level-0 px of the centre), mag, ov, op, lo, hi, map."""
    fields = "&".join(f"{name}={value}" for name, value in view.items())
    page.evaluate(
        """hash => new Promise(resolve => {
          window.addEventListener('hashchange', resolve, { once: true });
          if (location.hash === hash) resolve();
          location.hash = hash;
        })""",
        f"#{fields}",
    )
    wait_for_tiles(page)


def press_shortly(page: Page, *keys: str) -> None:
    """Keys, all in one task: none is held, however busy the machine is."""
    page.evaluate(
        """keys => {
          const target = document.activeElement ?? document.body;
          for (const key of keys) for (const kind of ['keydown', 'keyup'])
            target.dispatchEvent(new KeyboardEvent(kind, { key, code: key, bubbles: true }));
        }""",
        list(keys),
    )


def turn_wheel(page: Page, delta_px: float) -> None:
    """Until the page has heard of it: the mouse does not wait for that."""
    page.evaluate(
        """() => { window.wheelHeard = new Promise(heard =>
          window.addEventListener('wheel', () => heard(), { once: true })); }"""
    )
    page.mouse.wheel(0, delta_px)
    page.evaluate("() => window.wheelHeard")


def centre_of_map(page: Page) -> tuple[float, float]:
    """In CSS pixels of the window."""
    box = page.locator("#map").bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
