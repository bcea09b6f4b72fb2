"""Composed slides: tumour patches where the mask says so, and a study that the line can read."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from model.cli import main
from model.extraction.compose import ComposeSettings, lay_out, paint
from model.extraction.phantom_outlines import OutlineSource, longest_diameter
from model.extraction.study import open_study
from model.prediction.wsi import open_wsi
from tests.model_folders import draw_patches, write_patches

SETTINGS = ComposeSettings(size_px=1152, seed=3)
NORMAL = np.full((5, 96, 96, 3), (220, 150, 190), np.uint8)
TUMOUR = np.full((2, 96, 96, 3), (120, 70, 150), np.uint8)


def test_a_place_is_tumour_when_its_centre_holds_any_of_the_mask():
    mask = np.zeros((1152, 1152), np.bool_)
    mask[96 * 3 + 63, 96 * 4 + 63] = True  # last pixel of a centre
    mask[96 * 5 + 64 :, 96 * 6 + 64] = True  # beside the centre of one, through those below
    tissue = np.zeros((12, 12), np.bool_)
    tissue[3, 4] = tissue[5, 6] = tissue[8, 8] = True
    pixels, used = paint(np.random.default_rng(0), tissue, mask, NORMAL, TUMOUR, SETTINGS)
    assert used == {"normal_patches": 2, "tumour_patches": 1}
    assert (pixels[96 * 3 : 96 * 4, 96 * 4 : 96 * 5] == TUMOUR[0]).all()
    assert (pixels[96 * 5 : 96 * 6, 96 * 6 : 96 * 7] == NORMAL[0]).all()
    assert (pixels[:96] == 243).all()


def test_lesions_lie_in_tissue_and_apart():
    settings = ComposeSettings(size_px=4800)
    for seed in range(5):
        kinds = ("micro", "micro", "itc")
        tissue, placed = lay_out(np.random.default_rng(seed), kinds, OutlineSource(), settings)
        inside = tissue.repeat(96, 0).repeat(96, 1)
        for outline in placed:
            x, y = outline.astype(int).T
            assert inside[y, x].all()
            assert longest_diameter(outline) * settings.mpp < 2000
        boxes = [(each.min(0), each.max(0)) for each in placed]
        for index, (low, high) in enumerate(boxes):
            for other_low, other_high in boxes[:index]:
                assert (low > other_high + 192).any() or (high < other_low - 192).any()


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    return write_patches(tmp_path_factory.mktemp("patches"), *draw_patches(24, 96))


def run(*arguments):
    return CliRunner().invoke(main, ["compose", *map(str, arguments)])


def test_it_writes_a_study(patches, tmp_path):
    asked = ("--patches", patches, "--count", 2, "--size-px", 1536, "--json")
    result = run(*asked, "--out", tmp_path / "study")
    assert result.exit_code == 0, result.output
    study = open_study(tmp_path / "study")
    assert [slide.name for slide in study.slides] == ["normal_02", "tumor_01"]
    normal, tumour = study.slides
    assert (normal.normal, normal.lesions) == (True, None)
    with open_wsi(tumour.path) as wsi, open_wsi(tumour.lesions) as mask:
        assert wsi.mpp.x == pytest.approx(0.97, rel=1e-3)
        assert wsi.size_l0_px == mask.size_l0_px == (1536, 1536)
        assert set(np.unique(mask.read_level(0, 0, 0, 1536, 1536))) == {0, 1}
    assert json.loads(result.stdout)["slides"][0]["tumour_patches"] > 0
    again = run(*asked, "--out", tmp_path / "again")
    assert again.stdout == result.stdout
    for name in ("slides/tumor_01.tif", "masks/tumor_01_mask.tif"):
        assert (tmp_path / "study" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_patches_of_one_kind_are_refused(patches, tmp_path):
    pixels, _ = draw_patches(4, 96)
    one = write_patches(tmp_path / "one", pixels, np.zeros(4, int))
    result = run("--patches", one, "--out", tmp_path / "study")
    assert (result.exit_code, "label 0" in result.stderr) == (1, True)
    assert not (tmp_path / "study").exists()


def test_outlines_that_are_none_are_refused(patches, tmp_path):
    (tmp_path / "o.zip").write_bytes(b"no zip")
    result = run("--patches", patches, "--outlines", tmp_path / "o.zip", "--out", tmp_path / "s")
    assert (result.exit_code, "cannot be read" in result.stderr) == (1, True)
