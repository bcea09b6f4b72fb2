"""`python -m model report`: from slides, masks and heat maps to a page and a JSON."""

import csv
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result

from model.cli_report import command
from model.prediction.errors import PredictionError
from tests.slides import Square
from tests.studies import GEOMETRY, Drawn, make_study, other_model, write_heatmap, write_mask

LESION = Square(640, 640, 1280, 1280)
SECOND = Square(1920, 640, 2240, 960)
SPECK = Square(640, 1600, 704, 1664)  # 64 µm: isolated tumour cells
OUTSIDE = Square(2240, 1600, 2304, 1664)

# Slide 1: the first lesion found at 0.9, the second missed, ITC hit, nothing false.
# Slide 2: its lesion found at 0.8. Slide 3, normal: one false positive at 0.7.
# At 0 false positives 2 of 3 lesions; the curve stays there: FROC 2/3. Slides: 0.9 and 0.8 against
# 0.7: AUC 1.
SLIDES = [
    Drawn("tumor_1", (LESION, SECOND, SPECK), ((LESION, 0.9), (SPECK, 0.95))),
    Drawn("tumor_2", (LESION,), ((LESION, 0.8),)),
    Drawn("normal_1", (), ((OUTSIDE, 0.7),)),
]


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    return make_study(tmp_path_factory.mktemp("study"), SLIDES)


@pytest.fixture(scope="module")
def finished(template: Path) -> tuple[dict, Path]:
    """A report that several tests look at: its JSON, and the study it was written in."""
    return report(template), template


@pytest.fixture
def study(template: Path, tmp_path: Path) -> Path:
    ignore = shutil.ignore_patterns("out")
    return Path(shutil.copytree(template, tmp_path / "study", ignore=ignore))


def run(study: Path, *options: str) -> Result:
    arguments = ["--slides", study / "slides", "--masks", study / "masks"]
    arguments += ["--heatmaps", study / "heatmaps", "--out", study / "out", *options]
    return CliRunner().invoke(command, [str(each) for each in arguments])


def report(study: Path, *options: str) -> dict:
    result = run(study, *options)
    assert result.exit_code == 0, result.output or result.exception
    return json.loads((study / "out" / "report.json").read_text())


def refused(study: Path, *options: str) -> str:
    """What the user is told; `python -m model` shows a PredictionError the same way."""
    result = run(study, *options)
    assert result.exit_code == 1
    if isinstance(result.exception, PredictionError):
        return str(result.exception)
    return result.output


def detections(study: Path, slide: str) -> list[list[str]]:
    text = (study / "out" / "detections" / f"{slide}.csv").read_text()
    return list(csv.reader(text.splitlines()))


def test_the_figures_are_those_of_the_drawing(finished: tuple[dict, Path]):
    found, _ = finished
    assert found["froc"]["value"] == pytest.approx(2 / 3)
    assert found["froc"]["n"] == {
        "slides": 3,
        "tumour_slides": 2,
        "normal_slides": 1,
        "lesions": 3,
        "itc": 1,
    }
    assert found["slide_auc"]["value"] == 1
    assert found["slide_auc"]["n"]["slides"] == 3
    assert 0.5 < found["patch_roc_auc"]["value"] < 1
    assert found["research_use"] == "Research use only. Not for diagnostic procedures."
    for key in ("patch_roc_auc", "slide_auc", "froc"):
        assert {"value", "ci95", "n", "method"} <= set(found[key])


def test_each_slide_has_its_row(finished: tuple[dict, Path]):
    rows = {row["slide"]: row for row in finished[0]["slides"]}
    assert rows["tumor_1"]["lesions"] == 2
    assert rows["tumor_1"]["lesions_found"] == 1
    assert rows["tumor_1"]["itc"] == 1
    assert rows["tumor_1"]["false_positives"] == 0
    assert rows["normal_1"]["false_positives"] == 1
    assert rows["tumor_1"]["score"] == pytest.approx(0.95)


def test_the_worst_mistakes_are_named_with_their_place(finished: tuple[dict, Path]):
    found, _ = finished
    (wrong, *_) = found["worst_false_positives"]
    assert wrong["slide"] == "normal_1"
    assert OUTSIDE.left < wrong["x_l0_px"] < OUTSIDE.right
    assert OUTSIDE.top < wrong["y_l0_px"] < OUTSIDE.bottom
    (missed,) = found["worst_false_negatives"]
    assert missed["slide"] == "tumor_1"
    assert missed["x_l0_px"] == pytest.approx((SECOND.left + SECOND.right) / 2, abs=8)


