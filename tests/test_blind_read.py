"""The blind first read: nothing that follows from a heat map leaves the server before a verdict."""

import re

import pytest

from tests.engine_room import Threads, make_speckled, with_random_model, worker
from tests.worklists import a_slide, an_analysis, slide_id, store
from viewer.db import writing
from viewer.services import EXTENSION
from viewer.tokens import create_token

LOCKED = {"score": None, "hotspots": None, "score_analysis_id": None, "locked": True}


@pytest.fixture
def settings(settings):
    return with_random_model(settings).model_copy(update={"blind_first_read": ("slides",)})


@pytest.fixture
def slide(slide_folder, scan, client, settings, sessions):
    make_speckled(slide_folder / "slide.tif")
    found = scan()[0]
    client.post(f"/api/v1/slides/{found['id']}/analyses")
    worker(settings, sessions).work_once(Threads().pool)
    return found["id"]


@pytest.fixture
def analysis(app, slide, sessions) -> str:
    from sqlalchemy import select

    from viewer.records import Analysis

    with sessions() as session:
        return session.scalars(select(Analysis.id)).one()


def addresses(analysis: str) -> list[str]:
    heatmap = f"/api/v1/analyses/{analysis}/heatmap"
    return [heatmap, f"{heatmap}/tiles/0/0_0.png", f"{heatmap}/changes?since=0"]


def statuses(client, analysis: str) -> set[int]:
    return {client.get(address).status_code for address in addresses(analysis)}


def give(client, slide: str, value: str = "no_tumour") -> dict:
    body = {"value": value, "overlay_on": True}
    return client.post(f"/api/v1/slides/{slide}/verdicts", json=body).get_json()


def test_the_heat_map_opens_with_the_readers_own_verdict(client, sign_in, slide, analysis):
    ada, ben = sign_in("Ada"), sign_in("Ben")
    for browser in (client, ada):
        for address in addresses(analysis):
            answer = browser.get(address)
            assert (answer.status_code, answer.get_json()["code"]) == (403, "heatmap_locked")
    assert give(ada, slide)["phase"] == "blind"
    assert statuses(ada, analysis) == {200}
    assert statuses(ben, analysis) == statuses(client, analysis) == {403}


def test_score_and_summary_stay_behind(client, sign_in, slide, analysis):
    ada = sign_in("Ada")
    place = f"/api/v1/slides/{slide}"
    for shown in (ada.get(place).get_json(), ada.get("/api/v1/slides").get_json()["items"][0]):
        assert LOCKED.items() <= shown.items()
        assert shown["reading"]["locked"] is True
        assert shown["analysis"]["summary"] is None
        assert (shown["state"], shown["analysis"]["progress"]) == ("done", 1.0)
    assert ada.get(f"/api/v1/analyses/{analysis}").get_json()["summary"] is None
    again = ada.post(f"{place}/analyses").get_json()
    assert again["summary"] is again["score"] is None
    give(ada, slide)
    shown = ada.get(place).get_json()
    assert shown["score"] is not None
    assert shown["analysis"]["summary"]["peak_probability"] is not None
    assert shown["locked"] is shown["reading"]["locked"] is False


def test_both_verdicts_are_kept_with_what_was_seen(sign_in, slide, analysis):
    ada = sign_in("Ada")
    blind = give(ada, slide, "no_tumour")
    seen = [blind[name] for name in ("overlay_on", "analysis_id", "model_id", "threshold")]
    assert seen == [False, None, None, None]
    reading = ada.get(f"/api/v1/slides/{slide}/reading").get_json()
    assert (reading["state"], reading["locked"]) == ("in_review", False)
    second = give(ada, slide, "micro")
    assert (second["phase"], second["overlay_on"], second["analysis_id"]) == (
        "open",
        True,
        analysis,
    )
    assert second["threshold"] is not None
    items = ada.get(f"/api/v1/slides/{slide}/verdicts").get_json()["items"]
    assert items == [blind, second]
    assert ada.get(f"/api/v1/slides/{slide}/reading").get_json()["state"] == "reviewed"


def test_orders_and_filters_tell_nothing_either(app, sign_in, settings, sessions):
    warnings = [{"code": "faint", "text": "?", "hint": "!"}]
    store(
        sessions,
        [a_slide(settings, n) for n in (1, 2, 3)],
        [an_analysis(n, n / 10, warnings=warnings) for n in (1, 2, 3)],
    )
    ada = sign_in("Ada")

    def found(query: str) -> list[int]:
        items = ada.get(f"/api/v1/slides?{query}").get_json()["items"]
        return [int(item["id"], 16) for item in items]

    assert found("sort=suspicion") == found("sort=-suspicion") == [1, 2, 3]
    assert found("min_score=0") == found("warning=faint") == found("warning=any") == []
    give(ada, slide_id(2))
    assert found("sort=suspicion") == [2, 1, 3]
    assert found("min_score=0") == found("warning=faint") == found("warning=any") == [2]


def test_other_folders_are_open(app, client, settings, sessions):
    from viewer import create_app

    elsewhere = create_app(settings.model_copy(update={"blind_first_read": ("teaching",)}))
    store(sessions, a_slide(settings, 1), an_analysis(1, 0.5))
    (item,) = elsewhere.test_client().get("/api/v1/slides").get_json()["items"]
    assert (item["locked"], item["score"]) == (False, 0.5)
    elsewhere.extensions[EXTENSION].engine.dispose()


def test_no_address_of_an_analysis_tells_what_it_found(app, sign_in, slide, analysis):
    ada = sign_in("Ada")
    places = {"analysis_id": analysis, "other_id": analysis, "rank": "1", "ticket": "x" * 32}
    places |= {"level": "0", "column": "0", "row": "0"}
    asked = 0
    for rule in app.url_map.iter_rules():
        if "/<string(length=32):analysis_id>/" not in rule.rule or "GET" not in rule.methods:
            continue
        address = re.sub(r"<(?:[^:>]*:)?(\w+)>", lambda place: places[place[1]], rule.rule)
        answer = ada.get(f"{address}?since=0" if address.endswith("changes") else address)
        # A ticket is given with the description of the heat map alone, and that is locked.
        wanted = ("not_found", "ticket_invalid") if "ticket" in rule.rule else ("heatmap_locked",)
        assert answer.get_json()["code"] in wanted, address
        asked += 1
    assert asked >= 6


def test_a_script_writes_under_a_blind_first_read_with_a_token_never_used_before(
    client, slide, sessions
):
    # Noting that the token was used must not wait for the very transaction that asks who it is.
    with writing(sessions) as session:
        token = create_token(session, "Night script")[1]
    place, headers = f"/api/v1/slides/{slide}/analyses", {"Authorization": f"Bearer {token}"}
    answer = client.post(place, headers=headers)
    assert answer.status_code == 202, answer.get_json()
    assert answer.get_json()["summary"] is None
