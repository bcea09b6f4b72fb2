"""A folder like those of WSInfer's zoo goes through adopt and predict, whatever patch and spacing.

Its configuration is that of `breast-tumor-resnet34.tcga-brca`: 350 px, resized to 224, two classes.
The net is a small one, traced as the zoo's are; the zoo's own weights were not at hand.
"""

import json
import warnings

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from model.cli import main
from model.prediction.heatmap import Heatmap
from model.prediction.models import CONFIG_FILE, SCRIPT_FILE
from model.prediction.wsi import open_wsi, read_scaled
from tests.slides import make_slide

PATCH_PX, RESIZED_PX = 350, 224
MEAN, STD = np.array([0.7238, 0.5716, 0.6779]), np.array([0.1120, 0.1459, 0.1089])


def small_net():
    torch.manual_seed(4)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 7, stride=4),
        torch.nn.BatchNorm2d(8),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(8, 2),
    )
    return net.eval()


def zoo_folder(folder, spacing):
    folder.mkdir()
    net = small_net()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # as in the engine
        example = torch.zeros(1, 3, RESIZED_PX, RESIZED_PX)
        torch.jit.save(torch.jit.trace(net, example), folder / SCRIPT_FILE)
    normalize = {"mean": MEAN.tolist(), "std": STD.tolist()}
    config = {
        "spec_version": "1.0",
        "architecture": "resnet34",
        "num_classes": 2,
        "class_names": ["Other", "Tumor"],
        "name": "breast-tumor-resnet34.test",
        "patch_size_pixels": PATCH_PX,
        "spacing_um_px": spacing,
        "transform": [
            {"name": "Resize", "arguments": {"size": RESIZED_PX}},
            {"name": "ToTensor"},
            {"name": "Normalize", "arguments": normalize},
        ],
    }
    (folder / CONFIG_FILE).write_text(json.dumps(config))
    return net


def run(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)), catch_exceptions=False)


def tissue(width, height):
    chance = np.random.default_rng(5)
    pixels = np.zeros((height, width, 3), np.uint8)
    for side in (200, 20):
        shape = height // side + 1, width // side + 1, 3
        pixels += (
            chance.integers(40, 110, shape, np.uint8)
            .repeat(side, 0)
            .repeat(side, 1)[:height, :width]
        )
    pixels[..., 1] //= 2  # purple
    return pixels


@torch.no_grad()
def softmax_of(net, patch):
    small = Image.fromarray(patch).resize((RESIZED_PX, RESIZED_PX), Image.Resampling.BILINEAR)
    scaled = (np.asarray(small) / 255 - MEAN) / STD
    inputs = torch.from_numpy(scaled).float().permute(2, 0, 1)[None]
    return torch.softmax(net(inputs), 1)[0, 1].item()


# 0.25: a level as it is. 0.88: resampled. 1.0 is the slide's third level, 0.5 its second.
@pytest.mark.parametrize("spacing", [0.25, 0.5, 0.88])
def test_a_folder_of_the_zoo_is_adopted_and_predicts(tmp_path, spacing):
    net = zoo_folder(tmp_path / "zoo", spacing)
    slide = make_slide(tmp_path / "s.tif", (2800, 1500), draw=tissue(2800, 1500), mpp=0.25)
    adopted = run("adopt", tmp_path / "zoo", "--tumour-class", "Tumor")
    assert adopted.exit_code == 0, adopted.output
    result = run("predict", slide, "--model", tmp_path / "zoo", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    heatmap = Heatmap.open(tmp_path / "out" / "s.zarr")
    g = heatmap.geometry
    # Cells as large as patches, at the model's spacing to a 512th
    assert g.step_l0_x_px * 0.25 == pytest.approx(PATCH_PX * spacing, rel=2e-3)
    found = heatmap.probabilities(0, g.rows, 0, g.columns)
    pixel = g.step_l0_x_px / PATCH_PX, g.step_l0_y_px / PATCH_PX
    expected = np.full(found.shape, np.nan)
    with open_wsi(slide) as wsi:
        for row, column in np.argwhere(heatmap.to_analyse):
            corner = column * g.step_l0_x_px, row * g.step_l0_y_px
            expected[row, column] = softmax_of(
                net, read_scaled(wsi, *corner, pixel, PATCH_PX, PATCH_PX)
            )
    assert np.isfinite(expected).sum() >= 2
    assert np.nanstd(expected) > 1e-4  # the patches do differ
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_slide_too_coarse_for_the_model_is_refused(tmp_path):
    zoo_folder(tmp_path / "zoo", 0.25)
    slide = make_slide(tmp_path / "s.tif", (800, 600), draw=tissue(800, 600), mpp=0.5)
    assert run("adopt", tmp_path / "zoo", "--tumour-class", "Tumor").exit_code == 0
    result = run("predict", slide, "--model", tmp_path / "zoo", "--out", tmp_path / "out")
    assert (result.exit_code, "0.25 µm" in result.stderr) == (1, True)
