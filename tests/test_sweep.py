"""The sweep: all tissue is covered, glass costs no field, and it survives the window."""

import numpy as np
import pytest

from tests.slides import make_slide
from tests.tours import STEP_PX, draw_analysis
from viewer.tour.fields import sweep_fields
from viewer.tour.tissue import Tissue

GRID = np.full((30, 40), np.nan, np.float32)
GRID[2:14, 2:10] = 0.1
GRID[18:28, 25:38] = 0.1


def tissue(mask: np.ndarray) -> Tissue:
    return Tissue(mask.astype(bool), (0.0, 0.0), (1.0, 1.0))


@pytest.mark.parametrize("size", [(3, 2), (7, 5), (1, 1), (50, 50)])
def test_every_bit_of_tissue_lies_in_a_field(size):
    mask = np.random.default_rng(0).random((40, 60)) > 0.9
    covered = np.zeros_like(mask)
    for x, y in sweep_fields(tissue(mask), *size):
        left, top = x - size[0] / 2, y - size[1] / 2
        rows = (np.arange(40) + 0.5 > top) & (np.arange(40) + 0.5 < top + size[1])
        columns = (np.arange(60) + 0.5 > left) & (np.arange(60) + 0.5 < left + size[0])
        assert (mask & rows[:, None] & columns).any(), "a field of glass"
        covered |= rows[:, None] & columns
    assert not (mask & ~covered).any()


def test_it_goes_to_and_fro():
    fields = sweep_fields(tissue(np.ones((4, 12))), 4.3, 2.2)
    assert [y for _, y in fields] == [1, 1, 1, 3, 3, 3]
    assert [x for x, _ in fields] == [2, 6, 10, 10, 6, 2]


def test_a_field_is_centred_on_what_it_covers():
    mask = np.zeros((20, 40))
    mask[3:5, 10:13] = 1
    assert sweep_fields(tissue(mask), 15, 12) == [(11.5, 4.0)]


def test_gaps_are_jumped_over():
    mask = np.zeros((4, 100))
    mask[:, 5:8] = mask[:, 90:92] = 1
    assert len(sweep_fields(tissue(mask), 10, 10)) == 2


def test_too_many_fields_are_refused():
    assert sweep_fields(tissue(np.ones((20, 20))), 1, 1, most=100) is None


@pytest.fixture
def slide(slide_folder, scan):
    make_slide(slide_folder / "a.tif", (40 * STEP_PX, 30 * STEP_PX), mpp=0.25)
    return scan()[0]


@pytest.fixture
def place(slide):
    return f"/api/v1/slides/{slide['id']}/sweep"


@pytest.fixture
def ada(sign_in):
    return sign_in("Ada")


BODY = {"magnification": 20, "field_width_l0_px": 300, "field_height_l0_px": 200}


def error_of(answer):
    return answer.status_code, answer.get_json()["code"]


def test_it_needs_tissue_and_a_reader(client, ada, place, sessions, settings, slide):
    assert error_of(client.put(place, json=BODY)) == (401, "reader_unknown")
    answer = ada.put(place, json=BODY)
    assert error_of(answer) == (409, "conflict")
    assert "Start its analysis" in answer.get_json()["hint"]
    draw_analysis(sessions, settings, slide, GRID, state="running")
    assert ada.put(place, json=BODY).status_code == 200


def test_it_goes_on_where_it_was_in_another_browser(sign_in, place, sessions, settings, slide):
    draw_analysis(sessions, settings, slide, GRID)
    ada = sign_in("Ada")
    assert ada.get(place).get_json() == {"sweep": None}
    sweep = ada.put(place, json=BODY).get_json()["sweep"]
    assert len(sweep["centres_l0_px"]) > 4
    assert (sweep["position"], sweep["seen"]) == (0, [])

    assert ada.patch(place, json={"position": 1, "seen": 0}).status_code == 204
    assert ada.patch(place, json={"position": 3, "seen": 2}).status_code == 204

    elsewhere = sign_in("Ada").get(place).get_json()["sweep"]
    assert (elsewhere["position"], elsewhere["seen"]) == (3, [0, 2])
    assert sign_in("Ben").get(place).get_json() == {"sweep": None}


def test_a_step_beyond_the_sweep_is_refused(ada, place, sessions, settings, slide):
    draw_analysis(sessions, settings, slide, GRID)
    assert error_of(ada.patch(place, json={"position": 0})) == (404, "sweep_missing")
    fields = len(ada.put(place, json=BODY).get_json()["sweep"]["centres_l0_px"])
    assert ada.patch(place, json={"position": fields}).status_code == 204
    assert error_of(ada.patch(place, json={"position": fields + 1})) == (400, "bad_request")
    assert error_of(ada.patch(place, json={"position": 0, "seen": fields})) == (400, "bad_request")


def test_it_can_be_ended(ada, place, sessions, settings, slide):
    draw_analysis(sessions, settings, slide, GRID)
    ada.put(place, json=BODY)
    assert ada.delete(place).status_code == 204
    assert ada.get(place).get_json() == {"sweep": None}
