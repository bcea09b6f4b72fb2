"""Training learns what can be learnt, nothing from noise, and the same from the same seed."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from model.cli import main
from model.evaluation.metrics import roc_auc
from model.training.augment import augment, blur, cut_out, flip, warp
from model.training.config import Augmentation, TrainingConfig, TrainingConfigInvalid, read_config
from model.training.log import Log
from model.training.patches import PatchSet, scaled
from model.training.soup import average_nets
from model.training.start import start_net
from model.training.train import follow, half_type, set_rates, train
from tests.model_folders import draw_patches, random_net, write_patches

TOY = {
    "start": "random",
    "batch_patches": 16,
    "averaging_decay": 0.5,
    "norm_momentum": 0.3,
    "norm_batches": 4,
    "dropout": 0.0,
    "learning_rate": 1e-3,
    "augmentation": dict.fromkeys(Augmentation.model_fields, 0) | {"flips": True},
}


def shuffled(labels):
    return np.random.default_rng(0).permutation(labels)


def trained(labels_of, seed=0, epochs=6):
    pixels, labels = draw_patches(64, 32, seed=1)
    config = TrainingConfig(**TOY, epochs=epochs)
    return train(config, seed, PatchSet(pixels, labels_of(labels)), None, Log(None))


def auc_on_unseen(net, labels_of):
    pixels, labels = draw_patches(200, 32, seed=2)
    with torch.inference_mode():
        logits = net(scaled(torch.from_numpy(pixels) / 255))
    return roc_auc(labels_of(labels), torch.sigmoid(logits).numpy())


def test_what_can_be_learnt_is_learnt():
    assert auc_on_unseen(trained(lambda labels: labels), lambda labels: labels) > 0.9


def test_nothing_is_learnt_from_shuffled_labels():
    # 200 patches: chance alone stays within 0.5 ± 0.12 (three standard errors)
    assert auc_on_unseen(trained(shuffled), shuffled) == pytest.approx(0.5, abs=0.12)


def test_a_seed_fixes_the_net():
    first, again, other = (trained(lambda y: y, seed, epochs=0.5) for seed in (0, 0, 1))
    weight = "blocks.0.layers.1.conv.weight"
    assert torch.equal(first.state_dict()[weight], again.state_dict()[weight])
    assert not torch.equal(first.state_dict()[weight], other.state_dict()[weight])


def test_views_keep_shape_range_and_the_central_cell_visible():
    pixels, _ = draw_patches(12, 96)
    chance = torch.Generator().manual_seed(0)
    views = augment(torch.from_numpy(pixels), Augmentation(), chance)
    assert views.shape == pixels.shape
    assert 0 <= views.min() <= views.max() <= 1
    plain = torch.from_numpy(pixels) / 255
    cut = cut_out(plain, 1.0, 64, 32, chance)
    assert (cut != plain).any()
    assert torch.equal(cut[:, 32:64, 32:64], plain[:, 32:64, 32:64])


def test_no_strength_means_no_change_but_symmetry():
    pixels, _ = draw_patches(12, 96)
    none = dict.fromkeys(Augmentation.model_fields, 0) | {"flips": True}
    views = augment(torch.from_numpy(pixels), Augmentation(**none), torch.Generator())
    for view, patch in zip(views, pixels, strict=True):
        turned = [np.rot90(side, k) for side in (patch, patch[:, ::-1]) for k in range(4)]
        assert min(np.abs(view.numpy() * 255 - one).max() for one in turned) < 0.1


def test_a_warp_turns_and_zooms_about_the_centre():
    square = torch.ones(40, 96, 96, 3)
    square[:, 36:60, 36:60] = 0
    how = Augmentation(warp_share=1.0)
    warped = warp(square, how, torch.Generator().manual_seed(0))
    area = (warped[..., 0] < 0.5).sum((1, 2)).double() / 24**2
    assert area.min() > 0.8
    assert area.max() < 1.27  # ± 10 % of a side
    assert np.ptp(area.numpy()) > 0.1
    assert (warped[:, 40:56, 40:56] < 0.1).all()
    assert (warped[:, 47, 34] != square[:, 47, 34]).any()
    assert warp(square, Augmentation(), torch.Generator()) is square


def test_a_wide_blur_blurs_wide_and_keeps_the_mean():
    dot = torch.zeros(1, 96, 96, 3)
    dot[:, 48, 48] = 1
    chance = torch.Generator().manual_seed(0)
    widths = []
    for _ in range(20):
        blurred = blur(dot, 1.0, 4.0, chance)
        assert blurred.sum() == pytest.approx(3, rel=1e-4)
        widths.append(int((blurred[0, 48, :, 0] > 1e-3).sum()))
    assert max(widths) > 12
    assert min(widths) < 6


def test_a_dense_net_learns_too():
    pixels, labels = draw_patches(64, 96, seed=1)
    config = TrainingConfig(**TOY, architecture="efficientnet_lite0_dense", epochs=6)
    net = train(config, 0, PatchSet(pixels, labels), None, Log(None)).eval()
    unseen, wanted = draw_patches(100, 96, seed=2)
    with torch.inference_mode():
        logits = net(scaled(torch.from_numpy(unseen).float() / 255))
    assert roc_auc(wanted, logits.numpy()) > 0.9


def test_all_eight_symmetries_occur():
    square = torch.arange(9).view(1, 3, 3, 1).expand(200, 3, 3, 1)
    views = flip(square, torch.Generator().manual_seed(0))
    assert len({tuple(view.flatten().tolist()) for view in views}) == 8


def test_the_rate_warms_up_and_ends_near_nothing():
    net = start_net(TrainingConfig(**TOY))
    optimizer = torch.optim.SGD(net.parameters(), lr=1)
    optimizer.param_groups[0]["factor"] = 1.0
    rates = []
    for progress in np.linspace(0, 1, 50):
        set_rates(optimizer, TrainingConfig(learning_rate=1.0), progress)
        rates.append(optimizer.param_groups[0]["lr"])
    peak = int(np.argmax(rates))
    assert 0 < peak < 10
    assert rates[0] < 0.1
    assert rates[-1] < 0.01
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


def test_rates_may_fall_in_a_line_or_stay():
    net = start_net(TrainingConfig(**TOY))
    optimizer = torch.optim.SGD([{"params": net.parameters(), "factor": 2.0}], lr=1)
    for schedule, expected in (("linear", 1.0), ("constant", 2.0)):
        config = TrainingConfig(learning_rate=1.0, schedule=schedule, warmup_share=0.1)
        set_rates(optimizer, config, 0.5)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(expected)


def test_the_moving_mean_follows_weights_and_statistics():
    mean, net = random_net(0), random_net(1)
    before = mean.stem.norm.running_mean.clone()
    follow(mean, net, 0.75)
    expected = 0.75 * before + 0.25 * net.stem.norm.running_mean
    torch.testing.assert_close(mean.stem.norm.running_mean, expected)


def test_the_mean_of_nets_has_mean_weights_and_measured_norms():
    pixels, labels = draw_patches(32, 32)
    nets = [random_net(0), random_net(1)]
    mean = average_nets(nets, PatchSet(pixels, labels), TrainingConfig(**TOY))
    expected = (nets[0].last.conv.weight + nets[1].last.conv.weight) / 2
    torch.testing.assert_close(mean.last.conv.weight, expected)
    with torch.inference_mode():
        normed = mean.stem.norm(mean.stem.conv(scaled(torch.from_numpy(pixels) / 255)))
    centred = (normed - mean.stem.norm.bias.view(1, -1, 1, 1)).mean((0, 2, 3))
    assert centred.abs().max() < 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 3", "epoch"),
        ("epochs = -1", "epochs"),
        ("epochs = ", "no readable TOML"),
    ],
)
def test_a_wrong_configuration_is_named(tmp_path, text, message):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(TrainingConfigInvalid, match=message):
        read_config(path)


def test_the_command_writes_a_model_folder_that_evaluates(tmp_path):
    patches = write_patches(tmp_path / "patches", *draw_patches(8, 96))
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('start = "random"\nseeds = [0, 1]\nepochs = 1\nbatch_patches = 4\n')
    out = tmp_path / "out"
    arguments = ["train", "--patches", patches, "--validate", patches]
    arguments += ["--config", recipe, "--out", out]
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert {line["seed"] for line in lines} == {0, 1}
    assert any("val_roc_auc" in line for line in lines)
    evaluate = ["evaluate", "--patches", str(patches), "--model", str(out), "--json"]
    found = json.loads(CliRunner().invoke(main, evaluate).stdout)
    assert found["sensitivity"] >= 0.9


@pytest.mark.parametrize(
    ("factor", "message"), [(0, "have the label 0"), (1, "fewer patches than a batch holds")]
)
def test_patches_that_nothing_can_be_learnt_from_are_refused(tmp_path, factor, message):
    pixels, labels = draw_patches(4, 96)
    patches = write_patches(tmp_path / "patches", pixels, labels * factor)
    arguments = ["train", "--patches", patches, "--validate", patches, "--out", tmp_path / "out"]
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 1
    assert message in result.output


@pytest.mark.parametrize(("precision", "kind"), [("auto", "float32"), ("bfloat16", "bfloat16")])
def test_on_the_cpu_half_precision_is_for_who_asks(precision, kind):
    config = TrainingConfig(**TOY, precision=precision, max_steps=2)
    assert half_type(config, torch.device("cpu")) is getattr(torch, kind)
    pixels, labels = draw_patches(32, 32, seed=1)
    net = train(config, 0, PatchSet(pixels, labels), None, Log(None))
    assert {each.dtype for each in net.parameters()} == {torch.float32}
    assert all(each.isfinite().all() for each in net.parameters())
    torch.manual_seed(0)  # as the run began
    assert not torch.equal(net.last.conv.weight, start_net(config).last.conv.weight)