def test_what_made_the_figures_stands_with_them(study: Path):
    stands = report(study, "--data", "drawn squares")["provenance"]
    assert stands["model"]["id"] == "test-model"
    assert stands["model"]["weights_sha256"] == "ab" * 32
    assert stands["data"] == "drawn squares"
    assert stands["slides"] == 3
    assert stands["seed"] == 0
    assert "python -m model" in stands["command"]


def test_the_same_input_gives_the_same_figures(finished: tuple[dict, Path]):
    again = report(finished[1])
    assert {**again, "provenance": {}} == {**finished[0], "provenance": {}}


def test_masks_of_0_and_255_give_the_same_figures(study: Path):
    first = report(study)
    for slide in SLIDES[:2]:
        write_mask(study / "masks" / f"{slide.name}_mask.tif", slide.lesions, 255)
    second = report(study)
    assert second["froc"] == first["froc"]
    assert second["patch_roc_auc"] == first["patch_roc_auc"]


def test_masks_shifted_by_half_a_lesion_lower_the_froc_score(study: Path):
    before = report(study)["froc"]["value"]
    for slide in SLIDES[:2]:
        # Down and to the right by half of each lesion's side: the hot cells' first peak lies in
        # the lesion's upper left, which is outside now.
        moved = tuple(
            Square(
                s.left + (s.right - s.left) // 2,
                s.top + (s.bottom - s.top) // 2,
                s.right + (s.right - s.left) // 2,
                s.bottom + (s.bottom - s.top) // 2,
            )
            for s in slide.lesions
        )
        write_mask(study / "masks" / f"{slide.name}_mask.tif", moved)
    assert report(study)["froc"]["value"] < before - 0.1


def test_detections_are_written_as_camelyon16_wants_them(finished: tuple[dict, Path]):
    rows = detections(finished[1], "tumor_1")
    assert rows[0][0] == "0.950000"
    x, y = int(rows[0][1]), int(rows[0][2])
    assert SPECK.left < x < SPECK.right
    assert SPECK.top < y < SPECK.bottom


def test_one_detection_for_each_region(study: Path):
    report(study, "--detect", "regions", "--floor", "0.5")
    rows = detections(study, "tumor_1")
    assert [float(row[0]) for row in rows] == [0.95, 0.9]


