"""`python -m model predict`: what it writes, says and refuses."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from model.cli import main
from model.prediction import scoring
from model.prediction.heatmap import Heatmap
from tests import slides
from tests.model_folders import change_side_file, make_model_folder

SIZE_PX = (700, 500)


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model_folder(tmp_path_factory.mktemp("models") / "random")


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    return slides.known_square_slide(
        tmp_path / "a slide.tif",
        square=slides.Square(150, 90, 310, 250),
        size_px=(400, 300),
        mpp=0.97,
    )


def predict(slide: Path, model_folder: Path, *more: object) -> Result:
    out = slide.parent / "out"
    words = ["predict", slide, "--out", out, "--model", model_folder, *more]
    return CliRunner().invoke(main, [str(word) for word in words])


def record(slide: Path) -> Any:
    return json.loads((slide.parent / "out" / f"{slide.stem}.json").read_text("utf-8"))


def test_writes_heat_map_and_record(slide: Path, model_folder: Path) -> None:
    result = predict(slide, model_folder)
    assert result.exit_code == 0
    assert "Research use only. Not for diagnostic procedures." in result.stdout
    assert "cells analysed" in result.stdout
    heatmap = Heatmap.open(slide.parent / "out" / "a slide.zarr")
    assert sorted(heatmap.stored_chunks()) == heatmap.planned_chunks() != []
    written = record(slide)
    assert written["slide"] == "a slide.tif"
    assert written["summary"] == heatmap.summary()
    assert written["geometry"] == heatmap.geometry.to_json()
    assert written["model"]["id"] == heatmap.geometry.model_id


def test_score_hot_spots_and_warnings_are_said_and_written(slide: Path, model_folder: Path) -> None:
    change_side_file(model_folder, threshold=0.0)  # so that there is a hot spot
    try:
        said, written = predict(slide, model_folder).stdout, record(slide)
    finally:
        change_side_file(model_folder, threshold=0.5)
    assert written["score"] == pytest.approx(written["summary"]["peak_probability"])
    assert f"Slide score {written['score']:.3f}" in said
    assert written["hotspots"]["count"] == len(written["hotspots"]["items"]) == 1
    assert written["hotspots"]["items"][0]["size_class"] == "micro"
    assert "no diagnosis" in said
    for warning in written["warnings"]:
        assert warning["text"] in said
    assert {"nearly_all_positive", "model_not_calibrated"} & {
        w["code"] for w in written["warnings"]
    }


def test_json_is_all_that_is_printed(slide: Path, model_folder: Path) -> None:
    assert json.loads(predict(slide, model_folder, "--json").stdout) == record(slide)


def test_goes_on_where_it_was_stopped(
    slide: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "CHUNK_CELLS", 3)
    predict(slide, model_folder)
    path = slide.parent / "out" / "a slide.zarr"
    whole = Heatmap.open(path)
    before, grid = whole.stored_chunks(), whole.probabilities(0, 10, 0, 13)
    lost = whole.planned_chunks()[1]
    (path / "probability" / "c" / str(lost[0]) / str(lost[1])).unlink()
    predict(slide, model_folder)
    after = whole.stored_chunks()
    assert [chunk for chunk in after if after[chunk] != before[chunk]] == [lost]
    assert np.array_equal(whole.probabilities(0, 10, 0, 13), grid, equal_nan=True)


def test_another_models_heat_map_is_refused(slide: Path, model_folder: Path) -> None:
    predict(slide, model_folder)
    other = make_model_folder(slide.parent / "other", seed=1)
    result = predict(slide, other)
    assert result.exit_code == 1
    assert "There is another heat map already; it differs in weights sha256." in result.stderr


def test_no_tissue_is_never_no_cancer(tmp_path: Path, model_folder: Path) -> None:
    glass = np.full((500, 700, 3), slides.GLASS, np.uint8)
    slide = slides.make_slide(tmp_path / "s.tif", SIZE_PX, mpp=0.97, draw=glass)
    result = predict(slide, model_folder)
    assert result.exit_code == 0
    assert "no tissue found: nothing was analysed" in result.stdout
    assert "cancer" not in result.stdout
    assert record(slide)["summary"]["cells_analysed"] == 0


def test_without_resolution_it_says_what_to_give(tmp_path: Path, model_folder: Path) -> None:
    slide = slides.known_square_slide(tmp_path / "s.tif", mpp=None)
    result = predict(slide, model_folder)
    assert result.exit_code == 1
    assert "--mpp X [Y]" in result.stderr
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "mpp"),
    [(["0.97"], (0.97, 0.97)), (["0.97", "0.95"], (0.97, 0.95)), (["1", "--json"], (1, 1))],
)
def test_resolution_of_one_number_or_two(
    tmp_path: Path, model_folder: Path, words: list[str], mpp: tuple[float, float]
) -> None:
    glass = np.full((500, 700, 3), slides.GLASS, np.uint8)
    slide = slides.make_slide(tmp_path / "s.tif", SIZE_PX, mpp=None, draw=glass)
    assert predict(slide, model_folder, "--mpp", *words).exit_code == 0
    geometry = record(slide)["geometry"]
    assert (geometry["mpp_x"], geometry["mpp_y"]) == mpp


@pytest.mark.parametrize("value", ["0", "-1", "72", "abc", "0.5,0.5,0.5", "nan"])
def test_impossible_resolutions(slide: Path, model_folder: Path, value: str) -> None:
    result = predict(slide, model_folder, "--mpp", value)
    assert result.exit_code == 2
    assert "from 0.05 to 20" in result.stderr


@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "missing"])
def test_unreadable_slide(tmp_path: Path, model_folder: Path, kind: str) -> None:
    result = predict(slides.bad_slides(tmp_path)[kind], model_folder)
    assert result.exit_code == 1
    assert "file" in result.stderr
    assert "Traceback" not in result.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_folder_that_cannot_be_made(slide: Path, model_folder: Path) -> None:
    (slide.parent / "out").write_text("in the way")
    result = predict(slide, model_folder)
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


def test_full_disk_leaves_nothing_half_written(slide: Path, model_folder: Path) -> None:
    script = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300, -1))\n"  # as a full disk does
        "from model.cli import main\n"
        "main()\n"
    )
    words = ["predict", slide, "--out", slide.parent / "out", "--model", model_folder]
    command = [sys.executable, "-B", "-c", script, *map(str, words)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "The disk that holds the heat maps is full." in run.stderr
    assert list((slide.parent / "out").iterdir()) == []


def test_another_slide_of_the_same_name_does_not_go_on_with_the_first_ones_map(
    slide: Path, model_folder: Path, tmp_path: Path
) -> None:
    assert predict(slide, model_folder).exit_code == 0
    slides.known_square_slide(
        slide, square=slides.Square(10, 20, 170, 180), size_px=(400, 300), mpp=0.97
    )
    refused = predict(slide, model_folder)
    assert refused.exit_code == 1
    assert "of another slide of the same name" in refused.stderr
