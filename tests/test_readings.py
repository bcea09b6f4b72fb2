"""Who reads which slide, how far it is, and what was decided; nobody is overwritten."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.slides import make_slide
from tests.test_slides_api import analyse
from viewer.db import utc_now, writing
from viewer.reading.presence import EXPIRES_S
from viewer.reading.records import Presence, Verdict


@pytest.fixture
def slide_id(slide_folder, scan) -> str:
    make_slide(slide_folder / "a.tif", (40, 30), mpp=0.25)
    return scan()[0]["id"]


@pytest.fixture
def place(slide_id) -> str:
    return f"/api/v1/slides/{slide_id}"


@pytest.fixture
def ada(sign_in):
    return sign_in("Ada")


@pytest.fixture
def ben(sign_in):
    return sign_in("Ben")


def reading(client, place: str) -> dict:
    return client.get(f"{place}/reading").get_json()


def set_reading(client, place: str, version: int | None = None, **body):
    version = reading(client, place)["version"] if version is None else version
    return client.patch(f"{place}/reading", json=body, headers={"If-Match": f'"{version}"'})


def give(client, place: str, value: str = "no_tumour", **body) -> dict:
    answer = client.post(f"{place}/verdicts", json={"value": value, "overlay_on": True} | body)
    assert answer.status_code == 201, answer.get_json()
    return answer.get_json()


def test_a_slide_is_unread_until_somebody_is_present(ada, place, slide_id):
    ada.get(f"/slides/{slide_id}")
    assert reading(ada, place) == {
        "slide_id": slide_id,
        "state": "unread",
        "reader": None,
        "assignee": None,
        "verdict": None,
        "verdicts": 0,
        "locked": False,
        "version": 0,
        "changed_by": None,
        "changed_at": None,
    }
    ada.post(f"{place}/presence", json={"start": False})
    assert reading(ada, place)["state"] == "unread"
    ada.post(f"{place}/presence")
    assert (reading(ada, place)["state"], reading(ada, place)["reader"]) == ("in_review", "Ada")


def test_who_comes_second_takes_nothing_over(ada, ben, place):
    ada.post(f"{place}/presence")
    before = reading(ada, place)
    ben.post(f"{place}/presence")
    assert reading(ada, place) == before


def test_two_people_in_one_slide_see_each_other(ada, ben, place, sessions):
    assert ada.post(f"{place}/presence").get_json()["others"] == []
    (other,) = ben.post(f"{place}/presence").get_json()["others"]
    assert other["reader"] == "Ada"
    assert 0 <= other["seen_s_ago"] < EXPIRES_S
    answer = ada.post(f"{place}/presence").get_json()
    assert [other["reader"] for other in answer["others"]] == ["Ben"]
    assert answer["report_again_s"] < EXPIRES_S
    ben.post(f"{place}/presence", json={"leaving": True})
    assert ada.post(f"{place}/presence").get_json()["others"] == []


def test_who_fell_silent_is_forgotten(ada, ben, place, sessions):
    ben.post(f"{place}/presence")
    with writing(sessions) as session:
        row = session.scalars(select(Presence)).one()
        row.seen_at = utc_now() - timedelta(seconds=EXPIRES_S + 1)
    assert ada.post(f"{place}/presence").get_json()["others"] == []
    with sessions() as session:
        assert [row.reader for row in session.scalars(select(Presence))] == ["Ada"]


def test_a_verdict_makes_it_reviewed_and_keeps_what_was_seen(ada, place, slide_id, sessions):
    analyse(sessions, slide_id, 0.9, age_s=60)
    analyse(sessions, slide_id, 0.1, state="running")
    given = give(ada, place, "micro", comment=" small ", threshold=0.4)
    assert given["given_at"].endswith("Z")
    assert given | {"id": "", "given_at": ""} == {
        "id": "",
        "slide_id": slide_id,
        "value": "micro",
        "reader": "Ada",
        "given_at": "",
        "phase": "open",
        "overlay_on": True,
        "analysis_id": f"{slide_id}done60",
        "model_id": "lymph-node",
        "model_version": "1",
        "threshold": 0.4,
        "comment": "small",
    }
    now = reading(ada, place)
    assert (now["state"], now["reader"], now["verdict"]) == ("reviewed", "Ada", given)


def test_verdicts_are_only_added(ada, ben, place):
    first, second = give(ada, place, "itc"), give(ben, place, "no_tumour", overlay_on=False)
    third = give(ada, place, "no_tumour")
    pages = ada.get(f"{place}/verdicts?limit=2").get_json()
    assert pages["items"] == [first, second]
    rest = ada.get(f"{place}/verdicts", query_string={"after": pages["next"]}).get_json()
    assert rest == {"items": [third], "next": None}
    assert (reading(ada, place)["verdict"], reading(ada, place)["verdicts"]) == (third, 3)


def test_a_verdict_sent_again_stays_one(ada, ben, place):
    sent = {"id": "5" * 32, "value": "micro", "comment": "Small."}
    first = give(ada, place, **sent)
    assert give(ada, place, **sent) == first  # its answer was lost
    assert reading(ada, place)["verdicts"] == 1
    for client, value in ((ben, "micro"), (ada, "macro")):
        body = {"id": "5" * 32, "value": value, "overlay_on": True}
        assert client.post(f"{place}/verdicts", json=body).status_code == 409
    assert reading(ada, place)["verdicts"] == 1


def test_a_second_opinion_is_somebody_elses(ada, ben, place):
    give(ada, place, "itc")
    assert set_reading(ada, place, state="second_opinion").status_code == 200
    give(ada, place, "micro")
    assert reading(ada, place)["state"] == "second_opinion"
    give(ben, place, "micro")
    assert (reading(ada, place)["state"], reading(ada, place)["reader"]) == ("reviewed", "Ben")


def test_reviewed_needs_a_verdict(ada, place):
    answer = set_reading(ada, place, state="reviewed")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "verdict_missing")
    assert reading(ada, place)["version"] == 0
    give(ada, place)
    set_reading(ada, place, state="in_review")
    assert set_reading(ada, place, state="reviewed").get_json()["state"] == "reviewed"


def test_assigning_is_apart_from_the_state(ada, place):
    assert set_reading(ada, place, assignee=" Ben ").get_json()["assignee"] == "Ben"
    assert set_reading(ada, place, state="in_review").get_json()["assignee"] == "Ben"
    assert set_reading(ada, place, assignee=None).get_json()["assignee"] is None


def test_the_second_writer_is_told_and_overwrites_nothing(ada, ben, place):
    version = reading(ada, place)["version"]
    assert set_reading(ada, place, version, assignee="Ada").status_code == 200
    late = set_reading(ben, place, version, assignee="Ben")
    assert (late.status_code, late.get_json()["code"]) == (412, "stale")
    assert late.get_json()["current"] == reading(ben, place)
    assert late.headers["ETag"] == ada.get(f"{place}/reading").headers["ETag"] == '"1"'
    assert reading(ada, place)["assignee"] == "Ada"


def test_a_change_must_say_what_it_was_made_for(ada, place):
    answer = ada.patch(f"{place}/reading", json={"state": "in_review"})
    assert (answer.status_code, answer.get_json()["code"]) == (428, "precondition_missing")
    for tag, status in [("x", 412), ('"1"', 412), ('W/"0"', 200), ("*", 200)]:
        headers = {"If-Match": tag}
        assert ada.patch(f"{place}/reading", json={}, headers=headers).status_code == status


def test_a_change_that_changes_nothing_makes_no_version(ada, place):
    set_reading(ada, place, assignee="Ben")
    assert set_reading(ada, place, assignee="Ben").get_json()["version"] == 1


def test_every_change_is_kept(ada, ben, place):
    ada.post(f"{place}/presence")
    set_reading(ben, place, assignee="Ben")
    give(ben, place)
    items = ada.get(f"{place}/reading/history").get_json()["items"]
    assert [(item["version"], item["changed_by"], item["state"]) for item in items] == [
        (1, "Ada", "in_review"),
        (2, "Ben", "in_review"),
        (3, "Ben", "reviewed"),
    ]


@pytest.mark.parametrize(
    ("method", "address", "body"),
    [
        ("patch", "reading", {"state": "unread"}),
        ("post", "verdicts", {"value": "itc", "overlay_on": False}),
        ("post", "presence", {}),
    ],
)
def test_nothing_is_signed_by_nobody(client, place, method, address, body):
    write = getattr(client, method)
    answer = write(f"{place}/{address}", json=body, headers={"If-Match": '"0"'})
    assert (answer.status_code, answer.get_json()["code"]) == (401, "reader_unknown")


@pytest.mark.parametrize(
    "body",
    [
        {"value": "cancer", "overlay_on": True},
        {"value": "itc"},
        {"value": "itc", "overlay_on": True, "threshold": 2},
        {"value": "itc", "overlay_on": True, "colour": 1},
        {"value": "itc", "overlay_on": True, "comment": "x" * 5000},
    ],
)
def test_what_is_no_verdict_is_refused(ada, place, body, sessions):
    assert ada.post(f"{place}/verdicts", json=body).status_code == 400
    with sessions() as session:
        assert session.scalars(select(Verdict)).all() == []


def test_wrong_places_are_not_found(ada, place):
    body = {"value": "itc", "overlay_on": True, "analysis_id": "0" * 32}
    assert ada.post(f"{place}/verdicts", json=body).status_code == 404
    nowhere = f"/api/v1/slides/{'0' * 20}"
    assert ada.get(f"{nowhere}/reading").status_code == 404
    assert ada.post(f"{nowhere}/presence").status_code == 404
    assert set_reading(ada, nowhere, 0, state="unread").status_code == 404


def test_a_state_must_be_one(ada, place):
    for wrong in ("done", None, 1):
        assert set_reading(ada, place, state=wrong).status_code == 400


def test_a_slide_that_is_read_again_is_unread(ada, place):
    ada.post(f"{place}/presence")
    assert set_reading(ada, place, state="unread").get_json()["reader"] is None
