"""Levels that a file of JPEG tiles lacks: made of finer tiles, in place and true to a filter."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from model.prediction.wsi import open_wsi
from tests.jpeg_slides import make_jpeg_slide, tissue
from tests.slides import DARK, GLASS, Square, square_on_glass
from viewer.slides.deepzoom import DeepZoom
from viewer.slides.files import SlideFile, signature_of
from viewer.slides.jpeg_tiles import open_jpeg_tiles
from viewer.slides.tile_pixels import TileSource

SIZE = (1601, 1203)
SQUARE = Square(389, 270, 1011, 890)
LAYOUTS = {
    "one level": {"level_factors": (1,)},
    "factors of 4": {"level_factors": (1, 4)},
    "rgb": {"level_factors": (1,), "colours": "rgb"},
    "tiles of 240": {"level_factors": (1, 4), "tile_px": 240, "aperio": True},
}


def never_remember(address, compute):
    return compute()


class Opened:
    """A slide's tiles, with and without the help of its JPEG tiles."""

    def __init__(self, path: Path) -> None:
        self.wsi = open_wsi(path)
        assert self.wsi.tile_size_px is not None
        file = SlideFile("a", path, signature_of(path), *self.wsi.size_l0_px, None)
        self.zoom = DeepZoom.of_slide(*self.wsi.size_l0_px, self.wsi.tile_size_px)
        self.jpegs = open_jpeg_tiles(file, self.wsi, self.wsi.tile_size_px, None)
        self.source = TileSource(self.wsi, self.zoom, self.jpegs)

    def __enter__(self) -> "Opened":
        return self

    def __exit__(self, *_: object) -> None:
        self.wsi.close()
        assert self.jpegs is not None
        self.jpegs.close()


def psnr_db(pixels: np.ndarray, other: np.ndarray) -> float:
    error = np.mean((pixels.astype(float) - other) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_square_is_in_its_place(tmp_path: Path, layout: str):
    draw = square_on_glass(SQUARE)
    path = make_jpeg_slide(tmp_path / "a.svs", SIZE, draw=draw, quality=95, **LAYOUTS[layout])
    light, dark = float(np.mean(GLASS)), float(np.mean(DARK))
    with Opened(path) as opened:
        for level in range(opened.zoom.level_count - 7, opened.zoom.level_count):
            step = opened.zoom.step_l0_px(level)
            whole = opened.source.level(level, never_remember)
            darkness = (light - whole.mean(axis=2)) / (light - dark)
            darkness[darkness < 0.05] = 0  # what JPEG leaves of glass
            area_l0 = darkness.sum() * step**2
            middle_x = (darkness.sum(0) * (np.arange(whole.shape[1]) + 0.5)).sum()
            middle_y = (darkness.sum(1) * (np.arange(whole.shape[0]) + 0.5)).sum()
            expected = (SQUARE.right - SQUARE.left) * (SQUARE.bottom - SQUARE.top)
            assert area_l0 == pytest.approx(expected, rel=0.02)
            off_x = middle_x / darkness.sum() - (SQUARE.left + SQUARE.right) / 2 / step
            off_y = middle_y / darkness.sum() - (SQUARE.top + SQUARE.bottom) / 2 / step
            assert abs(off_x) < 0.15, (level, off_x)
            assert abs(off_y) < 0.15, (level, off_y)


@pytest.mark.parametrize("shrink", [2, 4])
@pytest.mark.parametrize("colours", ["ycbcr", "rgb"])
def test_they_are_close_to_the_mean_of_what_they_cover(tmp_path: Path, shrink: int, colours: str):
    path = make_jpeg_slide(
        tmp_path / "a.tif", SIZE, level_factors=(1,), colours=colours, draw=tissue(SIZE)
    )
    with tifffile.TiffFile(path) as tiff:
        level_0 = tiff.pages[0].asarray()
    even = np.pad(level_0, ((0, -SIZE[1] % shrink), (0, -SIZE[0] % shrink), (0, 0)), mode="edge")
    mean = np.asarray(Image.fromarray(even).reduce(shrink))
    with Opened(path) as opened:
        level = opened.zoom.level_count - shrink.bit_length()
        made = opened.source.level(level, never_remember)
    assert made.shape == mean.shape
    assert psnr_db(made, mean) > 32


def test_what_pads_the_files_last_tiles_is_never_seen(tmp_path: Path):
    path = make_jpeg_slide(
        tmp_path / "a.tif", SIZE, level_factors=(1,), draw=np.full((*SIZE[::-1], 3), 240, np.uint8)
    )
    with Opened(path) as opened:
        for level in range(3, opened.zoom.level_count):
            assert opened.source.level(level, never_remember).min() >= 228, level


def test_a_tile_that_cannot_be_decoded_leaves_the_others_alone(tmp_path: Path):
    path = make_jpeg_slide(tmp_path / "a.tif", SIZE, level_factors=(1,), draw=tissue(SIZE))
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        tables = page.tags["TileByteCounts"]
        place = tables.valueoffset
    with path.open("r+b") as file:  # the first tile is missing: OpenSlide shows nothing there
        file.seek(place)
        file.write(bytes(4))
    with Opened(path) as opened:
        level = opened.zoom.level_count - 2
        made = opened.source.pixels((level, 0, 0), never_remember)
        other = opened.source.pixels((level, 1, 0), never_remember)
    assert made[200:, 200:].std() > 5
    assert other.std() > 5


def test_costly_levels_are_those_made_of_many_tiles(tmp_path: Path):
    path = make_jpeg_slide(tmp_path / "a.tif", SIZE, level_factors=(1, 4), draw=tissue(SIZE))
    with Opened(path) as opened:
        last = opened.zoom.level_count - 1
        costly = [opened.source.is_costly(last - up) for up in range(6)]
    # The factors 1, 2, 4, 8, 16, 32 of a file that has 1 and 4.
    assert costly == [False, False, False, False, True, True]
