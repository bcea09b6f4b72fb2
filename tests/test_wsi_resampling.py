"""read_scaled puts every pixel where it belongs, whatever the pyramid looks like."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from model.prediction.openslide_reader import OpenSlideWsi
from model.prediction.slide import Pixels
from model.prediction.wsi import Wsi, open_wsi, read_scaled
from tests import slides

SIZE_PX = (1501, 1103)
LAYOUTS: dict[str, tuple[slides.Maker, dict[str, object]]] = {
    "factors 2 and 4": (slides.make_slide, {"level_factors": (1, 2, 4)}),
    "factor 4": (slides.make_slide, {"level_factors": (1, 4, 16)}),
    "factors 3 and 7.3": (slides.make_slide, {"level_factors": (1, 3, 7.3)}),
    "single level": (slides.make_slide, {"level_factors": (1,)}),
    "non-square resolution": (slides.make_slide, {"mpp": (0.25, 0.5)}),
    "aperio": (slides.make_svs, {"compression": "deflate"}),
    "bounds offset": (slides.make_scn, {"offset_l0_px": (703, 334)}),
    "ome-tiff": (slides.make_ome, {}),
    "strips": (slides.make_flat, {}),
}
ADDRESSED_ROUGHLY = ("factors 2 and 4", "factors 3 and 7.3", "non-square resolution")
STEPS = [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0), (4.0, 4.0), (7.3, 7.3), (0.5, 0.5), (3.88, 1.94)]
layouts = pytest.mark.parametrize("layout", list(LAYOUTS))
steps = pytest.mark.parametrize("step", STEPS)


@pytest.fixture(scope="module")
def square_slides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Wsi]]:
    yield from _slides(tmp_path_factory, slides.square_on_glass(slides.KNOWN_SQUARE))


@pytest.fixture(scope="module")
def ramp_slides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Wsi]]:
    yield from _slides(tmp_path_factory, slides.ramp(SIZE_PX))


@pytest.fixture(scope="module")
def dark_slides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Wsi]]:
    everywhere = slides.Square(-9, -9, 9999, 9999)
    yield from _slides(tmp_path_factory, slides.square_on_glass(everywhere))


def _slides(factory: pytest.TempPathFactory, draw: slides.Draw) -> Iterator[dict[str, Wsi]]:
    """One open slide of each layout."""
    folder = factory.mktemp("slides")
    with ExitStack() as stack:
        opened = {}
        for index, (layout, (make, arguments)) in enumerate(LAYOUTS.items()):
            # Leica's format has no levels of odd sizes: their scale would not be the picture's.
            size_px = (1504, 1104) if layout == "bounds offset" else SIZE_PX
            path = make(folder / f"{index}.tif", size_px, draw=draw, **arguments)
            opened[layout] = stack.enter_context(open_wsi(path))
        yield opened


@layouts
@steps
def test_edges_of_a_square_lie_where_they_are(
    square_slides: dict[str, Wsi], layout: str, step: tuple[float, float]
) -> None:
    """The mean of the darkness along an axis gives an edge to a small part of a pixel."""
    square = slides.KNOWN_SQUARE
    origin = (431.7, 240.2)
    width, height = (int(600 / step[0]), int(580 / step[1]))
    wsi = square_slides[layout]
    pixels = read_scaled(wsi, *origin, step, width, height)
    left, right, top, bottom = _edges(pixels)
    # OpenSlide addresses levels of odd sizes by whole pixels of level 0.
    addressing_l0 = 0.5 if layout in ADDRESSED_ROUGHLY else 0.0
    allowed_x, allowed_y = (0.03 * axis_step + addressing_l0 for axis_step in step)
    assert left * step[0] + origin[0] == pytest.approx(square.left, abs=allowed_x)
    assert right * step[0] + origin[0] == pytest.approx(square.right, abs=allowed_x)
    assert top * step[1] + origin[1] == pytest.approx(square.top, abs=allowed_y)
    assert bottom * step[1] + origin[1] == pytest.approx(square.bottom, abs=allowed_y)


def _edges(pixels: Pixels) -> tuple[float, float, float, float]:
    """Left, right, top and bottom of the dark part, in pixels with fractions."""
    darkness = (slides.GLASS[1] - pixels[..., 1].astype(float)) / (slides.GLASS[1] - slides.DARK[1])
    middle_row, middle_column = darkness.shape[0] // 2, darkness.shape[1] // 2
    across, down = darkness[middle_row], darkness[:, middle_column]
    left, right = middle_column - across[:middle_column].sum(), middle_column
    right += across[middle_column:].sum()
    top, bottom = middle_row - down[:middle_row].sum(), middle_row
    bottom += down[middle_row:].sum()
    return left, right, top, bottom


@layouts
@steps
def test_ramp_has_the_right_value_everywhere(
    ramp_slides: dict[str, Wsi], layout: str, step: tuple[float, float]
) -> None:
    wsi = ramp_slides[layout]
    pixels = read_scaled(wsi, 100.3, 57.9, step, int(1200 / step[0]), int(900 / step[1]))
    x = 100.3 + (np.arange(pixels.shape[1])[None, :] + 0.5) * step[0]
    y = 57.9 + (np.arange(pixels.shape[0])[:, None] + 0.5) * step[1]
    error = pixels - slides.ramp(SIZE_PX)(x, y)
    assert abs(error).max() <= 2
    assert abs(error.mean(axis=(0, 1))).max() < 0.3


@layouts
@steps
def test_neighbours_join_without_a_seam(
    square_slides: dict[str, Wsi], layout: str, step: tuple[float, float]
) -> None:
    wsi = square_slides[layout]
    width, height = int(900 / step[0]) // 2 * 2, int(800 / step[1])
    whole = read_scaled(wsi, 200.4, 100.7, step, width, height)
    half = width // 2
    left = read_scaled(wsi, 200.4, 100.7, step, half, height)
    right = read_scaled(wsi, 200.4 + half * step[0], 100.7, step, half, height)
    upper = read_scaled(wsi, 200.4, 100.7, step, width, 61)
    joined = np.concatenate([left, right], axis=1).astype(int)
    assert abs(joined - whole).max() <= 2
    assert abs(upper.astype(int) - whole[:61]).max() <= 2


@pytest.mark.parametrize("level", [0, 1, 2])
def test_step_of_a_level_gives_its_very_pixels(ramp_slides: dict[str, Wsi], level: int) -> None:
    pixels = slides.draw_pixels(slides.ramp(SIZE_PX), SIZE_PX)
    wsi = ramp_slides["factors 2 and 4"]
    step = 2**level
    read = read_scaled(wsi, 64.0, 32.0, (step, step), 100, 90)
    expected = slides.shrink(pixels, step)[32 // step :, 64 // step :][:90, :100]
    assert np.array_equal(read, expected)


@layouts
def test_background_begins_where_the_slide_ends(dark_slides: dict[str, Wsi], layout: str) -> None:
    """Neither a white rim inside the slide nor its colours outside."""
    wsi = dark_slides[layout]
    width, height = wsi.size_l0_px
    for step in (1.0, 4.0, 9.0):
        x, y = width - 20 * step, height - 10 * step
        pixels = read_scaled(wsi, x, y, (step, step), 40, 30)
        assert (pixels[10:] == wsi.background_rgb).all()
        assert (pixels[:, 20:] == wsi.background_rgb).all()
        assert abs(pixels[:10, :20].astype(int) - slides.DARK).max() <= 2
        corner = read_scaled(wsi, -5 * step, -5 * step, (step, step), 10, 10)
        assert abs(corner[5:, 5:].astype(int) - slides.DARK).max() <= 2
        assert (corner[:5] == wsi.background_rgb).all()
        assert (corner[:, :5] == wsi.background_rgb).all()
        beyond = read_scaled(wsi, width, 0, (step, step), 5, 5)
        assert (beyond == wsi.background_rgb).all()


def test_a_partly_covered_last_pixel_has_the_slides_colour(dark_slides: dict[str, Wsi]) -> None:
    wsi = dark_slides["factors 2 and 4"]
    last = read_scaled(wsi, 1500.0, 1100.0, (4.0, 4.0), 1, 1)
    assert abs(last.astype(int) - slides.DARK).max() <= 2


def test_large_regions_are_read_in_parts(
    square_slides: dict[str, Wsi], monkeypatch: pytest.MonkeyPatch
) -> None:
    wsi = square_slides["single level"]
    whole = read_scaled(wsi, -8.5, -3.25, (16.5, 16.5), 100, 80)
    reads: list[int] = []
    read_level = wsi.read_level

    def counting(level: int, x: int, y: int, width: int, height: int) -> Pixels:
        reads.append(width * height)
        return read_level(level, x, y, width, height)

    monkeypatch.setattr(wsi, "read_level", counting)
    monkeypatch.setattr("model.prediction.resample.MAX_READ_PX", 20_000)
    parts = read_scaled(wsi, -8.5, -3.25, (16.5, 16.5), 100, 80)
    assert max(reads) < 20_000 * 3  # the window looks a little beyond each part
    assert abs(parts.astype(int) - whole).max() <= 2


@pytest.mark.parametrize("layout", ["factors 3 and 7.3", "ome-tiff"])
def test_threads_share_a_slide(ramp_slides: dict[str, Wsi], layout: str) -> None:
    def read(number: int) -> Pixels:
        place = number * 97 % 900, number * 61 % 700
        return read_scaled(ramp_slides[layout], *place, (1.7, 1.7), 90, 80)

    alone = [read(number) for number in range(64)]
    with ThreadPoolExecutor(8) as pool:
        together = pool.map(read, range(64))
        assert all(np.array_equal(*pair) for pair in zip(alone, together, strict=True))


@steps
def test_bounds_that_begin_within_a_pixel_of_a_level(
    tmp_path: Path, step: tuple[float, float]
) -> None:
    """As MRXS slides have them: the same picture, whether asked for from the bounds or without."""
    path = slides.known_square_slide(tmp_path / "s.tif", size_px=(1536, 1024))
    with open_wsi(path) as whole, open_wsi(path) as bounded:
        assert isinstance(bounded, OpenSlideWsi)
        keys = ("x", "y", "width", "height")
        bounds = dict(zip(keys, ("203", "105", "1000", "801"), strict=True))
        bounded._find_bounds({f"openslide.bounds-{key}": value for key, value in bounds.items()})
        bounded._lay_out_levels()
        assert bounded.size_l0_px == (1000, 801)
        assert bounded.level_origins_l0_px == ((0, 0), (-1, -1), (-3, -1))
        assert bounded.level_sizes_px == ((1000, 801), (501, 401), (251, 201))
        size_px = int(500 / step[0]), int(500 / step[1])
        pixels = read_scaled(bounded, 200.25, 150.5, step, *size_px)
        expected = read_scaled(whole, 403.25, 255.5, step, *size_px)
    assert abs(pixels.astype(int) - expected).max() <= 1
