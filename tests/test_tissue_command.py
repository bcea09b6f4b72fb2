"""`python -m model tissue` and `patches` as a user runs them."""

import json

import pytest
from click.testing import CliRunner
from PIL import Image

from model.cli import main
from model.extraction.manifest import read_manifest
from model.extraction.splits import read_split
from tests import lesion_studies as made
from tests.slides import Square, make_slide


def invoke(*arguments, fails=False):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert (result.exit_code != 0) == fails, result.output
    return result


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    names = [f"tumor_{n}" for n in (1, 2, 3)], [f"normal_{n}" for n in (1, 2, 3)]
    return made.write_study(tmp_path_factory.mktemp("study"), *names)


def test_tissue_of_every_slide(study, tmp_path):
    result = invoke("tissue", study, "--out", tmp_path / "t", "--json")
    figures = json.loads(result.stdout)
    assert set(figures["slides"]) == {
        f"{kind}_{n}" for kind in ("tumor", "normal") for n in (1, 2, 3)
    }
    drawn = 960 * 768 / (1536 * 1152)
    for slide in figures["slides"].values():
        assert drawn < slide["tissue_share"] < drawn * 1.15  # a rim of 16 µm is kept
        assert slide["tissue_mm2"] == pytest.approx(slide["tissue_share"] * 1.536 * 1.152)
    assert "Finding tissue" in result.stderr
    with Image.open(tmp_path / "t/previews/tumor_1.png") as preview:
        assert preview.size == (384, 288)  # 4 µm a pixel


def test_slides_without_enough_tissue_are_said_to_be_left_out(tmp_path):
    made.write_slide(tmp_path, "glass", None)
    made.write_slide(tmp_path, "speck", Square(200, 200, 290, 290))
    made.write_slide(tmp_path, "full")
    result = invoke("tissue", tmp_path, "--out", tmp_path / "t", "--min-slide-tissue", 0.02)
    lines = dict(line.split(": ", 1) for line in result.stdout.splitlines())
    assert lines["glass"] == "0.0% tissue, 0.0 mm²; left out, no tissue was found"
    assert "left out, only" in lines["speck"]
    assert "left out" not in lines["full"]


def test_a_bad_slide_is_named_and_the_others_are_done(tmp_path):
    made.write_slide(tmp_path, "good")
    made.write_slide(tmp_path, "bad").write_bytes(b"not a slide")
    make_slide(tmp_path / "slides/unknown.tif", (600, 500), mpp=None)
    result = invoke("tissue", tmp_path, "--out", tmp_path / "t", "--json", fails=True)
    figures = json.loads(result.stdout)
    assert set(figures["slides"]) == {"good"}
    assert set(figures["problems"]) == {"bad", "unknown"}
    assert "2 slides could not be used" in result.stderr
    assert "--slide-mpp" in result.stderr
    assert str(tmp_path) not in result.stderr


def test_slides_done_are_not_done_again(study, tmp_path):
    out = tmp_path / "t"
    first = invoke("tissue", study, "--out", out, "--json").stdout
    inode = (out / "slides/tumor_1.json").stat().st_ino
    assert invoke("tissue", study, "--out", out, "--json").stdout == first
    assert (out / "slides/tumor_1.json").stat().st_ino == inode
    result = invoke("tissue", study, "--out", out, "--tissue", "grey", fails=True)
    assert "tissue_method 'saturation', now 'grey'" in result.stderr
    invoke("tissue", study, "--out", out, "--tissue", "grey", "--again")
    assert (out / "slides/tumor_1.json").stat().st_ino != inode


def test_plain_grey_takes_what_is_not_bright(study, tmp_path):
    result = invoke("tissue", study, "--out", tmp_path / "t", "--tissue", "grey", "--json")
    share = json.loads(result.stdout)["slides"]["tumor_1"]["tissue_share"]
    assert share == pytest.approx(960 * 768 / (1536 * 1152), rel=0.01)  # no rim


