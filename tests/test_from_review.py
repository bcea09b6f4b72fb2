"""Learning from readers: what they settled on training slides becomes hard rows, nothing else."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from model.extraction.manifest import read_manifest
from model.extraction.patch_reader import PatchReader
from model.extraction.splits import read_split
from tests.flags import point, polygon, rectangle, ruler
from tests.reviews import LESION, OFFSET_SQUARE, Reading, block, call, make_cut_study, viewer_of
from tests.slides import DARK, EOSIN

# Cells of 32 px. The lesion is rows and columns 20–29; the rest of the tissue holds none.
IN_LESION = [block(22, 26, 22, 28)]  # agreed: 24 cells
ARTEFACT = [block(40, 44, 40, 41), block(43, 44, 40, 45)]  # disagreed: an L of 8 cells
ARGUED = [block(50, 52, 50, 52)]
UNSEEN = [block(60, 61, 60, 61)]
GLASS = polygon(rectangle(20, 20, 116, 116))


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """The study, the export, and the ids of what was said."""
    study = make_cut_study(tmp_path_factory.mktemp("study"))
    ids = SimpleNamespace(study=study, reviews=study / "reviews.json")
    with viewer_of(study / "slides", study / "data") as app:
        reading = Reading(app)
        ids.spots = reading.analyse("tumor_1", IN_LESION, ARGUED, UNSEEN)
        reading.think(ids.spots, 1, "agree")
        reading.think(ids.spots, 1, "agree", "Ben")
        reading.think(ids.spots, 2, "agree")
        reading.think(ids.spots, 2, "disagree", "Ben")
        ids.artefact = reading.analyse("normal_1", ARTEFACT)
        reading.think(ids.artefact, 1, "disagree")
        say_flags(reading, ids)
        for slide in reading.slides:
            reading.verdict(slide, "no_tumour" if slide.startswith("normal") else "tumour")
        for slide in ("tumor_2", "tumor_3", "normal_2"):
            spots = reading.analyse(slide, IN_LESION)
            reading.think(spots, 1, "agree")
        reading.state("normal_2", "second_opinion")
        reading.export(ids.reviews)
    return ids


def say_flags(reading, ids):
    in_lesion = polygon(rectangle(LESION.left, LESION.top, 704, 704))  # 4 cells
    agreed = {"label": "Tumor", "state": "agreed"}
    ids.agreed = reading.flag("tumor_1", in_lesion, **agreed)["id"]
    for state in ("open", "resolved"):
        reading.flag("tumor_1", in_lesion, label="Tumor", state=state)
    reading.flag("tumor_1", ruler((640, 640), (700, 700)), **agreed)
    reading.flag("tumor_1", in_lesion, label="Stroma", state="agreed")
    reading.flag("tumor_1", in_lesion, label="Negative", state="disagreed")
    ids.negative = reading.flag("normal_1", point(1616, 1296), label="Negative", state="agreed")
    reading.flag("normal_1", in_lesion, **agreed)  # the verdict is no tumour
    reading.flag("normal_1", GLASS, label="Negative", state="agreed")
    tiny = polygon(rectangle(1600, 1600, 1610, 1610))
    reading.flag("normal_1", tiny, label="Tumor", state="disagreed")
    # The masks say otherwise.
    away = polygon(rectangle(1920, 1920, 2016, 2016))
    reading.flag("tumor_1", away, **agreed)
    left, top, right, bottom = OFFSET_SQUARE
    reading.flag("fresh", polygon(rectangle(left, top, right, bottom)), "Ben", **agreed)
    beside = polygon(rectangle(700, 300, 1000, 600))
    reading.flag("fresh", beside, label="Tumor", state="disagreed")


def learn(read, out, *more, manifest=True):
    given = ["--manifest", read.study / "patches" / "manifest.parquet"] if manifest else []
    return call(
        "from-review", "--reviews", read.reviews, "--slides", read.study,
        "--split", read.study / "split.json", "--out", out, *given, *more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def learnt(read):
    result = learn(read, read.study / "next.parquet", "--json")
    assert result.exit_code == 0, result.output
    return read_manifest(read.study / "next.parquet"), json.loads(result.stdout)


def old(read):
    return read_manifest(read.study / "patches" / "manifest.parquet")


def cells_of(manifest, slide, label):
    """Cells (row, column) in the middle of the hard patches of a slide."""
    wanted = manifest.column("slide").astype(str) == slide
    wanted &= manifest.column("hard") & (manifest.column("label") == label)
    corners = [(manifest.column(f"{axis}_l0_px")[wanted] + 32) / 32 for axis in "yx"]
    return {(int(row), int(column)) for row, column in zip(*corners, strict=True)}


def cells(*blocks):
    return {
        (row, column)
        for rows, columns in blocks
        for row in range(rows.start, rows.stop)
        for column in range(columns.start, columns.stop)
    }


def test_agreed_is_tumour_on_the_very_cells(learnt):
    manifest, _ = learnt
    assert cells_of(manifest, "tumor_1", 1) == cells(*IN_LESION, block(20, 22, 20, 22))
    assert cells_of(manifest, "tumor_1", 0) == set()


def test_disagreed_is_none_and_the_empty_corner_of_its_box_says_nothing(learnt):
    manifest, _ = learnt
    assert cells_of(manifest, "normal_1", 0) == cells(*ARTEFACT) | {(40, 50)}
    assert cells_of(manifest, "normal_1", 1) == set()


def test_slides_held_out_are_never_touched(learnt, read):
    manifest, record = learnt
    assert set(manifest.column("slide").astype(str)[manifest.column("hard")]) == {
        "tumor_1", "normal_1",
    }  # fmt: skip
    slides = record["left_out"]["slides"]
    assert (slides["test"], slides["validation"], slides["not_in_split"]) == (2, 1, 1)
    assert slides["second_opinion"] == 1


def test_each_reason_is_counted_and_said(learnt, read, tmp_path):
    _, record = learnt
    assert record["left_out"]["flags"] == {
        "open": 1, "resolved": 1, "no_area": 1, "label_without_meaning": 1,
        "normal_disagreed": 1, "against_verdict": 1, "too_small": 1,
    }  # fmt: skip
    assert record["left_out"]["hotspots"] == {"no_opinion": 1, "readers_disagree": 1}
    assert record["left_out"]["patches"] == {"contradicts_manifest": 9, "little_tissue": 8}
    said = learn(read, tmp_path / "m.parquet").output
    assert "Left out: 1 hot spots readers disagree on" in said
    assert "Left out: 2 slides in the test part of the split" in said


def test_rows_of_before_stay_and_are_marked_rather_than_doubled(learnt, read):
    manifest, record = learnt
    before = old(read)
    assert len(manifest) == len(before) + record["added"]
    for name in ("slide", "x_l0_px", "y_l0_px", "label", "tumour_share"):
        assert (manifest.column(name)[: len(before)] == before.column(name)).all()
    assert record["marked"] > 0
    assert manifest.column("hard")[: len(before)].sum() == record["marked"]
    assert record["marked"] + record["added"] == 24 + 4 + 8 + 1
    assert sum(slide["negatives"] for slide in manifest.slides.values()) == int(
        (manifest.column("label") == 0).sum()
    )


def test_each_row_says_where_it_comes_from(learnt, read):
    manifest, record = learnt
    (done,) = manifest.metadata["reviews"]
    assert done["added"] == record["added"]
    regions = {region["id"]: region for region in done["regions"]}
    spot = regions[f"{read.spots}/1"]
    assert (spot["by"], spot["label"], spot["slide"]) == (["Ada", "Ben"], 1, "tumor_1")
    assert (spot["model_id"], spot["model_version"]) == ("test-model", "1.0.0")
    assert spot["at"].endswith("Z")
    flag = regions[read.agreed]
    assert (flag["source"], flag["by"], flag["model_id"]) == ("flag", ["Ada"], None)
    first, count = spot["rows"]
    rows = [*range(first, first + count), *spot["marked_rows"]]
    assert len(rows) == 24
    assert set(manifest.column("slide").astype(str)[rows]) == {"tumor_1"}
    assert manifest.column("hard")[rows].all()
    counted = sum(region["rows"][1] for region in regions.values())
    assert counted == done["added"]


def test_a_second_round_adds_nothing_and_is_the_same_again(learnt, read, tmp_path):
    manifest, record = learnt
    out = tmp_path / "again.parquet"
    again = json.loads(learn(read, out, "--json", "--manifest", manifest.path).stdout)
    assert (again["added"], again["marked"]) == (0, record["added"] + record["marked"])
    assert len(read_manifest(out).metadata["reviews"]) == 2
    learn(read, read.study / "same.parquet")
    assert (read.study / "same.parquet").read_bytes() == manifest.path.read_bytes()


def test_a_region_gives_only_so_many(read, tmp_path):
    out = tmp_path / "few.parquet"
    record = json.loads(learn(read, out, "--max-per-region", 3, "--json").stdout)
    assert record["left_out"]["patches"]["beyond_cap"] == (24 - 3) + (4 - 3) + (8 - 3)
    few = cells_of(read_manifest(out), "tumor_1", 1)
    assert len(few) == 6
    assert few != cells_of(other_seed(read, tmp_path), "tumor_1", 1)


def other_seed(read, tmp_path):
    learn(read, tmp_path / "other.parquet", "--max-per-region", 3, "--seed", 1)
    return read_manifest(tmp_path / "other.parquet")


def test_a_slide_in_no_part_joins_training_only_when_told(read, tmp_path):
    out, split = tmp_path / "m.parquet", tmp_path / "split-2.json"
    assert learn(read, out, "--new-split", split).exit_code == 0
    assert set(read_split(split).train) == {"normal_1", "tumor_1", "fresh"}
    manifest = read_manifest(out)
    rows = np.flatnonzero(manifest.column("slide").astype(str) == "fresh")
    label = manifest.column("label")[rows]
    assert set(label) == {0, 1}
    # Flags count from the corner of the bounds, in level-0 pixels of half a µm.
    pixels = PatchReader(manifest, manifest.slide_files()).read(rows)
    centres = pixels[:, 36:60, 36:60].mean(axis=(1, 2))
    dark = np.abs(centres - DARK).max(axis=1) < np.abs(centres - EOSIN).max(axis=1)
    assert (dark == (label == 1)).all()
    step = manifest.column("step_l0_x_px")[rows]
    assert step == pytest.approx(1.94, rel=0.01)


def test_a_slide_of_a_held_out_patient_never_joins(read, tmp_path):
    listed = read.study / "patients.csv"
    listed.write_text("slide,patient\nfresh,tumor_3\n")
    try:
        more = ("--new-split", tmp_path / "split.json", "--json")
        record = json.loads(learn(read, tmp_path / "m.parquet", *more).stdout)
    finally:
        listed.unlink()
    assert record["left_out"]["slides"]["patient_held_out"] == 1
    assert set(read_split(tmp_path / "split.json").train) == {"normal_1", "tumor_1"}


def test_labels_mean_what_the_laboratory_says(read, tmp_path):
    more = ("--json", "--tumour-label", "Stroma", "--normal-label", "Tumor")
    record = json.loads(learn(read, tmp_path / "m.parquet", *more).stdout)
    # What is called Tumor now means none, and the hot spot in it and the masks say otherwise.
    assert record["left_out"]["patches"]["contested"] > 0
    assert learn(read, tmp_path / "m.parquet", *more, "--tumour-label", "tumor").exit_code == 2


def test_without_a_manifest_there_are_the_readers_rows_alone(read, tmp_path):
    result = learn(read, tmp_path / "m.parquet", "--json", manifest=False)
    record, manifest = json.loads(result.stdout), read_manifest(tmp_path / "m.parquet")
    # Nothing contradicts the flag beside the lesion now.
    assert record["added"] == len(manifest) == 24 + 4 + 8 + 1 + 9
    assert manifest.column("hard").all()
    assert manifest.slides["tumor_1"]["partly_annotated"] is True
    assert manifest.metadata["settings"]["mpp"] == 0.97


def test_another_file_of_that_name_is_left_out(read, tmp_path):
    whole = json.loads(read.reviews.read_text())
    for item in whole["items"]:
        item["width_px"] += item["name"] == "tumor_1.tif"
    changed = tmp_path / "reviews.json"
    changed.write_text(json.dumps(whole))
    more = ("--reviews", changed, "--json")
    record = json.loads(learn(read, tmp_path / "m.parquet", *more).stdout)
    assert record["left_out"]["slides"]["other_file"] == 1
    assert record["slides"] == 1


def test_opinions_on_an_analysis_done_anew_do_not_count(read, tmp_path):
    whole = json.loads(read.reviews.read_text())
    for item in whole["items"]:
        for analysis in item["analyses"]:
            analysis["finished_at"] = "2100-01-01T00:00:00.000Z"
    changed = tmp_path / "reviews.json"
    changed.write_text(json.dumps(whole))
    more = ("--reviews", changed, "--json")
    record = json.loads(learn(read, tmp_path / "m.parquet", *more).stdout)
    assert record["left_out"]["hotspots"]["older_than_analysis"] == 3


@pytest.mark.parametrize("content", ["", "[]", '{"format": 2, "items": []}', '{"items": 3}'])
def test_other_files_are_refused(read, tmp_path, content):
    (tmp_path / "reviews.json").write_text(content)
    result = learn(read, tmp_path / "m.parquet", "--reviews", tmp_path / "reviews.json")
    assert result.exit_code == 1
    assert "is no export of reviews" in result.output
    assert not (tmp_path / "m.parquet").exists()


def test_a_leaking_split_is_refused(read, tmp_path):
    split = json.loads((read.study / "split.json").read_text())
    split["train"].append("tumor_3")
    (tmp_path / "split.json").write_text(json.dumps(split))
    result = learn(read, tmp_path / "m.parquet", "--split", tmp_path / "split.json")
    assert result.exit_code == 1
    assert "leaks" in result.output


def test_the_next_round_trains_with_it(learnt, read, tmp_path):
    from tests.training_studies import write_config

    balance = "[balance]\nmethod = 'undersample'\nhard_share = 0.3\n"
    config = write_config(tmp_path / "toy.toml", max_steps=1)
    config.write_text(config.read_text() + balance)
    result = call(
        "train", "--manifest", learnt[0].path, "--split", read.study / "split.json",
        "--out", tmp_path / "out", "--config", config,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
