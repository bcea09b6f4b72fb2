"""A net trained in normalised colours is given them everywhere; its target is the training's."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from model.evaluation.scored import scored_folder, scored_manifest
from model.extraction.manifest import read_manifest, write_manifest
from model.extraction.patch_reader import PatchReader
from model.prediction.engine import load_engine
from model.prediction.errors import HeatmapInvalid, ModelInvalid
from model.prediction.heatmap import Heatmap
from model.prediction.models import SIDE_FILE, load_model
from model.prediction.predict import predict_slide
from model.prediction.scoring import prepare, score_chunk
from model.prediction.slide_stain import slide_stain
from model.prediction.stain import KINDS, each_normalised, normalised
from model.prediction.tissue import tissue_mask
from model.prediction.wsi import Mpp, open_wsi
from model.training.config import TrainingConfigInvalid, read_config
from model.training.run import from_files, from_manifest, run
from tests.manifests import metadata, slide_record, table
from tests.model_folders import change_side_file, make_model_folder, write_patches
from tests.slides import make_slide
from tests.test_stain import ONE, OTHER, stained
from tests.training_studies import COLUMNS, NO_VIEWS, ROWS, toy

SIDE_PX = 96
METHODS = pytest.mark.parametrize("method", list(KINDS))


def patches_of(directions, strength=1.0, seed=0):
    """Patches (15, 96, 96, 3), half of them with a darker middle."""
    patches = np.stack([stained(directions, strength, seed + 20 * n) for n in range(15)])
    patches[::2, 32:64, 32:64] //= 2
    return patches


ONE_LAB, OTHER_LAB = patches_of(ONE), patches_of(OTHER, 0.7, seed=9)


def make_study(folder, **drawn):
    """Slides of 5 × 3 patches at the model's resolution: a trains, b validates, c tests."""
    (folder / "slides").mkdir(parents=True)
    size = {"width_px": COLUMNS * SIDE_PX, "height_px": ROWS * SIDE_PX}
    tables, records, labels = [], {}, np.arange(15) % 2
    for name, patches in drawn.items():
        grid = patches.reshape(ROWS, COLUMNS, SIDE_PX, SIDE_PX, 3).swapaxes(1, 2)
        pixels = grid.reshape(ROWS * SIDE_PX, COLUMNS * SIDE_PX, 3)
        path = folder / "slides" / f"{name}.tif"
        make_slide(path, tuple(size.values()), level_factors=(1,), mpp=0.97, draw=pixels)
        row, column = np.divmod(np.arange(15), COLUMNS)
        places = {"x_l0_px": column * 96.0, "y_l0_px": row * 96.0}
        tables.append(table(name, labels, **places, step_l0_x_px=1.0, step_l0_y_px=1.0))
        records[name] = slide_record(name, labels, mpp_x=0.97, mpp_y=0.97, **size)
    described = metadata(**records) | {"settings": {"seed": 3, "mpp": 0.97, "size_px": 96}}
    write_manifest(folder / "manifest.parquet", tables, described)
    split = {"train": ["a"], "validation": ["b"], "test": ["c"]}
    (folder / "split.json").write_text(json.dumps(split))
    return folder


def trained(study, out, method):
    # From weights that answer differently to different patches, and hardly changed.
    start = out.with_name(out.name + " start")
    if not start.exists():
        make_model_folder(start, seed=3)
    changes = {"max_steps": 1, "learning_rate": 1e-6, "augmentation": NO_VIEWS}
    config = toy(stain={"method": method}, start=str(start), **changes)
    sources = from_manifest(config, study / "manifest.parquet", study / "split.json")
    return run(config, sources, out)


def scored_test_part(model, study):
    files = study / "manifest.parquet", study / "split.json"
    scored = scored_manifest(load_engine(model.folder), *files, "test", lambda n: lambda done: None)
    return 1 / (1 + np.exp(-scored.logits))


def cells_of_patches(slide, model, out):
    """What prediction says of the cells in the middle of the slide's 15 patches."""
    heatmap = Heatmap.open(predict_slide(slide, out, model.folder).heatmap_path)
    cells = heatmap.probabilities(0, heatmap.geometry.rows, 0, heatmap.geometry.columns)
    return heatmap.geometry, cells[1 : 3 * ROWS : 3, 1 : 3 * COLUMNS : 3].reshape(-1)


@pytest.mark.parametrize("method", ["reinhard"])
def test_the_target_is_fitted_to_the_training_part_alone(tmp_path, method):
    first = make_study(tmp_path / "1", a=ONE_LAB, b=OTHER_LAB, c=OTHER_LAB)
    second = make_study(tmp_path / "2", a=ONE_LAB, b=ONE_LAB, c=ONE_LAB)
    target = trained(first, tmp_path / "first", method).stain
    assert target == trained(second, tmp_path / "second", method).stain
    assert target == KINDS[method].fit(ONE_LAB)


@METHODS
def test_prediction_gives_what_evaluation_of_the_same_patches_gives(tmp_path, method):
    study = make_study(tmp_path / "study", a=ONE_LAB, b=OTHER_LAB, c=OTHER_LAB)
    model = trained(study, tmp_path / "model", method)
    geometry, cells = cells_of_patches(study / "slides" / "c.tif", model, tmp_path / "maps")
    assert geometry.slide_stain is not None
    np.testing.assert_allclose(cells, scored_test_part(model, study), atol=1e-5)
    change_side_file(model.folder, stain=None)
    plain = scored_test_part(load_model(model.folder), study)
    assert np.abs(cells - plain).max() > 1e-4  # it does matter


