"""The engine gives the net's own probabilities, whatever the layout and number of the patches."""

import os

import numpy as np
import pytest
import torch

from model.prediction.engine import Engine, load_engine, load_network, scale_patches
from model.prediction.errors import ModelInvalid
from model.prediction.models import SIDE_FILE, load_model
from model.prediction.network import SameConv2d, same_padding
from tests.model_folders import change_side_file, make_model_folder

EQUAL = {"rtol": 0, "atol": 1e-5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_model_folder(tmp_path_factory.mktemp("models") / "toy")


@pytest.fixture(scope="module")
def engine(folder):
    return Engine(load_model(folder))


@pytest.fixture(scope="module")
def patches():
    smooth = np.random.default_rng(1).integers(0, 256, (70, 6, 6, 3), dtype=np.uint8)
    return smooth.repeat(16, 1).repeat(16, 2)


def reference(folder, patches):
    model = load_model(folder)
    with torch.inference_mode():
        return torch.sigmoid(load_network(model)(scale_patches(patches, model))).numpy()


def test_folding_the_norms_changes_nothing(folder, engine, patches):
    expected = reference(folder, patches)
    assert expected.std() > 0.01  # else any constant would pass
    np.testing.assert_allclose(engine.probabilities(patches), expected, **EQUAL)


def test_probabilities_do_not_depend_on_the_company(engine, patches):
    together = engine.probabilities(patches)  # more than one batch
    alone = np.concatenate([engine.probabilities(patches[i : i + 1]) for i in range(0, 70, 23)])
    assert together.shape == (70,)
    assert together.dtype == np.float32
    np.testing.assert_allclose(alone, together[::23], **EQUAL)


def test_a_read_only_view_of_a_region_is_scored_as_its_copy(engine):
    region = np.random.default_rng(2).integers(0, 256, (160, 192, 3), dtype=np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(region, (96, 96), (0, 1))[::32, ::32]
    view = windows.transpose(0, 1, 3, 4, 2).reshape(-1, 96, 96, 3)
    single = region[32:128, 64:160][None]
    np.testing.assert_allclose(
        engine.probabilities(single), engine.probabilities(view[[1 * 4 + 2]]), **EQUAL
    )
    single.flags.writeable = False
    assert engine.probabilities(single[:, ::-1]).shape == (1,)


def test_no_patches_give_no_probabilities(engine):
    assert engine.probabilities(np.empty((0, 96, 96, 3), np.uint8)).shape == (0,)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((1, 95, 96, 3), np.uint8),
        np.zeros((96, 96, 3), np.uint8),
        np.zeros((1, 96, 96, 4), np.uint8),
        np.zeros((1, 96, 96, 3), np.float32),
    ],
)
def test_other_shapes_and_types_are_refused(engine, wrong):
    with pytest.raises(ValueError, match="expected uint8 patches"):
        engine.probabilities(wrong)


def test_a_temperature_softens_without_reordering(tmp_path, engine, patches):
    hot = Engine(load_model(make_model_folder(tmp_path / "hot", temperature=2.0, calibrated=True)))
    logits = engine.logits(patches).numpy()
    np.testing.assert_allclose(hot.probabilities(patches), 1 / (1 + np.exp(-logits / 2)), **EQUAL)


def test_weights_of_another_net_are_refused(tmp_path):
    from safetensors.torch import save_file

    from model.prediction.models import WEIGHTS_FILE, sha256_of

    folder = make_model_folder(tmp_path / "other")
    save_file({"weight": torch.zeros(3)}, folder / WEIGHTS_FILE)
    change_side_file(folder, weights_sha256=sha256_of(folder / WEIGHTS_FILE))
    with pytest.raises(ModelInvalid, match="does not hold an efficientnet_lite0"):
        Engine(load_model(folder))


def test_a_folder_is_loaded_once_until_it_changes(tmp_path):
    folder = make_model_folder(tmp_path / "toy")
    first = load_engine(folder)
    assert load_engine(folder) is first
    change_side_file(folder, threshold=0.75)
    os.utime(folder / SIDE_FILE, ns=(1, 1))
    assert load_engine(folder).model.threshold == 0.75


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    # TensorFlow's rule: nothing before and one after where an even side is halved
    [(96, 3, 2, (0, 1)), (24, 5, 2, (1, 2)), (95, 3, 2, (1, 1)), (48, 3, 1, (1, 1))],
)
def test_padding_follows_tensorflow(size, kernel, stride, expected):
    assert same_padding(size, kernel, stride) == expected


def test_a_padded_convolution_sees_the_right_pixels():
    conv = SameConv2d(1, 1, 3, 2, groups=1)
    torch.nn.init.ones_(conv.weight)
    with torch.inference_mode():
        sums = conv(torch.arange(16.0).view(1, 1, 4, 4))
    # windows start at 0 and 2; the last row and column hang over the edge
    assert sums[0, 0].tolist() == [[45.0, 39.0], [66.0, 50.0]]
