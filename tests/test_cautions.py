"""Warnings on a result: each is given where it is due, and not elsewhere."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from model.cli import main
from model.evaluation.training_colours import left_out_distances, training_colours
from model.prediction.cautions import cautions
from model.prediction.colour_range import ColourRange, patch_features
from model.prediction.errors import HeatmapInvalid
from model.prediction.heatmap import Heatmap
from model.prediction.models import load_model
from model.prediction.slide_colours import pixel_l0_px, slide_features
from model.prediction.wsi import open_wsi
from tests.heatmaps import make_heatmap
from tests.model_folders import make_model_folder
from tests.slides import make_slide

PCAM = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "pcam"
REAL_SLIDE = PCAM.parent / "slides" / "CMU-1-Small-Region.svs"
SIDE = 20


def mapped(folder: Path, value: float, **geometry: object) -> Heatmap:
    """A finished map of 20 × 20 cells of 128 px, all of this value."""
    heatmap = make_heatmap(folder / "map.zarr", 1.0, rows=SIDE, columns=SIDE, **geometry)
    for chunk in heatmap.planned_chunks():
        top, bottom, left, right = heatmap.geometry.chunk_cells_range(chunk)
        heatmap.write_chunk(chunk, np.full((bottom - top, right - left), value, np.float32))
    return heatmap


def codes(heatmap: Heatmap, wsi=None, colours=None) -> list[str]:
    return [each.code for each in cautions(heatmap, heatmap.summary(), wsi, colours)]


def grainy(colour: tuple[int, int, int], shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    grain = np.random.default_rng(seed).normal(0, 12, (*shape, 1))
    return np.clip(np.array(colour) + grain, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("value", "expected"), [(0.7, ["nearly_all_positive"]), (0.3, [])])
def test_nearly_all_tissue_positive(tmp_path, value, expected):
    found = codes(mapped(tmp_path, value, calibrated=True))
    assert [code for code in found if code == "nearly_all_positive"] == expected


def test_nothing_positive_is_said_to_be_no_proof(tmp_path):
    heatmap = mapped(tmp_path, 0.3, calibrated=True)
    (caution,) = cautions(heatmap, heatmap.summary(), None, None)
    assert caution.code == "nothing_positive"
    assert "0.50" in caution.text
    assert "no proof of absence" in caution.hint


def test_no_tissue_is_not_nothing_positive(tmp_path):
    heatmap = make_heatmap(tmp_path / "map.zarr", 0.0, calibrated=True)
    assert codes(heatmap) == ["no_tissue"]


def test_a_model_that_is_not_calibrated_is_named(tmp_path):
    grid_of_some = mapped(tmp_path, 0.3, calibrated=False)
    assert codes(grid_of_some) == ["nothing_positive", "model_not_calibrated"]


@pytest.mark.parametrize(
    ("mpp", "level", "warned"),
    [(0.97, 0, False), (0.89, 0, False), (1.06, 0, False), (1.2, None, True), (0.25, None, False)],
)
def test_resolution_outside_the_trained_range(tmp_path, mpp, level, warned):
    """1.2 µm/px is enlarged to 0.97: no more detail comes of that."""
    slide = make_slide(tmp_path / "s.tif", (640, 640), level_factors=(1,), mpp=mpp)
    heatmap = mapped(tmp_path, 0.3, level=level, mpp_x=mpp, mpp_y=mpp)
    with open_wsi(slide) as wsi:
        found = cautions(heatmap, heatmap.summary(), wsi, None)
    assert ("resolution_outside_training" in [each.code for each in found]) == warned
    if warned:
        assert "1.20 µm/px" in found[0].text


def training_patches(folder: Path) -> tuple[Path, Path]:
    """12 slides of 50 pink patches each, none quite alike, and their order."""
    from tests.model_folders import write_patches

    chance = np.random.default_rng(1)
    patches = np.concatenate(
        [grainy(tuple(chance.normal((205, 120, 180), 9)), (50, 96, 96), seed) for seed in range(12)]
    )
    write_patches(folder, patches, np.zeros(len(patches), int))
    order = folder.with_suffix(".csv")
    lines = [f"p{n:03d},A{n}" for n in range(len(patches))]
    order.write_text("\n".join(["id,slide_order", *lines]))
    return folder, order


@pytest.fixture(scope="module")
def colours(tmp_path_factory) -> ColourRange:
    folder, order = training_patches(tmp_path_factory.mktemp("colours") / "patches")
    return training_colours(folder, order, 96)


def test_the_bound_is_how_far_the_oddest_training_slide_lies_from_the_others(colours):
    assert (colours.blocks, colours.patches) == (12, 600)
    blocks = np.random.default_rng(0).normal(size=(30, 6))
    blocks[7, 2] += 9
    distances = left_out_distances(blocks)
    assert distances.argmax() == 7
    assert distances.max() > 2 * np.median(distances)


@pytest.mark.parametrize(
    ("colour", "warned"),
    [((205, 120, 180), False), ((150, 120, 205), True), ((215, 150, 90), True)],
)
def test_an_unusual_stain(tmp_path, colours, colour, warned):
    slide = make_slide(
        tmp_path / "s.tif",
        (640, 640),
        level_factors=(1,),
        mpp=0.97,
        draw=grainy(colour, (640, 640)),
    )
    heatmap = mapped(tmp_path, 0.7, mpp_x=0.97, mpp_y=0.97, level=0, step_l0_x_px=32.0,
                     step_l0_y_px=32.0, calibrated=True)  # fmt: skip
    with open_wsi(slide) as wsi:
        assert ("stain_unusual" in codes(heatmap, wsi, colours)) == warned


def test_glass_has_no_colours_to_judge(tmp_path, colours):
    slide = make_slide(
        tmp_path / "s.tif",
        (640, 640),
        level_factors=(1,),
        draw=np.full((640, 640, 3), 244, np.uint8),
    )
    heatmap = mapped(tmp_path, 0.7, level=0, step_l0_x_px=32.0, step_l0_y_px=32.0)
    with open_wsi(slide) as wsi:
        assert slide_features(wsi, heatmap) is None
        assert "stain_unusual" not in codes(heatmap, wsi, colours)


def test_a_model_without_colours_judges_none(tmp_path):
    slide = make_slide(tmp_path / "s.tif", (640, 640), draw=grainy((20, 90, 20), (640, 640)))
    with open_wsi(slide) as wsi:
        assert "stain_unusual" not in codes(mapped(tmp_path, 0.7), wsi, None)


def test_the_command_notes_the_colours_in_the_side_file(tmp_path):
    folder, order = training_patches(tmp_path / "patches")
    model = make_model_folder(tmp_path / "model", note="kept")
    words = ["colours", "--model", model, "--patches", folder, "--order", order, "--json"]

    result = CliRunner().invoke(main, [str(word) for word in words])

    assert result.exit_code == 0, result.output
    assert load_model(model).colours == ColourRange.model_validate_json(result.stdout)
    assert json.loads((model / "sentinode.json").read_text())["note"] == "kept"


def test_patches_of_unknown_slides_give_no_colours(tmp_path):
    folder, order = training_patches(tmp_path / "patches")
    order.write_text("\n".join(order.read_text().splitlines()[:101]))
    words = ["colours", "--patches", folder, "--order", order]

    result = CliRunner().invoke(main, [str(word) for word in words])

    assert result.exit_code == 1
    assert "runs of patches are known to share a slide" in result.stderr


@pytest.mark.parametrize("break_it", ["bound", "inverse_covariance"])
def test_damaged_colours_are_refused(tmp_path, colours, break_it):
    values = colours.model_dump(mode="json")
    values[break_it] = 0 if break_it == "bound" else np.zeros((6, 6)).tolist()
    model = make_model_folder(tmp_path / "model", colours=values)
    result = CliRunner().invoke(
        main, ["predict", str(tmp_path / "s.tif"), "--out", str(tmp_path), "--model", str(model)]
    )
    assert result.exit_code == 1


@pytest.mark.skipif(not REAL_SLIDE.exists(), reason="needs the real slide of the shared data")
def test_a_real_slide_of_another_organ_is_unlike_the_shipped_models_training(tmp_path):
    from model.prediction.models import default_model
    from model.prediction.scoring import prepare

    model = default_model()
    assert model.colours is not None, "run `python -m model colours` for the model that ships"
    prepare(REAL_SLIDE, model.folder, tmp_path / "map.zarr", None)
    with open_wsi(REAL_SLIDE) as wsi:
        features = slide_features(wsi, Heatmap.open(tmp_path / "map.zarr"))
    assert model.colours.distance(features) > model.colours.bound


def test_features_are_those_of_the_tissue_alone():
    patch = grainy((205, 120, 180), (96, 96))
    half = patch.copy()
    half[:48] = 245
    assert np.allclose(patch_features(patch), patch_features(half), atol=0.6)


def test_a_heat_map_of_a_level_the_slide_lacks_is_refused(tmp_path: Path) -> None:
    path = make_slide(tmp_path / "slide.tif", (640, 512), level_factors=(1,))
    heatmap = mapped(tmp_path, 0.1, level=2)
    with open_wsi(path) as wsi, pytest.raises(HeatmapInvalid, match="level 2"):
        pixel_l0_px(wsi, heatmap)
