"""The resolution comes from the slide or from a person, and is never guessed."""

from datetime import datetime
from pathlib import Path

import pytest

from model.prediction.wsi import Mpp
from tests.slides import make_slide, make_svs
from viewer.slides.library import effective_mpp


@pytest.fixture
def uncalibrated(slide_folder: Path, scan) -> dict:
    make_slide(slide_folder / "a.tif", mpp=None)
    return scan()[0]


def put(client, slide: dict, **body):
    return client.put(f"/api/v1/slides/{slide['id']}/resolution", json=body)


def test_it_is_the_slides_own_per_axis(slide_folder: Path, scan):
    make_slide(slide_folder / "a.tif", mpp=(0.25, 0.5))
    (item,) = scan()
    assert item["mpp_x"] == pytest.approx(0.25, rel=1e-4)
    assert item["mpp_y"] == pytest.approx(0.5, rel=1e-4)
    assert (item["mpp_source"], item["mpp_set_by"], item["mpp_set_at"]) == ("slide", None, None)


def test_it_is_unknown_when_the_slide_does_not_say(uncalibrated, sessions):
    for name in ("mpp_x", "mpp_y", "mpp_source", "mpp_set_by", "mpp_set_at"):
        assert uncalibrated[name] is None
    with sessions() as session:
        assert effective_mpp(session, uncalibrated["id"]) == (None, None)


def test_it_is_not_guessed_from_the_magnification(slide_folder: Path, scan):
    make_svs(slide_folder / "a.svs", mpp=None, objective_power=40)
    (item,) = scan()
    assert item["objective_power"] == 40
    assert item["mpp_x"] is None


def test_a_user_sets_it_with_name_and_time(client, uncalibrated, sessions):
    answer = put(client, uncalibrated, mpp_x=0.25, mpp_y=0.26, set_by="  R. Virchow ")
    assert answer.status_code == 200
    slide = answer.get_json()
    assert (slide["mpp_x"], slide["mpp_y"]) == (0.25, 0.26)
    assert (slide["mpp_source"], slide["mpp_set_by"]) == ("user", "R. Virchow")
    assert slide["mpp_set_at"].endswith("Z")
    assert datetime.fromisoformat(slide["mpp_set_at"])
    with sessions() as session:
        assert effective_mpp(session, slide["id"]) == (Mpp(0.25, 0.26), "user")
    assert client.get(f"/api/v1/slides/{slide['id']}").get_json() == slide


def test_the_last_word_counts_and_outlives_scans(client, uncalibrated, slide_folder, scan):
    put(client, uncalibrated, mpp_x=0.25, mpp_y=0.25, set_by="first")
    put(client, uncalibrated, mpp_x=0.5, mpp_y=0.5, set_by="second")
    (slide_folder / "a.tif").rename(slide_folder / "b.tif")
    (slide,) = scan()
    assert (slide["mpp_x"], slide["mpp_set_by"]) == (0.5, "second")


@pytest.mark.parametrize(
    "wrong",
    [
        {"mpp_x": 0.04},
        {"mpp_y": 20.5},
        {"mpp_x": "wide"},
        {"mpp_x": None},
        {"mpp_y": float("nan")},
        {"mpp_x": float("inf")},
        {"set_by": "  "},
        {"set_by": "x" * 101},
        {"set_by": None},
        {"colour": "red"},
    ],
)
def test_wrong_values_are_refused_by_name(client, uncalibrated, wrong: dict):
    body = {"mpp_x": 0.25, "mpp_y": 0.25, "set_by": "me"} | wrong
    answer = put(client, uncalibrated, **body)
    assert answer.status_code == 400
    assert next(iter(wrong)) in answer.get_json()["detail"]
    assert client.get(f"/api/v1/slides/{uncalibrated['id']}").get_json()["mpp_x"] is None


@pytest.mark.parametrize("missing", ["mpp_x", "mpp_y", "set_by"])
def test_nothing_may_be_left_out(client, uncalibrated, missing: str):
    body = {"mpp_x": 0.25, "mpp_y": 0.25, "set_by": "me"}
    del body[missing]
    answer = put(client, uncalibrated, **body)
    assert answer.status_code == 400
    assert missing in answer.get_json()["detail"]


def test_unknown_and_unreadable_slides_have_none(client, slide_folder: Path, scan):
    (slide_folder / "bad.svs").write_bytes(b"")
    (bad,) = scan()
    body = {"mpp_x": 0.25, "mpp_y": 0.25, "set_by": "me"}
    assert put(client, bad, **body).status_code == 422
    assert put(client, {"id": "0" * 20}, **body).status_code == 404
