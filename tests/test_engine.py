"""The engine gives the net's own probabilities, whatever the layout and number of the patches."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from model.prediction import engine as engine_module
from model.prediction.engine import (
    OPENVINO_BFLOAT16,
    OPENVINO_FLOAT32,
    TORCH,
    Engine,
    check_engine,
    choose_engine,
    load_engine,
)
from model.prediction.engine_torch import load_network, scale_patches
from model.prediction.errors import EngineUnavailable, ModelInvalid
from model.prediction.lite0 import AFTER_PX, BEFORE_PX, SHARED_BLOCKS
from model.prediction.models import SIDE_FILE, WEIGHTS_FILE, load_model, sha256_of
from model.prediction.network import SameConv2d, same_padding
from tests.model_folders import change_side_file, make_model_folder

EQUAL = {"rtol": 0, "atol": 1e-5}


FLOAT32 = [TORCH, OPENVINO_FLOAT32]


@pytest.fixture(scope="module", params=["plain", "dense"])
def folder(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / request.param
    return make_model_folder(folder, dense=request.param == "dense")


@pytest.fixture(scope="module", params=FLOAT32)
def engine(request, folder):
    return Engine(load_model(folder), request.param)


@pytest.fixture(scope="module")
def patches():
    smooth = np.random.default_rng(1).integers(0, 256, (70, 6, 6, 3), dtype=np.uint8)
    return smooth.repeat(16, 1).repeat(16, 2)


def reference(folder, patches):
    model = load_model(folder)
    with torch.inference_mode():
        return torch.sigmoid(load_network(model)(scale_patches(patches, model))).numpy()


def test_every_engine_gives_the_nets_own_probabilities(folder, engine, patches):
    expected = reference(folder, patches)
    assert expected.std() > 0.01  # else any constant would pass
    np.testing.assert_allclose(engine.probabilities(patches), expected, **EQUAL)


def test_low_precision_stays_near(folder, patches):
    engine = Engine(load_model(folder), OPENVINO_BFLOAT16)
    expected = reference(folder, patches)
    # Random nets are not smooth: single patches may move far.
    assert 0 < abs(engine.probabilities(patches) - expected).mean() < 0.05


def test_cells_of_a_region_are_scored_as_their_patches(folder, engine):
    side = engine.model.seen_px
    region = np.random.default_rng(3).integers(0, 256, (48, 72, 3), dtype=np.uint8)
    region = region.repeat(16, 0).repeat(16, 1)[: 17 * 32 + side, : 30 * 32 + side]
    cells = np.indices((18, 31)).sum(0) % 7 == 0  # more than one block of cells, each way
    corners = np.argwhere(cells) * 32
    patches = np.stack([region[y : y + side, x : x + side] for y, x in corners])
    expected = reference(folder, patches)
    probabilities = engine.score_cells(region, cells)
    assert expected.std() > 0.01
    np.testing.assert_allclose(probabilities, expected, **EQUAL)
    np.testing.assert_allclose(engine.probabilities(patches), expected, **EQUAL)
    with pytest.raises(ValueError, match="expected a uint8 region"):
        engine.score_cells(region[:-1], cells)


@pytest.mark.parametrize("how", FLOAT32)
def test_a_dense_net_sees_what_lies_around_a_patch(tmp_path, how, patches):
    model = load_model(make_model_folder(tmp_path / "dense", dense=True))
    engine, (before, after) = Engine(model, how), model.surroundings_px
    around = (0, 0), (before, after), (before, after), (0, 0)
    mirrored = np.pad(patches, around, mode="reflect")
    np.testing.assert_allclose(
        engine.probabilities(patches), engine.probabilities(mirrored), **EQUAL
    )
    glass = np.pad(patches, around, constant_values=255)
    assert abs(engine.probabilities(glass) - engine.probabilities(mirrored)).max() > 0.01


def test_a_dense_net_has_the_tensors_and_the_places_of_the_plain_one(tmp_path):
    plain = load_network(load_model(make_model_folder(tmp_path / "plain")))
    dense = load_network(load_model(make_model_folder(tmp_path / "dense", dense=True)))
    dense.load_state_dict(plain.state_dict())
    # Far from the rim both see the same pixels: their features there are equal.
    wide = torch.rand(1, 3, 288, 288) * 2 - 1
    with torch.inference_mode():
        whole = plain.blocks[:SHARED_BLOCKS](plain.stem(wide))
        part = wide[:, :, 96 - BEFORE_PX : 192 + AFTER_PX, 96 - BEFORE_PX : 192 + AFTER_PX]
        np.testing.assert_allclose(dense.shared(part), whole[:, :, 6:12, 6:12], rtol=0, atol=1e-4)


def test_the_engine_can_be_chosen(monkeypatch):
    monkeypatch.delenv("SENTINODE_ENGINE", raising=False)
    assert choose_engine("torch") == TORCH
    assert choose_engine("openvino-float32") == OPENVINO_FLOAT32
    monkeypatch.setenv("SENTINODE_ENGINE", "torch")
    assert (choose_engine(), choose_engine("openvino-float32")) == (TORCH, OPENVINO_FLOAT32)
    with pytest.raises(EngineUnavailable, match="no engine 'cuda'"):
        choose_engine("cuda")
    with pytest.raises(EngineUnavailable, match="begun with the engine tensorrt float16"):
        check_engine("tensorrt float16")


def test_without_openvino_torch_computes(monkeypatch):
    monkeypatch.setattr(engine_module, "has_openvino", lambda: False)
    assert choose_engine("auto") == TORCH
    with pytest.raises(EngineUnavailable, match="not installed"):
        choose_engine("openvino")
    with pytest.raises(EngineUnavailable, match="does not have"):
        check_engine(OPENVINO_FLOAT32)


def test_openvino_needs_neither_torch_nor_telemetry(folder):
    program = (
        "import sys; from pathlib import Path; from model.prediction.engine import load_engine;"
        "import model.prediction.scoring;"
        f"load_engine(Path({str(folder)!r}), {OPENVINO_FLOAT32!r});"
        "sys.exit('torch' in sys.modules or bool(sys.modules['openvino_telemetry']))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


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
    warm = make_model_folder(tmp_path / "hot", temperature=2.0, calibrated=True)
    hot = Engine(load_model(warm), engine.how)
    logits = Engine(replace(hot.model, temperature=None), engine.how).logits(patches)
    np.testing.assert_allclose(hot.probabilities(patches), 1 / (1 + np.exp(-logits / 2)), **EQUAL)


def test_weights_of_another_net_are_refused(tmp_path):
    from safetensors.torch import save_file

    folder = make_model_folder(tmp_path / "other")
    save_file({"weight": torch.zeros(3)}, folder / WEIGHTS_FILE)
    change_side_file(folder, weights_sha256=sha256_of(folder / WEIGHTS_FILE))
    for how in FLOAT32:
        with pytest.raises(ModelInvalid, match="does not hold an efficientnet_lite0"):
            Engine(load_model(folder), how)


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


def test_what_was_compiled_long_ago_is_forgotten(tmp_path):
    from model.prediction.engine_openvino import MOST_COMPILED, _forget_old

    for age in range(MOST_COMPILED + 3):
        blob = tmp_path / f"{age}.blob"
        blob.touch()
        os.utime(blob, ns=(10**9 - age, 10**9 - age))
    _forget_old(tmp_path)
    kept = {int(blob.stem) for blob in tmp_path.iterdir()}
    assert kept == set(range(MOST_COMPILED))
