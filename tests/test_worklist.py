"""The worklist: filters, orders, pages and neighbours, at a cost that does not grow with a page."""

from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event, text

from tests.worklists import (
    START,
    SUMMARY,
    a_flag,
    a_reading,
    a_slide,
    a_verdict,
    an_analysis,
    slide_id,
    store,
)
from viewer.records import Resolution
from viewer.services import EXTENSION

URL = "/api/v1/slides"
SORTS = ["suspicion", "-suspicion", "name", "-name", "added", "-added", "state", "-state"]


@pytest.fixture
def slides(settings, sessions):
    """Ten slides, one of each kind; what they are called by is their number."""
    store(
        sessions,
        [a_slide(settings, n) for n in range(1, 8)],
        a_slide(settings, 8, mpp_x=None, mpp_y=None),
        a_slide(settings, 9, problem_reason="Damaged.", problem_hint="Scan again."),
        a_slide(settings, 10, name="Ärger 10_B.tif", warnings=["Odd colours."]),
        an_analysis(1, 0.2),
        an_analysis(2, 0.9, warnings=[{"code": "outside_range", "text": "?", "hint": "!"}]),
        an_analysis(3, None, summary={**SUMMARY, "peak_probability": 0.6}),
        an_analysis(4, None, state="failed", summary=None, error={"reason": "a", "hint": "b"}),
        an_analysis(5, None, state="running", summary=None),
        an_analysis(6, 0.9),
        [
            a_verdict(2, "micro"),
            a_verdict(3, "no_tumour", "Ben"),
            a_reading(1, "in_review", "Ben"),
            a_reading(2, "reviewed", verdict_id=f"{2:031x}0", verdict_value="micro"),
            a_reading(3, "second_opinion", "Ben", assignee="Ada",
                      verdict_id=f"{3:031x}0", verdict_value="no_tumour"),
            a_reading(4, "in_review", "Ada"),
        ],
        [a_flag(2), a_flag(2, 2), a_flag(5, deleted=True)],
    )  # fmt: skip


