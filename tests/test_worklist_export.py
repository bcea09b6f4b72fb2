"""The whole worklist as a file: complete, in its order, and safe to open in a spreadsheet."""

import csv
from io import StringIO

import pytest

from tests.worklists import a_flag, a_reading, a_slide, a_verdict, an_analysis, slide_id, store
from viewer.slides import listing


@pytest.fixture
def slides(settings, sessions):
    store(
        sessions,
        [a_slide(settings, n) for n in range(1, 6)],
        a_slide(settings, 6, name='=HYPERLINK("evil") "a", b.tif'),
        [an_analysis(2, 0.75), an_analysis(4, 0.25)],
        [
            a_verdict(2, "macro"),
            a_reading(2, "reviewed", verdict_id=f"{2:031x}0", verdict_value="macro"),
            a_flag(2),
        ],
    )


def rows_of(answer) -> list[dict[str, str]]:
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")
    return list(csv.DictReader(StringIO(answer.text)))


def test_the_csv_has_a_line_for_each_slide(client, slides):
    answer = client.get("/api/v1/worklist.csv?sort=suspicion")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="worklist.csv"'
    rows = rows_of(answer)
    assert [int(row["id"], 16) for row in rows] == [2, 4, 6, 1, 3, 5]
    first = rows[0]
    assert (first["score"], first["verdict"], first["verdict_by"]) == ("0.75", "macro", "Ada")
    assert (first["state"], first["flags"], first["locked"]) == ("reviewed", "1", "false")
    assert (first["model_version"], first["verdict_overlay_on"]) == ("1", "true")
    assert (rows[3]["state"], rows[3]["score"], rows[3]["verdict"]) == ("unread", "", "")


def test_no_cell_is_a_formula(client, slides):
    (row,) = rows_of(client.get("/api/v1/worklist.csv?q=evil"))
    assert row["name"] == '\'=HYPERLINK("evil") "a", b.tif'


def test_the_json_tells_the_same(client, slides):
    answer = client.get("/api/v1/worklist.json?sort=suspicion")
    whole = answer.get_json()
    assert whole["notice"].startswith("Research use only")
    assert whole["exported_at"].endswith("Z")
    rows = rows_of(client.get("/api/v1/worklist.csv?sort=suspicion"))
    assert [item["id"] for item in whole["items"]] == [row["id"] for row in rows]
    assert whole["items"][0]["score"] == 0.75
    assert whole["items"][1]["verdict"] is None
    assert set(whole["items"][0]) == set(rows[0])


def test_an_empty_list_is_an_empty_file(client, slides):
    assert client.get("/api/v1/worklist.json?q=nothing").get_json()["items"] == []
    assert rows_of(client.get("/api/v1/worklist.csv?q=nothing")) == []


def test_it_is_read_in_steps(client, slides, monkeypatch):
    monkeypatch.setattr(listing, "EXPORT_STEP", 2)
    rows = rows_of(client.get("/api/v1/worklist.csv"))
    assert [row["id"] for row in rows][1:] == [slide_id(n) for n in range(1, 6)]


def test_what_is_locked_is_not_exported(app, client, slides, settings):
    from viewer import create_app
    from viewer.services import EXTENSION

    blind = create_app(settings.model_copy(update={"blind_first_read": ("all",)}))
    rows = rows_of(blind.test_client().get("/api/v1/worklist.csv"))
    assert {row["score"] for row in rows} == {row["hotspots"] for row in rows} == {""}
    assert {row["locked"] for row in rows} == {"true"}
    blind.extensions[EXTENSION].engine.dispose()
