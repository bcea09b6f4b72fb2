"""WSInfer's folders are used as they are, once their program was adopted by its hash."""

import json
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from model.cli import main
from model.prediction.engine import Engine, load_engine
from model.prediction.errors import ModelInvalid
from model.prediction.heatmap import Heatmap
from model.prediction.models import CONFIG_FILE, SCRIPT_FILE, SIDE_FILE, load_model, sha256_of
from model.prediction.scoring import chunk_cells, plan_geometry, prepare, read_patches, score_chunk
from model.prediction.wsi import Mpp, open_wsi
from tests.model_folders import change_side_file
from tests.slides import make_slide

PATCH_PX = 50
MPP = 0.5
CLASSES = ["Other", "Stroma", "Tumor"]
NORMALIZE = {"name": "Normalize", "arguments": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.2]}}


class Means(torch.nn.Module):
    """The mean of each colour is the logit of a class; of the first, where one is wanted."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))[:, : self.classes]


def save_script(net: torch.nn.Module, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # as in the engine
        torch.jit.save(torch.jit.script(net), path)


def wsinfer_folder(folder: Path, classes=3, resize=None, **config) -> Path:
    """What WSInfer's model zoo offers: a configuration and a program."""
    folder.mkdir(parents=True)
    save_script(Means(classes), folder / SCRIPT_FILE)
    first = [{"name": "Resize", "arguments": {"size": resize}}] if resize else []
    whole = {
        "spec_version": "1.0",
        "architecture": "means",
        "num_classes": classes,
        "class_names": CLASSES[-classes:],
        "name": "means.test",
        "patch_size_pixels": PATCH_PX,
        "spacing_um_px": MPP,
        "transform": [*first, {"name": "ToTensor"}, NORMALIZE],
    }
    (folder / CONFIG_FILE).write_text(json.dumps(whole | config))
    return folder


def adopt(folder, *more):
    return CliRunner().invoke(main, ["adopt", str(folder), *map(str, more)])


def adopted(folder, *more, **options):
    result = adopt(wsinfer_folder(folder, **options), "--tumour-class", "Tumor", *more)
    assert result.exit_code == 0, result.stderr
    return folder


@pytest.fixture
def patches():
    return np.random.default_rng(0).integers(0, 256, (40, PATCH_PX, PATCH_PX, 3), dtype=np.uint8)


def scaled_means(patches):
    mean, std = (np.array(NORMALIZE["arguments"][name]) for name in ("mean", "std"))
    return (patches.mean((1, 2)) / 255 - mean) / std


def test_a_program_nobody_adopted_is_not_run(tmp_path):
    folder = wsinfer_folder(tmp_path / "zoo")
    with pytest.raises(ModelInvalid, match=SIDE_FILE):
        load_model(folder)


def test_several_classes_go_through_the_softmax(tmp_path, patches):
    engine = Engine(load_model(adopted(tmp_path / "Breast Tumor.v1")))
    assert (engine.model.id, engine.model.cell_size_px) == ("breast-tumor-v1", PATCH_PX)
    powers = np.exp(scaled_means(patches))
    expected = powers[:, 2] / powers.sum(1)
    np.testing.assert_allclose(engine.probabilities(patches), expected, rtol=1e-5)


def test_one_class_goes_through_the_sigmoid(tmp_path, patches):
    engine = Engine(load_model(adopted(tmp_path / "one", classes=1)))
    expected = 1 / (1 + np.exp(-scaled_means(patches)[:, 0]))
    np.testing.assert_allclose(engine.probabilities(patches), expected, rtol=1e-5)


def test_patches_are_resized_as_pillow_does(tmp_path, patches):
    engine = Engine(load_model(adopted(tmp_path / "small", resize=20, classes=1)))
    resized = np.stack(
        [
            np.asarray(Image.fromarray(p).resize((20, 20), Image.Resampling.BILINEAR))
            for p in patches
        ]
    )
    expected = 1 / (1 + np.exp(-scaled_means(resized)[:, 0]))
    np.testing.assert_allclose(engine.probabilities(patches), expected, rtol=1e-5)


def test_a_temperature_softens_the_odds_of_tumour(tmp_path, patches):
    folder = adopted(tmp_path / "hot")
    cold = Engine(load_model(folder)).probabilities(patches).astype(float)
    change_side_file(folder, temperature=2.0)
    hot = Engine(load_model(folder)).probabilities(patches)
    np.testing.assert_allclose(hot / (1 - hot), np.sqrt(cold / (1 - cold)), rtol=1e-4)


def test_an_altered_program_is_refused(tmp_path):
    folder = adopted(tmp_path / "zoo")
    save_script(Means(2), folder / SCRIPT_FILE)
    with pytest.raises(ModelInvalid, match="SHA-256 differs"):
        load_model(folder)


def test_a_program_altered_after_the_check_is_refused(tmp_path):
    folder = adopted(tmp_path / "zoo")
    model = load_model(folder)
    save_script(Means(2), folder / SCRIPT_FILE)
    with pytest.raises(ModelInvalid, match="being changed"):
        Engine(model)


class _Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("save", [lambda trap, path: path.write_bytes(pickle.dumps(trap)),
                                  torch.save])  # fmt: skip
