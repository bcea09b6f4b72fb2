"""What readers decided as a file: complete, with the very cells of hot spots, and locks kept."""

import json

import pytest
from click.testing import CliRunner

from tests.flags import point, polygon, rectangle
from tests.reviews import Reading, block, viewer_of
from tests.slides import make_slide
from viewer.cli import main

# The second block touches the first by a corner alone: one spot, whose box has two empty corners.
SPOT = [block(10, 12, 10, 12), block(12, 14, 12, 15)]
OTHER = [block(30, 31, 30, 31)]


@pytest.fixture
def app(slide_folder, tmp_path):
    for name in ("a", "b"):
        make_slide(slide_folder / f"{name}.tif", (1280, 1152), mpp=1.0)
    with viewer_of(slide_folder, tmp_path / "data") as app:
        yield app


@pytest.fixture
def reading(app):
    return Reading(app)


@pytest.fixture
def analysis_id(reading):
    analysis_id = reading.analyse("a", SPOT, OTHER)
    reading.think(analysis_id, 1, "agree")
    reading.think(analysis_id, 1, "disagree", "Ben")
    return analysis_id


def test_it_tells_flags_opinions_and_verdict(reading, analysis_id, tmp_path):
    box = polygon(rectangle(100, 100, 200, 180))
    flag = reading.flag("a", box, label="Tumor", state="agreed")
    spot = {"analysis_id": analysis_id, "rank": 2}
    reading.flag("a", point(5, 5), "Ben", hotspot=spot)
    reading.verdict("a", "micro")
    whole = json.loads(reading.export(tmp_path / "r.json").read_text())
    assert whole["format"] == 1
    assert whole["notice"].startswith("Research use only")
    a, b = whole["items"]
    assert (b["name"], b["state"], b["flags"], b["analyses"]) == ("b.tif", "unread", [], [])
    assert (a["state"], a["verdict"]["value"], a["mpp_x"]) == ("reviewed", "micro", 1.0)
    first, second = a["flags"]
    assert first["id"] == flag["id"]
    assert (first["geometry"], first["state"]) == (flag["geometry"], "agreed")
    assert (second["hotspot"], second["created_by"]) == (spot, "Ben")
    (analysis,) = a["analyses"]
    assert (analysis["id"], analysis["hotspots_without_opinion"]) == (analysis_id, 1)
    (spot,) = analysis["hotspots"]
    assert spot["bbox_l0_px"] == [320, 320, 480, 448]
    said = [(each["reader"], each["opinion"]) for each in spot["opinions"]]
    assert said == [("Ada", "agree"), ("Ben", "disagree")]


def test_hot_spots_come_with_their_cells_alone(reading, analysis_id, tmp_path):
    whole = json.loads(reading.export(tmp_path / "r.json").read_text())
    cells = whole["items"][0]["analyses"][0]["hotspots"][0]["cells"]
    assert cells == {
        "origin_l0_px": [0, 0],
        "step_l0_px": [32, 32],
        "runs": [[10, 10, 2], [11, 10, 2], [12, 12, 3], [13, 12, 3]],
    }


def test_an_opinion_outlives_the_heat_map(reading, analysis_id, tmp_path):
    heatmaps = reading.services.settings.heatmaps
    (heatmaps / f"{analysis_id}.zarr").rename(heatmaps / "elsewhere")
    whole = json.loads(reading.export(tmp_path / "r.json").read_text())
    (spot,) = whole["items"][0]["analyses"][0]["hotspots"]
    assert spot["cells"] is None
    assert len(spot["opinions"]) == 2


def test_the_query_of_the_worklist_chooses(reading, tmp_path):
    whole = json.loads(reading.export(tmp_path / "r.json", "?q=b").read_text())
    assert [item["name"] for item in whole["items"]] == ["b.tif"]
    assert reading.client.get("/api/v1/reviews.json?colour=red").status_code == 400


def test_a_locked_slide_keeps_its_hot_spots(reading, analysis_id, slide_folder, tmp_path):
    reading.flag("a", point(5, 5), hotspot={"analysis_id": analysis_id, "rank": 1})
    with viewer_of(slide_folder, tmp_path / "data", blind_first_read=("all",)) as blind:
        locked = Reading(blind)
        locked.be("Eve")
        (a, _) = json.loads(locked.export(tmp_path / "r.json").read_text())["items"]
        assert (a["locked"], a["analyses"], a["flags"][0]["hotspot"]) == (True, [], None)
        locked.verdict("a", "tumour", "Eve")
        (a, _) = json.loads(locked.export(tmp_path / "r.json").read_text())["items"]
        assert (a["locked"], len(a["analyses"])) == (False, 1)


def test_the_command_writes_the_same(reading, analysis_id, slide_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("SENTINODE_SLIDES", str(slide_folder))
    monkeypatch.setenv("SENTINODE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SENTINODE_BLIND_FIRST_READ", "all")
    result = CliRunner().invoke(main, ["reviews", "--out", str(tmp_path / "cli.json")])
    assert result.exit_code == 0, result.output
    mine = json.loads((tmp_path / "cli.json").read_text())
    whole = json.loads(reading.export(tmp_path / "r.json").read_text())
    assert mine["items"] == whole["items"]
    assert not list(tmp_path.glob("*.partial"))
