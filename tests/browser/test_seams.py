"""Tiles meet without a line between them, at rest and while a zoom is under way."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page

from tests.browser.conftest import OpenPage, centre_of_map, go_to, turn_wheel
from tests.browser.pictures import screenshot
from tests.browser.site import Site
from tests.slides import EOSIN, make_slide

pytestmark = pytest.mark.browser

SIZE_PX = (4003, 3001)
ZOOMS = np.linspace(-2.9, 1.6, 20)


@pytest.fixture
def site_with_uniform_slide(site: Site) -> Site:
    """A slide of one colour: whatever else is seen on it is a fault of the viewer."""
    pixels = np.empty((SIZE_PX[1], SIZE_PX[0], 3), np.uint8)
    pixels[:] = EOSIN
    make_slide(site.slides / "uniform.tif", SIZE_PX, draw=pixels)
    site.scan()
    site.start()
    return site


def middle_of_map(page: Page, device_pixel_ratio: float = 1) -> NDArray[np.int16]:
    """A part of the map that the slide covers at all zooms of this test."""
    # Cut out here: Chromium resamples a part that it is asked for at a ratio of 1.5.
    picture = screenshot(page)
    x, y = (round(value * device_pixel_ratio) for value in centre_of_map(page))
    return picture[y - 150 : y + 110, x - 180 : x + 180]


def largest_difference(picture: NDArray[np.int16]) -> int:
    return int(np.abs(picture - np.array(EOSIN)).max())


@pytest.mark.parametrize("device_pixel_ratio", [1, 1.5])
def test_no_line_shows_between_tiles(
    site_with_uniform_slide: Site, open_viewer: OpenPage, device_pixel_ratio: float
) -> None:
    options: dict[str, Any] = {"device_scale_factor": device_pixel_ratio}
    page = open_viewer(site_with_uniform_slide.viewer_url("uniform.tif"), **options)
    for zoom in ZOOMS:
        go_to(page, x=2017.3, y=1499.8, mag=40 * 2**zoom)
        assert largest_difference(middle_of_map(page, device_pixel_ratio)) <= 3, zoom


def test_no_line_shows_while_zooming(site_with_uniform_slide: Site, open_viewer: OpenPage) -> None:
    page = open_viewer(
        site_with_uniform_slide.viewer_url("uniform.tif"), reduced_motion="no-preference"
    )
    go_to(page, x=2017.3, y=1499.8, mag=11)
    page.mouse.move(*centre_of_map(page))
    for delta in (-90, -130, -70, -110, 160, 140):
        turn_wheel(page, delta)
        assert largest_difference(middle_of_map(page)) <= 3


def test_native_pixels_are_shown_as_they_are(site: Site, open_viewer: OpenPage) -> None:
    """At the resolution of the scan each pixel is a pixel: nothing is blurred."""
    rng = np.random.default_rng(4)
    coarse = rng.integers(60, 200, (96, 128, 1), dtype=np.uint8).repeat(3, axis=2)
    pixels = coarse.repeat(8, axis=0).repeat(8, axis=1)  # grey blocks: JPEG keeps them
    make_slide(site.slides / "blocks.tif", (1024, 768), draw=pixels, level_factors=(1,))
    site.scan()
    site.start()
    page = open_viewer(site.viewer_url("blocks.tif"))
    go_to(page, x=512, y=384, mag=40)
    x, y = (round(value) for value in centre_of_map(page))
    picture = screenshot(page, (x - 160, y - 128, 320, 256))
    wanted = pixels[384 - 128 : 384 + 128, 512 - 160 : 512 + 160].astype(np.int16)
    shifts = [
        np.abs(picture[1:-1, 1:-1] - np.roll(wanted, (dy, dx), (0, 1))[1:-1, 1:-1]).mean()
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
    ]
    assert min(shifts) < 4  # what JPEG loses; a blurred or shifted picture differs by 20 and more