def test_a_pickle_under_the_same_name_is_never_opened(tmp_path, save):
    folder, sprung = adopted(tmp_path / "zoo"), tmp_path / "sprung"
    save(_Trap(sprung), folder / SCRIPT_FILE)
    change_side_file(folder, weights_sha256=sha256_of(folder / SCRIPT_FILE))
    with pytest.raises(ModelInvalid, match="no TorchScript archive"):
        Engine(load_model(folder))
    assert not sprung.exists()


@pytest.mark.parametrize("tumour_class", [None, "Cancer"])
def test_which_class_is_tumour_is_never_guessed(tmp_path, tumour_class):
    folder = wsinfer_folder(tmp_path / "zoo")
    result = adopt(folder, *(("--tumour-class", tumour_class) if tumour_class else ()))
    assert (result.exit_code, "Other, Stroma, Tumor" in result.stderr) == (1, True)
    assert not (folder / SIDE_FILE).exists()


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"class_names": ["Tumor"]}, "class_names"),
        ({"spec_version": "2.0"}, "spec_version"),
        ({"transform": [{"name": "CenterCrop", "arguments": {"size": 8}}]}, "transform"),
        ({"transform": [NORMALIZE, {"name": "ToTensor"}]}, "transform"),
    ],
)
def test_what_cannot_be_carried_out_is_refused(tmp_path, config, named):
    result = adopt(wsinfer_folder(tmp_path / "zoo", **config), "--tumour-class", "Tumor")
    assert (result.exit_code, named in result.stderr) == (1, True)


def test_another_number_of_answers_is_refused(tmp_path, patches):
    folder = adopted(tmp_path / "zoo")
    save_script(Means(2), folder / SCRIPT_FILE)
    change_side_file(folder, weights_sha256=sha256_of(folder / SCRIPT_FILE))
    with pytest.raises(ModelInvalid, match="3 classes"):
        load_engine(folder).probabilities(patches)


def coloured_slide(path):
    """A slide of 5 × 4 patches, each of a colour of its own."""
    colours = np.random.default_rng(1).integers(60, 200, (4, 5, 3), dtype=np.uint8)
    pixels = colours.repeat(PATCH_PX, 0).repeat(PATCH_PX, 1)
    make_slide(path, (5 * PATCH_PX, 4 * PATCH_PX), level_factors=(1,), mpp=MPP, draw=pixels,
               compression="deflate")  # fmt: skip
    return pixels


def test_cells_as_large_as_patches_are_scored_where_they_lie(tmp_path):
    folder = adopted(tmp_path / "zoo", classes=1)
    change_side_file(folder, min_tissue_share=0.0)
    pixels = coloured_slide(tmp_path / "slide.tif")
    paths = tmp_path / "slide.tif", folder, tmp_path / "map.zarr"
    prepare(*paths, None)
    heatmap = Heatmap.open(paths[2])
    assert (heatmap.geometry.columns, heatmap.geometry.rows) == (5, 4)
    for chunk in heatmap.planned_chunks():
        score_chunk(*paths, chunk)
    found = heatmap.probabilities(0, 4, 0, 5)
    cells = pixels.reshape(4, PATCH_PX, 5, PATCH_PX, 3).swapaxes(1, 2).reshape(20, PATCH_PX, -1, 3)
    expected = 1 / (1 + np.exp(-scaled_means(cells)[:, 0].reshape(4, 5)))
    analysed = ~np.isnan(found)
    assert analysed.sum() > 10
    np.testing.assert_allclose(found[analysed], expected[analysed], atol=1e-3)


@pytest.mark.parametrize("cell_px", [50, 21, 20, 1])
def test_patches_keep_whole_pixels_whatever_the_margin(tmp_path, cell_px):
    model = load_model(adopted(tmp_path / "zoo", "--cell-size-px", cell_px))
    pixels = np.random.default_rng(2).integers(0, 256, (200, 250, 3), dtype=np.uint8)
    make_slide(tmp_path / "slide.tif", (250, 200), level_factors=(1,), mpp=MPP, draw=pixels,
               compression="deflate")  # fmt: skip
    with open_wsi(tmp_path / "slide.tif") as wsi:
        geometry = plan_geometry(wsi, Mpp(MPP, MPP), model)
        cells = np.zeros((2, 3), np.bool_)
        cells[1, 2] = True
        (patch,) = read_patches(wsi, geometry, model, (0, 0), cells)
    margin = (PATCH_PX - cell_px) // 2
    seen = np.pad(pixels, ((PATCH_PX, PATCH_PX), (PATCH_PX, PATCH_PX), (0, 0)), constant_values=255)
    top, left = PATCH_PX + cell_px - margin, PATCH_PX + 2 * cell_px - margin
    np.testing.assert_array_equal(patch, seen[top : top + PATCH_PX, left : left + PATCH_PX])


@pytest.mark.parametrize(
    ("patch_px", "cell_px", "cells"),
    [(50, 50, 16), (350, 350, 8), (4000, 4000, 1), (96, 32, 16)],
)
def test_chunks_of_large_patches_hold_fewer(tmp_path, patch_px, cell_px, cells):
    folder = adopted(tmp_path / "zoo", "--cell-size-px", cell_px, patch_size_pixels=patch_px)
    assert chunk_cells(load_model(folder)) == cells
