"""Hot spots over HTTP: listed by rank, said something of by readers, compared between models."""

import numpy as np
import pytest
from sqlalchemy import select

from tests.engine_room import Threads, ask, look, make_speckled, with_random_model, worker
from tests.slides import make_slide
from tests.tours import STEP_PX, draw_analysis
from viewer.analyses.hotspots import catch_up
from viewer.db import writing
from viewer.records import Analysis, Hotspot
from viewer.tour.records import HotspotReviewChange

GRID = np.full((30, 40), np.nan, np.float32)
GRID[2:28, 2:38] = 0.1
GRID[4:8, 4:10] = 0.8  # rank 2
GRID[20, 30] = 0.95  # rank 1
GRID[12:14, 20:22] = 0.6  # rank 3


@pytest.fixture
def slide(slide_folder, scan):
    make_slide(slide_folder / "a.tif", (40 * STEP_PX, 30 * STEP_PX), mpp=0.25)
    return scan()[0]


@pytest.fixture
def analysis_id(sessions, settings, slide):
    return draw_analysis(sessions, settings, slide, GRID)


@pytest.fixture
def place(analysis_id):
    return f"/api/v1/analyses/{analysis_id}/hotspots"


def error_of(answer):
    return answer.status_code, answer.get_json()["code"]


def test_they_are_listed_by_rank_with_their_measures(client, place, analysis_id):
    page = client.get(place).get_json()

    assert (page["analysis_id"], page["count"], page["kept"], page["next"]) == (
        analysis_id, 3, 3, None,
    )  # fmt: skip
    assert [spot["rank"] for spot in page["items"]] == [1, 2, 3]
    first, second, _ = page["items"]
    assert first["peak_probability"] == pytest.approx(0.95)
    assert (first["x_l0_px"], first["y_l0_px"]) == (30.5 * STEP_PX, 20.5 * STEP_PX)
    assert second["area_mm2"] == pytest.approx(24 * (STEP_PX * 0.25e-3) ** 2)
    assert second["bbox_l0_px"] == [4 * STEP_PX, 4 * STEP_PX, 10 * STEP_PX, 8 * STEP_PX]
    assert first["review"] == {"seen": False, "opinion": None}
    assert not page["all_seen"]
    assert "highest probability first" in page["ranking"]


def test_what_lacks_its_hot_spots_gets_them_at_the_first_need(client, place, analysis_id):
    before = client.get(f"/api/v1/analyses/{analysis_id}").get_json()
    assert (before["score"], before["hotspots"], before["warnings"]) == (None, None, [])
    client.get(place)
    after = client.get(f"/api/v1/analyses/{analysis_id}").get_json()
    assert after["score"] == pytest.approx(0.95)
    assert after["score_rule"] == "highest probability of any analysed cell"
    assert after["hotspots"] == 3
    assert "model_not_calibrated" in [warning["code"] for warning in after["warnings"]]


def test_an_idle_worker_looks_for_what_is_missing(sessions, settings, analysis_id):
    assert worker(settings, sessions).catch_up()
    assert look(sessions, analysis_id).hotspots == 3
    assert not worker(settings, sessions).catch_up()


