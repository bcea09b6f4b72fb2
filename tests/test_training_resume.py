"""A run that was killed goes on where it was, and ends with the very net of one that was not."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from model.cli import main
from model.extraction.errors import ManifestInvalid
from model.training.checkpoint import Checkpoint
from model.training.log import METRICS_FILE, Log
from model.training.patches import PatchSet
from model.training.run import CHECKPOINTS, run
from model.training.start import start_net
from model.training.train import train, validate
from tests.engine_room import wait_until
from tests.model_folders import draw_patches
from tests.training_studies import make_training_study, toy, write_config
from viewer.settings import PROJECT_FOLDER

WEIGHTS = "model.safetensors"


class Killed(BaseException):
    """Stands for a kill at one place."""


class Breaking(PatchSet):
    """Patches that kill whoever reads the n-th batch."""

    reads_left = 10**9

    def pixels(self, items):
        object.__setattr__(self, "reads_left", self.reads_left - 1)
        if self.reads_left < 0:
            raise Killed
        return super().pixels(items)


def lines_of(out):
    """metrics.jsonl without times."""
    lines = map(json.loads, (out / METRICS_FILE).read_text().splitlines())
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def small(kind=PatchSet):
    return kind(*draw_patches(20, 32, seed=1)), PatchSet(*draw_patches(20, 32, seed=2))


def whole_run(folder, config, sources, reads=None):
    """`train` with log and checkpoint in `folder`, killed after so many batches."""
    folder.mkdir(exist_ok=True)
    checkpoint = Checkpoint(folder / "checkpoint.safetensors")
    if reads is not None:
        object.__setattr__(sources[0], "reads_left", reads)
    with Log(folder, checkpoint.log_bytes() or 0) as log:
        return train(config, 0, *sources, log, checkpoint).state_dict()


def same(first, second):
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 2, "checkpoint_every_steps": 3},
        {"epochs": 3, "checkpoint_every_steps": 2, "patience": 1, "validate_every_steps": 2},
        {"epochs": 2, "checkpoint_every_steps": 1, "freeze": "all_but_head"},
    ],
    ids=["plain", "early-stop", "frozen"],
)
def test_killed_at_any_step_the_net_is_the_same(tmp_path, changes):
    config = toy(**changes)
    undisturbed = whole_run(tmp_path / "whole", config, small())
    for reads in (1, 4, 6):
        folder = tmp_path / f"killed-{reads}"
        sources = small(Breaking)
        try:
            whole_run(folder, config, sources, reads)
        except Killed:
            pass
        else:
            assert "patience" in changes  # ended before
        same(whole_run(folder, config, small()), undisturbed)
        assert lines_of(folder) == lines_of(tmp_path / "whole")


def test_a_command_killed_in_mid_run_goes_on(tmp_path):
    study = make_training_study(tmp_path / "study")
    config = write_config(tmp_path / "toy.toml", epochs=8, checkpoint_every_steps=1)

    def arguments(out):
        manifest = study / "manifest.parquet"
        given = ["train", "--manifest", manifest, "--out", out, "--config", config]
        return list(map(str, given))

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    command = [sys.executable, "-m", "model", *arguments(killed)]
    with subprocess.Popen(command, cwd=PROJECT_FOLDER, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: (killed / METRICS_FILE).is_file() and len(lines_of_some(killed)) > 5)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (killed / WEIGHTS).exists()
    for out in (killed, whole):
        result = CliRunner().invoke(main, arguments(out))
        assert result.exit_code == 0, result.output
    assert (killed / WEIGHTS).read_bytes() == (whole / WEIGHTS).read_bytes()
    assert lines_of(killed) == lines_of(whole)
    steps = [line["step"] for line in lines_of(killed) if "loss" in line]
    assert steps == list(range(1, 25))


def lines_of_some(out):
    return (out / METRICS_FILE).read_text().splitlines()


def test_a_finished_seed_is_not_trained_again(tmp_path):
    config = toy(seeds=[0, 1], max_steps=2)
    sources = PatchSet(*draw_patches(8, 96)), PatchSet(*draw_patches(8, 96, 1))
    run(config, sources, tmp_path)
    (tmp_path / CHECKPOINTS / "seed-1.safetensors").unlink()
    before = load_file(tmp_path / WEIGHTS)
    kept = (tmp_path / CHECKPOINTS / "seed-0.safetensors").stat().st_ino
    run(config, sources, tmp_path)
    assert (tmp_path / CHECKPOINTS / "seed-0.safetensors").stat().st_ino == kept
    same(load_file(tmp_path / WEIGHTS), before)
    assert [line["seed"] for line in lines_of(tmp_path) if "loss" in line] == [0, 0, 1, 1]


def test_other_settings_or_patches_are_refused_until_told_again(tmp_path):
    sources = PatchSet(*draw_patches(8, 96)), PatchSet(*draw_patches(8, 96, 1))
    run(toy(max_steps=1), sources, tmp_path)
    with pytest.raises(ManifestInvalid, match="max_steps 1, now 2"):
        run(toy(max_steps=2), sources, tmp_path)
    with pytest.raises(ManifestInvalid, match="other settings: patches"):
        run(toy(max_steps=1), sources[::-1], tmp_path)
    run(toy(max_steps=2), sources, tmp_path, again=True)
    assert [line["step"] for line in lines_of(tmp_path) if "loss" in line] == [1, 2]


def test_a_damaged_checkpoint_is_refused(tmp_path):
    whole_run(tmp_path / "out", toy(max_steps=1), small())
    path = tmp_path / "out" / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ManifestInvalid, match="could not be read"):
        whole_run(tmp_path / "out", toy(max_steps=1), small())


def test_training_ends_early_and_keeps_the_best_weights(tmp_path):
    patches, validation = small()
    # With the labels turned round, every step makes it worse.
    contrary = PatchSet(validation.all_pixels, 1 - validation.all_labels)
    config = toy(epochs=6, validate_every_steps=5, patience=2, stop_metric="val_loss")
    net = whole_run(tmp_path / "out", config, (patches, contrary))
    validated = [line for line in lines_of(tmp_path / "out") if "val_loss" in line]
    losses = [line["val_loss"] for line in validated]
    best = int(np.argmin(losses))
    assert len(losses) == best + 3 < 6
    kept = start_net(config)
    kept.load_state_dict(net)
    assert validate(kept.eval(), contrary)["val_loss"] == pytest.approx(losses[best], abs=1e-6)
