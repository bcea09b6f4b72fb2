"""Training from a manifest: the training part alone, balanced; what does not fit is refused."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from model.cli import main
from model.extraction.errors import ManifestInvalid, SplitInvalid
from model.extraction.manifest import read_manifest
from model.extraction.patch_reader import PatchReader
from model.prediction.models import load_model
from model.training.batches import Batches
from model.training.config import TrainingConfigInvalid
from model.training.patches import PatchSet
from model.training.run import from_manifest, run
from model.training.start import start_net
from tests.model_folders import draw_patches, make_model_folder
from tests.training_studies import make_training_study, toy, write_config


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_training_study(tmp_path_factory.mktemp("study"))


def sources(study, **changes):
    return from_manifest(toy(**changes), study / "manifest.parquet", study / "split.json")


def slides_of(study, items):
    return set(read_manifest(study / "manifest.parquet").column("slide").astype(str)[items])


def test_only_the_training_part_is_learnt_from(study):
    patches, validation = sources(study)
    batches = Batches(patches, toy(), 0)
    learnt = np.concatenate([batches.items(step) for step in range(40)])
    assert slides_of(study, learnt) == {"a"}
    assert slides_of(study, validation.items) == {"b"}


def test_pixels_and_labels_are_the_slides(study):
    patches, _ = sources(study)
    pixels, labels = draw_patches(15, 96, 0)
    np.testing.assert_allclose(patches.pixels(patches.items), pixels, atol=1)
    np.testing.assert_array_equal(patches.labels(patches.items), labels)


def test_the_balance_of_the_settings_is_drawn(study):
    undersampled, _ = sources(study, balance={"method": "undersample"})
    assert undersampled.labels(undersampled.epoch(0, 0)).mean() == 0.5
    weighted, validation = sources(study, balance={"method": "weight"})
    # 8 normal, 7 tumour
    assert weighted.class_weights == pytest.approx((15 / 16, 15 / 14))
    assert validation.class_weights == (1, 1)


def test_packs_beside_the_manifest_are_used(tmp_path):
    study = make_training_study(tmp_path)
    manifest = read_manifest(study / "manifest.parquet")
    PatchReader(manifest, manifest.slide_files()).pack(study / "pixels")
    for slide in "abc":
        (study / "slides" / f"{slide}.tif").unlink()
    patches, _ = sources(study)
    assert patches.pixels(patches.items).shape == (15, 96, 96, 3)


def test_helper_processes_prepare_the_same_batches(study):
    patches, _ = sources(study)
    alone = list(Batches(patches, toy(), 5).load(range(3)))
    helped = list(Batches(patches, toy(loader_processes=1), 5).load(range(3)))
    for (views, labels), (others, same) in zip(alone, helped, strict=True):
        assert torch.equal(views, others)
        assert torch.equal(labels, same)


def test_the_command_trains_from_a_manifest(study, tmp_path):
    config = write_config(tmp_path / "toy.toml", max_steps=2)
    arguments = ["train", "--manifest", study / "manifest.parquet", "--split", study / "split.json"]
    arguments += ["--out", tmp_path / "out", "--config", config, "--json"]
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    model = load_model(tmp_path / "out")
    assert json.loads(result.stdout)["weights_sha256"] == model.weights_sha256
    assert model.training_summary == "15 patches (7 tumour), 6 epochs, at most 2 steps"


def test_a_leaking_split_is_refused(study, tmp_path):
    split = tmp_path / "split.json"
    split.write_text('{"train": ["a", "b"], "validation": ["b"], "test": ["c"]}')
    with pytest.raises(SplitInvalid, match="leaks"):
        from_manifest(toy(), study / "manifest.parquet", split)


def test_patches_of_another_size_are_refused(tmp_path):
    with pytest.raises(ManifestInvalid, match="96 pixels"):
        sources(make_training_study(tmp_path, size_px=48))


def test_balance_without_a_manifest_is_refused(tmp_path):
    patches = PatchSet(*draw_patches(8, 96))
    config = toy(balance={"method": "oversample"})
    with pytest.raises(TrainingConfigInvalid, match="Only patches of a manifest"):
        run(config, (patches, patches), tmp_path)


@pytest.mark.parametrize(
    "given", [[], ["--patches", "{0}"], ["--manifest", "{0}", "--patches", "{0}"]]
)
def test_inputs_that_contradict_are_refused(study, tmp_path, given):
    manifest = str(study / "manifest.parquet")
    arguments = ["train", "--out", str(tmp_path), *(each.format(manifest) for each in given)]
    assert CliRunner().invoke(main, arguments).exit_code == 2


# ---- where the net starts -----------------------------------------------------------------------


def test_training_may_start_from_a_model_folder(tmp_path):
    folder = make_model_folder(tmp_path / "toy", seed=3)
    first = start_net(toy(start=str(folder)))
    assert first.logit.weight.abs().max() > 0
    assert not torch.equal(first.last.conv.weight, start_net(toy()).last.conv.weight)


@pytest.mark.parametrize(
    ("freeze", "learns", "stays"),
    [
        ("early", ["blocks.3.layers.0.conv.weight"], ["blocks.2.layers.2.conv.weight"]),
        ("body", ["last.conv.weight", "blocks.15.layers.0.conv.weight"], ["stem.conv.weight"]),
        ("all_but_head", ["logit.weight"], ["last.conv.weight", "last.norm.running_mean"]),
    ],
)
def test_what_is_frozen_stays_as_it_starts(study, tmp_path, freeze, learns, stays):
    folder = make_model_folder(tmp_path / "toy", seed=3)
    config = toy(start=str(folder), freeze=freeze, max_steps=3)
    before = start_net(config).state_dict()
    run(config, sources(study), tmp_path / "out")
    after = start_net(toy(start=str(tmp_path / "out"))).state_dict()
    for name in learns:
        assert not torch.equal(after[name], before[name]), name
    for name in stays:
        # kernels are stored as float16 in both folders
        assert torch.equal(after[name], before[name]), name
