"""What a part of a slide shows at a zoom: all flags, one by one or counted, none left out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from tests.flags import Flagged, polygon, rectangle
from tests.slides import make_slide
from viewer.db import writing
from viewer.flags import queries
from viewer.flags.content import Content
from viewer.flags.geometry import Extent, shape_of
from viewer.flags.history import create_many, new_row

SIZE = (4000, 3000)
COUNT = 1200


@pytest.fixture
def flagged(
    slide_folder: Path, client: FlaskClient, scan: Callable[[], list[dict[str, Any]]], sessions
) -> Flagged:
    """Squares of 1 to 1000 px all over the slide, and some points on one spot."""
    make_slide(slide_folder / "a.tif", SIZE, level_factors=(1, 4))
    flagged = Flagged(client, scan()[0]["id"])
    rng = np.random.default_rng(3)
    rows = []
    for n in range(COUNT):
        size = 10 ** rng.uniform(0, 3) if n % 10 else 0
        x, y = rng.uniform(0, SIZE[0] - size), rng.uniform(0, SIZE[1] - size)
        if n % 10:
            geometry = polygon(rectangle(x, y, x + size, y + size))
            shape = shape_of("box", geometry, Extent(*SIZE))
        else:
            spot = {"type": "Point", "coordinates": [700.25, 900]}
            shape = shape_of("point", spot, Extent(*SIZE))
        label = ("Tumor", "Stroma", None)[n % 3]
        rows.append(new_row(flagged.slide_id, n + 1, Content(shape, label=label), "Ada"))
    with writing(sessions) as session:
        create_many(session, rows)
    return flagged


def counted(view: dict[str, Any]) -> int:
    return len(view["items"]) + sum(cluster["count"] for cluster in view["clusters"])


@pytest.mark.parametrize("size", [0, 1, 8, 37.5, 100, 1000, 1e6])
def test_at_every_zoom_each_flag_is_drawn_or_counted(flagged, size):
    view = flagged.list(min_size_l0_px=size)
    assert counted(view) == view["total"] == COUNT
    for cluster in view["clusters"]:
        assert sum(cluster["labels"].values()) == cluster["count"]
    drawn = {flag["id"] for flag in view["items"]}
    assert len(drawn) == len(view["items"])


def test_parts_side_by_side_count_small_flags_once(flagged):
    seen: set[str] = set()
    clustered = 0
    for left in range(0, SIZE[0], 1000):
        for top in range(0, SIZE[1], 1000):
            box = f"{left},{top},{left + 1000},{top + 1000}"
            view = flagged.list(bbox=box, min_size_l0_px=60)
            seen |= {flag["id"] for flag in view["items"]}
            clustered += sum(cluster["count"] for cluster in view["clusters"])
    assert len(seen) + clustered == COUNT


@pytest.mark.parametrize("box", [(0, 0, 300, 300), (690, 880, 720, 910), (1990, 1490, 2010, 1510)])
def test_a_part_shows_exactly_what_reaches_into_it(flagged, box):
    left, top, right, bottom = box
    wanted = {
        flag["id"]
        for flag in flagged.list(min_size_l0_px=0)["items"]
        if flag["bbox_l0_px"][0] < right
        and flag["bbox_l0_px"][2] >= left
        and flag["bbox_l0_px"][1] < bottom
        and flag["bbox_l0_px"][3] >= top
    }
    view = flagged.list(bbox=",".join(map(str, box)), min_size_l0_px=0)
    assert {flag["id"] for flag in view["items"]} == wanted
    assert view["clusters"] == []


def test_clusters_hold_their_flags_and_name_their_labels(flagged):
    view = flagged.list(min_size_l0_px=1e6)
    assert len(view["clusters"]) == 1
    cluster = view["clusters"][0]
    assert cluster["count"] == COUNT
    assert cluster["labels"] == {"Tumor": COUNT // 3, "Stroma": COUNT // 3, "": COUNT // 3}
    left, top, right, bottom = cluster["bbox_l0_px"]
    assert left <= cluster["x_l0_px"] <= right
    assert top <= cluster["y_l0_px"] <= bottom


def test_more_than_can_be_drawn_is_counted_instead(flagged, monkeypatch):
    monkeypatch.setattr(queries, "MOST_OUTLINES", 100)
    view = flagged.list(bbox="0,0,4000,3000", min_size_l0_px=0)
    assert view["items"]
    assert counted(view) == view["total"] == COUNT
    # The largest are drawn; and what lies alone stays what it is.
    assert max(c["count"] for c in view["clusters"]) >= COUNT // 10


def test_filters_count_too(flagged):
    view = flagged.list(min_size_l0_px=100, label="Tumor")
    assert counted(view) == view["total"] == COUNT // 3


def test_parts_are_found_by_their_index(flagged, app):
    from viewer.services import EXTENSION

    asked: list[tuple[str, Any]] = []
    engine = app.extensions[EXTENSION].engine

    def note(connection, cursor, statement, parameters, context, executemany):
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    flagged.list(bbox="0,0,300,300", min_size_l0_px=10)
    event.remove(engine, "before_cursor_execute", note)
    statement, parameters = next(one for one in asked if "UNION ALL" in one[0])
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        plans = [row[3] for row in rows]
    looked = [plan for plan in plans if "flag" in plan and "SEARCH" in plan]
    assert looked
    assert all("ix_flag_place" in plan for plan in looked)
    assert not [plan for plan in plans if plan.startswith("SCAN flag")]


@pytest.mark.parametrize("box", ["1,2,3", "3,0,1,9", "a,b,c,d", "0,0,nan,9", "0,0,99999999999,9"])
def test_boxes_that_are_none_are_refused(flagged, box):
    answer = flagged.client.get(flagged.url, query_string={"bbox": box})
    assert answer.status_code == 400
