"""What is tissue and what is not, in µm whatever the slide's resolution."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.prediction import tissue
from model.prediction.slide import Mpp, Pixels
from model.prediction.tissue import TissueMask, tissue_mask
from model.prediction.wsi import open_wsi, read_scaled
from tests import slides
from tests.heatmaps import GEOMETRY

MPP = 2.0
SIZE_PX = (1200, 900)
REAL_SLIDE = Path(__file__).parents[2] / "shared/data/slides/CMU-1-Small-Region.svs"
Box = tuple[int, int, int, int]  # left, top, right, bottom, µm

NODE = (118, 82, 164)
FAT = (236, 215, 230)


def picture(*parts: tuple[Box, Sequence[int]], glass: Sequence[int] = slides.GLASS) -> Pixels:
    """Glass with a scanner's noise, and parts of other colours on it."""
    noise = np.random.default_rng(3).normal(0, 2.5, (SIZE_PX[1], SIZE_PX[0], 3))
    colours = np.full((SIZE_PX[1], SIZE_PX[0], 3), glass, float)
    for (left, top, right, bottom), colour in parts:
        rows = slice(int(top / MPP), int(bottom / MPP))
        colours[rows, int(left / MPP) : int(right / MPP)] = colour
    return np.clip(colours + noise, 0, 255).astype(np.uint8)


def mask_of(folder: Path, pixels: Pixels, mpp: float | tuple[float, float] = MPP) -> TissueMask:
    path = slides.make_slide(folder / "s.tif", SIZE_PX, mpp=mpp, draw=pixels)
    with open_wsi(path) as wsi:
        assert wsi.mpp
        return tissue_mask(wsi, wsi.mpp)


def share_of(mask: TissueMask, box: Box) -> float:
    left, top, right, bottom = (value / 8 for value in box)
    return float(mask.mask[round(top) : round(bottom), round(left) : round(right)].mean())


@pytest.mark.parametrize("glass", [slides.GLASS, (255, 255, 255), (236, 230, 219), (225, 231, 240)])
def test_glass_alone_holds_no_tissue(tmp_path: Path, glass: Sequence[int]) -> None:
    assert mask_of(tmp_path, picture(glass=glass)).is_empty


def test_tissue_is_found_where_it_lies(tmp_path: Path) -> None:
    mask = mask_of(tmp_path, picture(((400, 400, 1200, 1000), NODE)))
    assert mask.mask.shape == (225, 300)
    assert share_of(mask, (400, 400, 1200, 1000)) == 1
    found_um2 = mask.mask.sum() * 64
    assert 800 * 600 <= found_um2 <= (800 + 2 * 24) * (600 + 2 * 24)


@pytest.mark.parametrize("colour", [FAT, (240, 205, 225), (214, 130, 178), NODE, (74, 48, 120)])
def test_pale_and_dark_tissue_beside_dense_tissue(tmp_path: Path, colour: Sequence[int]) -> None:
    dense, other = (400, 400, 1400, 1400), (1600, 400, 2000, 800)
    mask = mask_of(tmp_path, picture((dense, NODE), (other, colour)))
    assert share_of(mask, other) > 0.99


PENS = {
    "blue": (40, 70, 170),
    "green": (30, 140, 70),
    "black": (35, 35, 40),
    "red": (225, 15, 30),
    "padding": (0, 0, 0),
}


@pytest.mark.parametrize("pen", list(PENS))
def test_pens_and_padding_are_not_tissue(tmp_path: Path, pen: str) -> None:
    node, stroke = (400, 400, 1200, 1000), (1500, 200, 1700, 1600)
    mask = mask_of(tmp_path, picture((node, NODE), (stroke, PENS[pen])))
    assert share_of(mask, node) == 1
    assert share_of(mask, (1400, 100, 1800, 1700)) == 0


def test_a_slide_of_padding_and_glass_holds_no_tissue(tmp_path: Path) -> None:
    assert mask_of(tmp_path, picture(((0, 0, 800, 1800), (0, 0, 0)))).is_empty


def test_specks_go_and_holes_close(tmp_path: Path) -> None:
    node, hole = (400, 400, 1200, 1000), (700, 600, 800, 700)
    speck, cluster = (1600, 400, 1632, 432), (1600, 900, 1700, 1000)
    parts = ((node, NODE), (hole, slides.GLASS), (speck, NODE), (cluster, NODE))
    mask = mask_of(tmp_path, picture(*parts))
    assert share_of(mask, hole) == 1
    assert share_of(mask, speck) == 0
    assert share_of(mask, cluster) == 1


def test_a_large_hole_stays_open(tmp_path: Path) -> None:
    node, hole = (400, 400, 1600, 1600), (800, 800, 1200, 1200)
    mask = mask_of(tmp_path, picture((node, NODE), (hole, slides.GLASS)))
    assert share_of(mask, (850, 850, 1150, 1150)) == 0


def test_a_slide_without_glass_is_tissue(tmp_path: Path) -> None:
    assert mask_of(tmp_path, picture(((0, 0, 2400, 1800), NODE))).mask.all()


def test_each_axis_has_its_own_resolution(tmp_path: Path) -> None:
    mask = mask_of(tmp_path, picture(((400, 400, 1200, 1000), NODE)), mpp=(2.0, 4.0))
    assert mask.mask.shape == (450, 300)
    assert mask.step_l0 == (4.0, 2.0)


def test_bands_join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = picture(((400, 400, 1200, 1000), NODE))
    whole = mask_of(tmp_path, pixels).mask
    monkeypatch.setattr(tissue, "BAND_ROWS", 7)
    assert np.array_equal(mask_of(tmp_path, pixels).mask, whole)


def test_share_of_cells_is_exact() -> None:
    cells = np.zeros((10, 10), bool)
    cells[:, 3:] = True  # tissue from 3 × 32 = 96 level-0 pixels on
    geometry = replace(
        GEOMETRY, columns=4, rows=3, step_l0_x_px=127.0, step_l0_y_px=120.0, origin_l0_x_px=-1.0
    )
    share = TissueMask(cells, (32.0, 32.0)).share(geometry)
    assert share.shape == (3, 4)
    # Cells begin at -1, 126, 253 and 380; the mask ends at 320 px.
    assert share[0] == pytest.approx([(126 - 96) / 127, 1, (320 - 253) / 127, 0], abs=1e-6)
    assert share[2] == pytest.approx(share[0] * (320 - 240) / 120, abs=1e-6)


@pytest.mark.skipif(not REAL_SLIDE.exists(), reason="the real slide is not on this machine")
def test_real_tissue() -> None:
    with open_wsi(REAL_SLIDE) as wsi:
        mask = tissue_mask(wsi, wsi.mpp or Mpp(0.5, 0.5))
        height, width = mask.mask.shape
        pixels = read_scaled(wsi, 0, 0, mask.step_l0, width, height).astype(int)
    stained = pixels.max(axis=2) - pixels.min(axis=2) > 60
    assert mask.mask[stained].mean() > 0.99
    assert not mask.mask[:60, :20].any()  # the left is glass
    assert 0.35 < mask.mask.mean() < 0.5
