"""Keys, buttons, wheel and tours move the view: no wish is lost, each can interrupt the other."""

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from tests.browser.conftest import OpenPage, centre_of_map, turn_wheel, wait_for_address
from tests.browser.site import Site
from tests.slides import make_slide

pytestmark = pytest.mark.browser

SIZE_PX = (4096, 3072)
CENTRE = (2048.0, 1536.0)
STEP_ZOOMS = 0.5
PAN_PX = 90
# Tiles fill whole device pixels: the zoom is rounded by half a percent at most.
ROUNDING = 0.006


@pytest.fixture
def address(site: Site) -> str:
    make_slide(site.slides / "slide.tif", SIZE_PX)
    site.scan()
    site.start()
    return f"{site.viewer_url('slide.tif')}#x={CENTRE[0]}&y={CENTRE[1]}&mag=10"


@pytest.fixture
def moving(address: str, open_viewer: OpenPage) -> Page:
    """A page that animates."""
    return open_viewer(address, reduced_motion="no-preference")


def view(page: Page) -> dict[str, float]:
    """x, y and mag where the view comes to rest."""
    page.wait_for_selector("#map:not([aria-busy=true])")
    wait_for_address(page)
    fields: dict[str, float] = page.evaluate(
        """() => {
          const fields = new URLSearchParams(location.hash.slice(1));
          return Object.fromEntries(['x', 'y', 'mag'].map(n => [n, Number(fields.get(n))]));
        }"""
    )
    return fields


def press(page: Page, keys: list[str]) -> None:
    """All in one task, faster than any hand: no frame is drawn between them."""
    page.evaluate(
        """keys => { for (const key of keys) for (const kind of ['keydown', 'keyup'])
          document.body.dispatchEvent(new KeyboardEvent(kind, { key, code: key, bubbles: true })); }
        """,
        keys,
    )


def fly(page: Page, *target: float) -> Any:
    return page.evaluate(
        "async a => (await import('/static/js/viewer-map.js')).goToL0(...a)", list(target)
    )


def close(value: float, wanted: float, off: float) -> bool:
    return abs(value - wanted) <= off


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
@pytest.mark.parametrize(("key", "sign"), [("+", 1), ("-", -1)])
def test_quick_presses_give_as_many_steps(
    address: str, open_viewer: OpenPage, motion: str, key: str, sign: int
) -> None:
    page = open_viewer(address, reduced_motion=motion)
    press(page, [key] * 3)
    wanted = 10 * 2 ** (sign * 3 * STEP_ZOOMS)
    assert view(page)["mag"] == pytest.approx(wanted, rel=ROUNDING)


def test_there_and_back_is_where_it_was(moving: Page) -> None:
    before = view(moving)
    press(moving, ["+"] * 3)
    view(moving)
    for key in ("-", "-", "-"):
        moving.keyboard.press(key)
    after = view(moving)
    assert after["mag"] == before["mag"]
    assert close(after["x"], before["x"], 2)
    assert close(after["y"], before["y"], 2)


def test_quick_pans_add_up(moving: Page) -> None:
    press(moving, ["ArrowRight"] * 4 + ["ArrowDown"] * 3 + ["ArrowLeft"])
    at = view(moving)
    scale = at["mag"] / 40
    assert close(at["x"], CENTRE[0] + 3 * PAN_PX / scale, 2 / scale)
    assert close(at["y"], CENTRE[1] + 3 * PAN_PX / scale, 2 / scale)


def test_keys_during_a_wheel_glide_count(moving: Page) -> None:
    moving.mouse.move(*centre_of_map(moving))
    turn_wheel(moving, -180)  # one zoom in
    press(moving, ["-", "-", "-", "ArrowRight"])
    at = view(moving)
    assert at["mag"] == pytest.approx(10 * 2**-0.5, rel=ROUNDING)
    assert at["x"] > CENTRE[0] + 50


def test_a_magnification_key_and_button_hold_during_a_glide(moving: Page) -> None:
    moving.mouse.move(*centre_of_map(moving))
    turn_wheel(moving, -400)
    press(moving, ["5"])
    assert view(moving)["mag"] == pytest.approx(20, rel=ROUNDING)
    turn_wheel(moving, 300)
    moving.get_by_role("button", name="2.5×", exact=True).click()
    assert view(moving)["mag"] == pytest.approx(2.5, rel=ROUNDING)