def numbers(client, **query: object) -> list[int]:
    items = client.get(URL, query_string=query).get_json()["items"]
    return [int(item["id"], 16) for item in items]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("suspicion", [2, 6, 3, 1, 4, 5, 7, 8, 10, 9]),
        ("-suspicion", [1, 3, 2, 6, 4, 5, 7, 8, 10, 9]),
        ("name", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ("-name", [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ("added", [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ("-added", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ("state", [3, 1, 4, 5, 6, 7, 8, 9, 10, 2]),
        ("-state", [2, 5, 6, 7, 8, 9, 10, 1, 4, 3]),
    ],
)
def test_the_orders(client, slides, sort: str, order: list[int]):
    assert numbers(client, sort=sort) == order


def test_names_are_ordered_as_people_count(client, settings, sessions):
    names = ["s10.tif", "s9.tif", "S2.tif", "s02.tif", "s.tif", "s123456789012345.tif", "T1.tif"]
    store(sessions, [a_slide(settings, n, name=name) for n, name in enumerate(names, 1)])
    assert numbers(client, sort="name") == [5, 3, 4, 2, 1, 6, 7]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "slide 1"}, [1]),
        ({"q": "SLIDE tif"}, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ({"q": "äRGER"}, [10]),
        ({"q": "10_b"}, [10]),
        ({"q": "10%b"}, []),
        ({"q": "1_"}, []),
        ({"state": "unread"}, [5, 6, 7, 8, 9, 10]),
        ({"state": "in_review,second_opinion"}, [1, 3, 4]),
        ({"state": ""}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ({"verdict": "micro,itc"}, [2]),
        ({"verdict": "none,micro"}, [1, 2, 4, 5, 6, 7, 8, 9, 10]),
        ({"assignee": "Ada"}, [3]),
        ({"assignee": "me"}, [3]),
        ({"mine": "true"}, [3, 4]),
        ({"unassigned": "true"}, [1, 2, 4, 5, 6, 7, 8, 9, 10]),
        ({"analysis": "done"}, [1, 2, 3, 6]),
        ({"analysis": "failed,running,unreadable"}, [4, 5, 9]),
        ({"analysis": "unanalysed"}, [7, 8, 10]),
        ({"warning": "unreadable"}, [9]),
        ({"warning": "uncalibrated"}, [8]),
        ({"warning": "display,analysis_failed"}, [4, 10]),
        ({"warning": "outside_range"}, [2]),
        ({"warning": "outside"}, []),
        ({"warning": "any"}, [2, 4, 8, 9, 10]),
        ({"flagged": "true"}, [2]),
        ({"flagged": "false"}, [1, 3, 4, 5, 6, 7, 8, 9, 10]),
        ({"folder": "slides"}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ({"folder": "other"}, []),
        ({"min_score": "0.6"}, [2, 3, 6]),
        ({"state": "unread", "min_score": "0.1", "sort": "suspicion"}, [6]),
    ],
)
def test_the_filters(sign_in, slides, query, found):
    ada = sign_in("Ada")
    assert numbers(ada, **query) == found
    assert ada.get(URL, query_string=query | {"limit": 1}).get_json()["total"] == len(found)


@pytest.mark.parametrize(
    "query",
    [
        "state=done",
        "verdict=cancer",
        "analysis=x",
        "warning=A'",
        "flagged=perhaps",
        "min_score=2",
        "min_score=nan",
        "q=%00",
        "mine=x",
        "assignee=",
    ],
)
def test_what_is_no_filter_is_refused(client, slides, query: str):
    for address in (URL, f"{URL}/{slide_id(1)}/neighbours", "/api/v1/worklist.csv"):
        assert client.get(f"{address}?{query}").status_code == 400


@pytest.mark.parametrize("query", ["mine=true", "assignee=me"])
def test_who_asks_for_mine_must_be_somebody(client, slides, query: str):
    for address in (URL, "/api/v1/worklist.json", "/api/v1/worklist.csv"):
        answer = client.get(f"{address}?{query}")
        assert (answer.status_code, answer.get_json()["code"]) == (401, "reader_unknown")


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("limit", [1, 3, 4])
def test_pages_hold_each_slide_once(client, slides, sort: str, limit: int):
    found, after = [], {}
    while after is not None:
        page = client.get(URL, query_string={"sort": sort, "limit": limit} | after).get_json()
        assert page["total"] == 10
        found += [int(item["id"], 16) for item in page["items"]]
        after = {"after": page["next"]} if page["next"] else None
    assert found == numbers(client, sort=sort)


@pytest.mark.parametrize("sort", SORTS)
def test_neighbours_follow_the_list_and_skip_what_nobody_can_open(client, slides, sort: str):
    order = [n for n in numbers(client, sort=sort) if n != 9]
    for place, number in enumerate(order):
        answer = client.get(f"{URL}/{slide_id(number)}/neighbours?sort={sort}").get_json()
        around = [None, *map(slide_id, order), None]
        assert answer == {
            "previous": around[place],
            "next": around[place + 2],
            "position": place + 1,
            "total": len(order),
        }


def test_a_slide_that_left_the_list_still_leads_on(client, slides):
    answer = client.get(f"{URL}/{slide_id(6)}/neighbours?state=in_review&sort=name").get_json()
    assert answer == {"previous": slide_id(4), "next": None, "position": None, "total": 2}
    assert client.get(f"{URL}/{'f' * 20}/neighbours").status_code == 404


def test_a_row_tells_what_the_worklist_shows(client, slides):
    items = client.get(URL).get_json()["items"]
    second, third, eighth = items[1], items[2], items[7]
    assert (second["score"], second["hotspots"], second["flags"]) == (0.9, 2, 2)
    assert second["reading"]["verdict"]["value"] == "micro"
    assert [warning["code"] for warning in second["warnings"]] == ["outside_range"]
    assert (third["score"], third["assignee"], third["reading"]["verdicts"]) == (0.6, "Ada", 1)
    assert [warning["code"] for warning in eighth["warnings"]] == ["uncalibrated"]
    assert all(item == client.get(f"{URL}/{item['id']}").get_json() for item in items)


def test_the_score_is_that_of_the_newest_finished_analysis_at_this_resolution(
    client, settings, sessions
):
    store(
        sessions,
        [a_slide(settings, n) for n in (1, 2)],
        an_analysis(1, 0.9),
        an_analysis(1, 0.1, id="a" * 32, created_at=START + timedelta(1)),
        an_analysis(1, None, id="b" * 32, created_at=START + timedelta(2), state="cancelled"),
        an_analysis(2, 0.5),
    )
    assert numbers(client, sort="suspicion") == [2, 1]
    store(
        sessions,
        Resolution(slide_id=slide_id(2), mpp_x=0.5, mpp_y=0.5, set_by="Ada", set_at=START),
    )
    assert numbers(client, sort="suspicion") == [1, 2]
    assert numbers(client, min_score=0.1) == [1]


def test_a_slide_that_goes_between_two_pages_is_told(client, slides, sessions):
    page = client.get(f"{URL}?limit=2").get_json()
    with sessions() as session, session.begin():
        session.execute(text("DELETE FROM slide WHERE id = :id"), {"id": slide_id(2)})
    answer = client.get(URL, query_string={"after": page["next"]})
    assert (answer.status_code, "beginning" in answer.get_json()["hint"]) == (400, True)


@contextmanager
def statements(app):
    """What the database is asked for meanwhile, with its parameters."""
    asked: list[tuple[str, object]] = []

    def note(_connection, _cursor, statement, parameters, *_rest):
        asked.append((statement, parameters))

    engine = app.extensions[EXTENSION].engine
    event.listen(engine, "before_cursor_execute", note)
    yield asked
    event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def many(settings, sessions):
    numbers = range(1, 121)
    store(
        sessions,
        [a_slide(settings, n, warnings=["Odd colours."]) for n in numbers],
        [an_analysis(n, n / 200) for n in numbers],
        [a_reading(n, "in_review") for n in numbers if n % 3 == 0],
        [a_flag(n) for n in numbers],
    )


@pytest.mark.parametrize("sort", ["suspicion", "name", "added", "state"])
def test_a_page_asks_a_fixed_number_of_questions(app, client, many, sort: str):
    counts = []
    for limit in (5, 100):
        with statements(app) as asked:
            page = client.get(URL, query_string={"sort": sort, "limit": limit}).get_json()
        assert len(page["items"]) == limit
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 15


@pytest.mark.parametrize("query", ["sort=suspicion", "sort=state&state=unread", "warning=any"])
def test_only_slides_are_gone_through_from_end_to_end(app, client, many, sessions, query: str):
    with statements(app) as asked:
        page = client.get(f"{URL}?{query}&limit=20").get_json()
        client.get(f"{URL}/{page['items'][0]['id']}/neighbours?{query}")
    scanned = set()
    with sessions() as session:
        connection = session.connection()
        for statement, parameters in asked:
            if " FROM " in statement and statement.startswith("SELECT"):
                explained = f"EXPLAIN QUERY PLAN {statement}"
                plan = connection.exec_driver_sql(explained, parameters)
                scanned |= {row[3].split()[1] for row in plan if row[3].startswith("SCAN")}
    # The others are how an empty list of ids looks.
    assert scanned <= {"slide", "(subquery-1)", "CONSTANT"}


def test_the_first_page_by_name_is_read_from_its_index(app, client, many, sessions):
    with statements(app) as asked:
        client.get(f"{URL}?sort=name&limit=20")
    wanted, parameters = next(each for each in asked if "ORDER BY slide.sort_name" in each[0])
    with sessions() as session:
        rows = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {wanted}", parameters)
        plan = [row[3] for row in rows]
    assert any("ix_slide_sort_name_id" in step for step in plan)
    assert not any("TEMP B-TREE FOR ORDER BY" in step for step in plan)
