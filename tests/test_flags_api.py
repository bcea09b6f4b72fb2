"""Flags over the API: made, changed under a version check, deleted, restored, talked about."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from tests.flags import RING, TRIANGLE, Flagged, point, polygon, rectangle, ring, ruler
from tests.slides import make_slide

MPP = 0.5
Scan = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def flagged(slide_folder: Path, client: FlaskClient, scan: Scan) -> Flagged:
    make_slide(slide_folder / "a.tif", (1000, 800), mpp=MPP, level_factors=(1,))
    return Flagged(client, scan()[0]["id"])


def test_a_flag_is_what_was_sent_with_who_and_when(flagged):
    hotspot = {"analysis_id": "a" * 32, "rank": 3}
    sent = {"label": "Tumor", "reason": "mitoses", "assignee": "Bob", "hotspot": hotspot}
    answer = flagged.post(TRIANGLE, name="edge", **sent)
    flag = answer.get_json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/api/v1/flags/{flag['id']}"
    assert answer.headers["ETag"] == '"1"'
    assert {name: flag[name] for name in sent} == sent
    assert (flag["version"], flag["number"], flag["state"]) == (1, 1, "open")
    assert flag["geometry"] == TRIANGLE
    assert flag["created_by"] == flag["changed_by"] == "Ada"
    assert flag["created_at"].endswith("Z")
    assert flagged.get(flag).get_json() == flag


def test_area_leaves_holes_out_and_lengths_are_in_um(flagged):
    assert flagged.create(RING)["area_mm2"] == pytest.approx((400**2 - 200**2) * MPP**2 / 1e6)
    line = flagged.create(ruler((10, 10), (310, 410)))
    assert line["length_um"] == pytest.approx(500 * MPP)
    assert line["area_mm2"] is None
    assert flagged.create(point(5, 5))["length_um"] is None


def test_without_resolution_nothing_is_measured_until_it_is_set(slide_folder, client, scan):
    make_slide(slide_folder / "a.tif", (1000, 800), mpp=None, level_factors=(1,))
    flagged = Flagged(client, scan()[0]["id"])
    flag, line = flagged.create(RING), flagged.create(ruler((0, 0), (100, 0)))
    assert flag["area_mm2"] is None
    assert line["length_um"] is None
    body = {"mpp_x": 0.5, "mpp_y": 0.25, "set_by": "Ada"}
    client.put(f"/api/v1/slides/{flagged.slide_id}/resolution", json=body)
    assert flagged.get(flag).get_json()["area_mm2"] == pytest.approx(120_000 * 0.125 / 1e6)
    assert flagged.get(line).get_json()["length_um"] == pytest.approx(50)


def test_nobody_flags_without_a_name(slide_folder, client, scan):
    make_slide(slide_folder / "a.tif", (500, 400), level_factors=(1,))
    url = f"/api/v1/slides/{scan()[0]['id']}/flags"
    answer = client.post(url, json={"kind": "point", "geometry": point(1, 1)})
    assert (answer.status_code, answer.get_json()["code"]) == (401, "reader_unknown")
    assert client.get(url).get_json()["total"] == 0


def test_sending_a_flag_twice_makes_it_once(flagged):
    flag_id = uuid4().hex
    first = flagged.post(TRIANGLE, id=flag_id)
    again = flagged.post(TRIANGLE, id=flag_id)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.get_json() == first.get_json()
    assert flagged.list()["total"] == 1
    flagged.be("Bob")
    assert flagged.post(TRIANGLE, id=flag_id).status_code == 409


def test_the_second_editor_is_told_and_the_first_ones_work_stays(flagged):
    flag = flagged.create(TRIANGLE)
    assert flagged.patch(flag, label="Tumor").get_json()["version"] == 2
    flagged.be("Bob")
    answer = flagged.patch(flag, label="Stroma")
    problem = answer.get_json()
    assert (answer.status_code, problem["code"]) == (412, "stale")
    assert answer.headers["ETag"] == '"2"'
    assert problem["current"]["label"] == "Tumor"
    assert problem["current"]["changed_by"] == "Ada"
    assert flagged.get(flag).get_json()["label"] == "Tumor"


def test_a_change_must_name_its_version(flagged):
    flag = flagged.create()
    answer = flagged.client.patch(f"/api/v1/flags/{flag['id']}", json={"state": "agreed"})
    assert (answer.status_code, answer.get_json()["code"]) == (428, "precondition_missing")


def test_a_change_that_changes_nothing_is_no_version(flagged):
    flag = flagged.create(label="Tumor")
    same = flagged.patch(flag, label="Tumor", geometry=TRIANGLE).get_json()
    assert same == flag


def test_what_is_left_out_of_a_change_stays(flagged):
    flag = flagged.create(TRIANGLE, label="Tumor", reason="why", assignee="Bob")
    changed = flagged.patch(flag, state="agreed").get_json()
    assert (changed["label"], changed["reason"], changed["assignee"]) == ("Tumor", "why", "Bob")
    assert flagged.patch(changed, assignee=None).get_json()["assignee"] is None


def test_every_version_stays_readable(flagged):
    flag = flagged.create(TRIANGLE, label="Tumor")
    flagged.be("Bob")
    moved = polygon(ring((110, 100), (410, 120), (260, 420)))
    flag = flagged.patch(flag, geometry=moved, state="disagreed").get_json()
    assert flagged.delete(flag).status_code == 204
    versions = flagged.get(flag, "/history").get_json()["items"]
    assert [(v["version"], v["action"], v["changed_by"]) for v in versions] == [
        (3, "deleted", "Bob"),
        (2, "changed", "Bob"),
        (1, "created", "Ada"),
    ]
    assert [v["geometry"] for v in versions] == [moved, moved, TRIANGLE]
    assert [v["state"] for v in versions] == ["disagreed", "disagreed", "open"]


def test_a_deleted_flag_is_off_the_slide_and_comes_back(flagged):
    flag = flagged.create(TRIANGLE, label="Tumor")
    assert flagged.delete(flag).status_code == 204
    assert flagged.get(flag).status_code == 404
    assert flagged.list()["total"] == 0
    assert flagged.list(deleted=True)["items"][0]["id"] == flag["id"]
    url = f"/api/v1/flags/{flag['id']}/restore"
    assert flagged.client.post(url, json={"version": 2}).status_code == 400  # deleted there, too
    back = flagged.client.post(url, json={"version": 1})
    assert back.get_json()["version"] == 3
    assert back.get_json()["label"] == "Tumor"
    assert flagged.list()["total"] == 1
    assert flagged.client.post(url, json={"version": 99}).status_code == 400


def test_who_changes_a_flag_deleted_meanwhile_gets_it_back_to_decide(flagged):
    flag = flagged.create()
    flagged.delete(flag)
    answer = flagged.patch(flag, label="Tumor")
    assert answer.status_code == 412
    assert answer.get_json()["current"]["deleted"] is True


def test_numbers_are_never_given_twice(flagged):
    first = flagged.create()
    flagged.delete(flagged.create())
    assert first["number"] == 1
    assert flagged.create()["number"] == 3


def test_comments_stay_in_order_and_make_no_version(flagged):
    flag = flagged.create()
    url = f"/api/v1/flags/{flag['id']}/comments"
    assert (
        flagged.client.post(url, json={"text": "Looks like a germinal centre."}).status_code == 201
    )
    flagged.be("Bob")
    flagged.client.post(url, json={"text": "Agreed.\nSee 12."})
    said = flagged.client.get(url).get_json()["items"]
    assert [(one["text"], one["created_by"]) for one in said] == [
        ("Looks like a germinal centre.", "Ada"),
        ("Agreed.\nSee 12.", "Bob"),
    ]
    shown = flagged.get(flag).get_json()
    assert (shown["comments"], shown["version"]) == (2, 1)
    assert flagged.client.post(url, json={"text": "  "}).status_code == 400


def test_lists_filter_and_go_on_page_by_page(flagged):
    for n in range(5):
        label = "Tumor" if n % 2 else None
        flagged.create(point(n, n), label=label, assignee="Bob" if n == 1 else None, reason=f"n{n}")
    assert [f["number"] for f in flagged.list(limit=2)["items"]] == [5, 4]
    after = flagged.list(limit=2)["next"]
    assert [f["number"] for f in flagged.list(limit=2, after=after)["items"]] == [3, 2]
    assert flagged.list(label="Tumor")["total"] == 2
    assert flagged.list(label="")["total"] == 3
    assert flagged.list(assignee="Bob")["items"][0]["number"] == 2
    assert flagged.list(q="N3")["items"][0]["number"] == 4
    assert flagged.list(state="agreed")["total"] == 0
    assert flagged.list()["states"] == {"open": 5, "agreed": 0, "disagreed": 0, "resolved": 0}


def test_a_list_that_did_not_change_is_not_sent_again(flagged):
    flag = flagged.create()
    etag = flagged.client.get(flagged.url).headers["ETag"]
    known = {"If-None-Match": etag}
    assert flagged.client.get(flagged.url, headers=known).status_code == 304
    flagged.client.post(f"/api/v1/flags/{flag['id']}/comments", json={"text": "news"})
    assert flagged.client.get(flagged.url, headers=known).status_code == 200


def test_labels_are_the_laboratorys(flagged):
    answer = flagged.post(TRIANGLE, label="Astrocytoma")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "label_unknown")
    names = [label["name"] for label in flagged.client.get("/api/v1/labels").get_json()["items"]]
    assert "Tumor" in names


def test_a_long_outline_is_taken(flagged):
    import numpy as np

    turn = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
    points = np.stack([500 + 300 * np.cos(turn), 400 + 300 * np.sin(turn)], axis=1).round(2)
    flag = flagged.create(polygon(ring(*points.tolist())), kind="freehand")
    assert len(flag["geometry"]["coordinates"][0]) == 20_001


@pytest.mark.parametrize("text", ["a\0b", "x" * 2001])
def test_texts_that_no_database_stores_are_refused(flagged, text):
    assert flagged.post(TRIANGLE, reason=text).status_code == 400


def test_flags_of_a_slide_that_left_the_folders_are_not_shown(flagged, slide_folder, scan):
    flag = flagged.create()
    (slide_folder / "a.tif").unlink()
    scan()
    assert flagged.get(flag).status_code == 404


def test_a_box_stays_upright(flagged):
    box = flagged.create(polygon(rectangle(1, 2, 30, 40)), kind="box")
    assert flagged.patch(box, geometry=TRIANGLE).status_code == 400
    assert flagged.patch(box, geometry=TRIANGLE, kind="polygon").status_code == 200


def test_a_blind_reader_is_not_told_of_hot_spots(slide_folder, client, scan, settings, app):
    from dataclasses import replace

    from viewer.services import EXTENSION

    make_slide(slide_folder / "a.tif", (1000, 800), level_factors=(1,))
    flagged = Flagged(client, scan()[0]["id"])
    hotspot = {"analysis_id": "a" * 32, "rank": 3}
    flag = flagged.create(hotspot=hotspot)
    blind = settings.model_copy(update={"blind_first_read": ("all",)})
    app.extensions[EXTENSION] = replace(app.extensions[EXTENSION], settings=blind)
    assert flagged.get(flag).get_json()["hotspot"] is None
    assert flagged.list()["items"][0]["hotspot"] is None
