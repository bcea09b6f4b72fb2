"""The HTTP side of analyses: asking, following, cancelling, and the heat map's tiles."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from model.prediction.scoring import CHUNK_CELLS, score_chunk
from tests.engine_room import Threads, heatmap_of, look, make_speckled, with_random_model, worker
from tests.slides import make_slide
from viewer.analyses.catalog import find_model

NOBODY = "0" * 32


@pytest.fixture
def settings(settings):
    return with_random_model(settings)


@pytest.fixture
def slide(slide_folder):
    return make_speckled(slide_folder / "slide.tif")


@pytest.fixture
def slide_id(slide, scan):
    return scan()[0]["id"]


@pytest.fixture
def asked(client, slide_id):
    return client.post(f"/api/v1/slides/{slide_id}/analyses").get_json()["id"]


@pytest.fixture
def done(settings, sessions, asked):
    worker(settings, sessions).work_once(Threads().pool)
    return asked


def error_of(answer):
    return answer.status_code, answer.get_json()["code"]


def test_asking_queues_an_analysis(client, slide_id):
    answer = client.post(f"/api/v1/slides/{slide_id}/analyses")

    shown = answer.get_json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/v1/analyses/{shown['id']}"
    assert (shown["state"], shown["slide_id"], shown["error"]) == ("queued", slide_id, None)
    assert client.get(f"/api/v1/analyses/{shown['id']}").get_json() == shown
    assert client.get(f"/api/v1/slides/{slide_id}").get_json()["analysis"] == shown


def test_asking_twice_gives_the_same(client, slide_id, asked):
    again = client.post(f"/api/v1/slides/{slide_id}/analyses", json={})

    assert (again.status_code, again.get_json()["id"]) == (202, asked)


def test_asking_again_gives_another(client, slide_id, done):
    again = client.post(f"/api/v1/slides/{slide_id}/analyses", json={"again": True}).get_json()

    assert again["id"] != done
    assert again["state"] == "queued"


def test_asking_after_a_cancel_goes_on(client, slide_id, asked):
    cancelled = client.post(f"/api/v1/analyses/{asked}/cancel")
    assert (cancelled.status_code, cancelled.get_json()["state"]) == (202, "cancelled")

    again = client.post(f"/api/v1/slides/{slide_id}/analyses").get_json()

    assert (again["id"], again["state"]) == (asked, "queued")


def test_a_lost_heat_map_is_computed_again(client, settings, slide_id, done):
    for path in settings.heatmaps.iterdir():
        path.rename(path.with_suffix(".gone"))

    again = client.post(f"/api/v1/slides/{slide_id}/analyses").get_json()

    assert (again["id"], again["state"]) == (done, "queued")


def test_without_resolution_it_is_asked_for(client, slide_folder, scan):
    make_slide(slide_folder / "uncalibrated.tif", mpp=None)
    slide_id = scan()[0]["id"]

    answer = client.post(f"/api/v1/slides/{slide_id}/analyses")

    assert error_of(answer) == (409, "resolution_missing")
    body = {"mpp_x": 0.5, "mpp_y": 0.25, "set_by": "me"}
    client.put(f"/api/v1/slides/{slide_id}/resolution", json=body)
    assert client.post(f"/api/v1/slides/{slide_id}/analyses").status_code == 202


def test_a_slide_nobody_can_read_is_refused_with_its_reason(client, slide_folder, scan):
    (slide_folder / "empty.svs").write_bytes(b"")

    answer = client.post(f"/api/v1/slides/{scan()[0]['id']}/analyses")

    assert error_of(answer) == (422, "slide_unreadable")


@pytest.mark.parametrize(
    ("body", "status"), [({"model_id": "none"}, 404), ({"models": 1}, 400), ({"again": "x"}, 400)]
)
def test_wrong_wishes_are_refused(client, slide_id, body, status):
    assert client.post(f"/api/v1/slides/{slide_id}/analyses", json=body).status_code == status


@pytest.mark.parametrize("place", ["", "/heatmap", "/heatmap/changes?since=0"])
def test_an_unknown_analysis_is_not_found(client, place):
    answer = client.get(f"/api/v1/analyses/{NOBODY}{place}")

    assert error_of(answer) == (404, "analysis_not_found")


def test_the_focus_is_noted(client, sessions, asked):
    point = {"x_l0_px": 12.5, "y_l0_px": -3}

    assert client.post(f"/api/v1/analyses/{asked}/focus", json=point).status_code == 204

    assert look(sessions, asked).focus == point
    for nonsense in ({"x_l0_px": "left"}, {"x_l0_px": 1e200, "y_l0_px": 0}):
        wrong = client.post(f"/api/v1/analyses/{asked}/focus", json=nonsense)
        assert error_of(wrong) == (400, "bad_request")


def test_before_the_tissue_is_found_there_is_no_heat_map(client, asked):
    answer = client.get(f"/api/v1/analyses/{asked}/heatmap")

    assert error_of(answer) == (404, "heatmap_not_ready")


def test_the_heat_map_says_where_its_cells_lie(client, settings, done):
    shown = client.get(f"/api/v1/analyses/{done}/heatmap").get_json()

    assert shown["geometry"] == heatmap_of(settings, done).geometry.to_json()
    cells = 2 * CHUNK_CELLS
    assert (shown["geometry"]["columns"], shown["geometry"]["rows"]) == (cells, cells)
    assert (shown["state"], shown["levels"], shown["tile_size_cells"]) == ("done", 1, 256)
    assert shown["threshold"] == shown["model"]["threshold"] == find_model(settings).threshold
    assert shown["model"]["spacing_um_px"] == 0.97


def test_value_tiles_are_the_heat_maps_values(client, settings, done):
    shown = client.get(f"/api/v1/analyses/{done}/heatmap").get_json()
    url = shown["tile_url"].format(level=0, column=0, row=0)

    answer = client.get(url)

    picture = Image.open(BytesIO(answer.data))
    assert (answer.mimetype, picture.mode) == ("image/png", "L")
    expected = heatmap_of(settings, done).value_tile(0, 0, 0)
    assert expected.any()
    np.testing.assert_array_equal(np.asarray(picture), expected)


def test_a_tile_of_a_finished_heat_map_is_kept_by_its_revision(client, done):
    shown = client.get(f"/api/v1/analyses/{done}/heatmap").get_json()
    url = f"/api/v1/analyses/{done}/heatmap/tiles/0/0_0.png"

    newest = client.get(f"{url}?r={shown['revision']}")
    assert newest.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    for other in (client.get(url), client.get(f"{url}?r=1")):
        assert other.headers["Cache-Control"] == "private, no-cache"


def test_an_unchanged_tile_is_not_sent_twice(client, done):
    url = f"/api/v1/analyses/{done}/heatmap/tiles/0/0_0.png"
    etag = client.get(url).headers["ETag"]

    again = client.get(url, headers={"If-None-Match": etag})

    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("place", ["0/1_0", "0/0_1", "1/0_0"])
def test_a_tile_outside_the_grid_is_not_found(client, done, place):
    answer = client.get(f"/api/v1/analyses/{done}/heatmap/tiles/{place}.png")

    assert error_of(answer) == (404, "tile_outside_grid")


def test_changes_are_told_since_a_revision(client, settings, done, slide):
    changes = f"/api/v1/analyses/{done}/heatmap/changes"
    shown = client.get(f"{changes}?since=0").get_json()
    assert shown["tiles"] == [[0, 0, 0]]
    assert client.get(f"{changes}?since={shown['revision']}").get_json()["tiles"] == []

    heatmap = heatmap_of(settings, done)
    score_chunk(slide, find_model(settings).folder, heatmap.path, (0, 0))

    later = client.get(f"{changes}?since={shown['revision']}").get_json()
    assert later["tiles"] == [[0, 0, 0]]
    assert int(later["revision"]) > int(shown["revision"])
    assert error_of(client.get(f"{changes}?since=x")) == (400, "bad_request")


def test_models_are_listed_with_those_that_are_none(client, settings):
    items = client.get("/api/v1/models").get_json()["items"]

    assert [item["id"] for item in items] == [find_model(settings).id]
    assert items[0]["problem"] is None
    assert items[0]["spacing_um_px"] == 0.97
