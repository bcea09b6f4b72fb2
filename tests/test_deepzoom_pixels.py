"""A known square lies where it should, at every level of every layout of slide."""

from pathlib import Path

import numpy as np
import pytest

from model.prediction.wsi import open_wsi
from tests.slides import DARK, GLASS, Square, make_flat, make_scn, make_slide, square_on_glass
from viewer.slides.deepzoom import DeepZoom
from viewer.slides.tile_pixels import TileSource

SIZE = (1025, 773)  # odd at every level, and no multiple of any tile
EVEN = (1024, 772)
SQUARE = Square(259, 194, 641, 550)


def never_remember(address, compute):
    return compute()


def write_layout(layout: str, folder: Path) -> Path:
    path, draw = folder / "slide.tif", square_on_glass(SQUARE)
    match layout:
        case "factors 2":
            return make_slide(path, SIZE, level_factors=(1, 2, 4, 8), draw=draw)
        case "factors 4":
            return make_slide(path, SIZE, level_factors=(1, 4, 16), draw=draw)
        case "irregular":
            return make_slide(path, SIZE, level_factors=(1, 2.9, 7.3), draw=draw)
        case "single level":
            return make_slide(path, SIZE, level_factors=(1,), draw=draw)
        case "tiles of 240":
            return make_slide(path, SIZE, level_factors=(1, 4), tile_px=240, draw=draw)
        case "bounds":
            return make_scn(folder / "slide.scn", EVEN, offset_l0_px=(351, 167), draw=draw)
        case _:
            return make_flat(path, SIZE, draw=draw)


LAYOUTS = [
    "factors 2",
    "factors 4",
    "irregular",
    "single level",
    "tiles of 240",
    "bounds",
    "without tiles",
]


def edges_dz_px(profile: np.ndarray) -> tuple[float, float]:
    """Where darkness begins and ends along a line, to a part of a pixel."""
    light, dark = float(np.mean(GLASS)), float(np.mean(DARK))
    darkness = (light - profile) / (light - dark)
    middle = int(np.argmax(darkness > 0.9))
    return middle - darkness[:middle].sum(), middle + darkness[middle:].sum()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_square_is_in_its_place_at_every_level(tmp_path: Path, layout: str):
    with open_wsi(write_layout(layout, tmp_path)) as wsi:
        zoom = DeepZoom.of_slide(*wsi.size_l0_px, wsi.tile_size_px)
        assert wsi.size_l0_px == (EVEN if layout == "bounds" else SIZE)
        for level in range(zoom.level_count - 7, zoom.level_count):
            step = zoom.step_l0_px(level)
            grey = TileSource(wsi, zoom).level(level, never_remember).mean(axis=2)
            left, right = edges_dz_px(grey[round(SQUARE.top * 1.5 / step)])
            top, bottom = edges_dz_px(grey[:, round(SQUARE.left * 1.5 / step)])
            found = np.array([left, top, right, bottom])
            off_dz_px = np.abs(found - np.array(SQUARE) / step)
            assert off_dz_px.max() < 0.6, (layout, level, found * step)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_tiles_join_without_a_seam(tmp_path: Path, layout: str):
    """Along the middle of the square all is dark, whatever tile borders lie on the way."""
    with open_wsi(write_layout(layout, tmp_path)) as wsi:
        zoom = DeepZoom.of_slide(*wsi.size_l0_px, wsi.tile_size_px)
        for level in range(zoom.level_count - 4, zoom.level_count):
            step = zoom.step_l0_px(level)
            whole = TileSource(wsi, zoom).level(level, never_remember)
            inside = whole[
                SQUARE.top // step + 3 : SQUARE.bottom // step - 3,
                SQUARE.left // step + 3 : SQUARE.right // step - 3,
            ]
            assert np.abs(inside.astype(int) - DARK).max() <= 3


def test_the_coarsest_tile_shows_the_mean_of_the_slide(tmp_path: Path):
    with open_wsi(make_slide(tmp_path / "a.tif", (1024, 1024), level_factors=(1,))) as wsi:
        zoom = DeepZoom.of_slide(1024, 1024, 256)
        pixel = TileSource(wsi, zoom).pixels((0, 0, 0), never_remember)[0, 0]
        assert np.abs(pixel.astype(int) - (120, 120, 90)).max() <= 2


def test_missing_levels_are_composed_and_look_like_read_ones(tmp_path: Path):
    size = (2111, 1501)
    path = make_slide(tmp_path / "a.tif", size, level_factors=(1,))
    kept: dict[tuple[int, int, int], np.ndarray] = {}

    def remember(address, compute):
        if address not in kept:
            pixels = compute()
            assert address not in kept, "computed twice"
            kept[address] = pixels
        return kept[address]

    with open_wsi(path) as wsi:
        zoom = DeepZoom.of_slide(*size, 256)
        level = zoom.level_count - 1 - 5  # one pixel of it is 32 of the only level there is
        composed = TileSource(wsi, zoom).level(level, remember).astype(int)
        height, width = composed.shape[:2]
        x_l0 = np.minimum((np.arange(width) + 0.5) * 32, (np.arange(width) * 32 + size[0]) / 2)
        y_l0 = np.minimum((np.arange(height) + 0.5) * 32, (np.arange(height) * 32 + size[1]) / 2)
    assert {address[0] for address in kept} == {level, level + 1, level + 2, level + 3}
    assert np.abs(composed[:, :, 0] - (20 + 200 * x_l0 / size[0])[None, :]).max() <= 2
    assert np.abs(composed[:, :, 1] - (20 + 200 * y_l0 / size[1])[:, None]).max() <= 2


def test_a_slide_with_its_own_levels_is_not_composed(tmp_path: Path):
    def remember(address, compute):
        raise AssertionError(address)

    path = make_slide(tmp_path / "a.tif", (1500, 1100), level_factors=(1, 4, 16, 64))
    with open_wsi(path) as wsi:
        zoom = DeepZoom.of_slide(1500, 1100, 256)
        for level in range(zoom.level_count - 7, zoom.level_count):
            TileSource(wsi, zoom).pixels((level, 0, 0), remember)
