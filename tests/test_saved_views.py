"""Saved views: one's own queries beside those built in."""

import pytest

from viewer.reading import views

URL = "/api/v1/views"
BUILT_IN = ["mine", "unread", "second-opinion"]


@pytest.fixture
def ada(sign_in):
    return sign_in("Ada")


def save(client, name: str = "Macros", **query: str):
    return client.post(URL, json={"name": name, "query": query or {"verdict": "macro"}})


def test_everybody_has_those_built_in_and_they_work(client, ada):
    items = client.get(URL).get_json()["items"]
    assert [item["id"] for item in items] == BUILT_IN
    for item in items:
        assert item["built_in"]
        assert ada.get("/api/v1/slides", query_string=item["query"]).status_code == 200


def test_ones_own_are_kept_for_oneself(ada, sign_in):
    query = {"state": "unread,in_review", "sort": "-added", "q": "anna"}
    answer = save(ada, " Anna ", **query)
    view = answer.get_json()
    assert answer.status_code == 201
    assert view == {"id": view["id"], "name": "Anna", "query": query, "built_in": False}
    assert ada.get(URL).get_json()["items"][3:] == [view]
    assert len(sign_in("Ben").get(URL).get_json()["items"]) == 3


def test_a_name_is_taken_once_and_free_after_deleting(ada, sign_in):
    view = save(ada).get_json()
    assert save(ada).status_code == 409
    assert save(sign_in("Ben")).status_code == 201
    assert sign_in("Ben").delete(f"{URL}/{view['id']}").status_code == 404
    assert ada.delete(f"{URL}/{view['id']}").status_code == 204
    assert ada.delete(f"{URL}/{view['id']}").status_code == 404
    assert save(ada).status_code == 201


@pytest.mark.parametrize(
    "query", [{"state": "done"}, {"colour": "red"}, {"limit": "5"}, {"after": "x"}, {"q": 5}]
)
def test_what_is_no_query_is_not_kept(ada, query):
    answer = ada.post(URL, json={"name": "a", "query": query})
    assert answer.status_code == 400
    assert next(iter(query)) in answer.get_json()["detail"]


def test_nobody_keeps_nothing(client):
    assert save(client).get_json()["code"] == "reader_unknown"


def test_there_is_an_end_to_it(ada, monkeypatch):
    monkeypatch.setattr(views, "MOST_VIEWS", 2)
    assert [save(ada, name).status_code for name in "abc"] == [201, 201, 409]
