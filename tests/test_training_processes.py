"""Two processes (torchrun, gloo, CPU) train the net that one trains with the same batches."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from model.prediction.models import load_model
from model.training.config import TrainingConfigInvalid
from model.training.log import Log
from model.training.processes import ALONE, Processes
from model.training.run import check_batches, from_manifest
from model.training.train import begin, train
from tests.training_process import gradients
from tests.training_studies import NO_VIEWS, make_training_study, toy
from viewer.settings import PROJECT_FOLDER

# Without chance of views or dropout, which each process has for itself.
CHANGES = {"max_steps": 2, "batch_patches": 12, "dropout": 0, "augmentation": NO_VIEWS}
CHANGES |= {"balance": {"method": "weight"}}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_training_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def together(study, tmp_path_factory):
    """The folder that two processes left."""
    out = tmp_path_factory.mktemp("together")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--nproc-per-node", "2", "-m", "tests.training_process"]
    command = [*torchrun, str(study), str(out), json.dumps(CHANGES)]
    ended = subprocess.run(
        command, cwd=PROJECT_FOLDER, capture_output=True, text=True, timeout=240, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return out


def weights(folder, rank, what="rank"):
    return load_file(folder / f"{what}-{rank}.safetensors")


def flat(values, net):
    """All weights, without the norms' statistics, in one row."""
    return torch.cat([values[name].flatten() for name, _ in net.named_parameters()])


def test_all_processes_have_the_same_net(together):
    first, second = weights(together, 0), weights(together, 1)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_their_gradients_are_those_of_the_whole_batch(study, together):
    config = toy(**CHANGES)
    patches, _ = from_manifest(config, study / "manifest.parquet", study / "split.json")
    for name, gradient in gradients(config, patches, ALONE).items():
        for rank in (0, 1):
            shared = weights(together, rank, "gradients")[name]
            torch.testing.assert_close(shared, gradient, rtol=1e-6, atol=1e-9, msg=name)


def test_it_is_the_net_of_one_process(study, together):
    config = toy(**CHANGES)
    sources = from_manifest(config, study / "manifest.parquet", study / "split.json")
    alone = train(config, 0, *sources, Log(None))
    start = begin(config, 0, ALONE).net
    shared = weights(together, 0)
    for name, value in alone.named_buffers():
        torch.testing.assert_close(shared[name], value, rtol=0.02, atol=0.002, msg=name)
    # Adam's division magnifies the last digits of float32; without shared norms or gradients the
    # difference is as large as the way itself.
    way = flat(alone.state_dict(), alone) - flat(start.state_dict(), alone)
    difference = flat(shared, alone) - flat(alone.state_dict(), alone)
    assert difference.norm() < 0.25 * way.norm()


def test_one_process_writes_model_and_metrics(together):
    assert load_model(together / "model").threshold >= 0
    lines = (together / "model" / "metrics.jsonl").read_text().splitlines()
    steps = [line["step"] for line in map(json.loads, lines) if "loss" in line]
    assert steps == [1, 2]


def test_a_batch_that_cannot_be_shared_is_refused(study):
    sources = from_manifest(toy(), study / "manifest.parquet", study / "split.json")
    with pytest.raises(TrainingConfigInvalid, match="cannot be shared by 3"):
        check_batches(toy(batch_patches=4), sources[0], Processes(world=3))
