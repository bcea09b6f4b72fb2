"""The heat map lies on the tissue: a known square has its edges in the same place in both."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page

from tests.browser.conftest import OpenPage, centre_of_map, go_to, wait_for_heatmap
from tests.browser.pictures import screenshot
from tests.browser.site import Site
from tests.slides import DARK, GLASS, Square, make_scn, make_slide, make_svs, square_on_glass

pytestmark = pytest.mark.browser

SQUARE = Square(256, 256, 768, 768)
MPP = 0.25  # 40×: the magnification at zoom z is 40 × 2^z
ZOOMS = [-5, -4, -3, -2, -1, 0, 1, 2, -4.6, -3.3, -2.45, -1.62, -0.71, -0.2, 0.37]
PROFILE_PX = 7


class Layout(NamedTuple):
    make: Callable[[Path], Path]
    size_px: tuple[int, int]
    step_px: float
    origin_px: tuple[float, float] = (0.0, 0.0)


def tiff(size_px: tuple[int, int], **options: Any) -> Callable[[Path], Path]:
    draw = square_on_glass(SQUARE)
    return lambda folder: make_slide(folder / "slide.tif", size_px, mpp=MPP, draw=draw, **options)


def svs(folder: Path) -> Path:
    draw = square_on_glass(SQUARE)
    return make_svs(folder / "slide.tif", (1501, 1103), mpp=MPP, compression="deflate", draw=draw)


def scn(folder: Path) -> Path:
    made = make_scn(folder / "slide.tif", (1201, 907), mpp=MPP, draw=square_on_glass(SQUARE))
    return made.rename(folder / "slide.scn")


LAYOUTS = {
    "factor 2": Layout(tiff((1500, 1100), level_factors=(1, 2, 4)), (1500, 1100), 32),
    "factor 4": Layout(tiff((1501, 1103), level_factors=(1, 4, 16)), (1501, 1103), 64 / 3),
    "irregular": Layout(tiff((1501, 1103), level_factors=(1, 3.1, 7.7)), (1501, 1103), 25.6),
    "one level": Layout(tiff((1387, 1029), level_factors=(1,)), (1387, 1029), 16, (16.0, 32.0)),
    "tiles of 240": Layout(svs, (1501, 1103), 32, (-32.0, 0.0)),
    "bounds offset": Layout(scn, (1201, 907), 128),
    # 282 columns: more than one value tile, so there is a coarser level of the heat map too.
    "small cells": Layout(tiff((1504, 1104), level_factors=(1, 2)), (1504, 1104), 16 / 3),
}


def put_square(site: Site, name: str, layout: Layout) -> None:
    """A heat map that is 1 on the square and 0 elsewhere."""
    columns, rows = (
        int(np.ceil((size - origin) / layout.step_px))
        for size, origin in zip(layout.size_px, layout.origin_px, strict=True)
    )
    left, right = (round((x - layout.origin_px[0]) / layout.step_px) for x in SQUARE[::2])
    top, bottom = (round((y - layout.origin_px[1]) / layout.step_px) for y in SQUARE[1::2])
    grid = np.zeros((rows, columns), np.float32)
    grid[top:bottom, left:right] = 1
    site.finished(
        name,
        grid,
        origin_l0_x_px=layout.origin_px[0],
        origin_l0_y_px=layout.origin_px[1],
        step_l0_x_px=layout.step_px,
        step_l0_y_px=layout.step_px,
    )


def tissue_edge(line: NDArray[np.int16]) -> float:
    """Where a line of pixels (n, 3) changes between glass and the dark square."""
    middle = (sum(GLASS) + sum(DARK)) / 2
    over = line.sum(axis=1) - middle
    index = int(np.flatnonzero(np.sign(over[:-1]) != np.sign(over[1:]))[0])
    return float(index + 0.5 + over[index] / (over[index] - over[index + 1]))


def overlay_edge(line: NDArray[np.int16]) -> float:
    """Where a line of pixels (n, 3) changes between viridis' yellow and anything else."""
    yellow = (line[:, 0] > 200) & (line[:, 1] > 180) & (line[:, 2] < 110)
    return float(np.flatnonzero(yellow[:-1] != yellow[1:])[0]) + 1


def lines_through(picture: NDArray[np.int16], inward: int) -> list[NDArray[np.int16]]:
    """A row and a column of pixels that cross the edges of a corner at the picture's centre."""
    inside = picture.shape[0] // 2 + inward * 4
    return [picture[inside], picture[:, inside]]


def clip_at_centre(page: Page) -> tuple[int, int, int, int]:
    x, y = centre_of_map(page)
    side = 2 * PROFILE_PX
    return round(x) - PROFILE_PX, round(y) - PROFILE_PX, side, side


@pytest.mark.parametrize(
    ("name", "device_pixel_ratio"), [*((name, 1) for name in LAYOUTS), ("factor 4", 2)]
)
def test_edges_of_slide_and_heat_map_coincide(
    site: Site, open_viewer: OpenPage, name: str, device_pixel_ratio: int
) -> None:
    layout = LAYOUTS[name]
    path = layout.make(site.slides)
    site.scan()
    put_square(site, path.name, layout)
    site.start()
    page = open_viewer(site.viewer_url(path.name), device_scale_factor=device_pixel_ratio)
    wait_for_heatmap(page)
    page.uncheck("#tour-marks")  # the number of the hot spot would lie over its edge
    clip = clip_at_centre(page)
    middle = PROFILE_PX * device_pixel_ratio
    off = []
    for zoom in ZOOMS:
        for corner, inward in ((SQUARE[:2], 1), (SQUARE[2:], -1)):
            view = {"x": corner[0], "y": corner[1], "mag": 40 * 2**zoom, "lo": 0.5}
            go_to(page, **view, ov=0)
            tissue = [tissue_edge(line) for line in lines_through(screenshot(page, clip), inward)]
            go_to(page, **view, ov=1, op=1, map="viridis")
            heat = [overlay_edge(line) for line in lines_through(screenshot(page, clip), inward)]
            off += [(abs(a - b), zoom, corner) for a, b in zip(tissue, heat, strict=True)]
            # The link names the corner, so that it lies in the middle of the map.
            assert all(abs(edge - middle) <= 1.5 * device_pixel_ratio for edge in heat), (
                zoom,
                corner,
                heat,
            )
    one_px = device_pixel_ratio  # screenshots count device pixels
    assert max(off)[0] <= one_px, sorted(off)[-5:]
