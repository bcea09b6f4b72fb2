"""A net learns what others answer, not only labels, and never from what is left out."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from model.cli import main
from model.evaluation.patches import PatchesInvalid
from model.prediction.models import load_model
from model.training.checked import carry_over, take_over, unseen_by
from model.training.config import TrainingConfig
from model.training.distill import distill, read_left_out, soft_targets, taught_logits
from model.training.log import Log
from model.training.patches import PatchSet, scaled
from model.training.symmetries import symmetric_logits, symmetry
from model.training.train import train
from tests.model_folders import draw_patches, make_model_folder, random_net, write_patches
from tests.test_training import TOY


def test_the_symmetries_are_eight_and_the_first_is_none():
    square = torch.arange(9.0).view(1, 1, 3, 3)
    views = [tuple(symmetry(square, which).flatten().tolist()) for which in range(8)]
    assert len(set(views)) == 8
    assert torch.equal(symmetry(square, 0), square)


def test_logits_of_symmetries_are_those_of_turned_patches():
    net = random_net(0)
    pixels, _ = draw_patches(3, 96)
    found = symmetric_logits(net, pixels)
    with torch.inference_mode():
        plain = net(scaled(torch.from_numpy(pixels) / 255)).numpy()
        turned = net(scaled(torch.from_numpy(np.rot90(pixels, 2, (1, 2)).copy()) / 255)).numpy()
    np.testing.assert_allclose(found[:, 0], plain, atol=1e-4)
    np.testing.assert_allclose(found[:, 2], turned, atol=1e-4)


def test_targets_mix_labels_and_teaching():
    labels, logits = np.array([0, 1]), np.array([0.0, 0.0], np.float32)
    assert soft_targets(labels, logits, 0.2).tolist() == pytest.approx([0.4, 0.6])
    assert soft_targets(labels, logits, 1.0).tolist() == [0, 1]


def test_what_is_taught_is_learnt_against_the_labels():
    pixels, labels = draw_patches(64, 32, seed=1)
    contrary = (1 - labels).astype(np.float32)
    taught = PatchSet(pixels, labels, all_targets=contrary)
    net = train(TrainingConfig(**TOY, epochs=6), 0, taught, None, Log(None))
    with torch.inference_mode():
        logits = net(scaled(torch.from_numpy(pixels) / 255)).numpy()
    assert logits[labels == 0].mean() > logits[labels == 1].mean() + 1


def test_other_teaching_is_another_set_of_patches():
    pixels, labels = draw_patches(4, 32)
    plain = PatchSet(pixels, labels)
    taught = PatchSet(pixels, labels, all_targets=np.full(4, 0.5, np.float32))
    assert plain.fingerprint() != taught.fingerprint()


def test_teachers_are_asked_once(tmp_path):
    teachers = [load_model(make_model_folder(tmp_path / f"t{seed}", seed)) for seed in (0, 1)]
    pixels, _ = draw_patches(4, 96)
    heard: list[str] = []
    first = taught_logits(teachers, pixels, tmp_path, heard.append)
    again = taught_logits(teachers, pixels, tmp_path, heard.append)
    np.testing.assert_array_equal(first, again)
    assert len(heard) == 2


def test_the_command_teaches_and_checks_on_the_fold_left_out(tmp_path):
    pixels, labels = draw_patches(16, 96)
    patches = write_patches(tmp_path / "patches", pixels, labels)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('start = "random"\nepochs = 1\nbatch_patches = 4\n')
    teacher = make_model_folder(tmp_path / "teacher", 1)
    # The patches are read label by label; a fold takes half of each.
    names = np.array([f"p{i:03d}" for i in [*range(0, 16, 2), *range(1, 16, 2)]])
    folds = np.arange(16) % 2
    np.savez(tmp_path / "folds.npz", names=names, folds=folds, blocks=np.arange(16) // 4 % 2)
    arguments = ["distill", "--patches", patches, "--validate", patches, "--teacher", teacher]
    arguments += ["--config", recipe, "--out", tmp_path / "out", "--start", teacher, "--json"]
    arguments += ["--folds", tmp_path / "folds.npz", "--leave-out", 1]
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert (said["calibration"]["n"], said["calibration"]["checked_over"]) == (8, "blocks")
    twin = load_model(tmp_path / "out")
    assert twin.training_summary.startswith("8 patches")
    folder = make_model_folder(tmp_path / "whole", 2)
    model = take_over(folder, unseen_by(twin.folder), 0.75)
    assert model.temperature == pytest.approx(said["calibration"]["temperature"], abs=1e-3)
    assert not model.calibrated
    with np.load(twin.folder / "left_out.npz") as left_out:
        tumour = left_out["logits"][left_out["labels"] == 1, 0]
    called = 1 / (1 + np.exp(-tumour / model.temperature)) >= model.threshold
    assert called.mean() >= 0.75
    with pytest.raises(PatchesInvalid, match="never saw"):
        unseen_by(teacher)


def test_folds_of_other_patches_are_refused(tmp_path):
    path = tmp_path / "folds.npz"
    np.savez(path, names=np.array(["a", "b"]), folds=np.array([0, 1]), blocks=np.array([0, 1]))
    assert read_left_out(path, ["a", "b"], 1).rows.tolist() == [False, True]
    with pytest.raises(PatchesInvalid, match="other patches"):
        read_left_out(path, ["b", "a"], 1)
    with pytest.raises(PatchesInvalid, match="no fold 2"):
        read_left_out(path, ["a", "b"], 2)
    (tmp_path / "torn.npz").write_bytes(b"no zip")
    with pytest.raises(PatchesInvalid, match="holds no folds"):
        read_left_out(tmp_path / "torn.npz", ["a"], 0)


def test_without_a_fold_left_out_there_is_no_check(tmp_path):
    pixels, labels = draw_patches(8, 96)
    patches = PatchSet(pixels, labels)
    config = TrainingConfig(start="random", epochs=1, batch_patches=4)
    model, calibration = distill(config, patches, patches, np.zeros(8, np.float32), tmp_path)
    assert calibration is None
    assert model.weights_path.is_file()


def test_answers_of_all_folds_are_carried_over_to_the_twins_scale(tmp_path):
    chance = np.random.default_rng(0)
    true = chance.normal(0, 1.5, 4000)
    labels = (chance.random(4000) < 1 / (1 + np.exp(-true))).astype(np.int64)
    rows, known = np.arange(4000) % 4 == 0, np.arange(4000) % 2 == 0
    of_folds = np.repeat(3 * true[:, None] + 1, 8, 1)
    np.savez(tmp_path / "folds.npz", logits=of_folds, labels=labels, known=known)
    np.savez(tmp_path / "left_out.npz", logits=2 * true[rows, None], labels=labels[rows], rows=rows)
    unseen = unseen_by(tmp_path, tmp_path / "folds.npz")
    np.testing.assert_allclose(unseen.logits, 2 * true[known])
    model = take_over(make_model_folder(tmp_path / "toy"), unseen, 0.9)
    assert model.temperature == pytest.approx(2, rel=0.1)
    plain = take_over(model.folder, unseen, 0.9, tempered=False)
    assert plain.temperature is None
    called = 1 / (1 + np.exp(-unseen.logits)) >= plain.threshold
    assert called[unseen.labels == 1].mean() == pytest.approx(0.9, abs=0.01)
    np.savez(tmp_path / "folds.npz", logits=of_folds[:5], labels=labels[:5], known=known[:5])
    with pytest.raises(PatchesInvalid, match="not of the patches"):
        unseen_by(tmp_path, tmp_path / "folds.npz")


def test_a_line_keeps_what_nets_disagree_about():
    chance = np.random.default_rng(0)
    one, other = chance.normal(0, 1, 1000), chance.normal(5, 2, 1000)
    carried = carry_over(one, other, one)
    assert (carried.mean(), carried.std()) == pytest.approx((other.mean(), other.std()))
