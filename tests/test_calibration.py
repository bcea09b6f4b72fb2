"""Temperatures: the right one is found, checked on unseen slides, and never put in place."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.special import expit

from model.cli import main
from model.evaluation.calibrated_folder import write_calibrated
from model.evaluation.calibration import (
    ScoredPatches,
    calibrate,
    fit_temperature,
    moved_threshold,
    nll,
)
from model.evaluation.errors import EvaluationInvalid
from model.extraction.errors import WriteFailed
from model.prediction.engine import Engine
from model.prediction.models import SIDE_FILE, load_model
from tests.model_folders import draw_patches, make_model_folder, write_patches

GROUPS = 20


def overconfident(factor=3.0, n=4000, seed=0):
    """Logits `factor` times too large for labels drawn from the true ones, in GROUPS slides."""
    chance = np.random.default_rng(seed)
    true = chance.normal(0, 1.5, n)
    labels = (chance.random(n) < expit(true)).astype(np.int64)
    return ScoredPatches(true * factor, labels, np.arange(n) % GROUPS, "slides", "made")


@pytest.fixture
def folder(tmp_path):
    return make_model_folder(tmp_path / "toy", id="toy", version="1.2.3", threshold=0.25)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_logits_wrong_is_found(factor):
    scored = overconfident(factor)
    assert fit_temperature(scored.logits, scored.labels) == pytest.approx(factor, rel=0.08)


def test_nothing_near_fits_better():
    scored = overconfident()
    best = fit_temperature(scored.logits, scored.labels)
    for factor in (0.97, 1.03):
        assert nll(scored.logits / best, scored.labels) < nll(
            scored.logits / (best * factor), scored.labels
        )


def test_slides_left_out_are_called_better_than_before():
    calibration = calibrate(overconfident())
    assert (calibration.groups, calibration.checked_over) == (GROUPS, "slides")
    assert calibration.ece_before > 0.1
    assert calibration.ece_after < 0.04
    assert calibration.nll_after < calibration.nll_before


def test_the_check_does_not_see_what_it_is_checked_on():
    """One slide needs another temperature; fitted to itself it would look calibrated."""
    scored = overconfident(1.0, n=1000)
    odd = scored.groups == 0
    labels = np.where(odd, 1 - (scored.logits > 0), scored.labels)  # always wrong in that slide
    alone = replace(scored, labels=labels, groups=np.where(odd, 0, 1 + scored.groups % 2))
    seen = nll(scored.logits / fit_temperature(scored.logits, labels), labels)
    assert calibrate(alone).nll_after > seen + 0.001


def test_too_few_slides_are_refused_by_number():
    scored = overconfident(n=40)
    one_class_left = replace(scored, groups=scored.labels)  # without slide 1, no tumour remains
    with pytest.raises(EvaluationInvalid, match="1 hold tumour patches and 1 normal"):
        calibrate(one_class_left)
    with pytest.raises(EvaluationInvalid, match="add slides"):
        calibrate(replace(scored, groups=np.zeros_like(scored.groups)))


def test_the_threshold_calls_the_same_patches():
    logits = np.linspace(-6, 6, 500)
    for threshold, before, after in ((0.25, None, 2.5), (0.9, 2.0, 0.4)):
        called = expit(logits / (before or 1)) >= threshold
        moved = moved_threshold(threshold, before, after)
        assert ((expit(logits / after) >= moved) == called).all()


def test_a_new_folder_is_written_and_the_old_one_left_alone(folder, tmp_path):
    old = {path.name: path.read_bytes() for path in folder.iterdir()}
    calibration = calibrate(overconfident())
    model = write_calibrated(load_model(folder), calibration, tmp_path / "new")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == old
    assert (model.id, model.version, model.calibrated) == ("toy", "1.2.4", True)
    assert model.temperature == calibration.temperature
    assert model.threshold == pytest.approx(expit(-np.log(3) / model.temperature), abs=2e-6)
    stored = json.loads((tmp_path / "new" / SIDE_FILE).read_text())["calibration"]
    assert (stored["n"], stored["data"], stored["groups"]) == (4000, "made", GROUPS)
    assert {"ece_before", "ece_after"} <= set(stored)
    patches, _ = draw_patches(3, 96)
    logits = Engine(load_model(folder)).logits(patches)
    np.testing.assert_allclose(
        Engine(model).probabilities(patches), expit(logits / model.temperature), atol=1e-5
    )


def test_a_folder_that_is_there_is_not_touched(folder):
    with pytest.raises(EvaluationInvalid, match="never changed in place"):
        write_calibrated(load_model(folder), calibrate(overconfident()), folder)


def test_a_write_that_fails_leaves_nothing(folder, tmp_path, monkeypatch):
    from model.evaluation import calibrated_folder

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(calibrated_folder.shutil, "copyfile", full)
    with pytest.raises(WriteFailed, match="No space left"):
        write_calibrated(load_model(folder), calibrate(overconfident()), tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


def run(*arguments):
    return CliRunner().invoke(main, ["calibrate", *map(str, arguments)])


def test_the_command_says_how_far_its_check_reaches(folder, tmp_path):
    patches = write_patches(tmp_path / "patches", *draw_patches(12, 96))
    order = tmp_path / "order.csv"
    order.write_text("id,slide_order\n" + "".join(f"p{i:03d},A{i}\n" for i in range(6)))
    alone = run("--model", folder, "--patches", patches, "--out", tmp_path / "a", "--json")
    assert json.loads(alone.stdout)["checked_over"] == "patches"
    assert not load_model(tmp_path / "a").calibrated
    ordered = run("--model", folder, "--patches", patches, "--order", order,
                  "--out", tmp_path / "b")  # fmt: skip
    assert "over 7 blocks" in ordered.stdout
    assert load_model(tmp_path / "b").calibrated


@pytest.mark.parametrize("arguments", [[], ["--patches", ".", "--manifest", __file__]])
def test_one_source_of_patches_is_wanted(arguments, tmp_path):
    result = run(*arguments, "--out", tmp_path / "new")
    assert (result.exit_code, "--manifest" in result.stderr) == (2, True)
