"""What a reader viewed at 10× or more: opted into, on the server, and about tissue."""

from base64 import b64decode

import numpy as np
import pytest

from tests.slides import make_slide
from tests.tours import STEP_PX, draw_analysis

GRID = np.full((30, 40), np.nan, np.float32)
GRID[0:16, 0:40] = 0.1  # the upper part of the slide is tissue
STEP = 512  # 128 µm of 0.25 µm/px


@pytest.fixture
def slide(slide_folder, scan):
    make_slide(slide_folder / "a.tif", (40 * STEP_PX, 30 * STEP_PX), mpp=0.25)
    return scan()[0]


@pytest.fixture
def place(slide):
    return f"/api/v1/slides/{slide['id']}/coverage"


@pytest.fixture
def ada(sign_in):
    return sign_in("Ada")


def view(left, top, right, bottom, magnification=20.0):
    return {
        "left_l0_px": left,
        "top_l0_px": top,
        "right_l0_px": right,
        "bottom_l0_px": bottom,
        "magnification": magnification,
    }


def show(reader, place, *views):
    return reader.post(f"{place}/views", json={"views": views})


def grid(shown) -> np.ndarray:
    bits = np.unpackbits(np.frombuffer(b64decode(shown["viewed"]), np.uint8))
    return bits[: shown["rows"] * shown["columns"]].reshape(shown["rows"], shown["columns"])


def error_of(answer):
    return answer.status_code, answer.get_json()["code"]


def test_nothing_is_recorded_unasked(ada, place):
    assert not ada.get(place).get_json()["recording"]
    assert error_of(show(ada, place, view(0, 0, 999, 999))) == (409, "recording_off")


def test_views_at_10x_or_more_mark_the_middles_they_hold(ada, place, sessions, settings, slide):
    draw_analysis(sessions, settings, slide, GRID)
    shown = ada.put(place, json={"recording": True}).get_json()
    assert (shown["step_l0_px"], shown["columns"], shown["rows"]) == (STEP, 3, 2)
    assert (shown["tissue_cells"], shown["tissue_share_viewed"]) == (640, 0)

    shown = show(ada, place, view(0, 0, 700, 400), view(500, 0, 1280, 960, 9.5)).get_json()
    assert grid(shown).tolist() == [[1, 0, 0], [0, 0, 0]]
    assert shown["tissue_share_viewed"] == pytest.approx(16 * 16 / 640)

    shown = show(ada, place, view(-100, -100, 5000, 5000, 9.995)).get_json()
    assert grid(shown).all()
    assert shown["tissue_share_viewed"] == 1


def test_it_is_each_readers_own_and_outlives_the_window(sign_in, place):
    ada = sign_in("Ada")
    ada.put(place, json={"recording": True})
    show(ada, place, view(0, 0, 700, 700))
    again = sign_in("Ada").get(place).get_json()
    assert again["recording"]
    assert grid(again).sum() == 1
    assert sign_in("Ben").get(place).get_json()["columns"] == 0


def test_switching_it_off_keeps_what_was_seen_and_deleting_forgets_it(ada, place):
    ada.put(place, json={"recording": True})
    show(ada, place, view(0, 0, 700, 700))
    off = ada.put(place, json={"recording": False}).get_json()
    assert (off["recording"], int(grid(off).sum())) == (False, 1)
    assert ada.delete(place).status_code == 204
    assert ada.get(place).get_json()["viewed"] == ""


def test_without_tissue_the_share_is_not_known(ada, place):
    shown = ada.put(place, json={"recording": True}).get_json()
    assert (shown["tissue_cells"], shown["tissue_share_viewed"]) == (None, None)


def test_a_slide_without_resolution_has_no_magnifications(ada, slide_folder, scan):
    make_slide(slide_folder / "b.tif", (700, 500), mpp=None)
    slide = next(item for item in scan() if item["name"] == "b.tif")
    answer = ada.put(f"/api/v1/slides/{slide['id']}/coverage", json={"recording": True})
    assert error_of(answer) == (409, "resolution_missing")


@pytest.mark.parametrize("wrong", [{"left_l0_px": float("inf")}, {"magnification": 0}, {"more": 1}])
def test_nonsense_is_refused(ada, place, wrong):
    ada.put(place, json={"recording": True})
    assert error_of(show(ada, place, view(0, 0, 1, 1) | wrong)) == (400, "bad_request")