@METHODS
def test_a_loose_patch_is_normalised_as_a_slide_of_nothing_else_is(tmp_path, method):
    study = make_study(tmp_path / "study", c=OTHER_LAB[:1].repeat(15, 0))
    target = KINDS[method].fit(ONE_LAB)
    with open_wsi(study / "slides" / "c.tif") as wsi:
        mpp = Mpp(0.97, 0.97)
        source = slide_stain(wsi, tissue_mask(wsi, mpp), (1.0, 1.0), target)
    of_slide = normalised(OTHER_LAB[0], source, target).astype(int)
    loose = each_normalised(OTHER_LAB[:1], target)[0]
    # Not to the last digit: some of the slide's squares reach over its edge.
    assert np.abs(of_slide - loose).mean() < 1.5
    assert np.abs(of_slide - OTHER_LAB[0]).mean() > 10


def test_loose_patches_are_evaluated_each_in_its_own_colours(tmp_path):
    target = KINDS["macenko"].fit(ONE_LAB)
    engine = load_engine(make_model_folder(tmp_path / "m", seed=3, stain=asdict(target)))
    folder = write_patches(tmp_path / "loose", OTHER_LAB[:3], np.array([0, 0, 0]))
    scored = scored_folder(engine, folder, None, lambda n: lambda done: None)
    expected = np.asarray(engine.logits(each_normalised(OTHER_LAB[:3], target)))
    np.testing.assert_allclose(scored.logits, expected, rtol=1e-5)


def test_training_reads_what_evaluation_reads(tmp_path):
    study = make_study(tmp_path / "study", a=ONE_LAB, b=OTHER_LAB, c=OTHER_LAB)
    config = toy(stain={"method": "macenko"}, max_steps=1)
    sources = from_manifest(config, study / "manifest.parquet", study / "split.json")
    model = run(config, sources, tmp_path / "model")
    _, validation = sources
    manifest = read_manifest(study / "manifest.parquet")
    raw = PatchReader(manifest, manifest.slide_files()).read(validation.items)
    source = KINDS["macenko"].fit(raw)  # of all the slide; training sees a sample of it
    expected = source.normalise(raw, model.stain).astype(int)
    assert np.abs(validation.pixels(validation.items) - expected).mean() < 2
    assert np.abs(raw - expected).mean() > 5


def test_loose_patches_are_learnt_from_each_in_its_own_colours(tmp_path):
    labels = np.arange(15) % 2
    learn = write_patches(tmp_path / "learn", ONE_LAB, labels)
    check = write_patches(tmp_path / "check", OTHER_LAB, labels)
    config = toy(stain={"method": "reinhard"}, max_steps=1)
    model = run(config, from_files(learn, check), tmp_path / "model")
    ordered = ONE_LAB[np.argsort(labels, kind="stable")]
    assert model.stain == KINDS["reinhard"].fit(ordered)


def test_a_run_that_goes_on_keeps_the_colours_it_found(tmp_path):
    study = make_study(tmp_path / "study", a=ONE_LAB, b=OTHER_LAB, c=OTHER_LAB)
    first = trained(study, tmp_path / "model", "macenko")
    found = json.loads((tmp_path / "model" / "stain.json").read_text())
    assert set(found["slides"]) == {"a", "b"}  # never the test part
    again = trained(study, tmp_path / "model", "macenko")
    assert (again.stain, again.weights_sha256) == (first.stain, first.weights_sha256)


STAIN = KINDS["macenko"].fit(ONE_LAB)


@pytest.mark.parametrize(
    "stain",
    [
        {"method": "vahadane"},
        {"method": "macenko", "directions": [[1, 0, 0], [1, 0, 0]], "strengths": [1, 1]},
        {"method": "macenko", "directions": [[2, 0, 0], [0, 1, 0]], "strengths": [1, 1]},
        {"method": "macenko", "directions": [[1, 0, 0], [0, 1, 0]], "strengths": [1, 0]},
        {"method": "macenko", "directions": [[1, 0, 0], [0, 1, 0]]},
        {"method": "reinhard", "mean": [50, 0, 0], "spread": [1, 0, 1]},
        {"method": "reinhard", "mean": ["NaN", 0, 0], "spread": [1, 1, 1]},
    ],
)
def test_a_target_that_cannot_be_one_is_refused(tmp_path, stain):
    folder = make_model_folder(tmp_path / "model")
    change_side_file(folder, stain=stain)
    with pytest.raises(ModelInvalid, match=rf"{SIDE_FILE} .*wrong at stain"):
        load_model(folder)


def test_a_heat_map_is_of_one_target(tmp_path):
    study = make_study(tmp_path / "study", a=ONE_LAB, b=OTHER_LAB, c=OTHER_LAB)
    model = trained(study, tmp_path / "model", "macenko")
    paths = study / "slides" / "c.tif", model.folder, tmp_path / "map.zarr"
    prepare(*paths, None)
    prepare(*paths, None)  # the same: gone on with
    chunk = Heatmap.open(paths[2]).planned_chunks()[0]
    change_side_file(model.folder, stain=None)
    with pytest.raises(HeatmapInvalid, match=r"differs in stain\."):
        prepare(*paths, None)
    with pytest.raises(ModelInvalid, match="was replaced"):
        score_chunk(*paths, chunk)


def test_a_method_nobody_knows_is_refused(tmp_path):
    (tmp_path / "c.toml").write_text('[stain]\nmethod = "vahadane"\n')
    with pytest.raises(TrainingConfigInvalid, match=r"stain\.method"):
        read_config(tmp_path / "c.toml")