class Page(HTMLParser):
    """Collects what a browser would fetch, and what it would run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]


def page(study: Path) -> str:
    return (study / "out" / "report.html").read_text()


def test_the_page_needs_nothing_beside_it(finished: tuple[dict, Path]):
    text = page(finished[1])
    parsed = Page(text)
    assert parsed.addresses
    assert all(each.startswith(("data:image/", "#")) for each in parsed.addresses)
    assert not parsed.tags & {"script", "link", "iframe", "object", "embed"}
    assert "url(" not in text
    assert "@import" not in text


def test_the_page_shows_slide_mask_and_heat_map_of_every_slide(finished: tuple[dict, Path]):
    text = page(finished[1])
    for slide in SLIDES:
        for part in ("slide", "mask", "heat map"):
            assert f'aria-label="{slide.name}: {part}"' in text
    assert text.count('class="bar"') >= 9  # a scale bar in each
    assert "500 µm" in text or "1 mm" in text
    assert "Research use only. Not for diagnostic procedures." in text
    assert re.search(r'class="lesion itc" d="M', text)


def test_names_cannot_put_markup_into_the_page(study: Path):
    report(study, "--data", "<script>alert(1)</script>")
    assert "<script" not in page(study)
    assert "&lt;script&gt;" in page(study)


def test_json_goes_to_standard_output_alone(study: Path):
    result = run(study, "--json")
    assert json.loads(result.stdout)["froc"]["value"] == pytest.approx(2 / 3)


def test_figures_of_labelled_patches_take_the_place_of_cells(study: Path):
    path = study / "patches.json"
    figures = {
        "n": 10, "n_tumour": 4, "n_normal": 6, "roc_auc": 0.875, "roc_auc_ci95": [0.8, 0.95],
        "ci_method": "by slide", "pr_auc": 0.8, "f1": 0.7, "threshold": 0.5, "sensitivity": 0.7,
        "specificity": 0.9, "ece": 0.03, "model": {"weights_sha256": "ab" * 32},
    }  # fmt: skip
    path.write_text(json.dumps(figures))
    found = report(study, "--patches", str(path))
    assert found["patch_roc_auc"]["value"] == 0.875
    assert found["patch_roc_auc"]["n"]["patches"] == 10
    assert found["cell_roc_auc"]["value"] != 0.875
    path.write_text(json.dumps(figures | {"model": {"weights_sha256": "0" * 64}}))
    assert "another model" in refused(study, "--patches", str(path))
    path.write_text("[]")
    assert "does not hold patch-level figures" in refused(study, "--patches", str(path))


def test_slides_without_any_lesion_have_no_froc_and_no_auc(tmp_path: Path):
    study = make_study(tmp_path, [Drawn("normal_1"), Drawn("normal_2")])
    found = report(study)
    for key, why in (("froc", "No slide holds a lesion"), ("slide_auc", "no tumour slide")):
        assert found[key]["value"] is None
        assert why in found[key]["reason"]
    assert found["patch_roc_auc"]["value"] is None
    assert why in page(study)


def test_without_normal_slides_the_froc_says_so(tmp_path: Path):
    found = report(make_study(tmp_path, SLIDES[:2]))
    assert found["slide_auc"]["value"] is None
    assert "no normal slide" in found["slide_auc"]["reason"]
    assert "no normal slide" in found["froc"]["method"]
    assert found["froc"]["value"] == pytest.approx(2 / 3)


def test_a_partly_annotated_slide_counts_for_slides_alone(study: Path):
    (study / "partly_annotated.txt").write_text("tumor_2\n")
    found = report(study)
    assert found["slide_auc"]["n"]["slides"] == 3
    assert found["froc"]["n"]["slides"] == 2
    assert "1 partly annotated" in found["froc"]["method"]
    assert found["froc"]["value"] == pytest.approx(1 / 2)


def test_one_part_of_a_split_can_be_judged(study: Path):
    split = {"train": ["tumor_1"], "validation": [], "test": ["tumor_2", "normal_1"]}
    (study / "split.json").write_text(json.dumps(split))
    found = report(study, "--split", str(study / "split.json"))
    assert found["froc"]["n"]["slides"] == 2
    assert found["provenance"]["split"] == "test part of split.json"


def test_a_slide_without_mask_is_refused(study: Path):
    (study / "masks" / "tumor_2_mask.tif").unlink()
    assert "tumor_2" in refused(study)


def test_slides_without_heat_map_are_named(study: Path):
    shutil.rmtree(study / "heatmaps" / "tumor_2.zarr")
    message = refused(study)
    assert "1 of 3 slides have no heat map" in message
    assert "tumor_2" in message


def test_an_unfinished_heat_map_is_refused(study: Path):
    shutil.rmtree(study / "heatmaps" / "tumor_2.zarr")
    write_heatmap(study / "heatmaps" / "tumor_2.zarr", SLIDES[1], chunks=1)
    assert "not finished" in refused(study)


def test_a_heat_map_of_another_slide_is_refused(study: Path):
    shutil.rmtree(study / "heatmaps" / "tumor_2.zarr")
    write_heatmap(
        study / "heatmaps" / "tumor_2.zarr", SLIDES[1], replace(GEOMETRY, columns=90, rows=80)
    )
    message = refused(study)
    assert "The heat map of tumor_2 covers 2880 × 2560 px, the slide has 3200 × 2400 px" in message


def test_heat_maps_of_two_models_are_refused(study: Path):
    shutil.rmtree(study / "heatmaps" / "tumor_2.zarr")
    other_model(study / "heatmaps" / "tumor_2.zarr", SLIDES[1])
    assert "different models" in refused(study)


def test_a_mask_of_another_size_is_refused(study: Path):
    tifffile.imwrite(study / "masks" / "tumor_2_mask.tif", np.zeros((500, 500), np.uint8))
    message = refused(study)
    assert "tumor_2" in message
    assert "500 × 500" in message


def test_a_slide_where_nothing_was_analysed_is_refused(study: Path):
    shutil.rmtree(study / "heatmaps" / "tumor_2.zarr")
    write_heatmap(
        study / "heatmaps" / "tumor_2.zarr", Drawn("tumor_2", ground=float("nan"), heat=())
    )
    assert "tumor_2: No cell" in refused(study)


def test_a_refused_study_leaves_no_report(study: Path):
    shutil.rmtree(study / "heatmaps" / "tumor_2.zarr")
    refused(study)
    assert not (study / "out").exists()