def test_patches_in_one_command(study, tmp_path):
    out = tmp_path / "p"
    command = ("patches", study, "--out", out, "--mpp", 1, "--fractions", 0.4, 0.3, 0.3, "--json")
    result = invoke(*command)
    figures = json.loads(result.stdout)
    manifest, split = read_manifest(out / "manifest.parquet"), read_split(out / "split.json")
    assert figures["positives"] == (manifest.column("label") == 1).sum() > 0
    assert figures["negatives"] == (manifest.column("label") == 0).sum() > 0
    assert [part["slides"] for part in figures["split"].values()] == [2, 2, 2]
    assert len({*split.train, *split.validation, *split.test}) == 6
    assert manifest.metadata["settings"]["stride_px"] == 96
    assert all((out / "previews" / f"{name}.png").is_file() for name in manifest.slides)
    again = invoke(*command)
    assert json.loads(again.stdout) == figures
    assert "6 slides were done before" in again.stderr


def test_the_manifest_finds_its_slides_wherever_it_is_read(study, tmp_path, monkeypatch):
    invoke("patches", study, "--out", tmp_path / "p", "--mpp", 1, "--no-split")
    monkeypatch.chdir(tmp_path)
    manifest = read_manifest(tmp_path / "p/manifest.parquet")
    assert all(path.is_file() for path in manifest.slide_files().values())
    assert not (tmp_path / "p/split.json").exists()


def test_a_split_that_leaks_is_refused(study, tmp_path):
    table = "slide,part\n" + "".join(
        f"{kind}_{n},{part}\n"
        for n, part in ((1, "train"), (2, "validation"), (3, "test"))
        for kind in ("tumor", "normal")
    )
    (tmp_path / "split.csv").write_text(table)
    command = ("patches", study, "--out", tmp_path / "p", "--mpp", 1, "--split")
    invoke(*command, tmp_path / "split.csv")
    assert set(read_split(tmp_path / "p/split.json").test) == {"normal_3", "tumor_3"}
    (tmp_path / "split.csv").write_text(table + "tumor_1,test\n")
    result = invoke(*command, tmp_path / "split.csv", fails=True)
    assert "leaks: slide 'tumor_1'" in result.stderr


def test_one_class_only_is_refused(tmp_path):
    made.write_study(tmp_path / "s", (), ["normal_1", "normal_2", "normal_3"])
    result = invoke("patches", tmp_path / "s", "--out", tmp_path / "p", "--mpp", 1, fails=True)
    assert "No patch of the training part shows tumour" in result.stderr


def test_a_slide_that_cannot_be_used_ends_the_command_unless_skipped(tmp_path):
    made.write_study(tmp_path / "s", ["tumor_1", "tumor_2"])
    made.write_mask(tmp_path / "s", "tumor_2", size_px=(768, 576), lesions=[])
    command = ("patches", tmp_path / "s", "--out", tmp_path / "p", "--mpp", 1, "--no-split")
    result = invoke(*command, fails=True)
    assert "tumor_2: Mask 'tumor_2_mask.tif' has 768 × 576 pixels" in result.stderr
    assert not (tmp_path / "p/manifest.parquet").exists()
    result = invoke(*command, "--skip-unusable", "--json")
    assert set(json.loads(result.stdout)["problems"]) == {"tumor_2"}
    assert set(read_manifest(tmp_path / "p/manifest.parquet").slides) == {"normal_1", "tumor_1"}


def test_pixels_are_packed_when_asked_for(tmp_path):
    made.write_study(tmp_path / "s")
    command = ("patches", tmp_path / "s", "--out", tmp_path / "p", "--mpp", 1, "--no-split")
    invoke(*command, "--pack", "--max-per-class", 3)
    assert sorted(path.name for path in (tmp_path / "p/pixels").iterdir()) == [
        "normal_1.npy",
        "tumor_1.npy",
    ]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--mpp", 1, "--level", 1), "not both"),
        (("--group", "Stroma"), "NAME=tumour"),
        (("--mask-values", "1=cancer"), "does not name mask values"),
        (("--fractions", 0.5, 0.1, 0.1), "sum to 1"),
    ],
)
def test_options_that_say_nothing_are_refused(study, tmp_path, arguments, reason):
    result = invoke("patches", study, "--out", tmp_path / "p", *arguments, fails=True)
    assert reason in result.stderr
