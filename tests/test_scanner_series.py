"""The files of one DICOM series are one slide. The series is told by the reader, here by its name:
what a reader makes of real DICOM files is the reader's own matter."""

from pathlib import Path

import pytest

from viewer.slides import scanner
from viewer.slides.fingerprint import series_id
from viewer.slides.probe import Reading, read_file
from viewer.slides.scanner import scan_once
from viewer.slides.walk import Found


@pytest.fixture(autouse=True)
def _series_by_content(monkeypatch):
    def read_series(found: Found) -> Reading:
        columns = read_file(found).columns | {"problem_reason": None, "problem_hint": None}
        return Reading(series_id(found.path.read_text()), in_series=True, columns=columns)

    monkeypatch.setattr(scanner, "read_file", read_series)


@pytest.fixture
def series(slide_folder: Path) -> list[Path]:
    paths = [slide_folder / f"{n}.dcm" for n in range(4)]
    for path in paths:
        path.write_text("series 1")
    return paths


def test_a_series_is_one_slide(series, scan):
    assert [item["id"] for item in scan()] == [series_id("series 1")]


def test_two_series_in_one_folder_are_two_slides(series, scan):
    series[3].write_text("series 2")
    assert {item["id"] for item in scan()} == {series_id("series 1"), series_id("series 2")}


def test_its_files_are_not_looked_into_again(series, scan, sessions, settings):
    scan()
    assert scan_once(sessions, settings).read == 0


def test_a_file_that_changes_its_series_changes_its_slide(series, scan):
    scan()
    series[1].write_text("series two")
    assert {item["id"] for item in scan()} == {series_id("series 1"), series_id("series two")}
    series[1].write_text("series 1")
    assert {item["id"] for item in scan()} == {series_id("series 1")}


def test_it_stays_while_any_of_its_files_is_there(series, scan):
    (before,) = scan()
    series[0].unlink()
    (after,) = scan()
    assert (after["id"], after["name"]) == (before["id"], "1.dcm")
    for path in series[1:]:
        path.unlink()
    assert scan() == []
