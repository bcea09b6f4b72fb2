"""Folds keep slides together, and their nets are judged on what they never saw."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from model.cli import main
from model.evaluation.manifest import slide_order
from model.prediction.models import load_model
from model.training.folds import make_folds
from tests.model_folders import draw_patches, write_patches

RECIPE = 'start = "random"\nepochs = 1\nbatch_patches = 4\n'


def test_known_patches_are_cut_into_runs_of_their_order():
    pixels, _ = draw_patches(40, 32)
    order = np.random.default_rng(0).permutation(40)
    folds = make_folds(pixels, order, 4)
    assert np.bincount(folds).tolist() == [10] * 4
    assert (np.diff(folds[np.argsort(order)]) >= 0).all()


def test_unknown_patches_of_one_stain_stay_together():
    stains = [(200, 120, 180), (150, 90, 190), (230, 180, 200), (170, 60, 120)]
    chance = np.random.default_rng(0)
    which = np.repeat(np.arange(4), 12)
    noise = chance.normal(0, 1, (48, 32, 32, 3))
    pixels = np.clip(np.array(stains)[which][:, None, None] + noise, 0, 255).astype(np.uint8)
    # As many groups as stains: a fold each, and none of them torn apart.
    folds = make_folds(np.repeat(pixels, 1, 0), np.full(48, -1), 1)
    assert set(folds) == {0}
    folds = make_folds(pixels, np.full(48, -1), 2)
    assert set(folds) == {0, 1}


def test_order_is_by_letters_and_number(tmp_path):
    manifest = tmp_path / "order.csv"
    manifest.write_text("id,slide_order\na,B2\nb,A10\nc,A9\nd,\n")
    assert slide_order(manifest, ["a", "b", "c", "d", "e"]).tolist() == [2, 1, 0, -1, -1]


@pytest.fixture(scope="module")
def validated(tmp_path_factory):
    """Cross-validation of twelve drawn patches: folder and printed figures."""
    folder = tmp_path_factory.mktemp("folds")
    write_patches(folder / "patches", *draw_patches(16, 96))
    (folder / "recipe.toml").write_text(RECIPE)
    known = "".join(f"p{i:03d},A{i}\n" for i in range(8))
    (folder / "order.csv").write_text("id,slide_order\n" + known)
    return folder, run(folder)


def run(folder):
    arguments = ["crossvalidate", "--patches", folder / "patches", "--order", folder / "order.csv"]
    arguments += ["--config", folder / "recipe.toml", "--folds", 2, "--out", folder / "out"]
    result = CliRunner().invoke(main, [*map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_every_patch_is_scored_by_the_net_that_did_not_see_it(validated):
    folder, figures = validated
    with np.load(folder / "out" / "out_of_fold.npz") as found:
        assert found["logits"].shape == (16, 8)
        assert found["known"].sum() == 8
        names = found["names"].tolist()
    assert (figures["folds"], figures["every"]["n"], figures["known"]["n"]) == (2, 16, 8)
    assert len(figures["every"]["single_by_fold"]) == 2
    assert 0 < figures["threshold"] < 1
    assert names == sorted(names, key=lambda name: (int(name[1:]) % 2, name))
    for fold in range(2):
        said = load_model(folder / "out" / f"fold-{fold}").training_summary
        assert int(said.split()[0]) == 16 - int((fold_of(folder) == fold).sum())


def test_a_second_call_trains_nothing_anew(validated):
    folder, figures = validated
    weights = folder / "out" / "fold-0" / "metrics.jsonl"
    before = weights.read_bytes()
    assert run(folder) == figures
    assert weights.read_bytes() == before


def fold_of(folder):
    with np.load(folder / "out" / "out_of_fold.npz") as found:
        return found["folds"]
