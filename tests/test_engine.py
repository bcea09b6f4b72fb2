"""The engine gives the net's own probabilities, whatever the layout and number of the patches."""

import os
import shutil
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
from model.prediction.models import (
    GATE_FILE,
    SIDE_FILE,
    WEIGHTS_FILE,
    Gate,
    load_model,
    sha256_of,
)
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
    region = np.random.default_rng(3).integers(0, 256, (10, 14, 3), dtype=np.uint8)
    region = region.repeat(16, 0).repeat(16, 1)  # 3 × 5 cells
    cells = np.indices((3, 5)).sum(0) % 2 == 0
    corners = np.argwhere(cells) * 32
    patches = np.stack([region[y : y + 96, x : x + 96] for y, x in corners])
    expected = reference(folder, patches)
    scores = engine.score_cells(region, cells)
    assert expected.std() > 0.01
    np.testing.assert_allclose(scores.probabilities, expected, **EQUAL)
    assert not scores.by_gate.any()
    with pytest.raises(ValueError, match="expected a uint8 region"):
        engine.score_cells(region[:-1], cells)


@pytest.mark.parametrize("how", FLOAT32)
def test_first_answers_stand_where_they_are_sure(tmp_path, how, patches):
    model = load_model(make_model_folder(tmp_path / "gated", dense=True))
    first = Engine(replace(model, gate=Gate(first_below=1 - 1e-9)), how).score_patches(patches)
    assert first.by_gate.all()
    assert first.probabilities.std() > 0.01
    bound = float(np.median(first.probabilities))
    gated = Engine(replace(model, gate=Gate(first_below=bound)), how)
    whole = Engine(replace(model, gate=Gate(first_below=bound)), how, gated=False)
    scores, everything = gated.score_patches(patches), whole.score_patches(patches)
    assert not everything.by_gate.any()
    assert 20 < scores.by_gate.sum() < 50
    expected = np.where(scores.by_gate, first.probabilities, everything.probabilities)
    np.testing.assert_allclose(scores.probabilities, expected, **EQUAL)
    assert (first.probabilities[scores.by_gate] < bound).all()


@pytest.mark.parametrize("how", FLOAT32)
def test_a_gate_hands_on_what_it_does_not_rule_out(tmp_path, how, patches):
    gated = make_model_folder(tmp_path / "gated", threshold=0.9)
    net = make_model_folder(tmp_path / "dense", seed=5, dense=True)
    shutil.copy(net / WEIGHTS_FILE, gated / GATE_FILE)
    own = Engine(load_model(gated), how).probabilities(patches)
    gates = Engine(load_model(net), how).probabilities(patches)
    below = float(np.median(gates))
    gate = {"first_below": 0, "below": below, "weights_sha256": sha256_of(gated / GATE_FILE)}
    change_side_file(gated, gate=gate)
    scores = Engine(load_model(gated), how).score_patches(patches)
    assert np.array_equal(scores.by_gate, gates < below)
    expected = np.where(scores.by_gate, gates, own)
    np.testing.assert_allclose(scores.probabilities, expected, **EQUAL)
    region = patches[:4].reshape(2, 2, 96, 96, 3).swapaxes(1, 2).reshape(192, 192, 3)[:160]
    cells = np.ones((3, 4), np.bool_)
    corners = np.argwhere(cells) * 32
    single = np.stack([region[y : y + 96, x : x + 96] for y, x in corners])
    engine = Engine(load_model(gated), how)
    together, alone = engine.score_cells(region, cells), engine.score_patches(single)
    np.testing.assert_allclose(together.probabilities, alone.probabilities, **EQUAL)
    assert np.array_equal(together.by_gate, alone.by_gate)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weights_sha256": "0" * 64}, "SHA-256 differs"),
        ({"below": 0.9}, "call cells tumour by itself"),
        ({"below": None}, "not of these weights"),
        ({"model_sha256": "1" * 64}, "not of these weights"),
    ],
)
def test_a_gate_that_does_not_fit_is_refused(tmp_path, change, said):
    folder = make_model_folder(tmp_path / "gated", threshold=0.5)
    shutil.copy(folder / WEIGHTS_FILE, folder / GATE_FILE)
    digest = sha256_of(folder / GATE_FILE)
    gate = {"first_below": 0.1, "below": 0.2, "weights_sha256": digest, "model_sha256": digest}
    change_side_file(folder, gate=gate)
    load_model(folder)
    change_side_file(folder, gate=gate | change)
    with pytest.raises(ModelInvalid, match=said):
        load_model(folder)


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