def test_a_map_that_is_gone_is_tried_once_by_each_worker(sessions, settings, analysis_id):
    for path in sorted(settings.heatmaps.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    idle = worker(settings, sessions)
    assert idle.catch_up()
    assert not idle.catch_up()
    assert look(sessions, analysis_id).warnings is None


def test_pages_follow_each_other(client, place):
    first = client.get(f"{place}?limit=2").get_json()
    rest = client.get(f"{place}?limit=2&after={first['next']}").get_json()
    assert [spot["rank"] for spot in first["items"] + rest["items"]] == [1, 2, 3]
    assert rest["next"] is None
    assert error_of(client.get(f"{place}?after=nonsense")) == (400, "bad_request")


def test_a_running_analysis_has_none_yet(client, sessions, settings, slide):
    running = draw_analysis(sessions, settings, slide, GRID, state="running")
    answer = client.get(f"/api/v1/analyses/{running}/hotspots")
    assert error_of(answer) == (404, "hotspots_not_ready")


def test_an_unknown_analysis_is_404(client):
    answer = client.get(f"/api/v1/analyses/{'0' * 32}/hotspots")
    assert error_of(answer) == (404, "analysis_not_found")


# ---- what readers say ------------------------------------------------------------------------


def say(client, place, rank, **body):
    return client.put(f"{place}/{rank}/review", json=body)


def test_a_review_needs_a_reader(client, place):
    client.get(place)
    assert error_of(say(client, place, 1, seen=True)) == (401, "reader_unknown")


def test_each_reader_has_a_word_of_their_own(sign_in, place):
    ada, ben = sign_in("Ada"), sign_in("Ben")
    ada.get(place)
    assert say(ada, place, 1, opinion="agree").get_json()["review"] == {
        "seen": True,
        "opinion": "agree",
    }
    (spot, *_) = ben.get(place).get_json()["items"]
    assert spot["review"] == {"seen": False, "opinion": None}
    (other,) = spot["opinions"]
    assert (other["reader"], other["opinion"]) == ("Ada", "agree")


def test_all_seen_when_each_was(sign_in, place):
    ada = sign_in("Ada")
    ada.get(place)
    for rank in (1, 2):
        say(ada, place, rank, seen=True)
    page = ada.get(place).get_json()
    assert (page["seen"], page["all_seen"]) == (2, False)
    say(ada, place, 3, opinion="disagree")
    page = ada.get(f"{place}?limit=1").get_json()
    assert (page["seen"], page["agreed"], page["disagreed"]) == (3, 0, 1)
    assert page["all_seen"]


def test_every_change_of_mind_is_kept(sign_in, place, sessions):
    ada = sign_in("Ada")
    ada.get(place)
    for opinion in ("agree", "agree", "disagree", None):
        say(ada, place, 1, seen=True, opinion=opinion)
    with sessions() as session:
        order = HotspotReviewChange.version
        kept = session.scalars(select(HotspotReviewChange).order_by(order)).all()
    assert [(change.version, change.opinion) for change in kept] == [
        (1, "agree"), (2, "disagree"), (3, None),
    ]  # fmt: skip


def test_a_hot_spot_that_is_not_there_cannot_be_judged(sign_in, place):
    ada = sign_in("Ada")
    ada.get(place)
    assert error_of(say(ada, place, 4, seen=True)) == (404, "hotspot_not_found")
    assert error_of(say(ada, place, 1, opinion="perhaps")) == (400, "bad_request")


# ---- the engine's side -----------------------------------------------------------------------


def test_the_runner_stores_them_with_the_end(slide_folder, scan, settings, sessions):
    settings = with_random_model(settings)
    make_speckled(slide_folder / "speckled.tif", (1, 1))
    slide_id = scan()[0]["id"]
    asked = ask(sessions, settings, slide_id)

    worker(settings, sessions).work_once(Threads().pool)

    done = look(sessions, asked)
    assert done.state == "done"
    assert done.score == pytest.approx(done.summary["peak_probability"])
    assert done.hotspots is not None
    assert "model_not_calibrated" in [warning["code"] for warning in done.warnings]


def test_an_analysis_that_begins_anew_forgets_them(client, place, sessions, analysis_id):
    from viewer.analyses import records

    client.get(place)
    with writing(sessions) as session:
        records.requeue(session, analysis_id, also_done=True)
    assert error_of(client.get(place)) == (404, "hotspots_not_ready")
    assert look(sessions, analysis_id).score is None


def test_looking_again_replaces_what_was_found(sessions, settings, analysis_id):
    catch_up(sessions, settings, ())
    with writing(sessions) as session:
        session.get_one(Analysis, analysis_id).warnings = None
    catch_up(sessions, settings, ())
    with sessions() as session:
        assert len(session.scalars(select(Hotspot)).all()) == 3


# ---- two models ------------------------------------------------------------------------------


def test_all_analyses_of_a_slide_are_listed_newest_first(client, sessions, settings, slide):
    first = draw_analysis(sessions, settings, slide, GRID)
    second = draw_analysis(sessions, settings, slide, GRID, number=1, model_id="other")
    items = client.get(f"/api/v1/slides/{slide['id']}/analyses").get_json()["items"]
    assert [item["id"] for item in items] == [second, first]


def test_two_models_are_compared_cell_by_cell(client, sessions, settings, slide, analysis_id):
    other = GRID.copy()
    other[4:8, 4:7] = 0.2  # half of the region of 24 cells is not seen
    other[10, 10] = 0.7  # 0.1 there
    other[2, 2] = np.nan
    second = draw_analysis(sessions, settings, slide, other, number=1, model_id="other")

    found = client.get(f"/api/v1/analyses/{analysis_id}/compare/{second}").get_json()

    cells = int((~np.isnan(GRID)).sum())
    assert (found["cells_compared"], found["cells_not_compared"]) == (cells - 1, 1)
    assert found["cells_both"] == 12 + 1 + 4
    assert (found["cells_only_this"], found["cells_only_other"]) == (12, 1)
    assert found["cells_neither"] == cells - 1 - 17 - 13
    assert found["max_absolute_difference"] == pytest.approx(0.6)
    assert found["mean_absolute_difference"] == pytest.approx((12 * 0.6 + 0.6) / (cells - 1))


def test_each_map_is_judged_by_its_own_threshold(client, sessions, settings, slide, analysis_id):
    second = draw_analysis(
        sessions, settings, slide, GRID, number=1, model_id="other", threshold=0.9
    )
    found = client.get(f"/api/v1/analyses/{analysis_id}/compare/{second}").get_json()
    assert (found["threshold"], found["other_threshold"]) == (0.5, 0.9)
    assert (found["cells_both"], found["cells_only_this"]) == (1, 28)


def test_maps_of_other_cells_are_refused(client, sessions, settings, slide, analysis_id):
    second = draw_analysis(
        sessions, settings, slide, GRID, number=1, model_id="other", step_l0_x_px=64.0
    )
    answer = client.get(f"/api/v1/analyses/{analysis_id}/compare/{second}")
    assert error_of(answer) == (409, "heatmaps_differ")
    assert "step_l0_x_px" in answer.get_json()["detail"]


def test_an_unfinished_one_is_not_compared(client, sessions, settings, slide, analysis_id):
    running = draw_analysis(sessions, settings, slide, GRID, state="running", number=1)
    answer = client.get(f"/api/v1/analyses/{analysis_id}/compare/{running}")
    assert error_of(answer) == (409, "conflict")


# ---- the blind first read --------------------------------------------------------------------


@pytest.mark.parametrize("what", ["hotspots", "compare"])
def test_a_locked_slide_shows_none_of_it(sign_in, slide_folder, app, place, analysis_id, what):
    from viewer.services import EXTENSION

    services = app.extensions[EXTENSION]
    locked = services.settings.model_copy(update={"blind_first_read": (slide_folder.name,)})
    app.extensions[EXTENSION] = services.__class__(
        locked, services.engine, services.sessions, services.images
    )
    ada = sign_in("Ada")
    address = place if what == "hotspots" else place.replace("hotspots", f"compare/{analysis_id}")
    assert error_of(ada.get(address)) == (403, "heatmap_locked")
    assert error_of(say(ada, place, 1, seen=True)) == (403, "heatmap_locked")
