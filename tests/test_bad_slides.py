"""A file nobody can open is a row with a reason; the rest of the library is unharmed."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from tests.slides import bad_slides, make_slide
from viewer.slides import scanner
from viewer.slides.probe import read_file
from viewer.slides.walk import folder_problem, walk

NOBODY = 65534


@pytest.fixture
def library(slide_folder: Path, scan) -> dict:
    bad_slides(slide_folder)
    make_slide(slide_folder / "good.tif")
    return {item["name"]: item for item in scan()}


@pytest.mark.parametrize("name", ["empty", "text", "truncated", "header-only", "zero-size"])
def test_it_is_listed_with_a_reason_and_a_way_out(client, library, name: str):
    item = library[f"{name}.svs"]
    assert item["state"] == "unreadable"
    assert len(item["problem"]["reason"]) > 10
    assert len(item["problem"]["hint"]) > 10
    assert item["width_px"] is item["dzi_url"] is item["thumbnail_url"] is None
    assert client.get(f"/api/v1/slides/{item['id']}").get_json() == item


def test_the_good_one_beside_them_works(client, library):
    assert library["good.tif"]["state"] == "unanalysed"
    assert client.get(library["good.tif"]["thumbnail_url"]).status_code == 200


def test_its_pictures_say_why_there_are_none(client, library):
    item = library["empty.svs"]
    for address in (".dzi", "_files/0/0_0.jpeg", "/thumbnail.jpeg"):
        answer = client.get(f"/slides/{item['id']}{address}")
        assert answer.status_code == 422
        assert answer.get_json()["detail"] == item["problem"]["reason"]


def test_its_page_explains(client, library):
    item = library["truncated.svs"]
    answer = client.get(item["page_url"])
    assert (answer.status_code, answer.mimetype) == (422, "text/html")
    assert item["problem"]["reason"] in answer.text
    assert item["problem"]["hint"] in answer.text


@pytest.fixture
def nobodys_folder() -> Iterator[Path]:
    """A slide folder, seen by an account that is not root (whom no permission stops)."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        if os.geteuid() == 0:
            os.seteuid(NOBODY)
            yield folder
            os.seteuid(0)
        else:
            yield folder
        for path in folder.iterdir():
            path.chmod(0o700)


def test_without_permission_to_read_it_says_so(nobodys_folder: Path):
    make_slide(nobodys_folder / "a.tif").chmod(0)
    (found,) = walk(nobodys_folder)
    reading = read_file(found)
    assert reading.id is None
    assert "ermission" in reading.columns["problem_reason"]
    assert "right to read" in reading.columns["problem_hint"]


def test_a_folder_that_may_not_be_read_is_listed(nobodys_folder: Path):
    (nobodys_folder / "closed").mkdir(mode=0)
    (found,) = walk(nobodys_folder)
    assert found.name == "closed"
    assert "cannot be read" in read_file(found).columns["problem_reason"]


def test_a_slide_folder_that_may_not_be_read_says_so(nobodys_folder: Path):
    (nobodys_folder / "slides").mkdir(mode=0)
    problem = folder_problem(nobodys_folder / "slides")
    assert problem.reason == "This folder cannot be read."
    assert list(walk(nobodys_folder / "slides")) == []


def test_a_reader_that_fails_in_an_unforeseen_way_harms_one_row_only(
    slide_folder: Path, scan, monkeypatch, capsys
):
    for name in "abc":
        make_slide(slide_folder / f"{name}.tif", (300 + ord(name), 200))

    def fail_on_b(found):
        if found.name == "b.tif":
            raise ZeroDivisionError(str(found.path))
        return read_file(found)

    monkeypatch.setattr(scanner, "read_file", fail_on_b)
    states = {item["name"]: item["state"] for item in scan()}
    assert states == {"a.tif": "unanalysed", "b.tif": "unreadable", "c.tif": "unanalysed"}
    log = capsys.readouterr().err
    assert "ZeroDivisionError" in log
    assert str(slide_folder) not in log


def test_a_damaged_part_is_said_and_the_rest_still_shown(client, slide_folder: Path, scan):
    path = slide_folder / "a.tif"
    noise = np.random.default_rng(1).integers(0, 255, (700, 900, 3), np.uint8)
    make_slide(path, (900, 700), level_factors=(1,), draw=noise, compression="jpeg")
    data = bytearray(path.read_bytes())
    start = data.find(b"\xff\xda")  # the first tile's picture begins here
    data[start - 200 : start + 2000] = bytes(2200)
    path.write_bytes(data)
    (item,) = scan()
    assert item["state"] == "unanalysed"
    tile = f"/slides/{item['id']}_files/10/{{}}.jpeg"
    answer = client.get(tile.format("0_0"))
    assert answer.status_code == 422
    assert answer.get_json()["code"] == "slide_unreadable"
    assert client.get(tile.format("2_1")).status_code == 200
