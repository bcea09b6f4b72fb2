"""What is no tissue never reaches the model, and what does is counted when it is called tumour."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from model.cli import main
from model.evaluation import negatives
from model.evaluation.negatives import CONTROL, PictureWsi, kinds, mosaic, score_negatives
from model.prediction.models import load_model
from model.prediction.slide import Mpp
from tests.model_folders import draw_patches, make_model_folder, write_patches


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(make_model_folder(tmp_path_factory.mktemp("models") / "toy"))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """A slide of six patches a side is enough to tell glass from tissue."""
    monkeypatch.setattr(negatives, "TILES", 6)


def scorer(model, probability):
    def probabilities(patches):
        assert patches.shape[1:] == (96, 96, 3)
        return np.full(len(patches), probability, np.float32)

    return SimpleNamespace(model=model, probabilities=probabilities)


def normal():
    """Stained all over, as the tissue rule wants it."""
    noise = np.random.default_rng(0).normal(0, 10, (8, 96, 96, 3))
    return np.clip(np.array((200, 120, 180)) + noise, 0, 255).astype(np.uint8)


def test_a_picture_is_a_slide_that_ends_in_white():
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    with PictureWsi(picture, Mpp(1, 1)) as wsi:
        assert np.array_equal(wsi.read_level(0, 1, 1, 2, 2), picture[1:3, 1:3])
        edge = wsi.read_level(0, -1, 3, 2, 2)
        assert np.array_equal(edge[0, 1], picture[3, 0])
        assert (edge[1] == 255).all()


def test_a_model_that_calls_everything_tumour_is_caught_on_tissue_alone(model):
    found = {each.name: each for each in score_negatives(scorer(model, 0.99), normal())}
    assert set(found) == set(kinds())
    control = found[CONTROL]
    assert (control.called, control.share_called) == (control.cells, 1.0)
    for name in ("glass", "black padding"):
        # Cells at the border may touch the tissue beside them.
        assert found[name].called <= 0.35 * found[name].cells, name
    assert found["green pen on tissue"].analysed < control.analysed


def test_a_model_that_calls_nothing_has_nothing_called(model):
    found = score_negatives(scorer(model, 0.0), normal())
    assert sum(each.called for each in found) == 0
    assert max(each.analysed for each in found) > 0


def test_the_same_seed_draws_the_same():
    first, again = (mosaic(normal(), np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first, again)
    for name, paint in kinds().items():
        drawn = [paint(negatives.Canvas(first, np.random.default_rng(1))) for _ in range(2)]
        assert np.array_equal(*drawn), name


def test_the_command_wants_normal_patches(model, tmp_path):
    pixels, labels = draw_patches(2, 96)
    tumour = write_patches(tmp_path / "tumour", pixels[labels == 1], labels[labels == 1])
    arguments = ["negatives", "--model", str(model.folder), "--json", "--patches"]
    refused = CliRunner().invoke(main, [*arguments, str(tumour)])
    assert (refused.exit_code, "No normal patches" in refused.output) == (1, True)


def test_the_command_counts(model, tmp_path):
    patches = write_patches(tmp_path / "patches", *draw_patches(4, 96))
    arguments = ["negatives", "--model", str(model.folder), "--patches", str(patches)]
    said = json.loads(CliRunner().invoke(main, [*arguments, "--json"]).stdout)
    assert {each["name"] for each in said["kinds"]} == set(kinds())
    assert CONTROL.split()[0] in CliRunner().invoke(main, arguments).stdout
