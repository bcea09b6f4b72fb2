"""GET /api/v1/slides: what a slide is told as, in which order, a page at a time; and /healthz."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.slides import make_slide
from viewer.db import utc_now, writing
from viewer.records import Analysis, Worker

SUMMARY = {
    "cells_analysed": 4,
    "cells_positive": 1,
    "analysed_area_mm2": 1.0,
    "positive_area_mm2": 0.25,
    "chunks": 1,
    "revision": "7",
}
FIELDS = {
    "id",
    "name",
    "folder",
    "width_px",
    "height_px",
    "mpp_x",
    "mpp_y",
    "mpp_source",
    "mpp_set_by",
    "mpp_set_at",
    "objective_power",
    "tile_size_px",
    "vendor",
    "reader",
    "state",
    "problem",
    "warnings",
    "analysis",
    "score",
    "hotspots",
    "score_analysis_id",
    "locked",
    "reading",
    "assignee",
    "flags",
    "dzi_url",
    "thumbnail_url",
    "page_url",
    "first_seen_at",
}


def fill(folder: Path, names: list[str]) -> None:
    for n, name in enumerate(names):
        make_slide(folder / name, (40 + n, 30), level_factors=(1,))


def analyse(sessions, slide_id: str, peak: float, state: str = "done", age_s: float = 0) -> None:
    with writing(sessions) as session:
        session.add(
            Analysis(
                id=f"{slide_id}{state}{age_s}",
                slide_id=slide_id,
                model_id="lymph-node",
                model_version="1",
                mpp_x=0.25,
                mpp_y=0.25,
                state=state,
                created_at=utc_now() - timedelta(seconds=age_s),
                summary=SUMMARY | {"peak_probability": peak} if state == "done" else None,
            )
        )


def pages(client, **query: object) -> list[list[str]]:
    """The names of each page, to the last one."""
    found, after = [], {}
    while True:
        answer = client.get("/api/v1/slides", query_string=query | after).get_json()
        found.append([item["name"] for item in answer["items"]])
        if answer["next"] is None:
            return found
        after = {"after": answer["next"]}


def test_a_slide_has_these_fields(client, slide_folder: Path, scan):
    make_slide(slide_folder / "a.tif", (1500, 1100), mpp=0.25, tile_px=512)
    (item,) = scan()
    assert set(item) == FIELDS
    assert (item["name"], item["width_px"], item["height_px"]) == ("a.tif", 1500, 1100)
    assert (item["tile_size_px"], item["vendor"]) == (512, "generic-tiff")
    assert (item["reader"], item["state"], item["analysis"]) == ("openslide", "unanalysed", None)
    assert item["first_seen_at"].endswith("Z")
    assert len(item["id"]) == 20
    for name in ("dzi_url", "thumbnail_url", "page_url"):
        assert item[name].startswith(f"/slides/{item['id']}")
        assert client.get(item[name]).status_code == 200
    assert client.get(f"/api/v1/slides/{item['id']}").get_json() == item


def test_an_empty_library_is_no_error(client, scan):
    assert scan() == []
    answer = client.get("/api/v1/slides").get_json()
    assert answer["folders"] == [{"name": "slides", "problem": None}]
    assert answer["next"] is None


def test_they_come_by_name_whatever_the_case(slide_folder: Path, scan):
    fill(slide_folder, ["b.tif", "A.tif", "c.tif", "B2.tif"])
    assert [item["name"] for item in scan()] == ["A.tif", "b.tif", "B2.tif", "c.tif"]


@pytest.mark.parametrize("sort", ["name", "suspicion"])
@pytest.mark.parametrize("limit", [1, 2, 3, 5, 100])
def test_pages_hold_each_slide_once(client, slide_folder: Path, scan, sessions, sort, limit):
    names = ["a.tif", "b.tif", "c.tif", "d.tif", "e.tif"]
    fill(slide_folder, names)
    items = {item["name"]: item for item in scan()}
    for name, peak in {"b.tif": 0.5, "d.tif": 0.5, "e.tif": 1}.items():
        analyse(sessions, items[name]["id"], peak)
    found = pages(client, sort=sort, limit=limit)
    assert all(len(page) == limit for page in found[:-1])
    expected = names if sort == "name" else ["e.tif", "b.tif", "d.tif", "a.tif", "c.tif"]
    assert [name for page in found for name in page] == expected


def test_the_most_suspicious_come_first_and_the_unreadable_last(
    client, slide_folder: Path, scan, sessions
):
    fill(slide_folder, ["a.tif", "b.tif", "c.tif", "d.tif"])
    (slide_folder / "a-bad.svs").write_bytes(b"")
    items = {item["name"]: item for item in scan()}
    analyse(sessions, items["d.tif"]["id"], 0.25)
    analyse(sessions, items["c.tif"]["id"], 0.75)
    analyse(sessions, items["b.tif"]["id"], 0.99, state="running")
    order = ["c.tif", "d.tif", "a.tif", "b.tif", "a-bad.svs"]
    assert pages(client, sort="suspicion") == [order]


def test_the_newest_finished_analysis_counts(client, slide_folder: Path, scan, sessions):
    fill(slide_folder, ["a.tif", "b.tif"])
    items = {item["name"]: item for item in scan()}
    analyse(sessions, items["a.tif"]["id"], 0.9, age_s=60)
    analyse(sessions, items["a.tif"]["id"], 0.1, age_s=30)
    analyse(sessions, items["a.tif"]["id"], 0.9, state="cancelled")
    analyse(sessions, items["b.tif"]["id"], 0.5)
    assert pages(client, sort="suspicion") == [["b.tif", "a.tif"]]


def test_the_state_is_that_of_the_newest_analysis(client, slide_folder: Path, scan, sessions):
    fill(slide_folder, ["a.tif"])
    (item,) = scan()
    analyse(sessions, item["id"], 0.9, age_s=60)
    analyse(sessions, item["id"], 0.9, state="failed")
    slide = client.get(f"/api/v1/slides/{item['id']}").get_json()
    assert slide["state"] == slide["analysis"]["state"] == "failed"
    assert slide["score"] == 0.9


def test_a_run_started_again_and_cancelled_hides_nothing(
    client, slide_folder: Path, scan, sessions
):
    fill(slide_folder, ["a.tif", "b.tif"])
    items = {item["name"]: item for item in scan()}
    analyse(sessions, items["b.tif"]["id"], 0.9, age_s=60)
    analyse(sessions, items["b.tif"]["id"], 0, state="cancelled")
    first, second = client.get("/api/v1/slides?sort=suspicion").get_json()["items"]
    assert (first["name"], first["score"], first["state"]) == ("b.tif", 0.9, "done")
    assert first["analysis"]["id"] == first["score_analysis_id"]
    assert (second["score"], second["score_analysis_id"]) == (None, None)


def test_a_cursor_holds_no_name(client, slide_folder: Path, scan):
    from base64 import urlsafe_b64decode

    fill(slide_folder, ["anna.tif", "berta.tif"])
    scan()
    for sort in ("name", "suspicion"):
        query = {"limit": 1, "sort": sort}
        cursor = client.get("/api/v1/slides", query_string=query).get_json()["next"]
        assert b"anna" not in urlsafe_b64decode(cursor + "==")


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=x",
        "sort=size",
        "after=x",
        "after=",
        "after=%00",
        "after=bnVsbA",
        "after=WyJuYW1lIl0",
        "after=WyJuYW1lIiwiMDAiXQ",
        "after=WyJzdXNwaWNpb24iLCAwLjUsICJ4Il0",
        "unknown=1",
    ],
)
def test_wrong_parameters_are_refused(client, query: str):
    answer = client.get(f"/api/v1/slides?{query}")
    assert answer.status_code == 400
    assert answer.get_json()["code"] == "bad_request"


def test_a_cursor_of_another_order_is_refused(client, slide_folder: Path, scan):
    fill(slide_folder, ["a.tif", "b.tif"])
    scan()
    cursor = client.get("/api/v1/slides?limit=1").get_json()["next"]
    assert client.get(f"/api/v1/slides?sort=suspicion&after={cursor}").status_code == 400


def test_health_tells_of_database_and_worker(client, sessions):
    silent = client.get("/healthz")
    assert silent.status_code == 200
    assert silent.get_json() == {
        "status": "degraded",
        "database": "ok",
        "worker": {"alive": False, "seen_s_ago": None},
    }
    with writing(sessions) as session:
        session.add(Worker(name="w", pid=1, seen_at=utc_now() - timedelta(seconds=2)))
    alive = client.get("/healthz").get_json()
    assert alive["status"] == "ok"
    assert alive["worker"]["alive"] is True
    assert alive["worker"]["seen_s_ago"] >= 2


def test_a_worker_that_fell_silent_is_not_alive(client, sessions):
    with writing(sessions) as session:
        session.add(Worker(name="w", pid=1, seen_at=utc_now() - timedelta(minutes=2)))
    assert client.get("/healthz").get_json()["worker"]["alive"] is False


def test_health_without_a_database_is_503(app, client, settings):
    app.extensions["sentinode"].engine.dispose()
    for file in settings.data.glob("sentinode.sqlite3*"):
        file.write_bytes(b"not a database" * 1000)
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.get_json()["database"] == "unreachable"


def test_an_analysis_at_another_resolution_is_not_the_slides(
    client, slide_folder: Path, scan, sessions
):
    make_slide(slide_folder / "a.tif", (40, 30), mpp=0.25)
    (item,) = scan()
    analyse(sessions, item["id"], 0.9)
    place = f"/api/v1/slides/{item['id']}"
    assert client.get(place).json["state"] == "done"

    wish = {"mpp_x": 0.5, "mpp_y": 0.5, "set_by": "A. Reader"}
    assert client.put(f"{place}/resolution", json=wish).json["state"] == "unanalysed"

    other = client.get("/api/v1/slides?sort=suspicion").json["items"]
    assert [slide["analysis"] for slide in other] == [None]
