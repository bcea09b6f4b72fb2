"""Hard negatives: false positives of training slides alone, in normal tissue alone."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from model.cli import main
from model.extraction.manifest import read_manifest
from model.extraction.patch_reader import PatchReader
from model.extraction.splits import read_split
from tests.slides import Square
from tests.studies import GEOMETRY, Drawn, make_study, write_heatmap

HOT = Square(1600, 1600, 1600 + 4 * 32, 1600 + 2 * 32)  # 8 cells
LESION = Square(640, 640, 960, 960)
SLIDES = [
    Drawn("normal_1", heat=((HOT, 0.9),)),
    Drawn("normal_2", heat=((HOT, 0.9),)),
    Drawn("normal_3", heat=((HOT, 0.9),)),
    Drawn("tumor_1", (LESION,), ((LESION, 0.95), (HOT, 0.8))),
    Drawn("tumor_2", (LESION,), ((LESION, 0.95), (HOT, 0.8))),
    Drawn("tumor_3", (LESION,), ((LESION, 0.95), (HOT, 0.8))),
]
SPLIT = {
    "train": ["normal_1", "tumor_1"],
    "validation": ["normal_2", "tumor_2"],
    "test": ["normal_3", "tumor_3"],
}


def call(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = make_study(tmp_path_factory.mktemp("study"), SLIDES)
    split = folder / "split.json"
    split.write_text(json.dumps(SPLIT))
    options = ["--out", folder / "patches", "--split", split, "--label", "centre"]
    result = call("patches", folder, *options)
    assert result.exit_code == 0, result.output
    return folder


def mine(study, out, *more, manifest=None, heatmaps=None):
    return call(
        "mine", "--study", study, "--heatmaps", heatmaps or study / "heatmaps",
        "--split", study / "split.json", "--out", out, "--json",
        "--manifest", manifest or study / "patches" / "manifest.parquet", *more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def mined(study):
    result = mine(study, study / "mined.parquet")
    assert result.exit_code == 0, result.output
    return read_manifest(study / "mined.parquet"), json.loads(result.stdout)


def hard_slides(manifest):
    return set(manifest.column("slide").astype(str)[manifest.column("hard")])


def test_only_training_slides_are_mined(mined):
    manifest, record = mined
    assert hard_slides(manifest) == {"normal_1", "tumor_1"}
    # Every hot cell once, as an old row or a new one.
    assert record["added"] + record["marked"] == 16
    assert record["added"] > 0
    assert manifest.column("hard").sum() == 16


def test_hard_patches_lie_on_the_false_positives(mined):
    manifest, _ = mined
    hard = manifest.column("hard")
    for name, low in (("x_l0_px", HOT.left), ("y_l0_px", HOT.top)):
        centre = manifest.column(name)[hard] + 48
        assert ((centre >= low) & (centre < low + 128)).all()
    assert not manifest.column("label")[hard].any()
    assert not manifest.column("tumour_share")[hard].any()


def test_new_rows_can_be_read(mined):
    manifest, _ = mined
    rows = np.flatnonzero(manifest.column("hard"))
    pixels = PatchReader(manifest, manifest.slide_files()).read(rows)
    assert pixels.shape == (16, 96, 96, 3)


def test_a_second_round_is_recorded_and_adds_nothing_twice(study, mined, tmp_path):
    manifest, record = mined
    result = mine(study, tmp_path / "again.parquet", manifest=manifest.path)
    again = read_manifest(tmp_path / "again.parquet")
    assert json.loads(result.stdout)["added"] == 0
    assert len(again) == len(manifest)
    assert again.metadata["mining"][0] == record
    assert len(again.metadata["mining"]) == 2
    assert again.slide_files()["normal_1"].is_file()


def test_only_so_many_of_a_slide_and_above_the_threshold(study, tmp_path):
    out = tmp_path / "few.parquet"
    found = json.loads(mine(study, out, "--max-per-slide", 3).stdout)
    assert found["added"] + found["marked"] == 6
    assert mine(study, out, "--threshold", 0.85).exit_code == 0
    assert hard_slides(read_manifest(out)) == {"normal_1"}


def test_partly_annotated_slides_are_left_alone(study, tmp_path):
    listed = study / "partly_annotated.txt"
    listed.write_text("tumor_1\n")
    try:
        assert mine(study, tmp_path / "m.parquet").exit_code == 0
    finally:
        listed.unlink()
    assert hard_slides(read_manifest(tmp_path / "m.parquet")) == {"normal_1"}


def test_a_leaking_split_is_refused(study, tmp_path):
    split = tmp_path / "split.json"
    split.write_text(json.dumps(SPLIT | {"train": [*SPLIT["train"], "normal_2"]}))
    result = mine(study, tmp_path / "m.parquet", "--split", split)
    assert result.exit_code == 1
    assert "leaks" in result.output
    assert read_split(split)
    assert not (tmp_path / "m.parquet").exists()


@pytest.mark.parametrize(
    ("names", "change", "message"),
    [
        ([], {}, "have no heat map"),
        (["normal_1", "tumor_1"], {"chunks": 1}, "not finished"),
        (["normal_1", "tumor_1"], {}, "different models"),
    ],
)
def test_heat_maps_that_tell_nothing_are_refused(study, tmp_path, names, change, message):
    (tmp_path / "heatmaps").mkdir()
    for index, name in enumerate(names):
        geometry = replace(GEOMETRY, weights_sha256=f"{index}" * 64)
        write_heatmap(tmp_path / "heatmaps" / f"{name}.zarr", Drawn(name), geometry, **change)
    result = mine(study, tmp_path / "m.parquet", heatmaps=tmp_path / "heatmaps")
    assert result.exit_code == 1
    assert message in result.output