def test_taking_hold_of_the_slide_stops_a_glide(moving: Page) -> None:
    press(moving, ["ArrowRight"] * 30)
    # With the next frame: a mouse may come when the view has arrived already.
    moving.evaluate(
        """async () => {
          await new Promise(requestAnimationFrame);
          document.getElementById('map')
            .dispatchEvent(new PointerEvent('pointerdown', { isPrimary: true }));
        }"""
    )
    assert view(moving)["x"] < CENTRE[0] + 30 * PAN_PX * 4 - 400


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_a_tour_arrives_at_place_and_power(
    address: str, open_viewer: OpenPage, motion: str
) -> None:
    page = open_viewer(address, reduced_motion=motion)
    assert fly(page, 3000.5, 700.25, 20) is True
    at = view(page)
    assert close(at["x"], 3000.5, 0.11)
    assert close(at["y"], 700.25, 0.11)
    assert at["mag"] == pytest.approx(20, rel=ROUNDING)
    assert fly(page, 500, 600) is True
    at = view(page)
    assert close(at["x"], 500, 0.11)
    assert at["mag"] == pytest.approx(20, rel=ROUNDING)


def test_a_tour_is_interrupted_by_the_user_and_says_so(moving: Page) -> None:
    arrived = moving.evaluate(
        """async () => {
          const { goToL0 } = await import('/static/js/viewer-map.js');
          // However late a frame is drawn, it is told to come 16 ms after the one before.
          const frame = window.requestAnimationFrame;
          let now_ms = performance.now();
          window.requestAnimationFrame = draw => frame(() => draw((now_ms += 16)));
          const flown = goToL0(4000, 3000, 40);
          await new Promise(requestAnimationFrame);
          await new Promise(requestAnimationFrame);
          document.body.dispatchEvent(
            new KeyboardEvent('keydown', { key: 'ArrowLeft', code: 'ArrowLeft', bubbles: true }));
          window.requestAnimationFrame = frame;
          return flown;
        }"""
    )
    assert arrived is False
    at = view(moving)
    assert at["x"] < 3500
    assert at["mag"] < 30


def test_a_second_flight_takes_over(moving: Page) -> None:
    first, second = moving.evaluate(
        """async () => {
          const { goToL0 } = await import('/static/js/viewer-map.js');
          return Promise.all([goToL0(100, 100, 40), goToL0(2000, 1000, 20)]);
        }"""
    )
    assert (first, second) == (False, True)
    assert close(view(moving)["x"], 2000, 0.11)


def test_the_way_of_a_flight_sees_both_ends(moving: Page) -> None:
    """Far places: out, across and in; evenly, and never beyond the ends."""
    code = """async () => {
      const { flight } = await import('/static/js/flight.js');
      const way = flight({x: 0, y: 0, zoom: 0}, {x: 80000, y: 0, zoom: -1}, 1000);
      return Array.from({length: 101}, (_, i) => way.at(i / 100));
    }"""
    views = moving.evaluate(code)
    x = np.array([at["x"] for at in views])
    zoom = np.array([at["zoom"] for at in views])
    assert (np.diff(x) >= 0).all()
    assert x[0] == pytest.approx(0, abs=1e-6)
    assert x[-1] == 80000
    assert zoom[0] == pytest.approx(0)
    assert zoom[-1] == -1
    lowest = int(zoom.argmin())
    assert (np.diff(zoom)[: lowest - 1] <= 0).all()
    assert (np.diff(zoom)[lowest:] >= 0).all()
    assert 1000 / 2 ** zoom.min() >= 80000 * 0.7  # most of the way is in view on its height


def test_a_box_dragged_with_shift_fills_the_view(moving: Page) -> None:
    x, y = centre_of_map(moving)
    moving.keyboard.down("Shift")
    moving.mouse.move(x - 50, y - 40)
    moving.mouse.down()
    moving.mouse.move(x + 50, y + 40, steps=4)
    moving.mouse.up()
    moving.keyboard.up("Shift")
    # Leaflet's own animation says where it went only when it has ended.
    moving.wait_for_function("() => new URLSearchParams(location.hash.slice(1)).get('mag') > 25")
    at = view(moving)
    assert close(at["x"], CENTRE[0], 8)


def test_a_double_click_enlarges_what_is_under_it(moving: Page) -> None:
    moving.mouse.dblclick(*centre_of_map(moving))
    at = view(moving)
    assert at["mag"] == pytest.approx(20, rel=ROUNDING)
    assert close(at["x"], CENTRE[0], 8)


def test_the_view_returns_to_the_slide(moving: Page) -> None:
    press(moving, ["ArrowLeft"] * 60)
    assert close(view(moving)["x"], 0, 10)
