"""Flags to files of other programs and back: nothing lost without being said."""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import shapely
from flask.testing import FlaskClient

from tests.flags import RING, TRIANGLE, Flagged, multi, point, polygon, rectangle, ring, ruler
from tests.slides import make_scn, make_slide
from viewer.flags import csv_table, importing

SHARED = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
OUTLINES = SHARED / "camelyon16_annotations" / "jsons.zip"
Scan = Callable[[], list[dict[str, Any]]]
PARTS = multi(
    [rectangle(50, 600, 150, 700), rectangle(70, 620, 90, 640)], [rectangle(200, 600, 300, 700)]
)
SAME = ("kind", "geometry", "label", "name", "reason", "state", "assignee")


@pytest.fixture
def flagged(slide_folder: Path, client: FlaskClient, scan: Scan) -> Flagged:
    make_slide(slide_folder / "a.tif", (1000, 800), mpp=0.5, level_factors=(1,))
    make_slide(slide_folder / "b.tif", (1010, 800), mpp=0.5, level_factors=(1,))
    slides = {slide["name"]: slide["id"] for slide in scan()}
    flagged = Flagged(client, slides["a.tif"])
    flagged.other = slides["b.tif"]
    return flagged


@pytest.fixture
def full(flagged: Flagged) -> Flagged:
    """A flag of every kind."""
    flagged.create(TRIANGLE, label="Tumor", name="Edge <&> of it", reason='Two\nlines; "q"')
    flagged.create(RING, label="Region*", state="resolved", assignee="Bob")
    flagged.create(PARTS, kind="freehand", label="Stroma", state="disagreed", name="=1+1")
    flagged.create(polygon(rectangle(10.25, 20.5, 30.75, 40)), kind="box")
    flagged.create(point(5.5, 7.25), label="Immune cells", state="agreed")
    flagged.create(ruler((1, 2), (300, 400)), reason="+ margin")
    return flagged


def of(flagged: Flagged, slide_id: str) -> Flagged:
    return Flagged(flagged.client, slide_id)


def essence(flags: list[dict[str, Any]], *fields: str) -> list[str]:
    return sorted(json.dumps([flag[field] for field in fields]) for flag in flags)


@pytest.mark.parametrize("ending", ["geojson", "csv"])
def test_a_round_trip_to_another_slide_loses_nothing(full, ending):
    exported = full.export(ending)
    copy = of(full, full.other)
    report = copy.take(exported).get_json()
    assert (report["created"], report["skipped"], report["notes"]) == (6, [], [])
    assert essence(copy.list()["items"], *SAME) == essence(full.list()["items"], *SAME)
    assert {flag["source"] for flag in copy.list()["items"]} == {"imported"}


@pytest.mark.parametrize("ending", ["geojson", "csv"])
def test_what_comes_back_unchanged_changes_nothing(full, ending):
    before = full.list()["items"]
    report = full.take(full.export(ending)).get_json()
    assert (report["unchanged"], report["created"], report["updated"]) == (6, 0, 0)
    assert full.list()["items"] == before


def test_geojson_keeps_to_what_qupath_reads(full):
    document = json.loads(full.export("geojson"))
    assert document["type"] == "FeatureCollection"
    assert document["sentinode"]["notice"].startswith("Research use only.")
    for feature in document["features"]:
        assert feature["type"] == "Feature"
        properties = feature["properties"]
        assert len(feature["id"]) == 36
        assert properties["objectType"] == "annotation"
        if "classification" in properties:  # a name without a colour makes QuPath refuse the file
            assert set(properties["classification"]) == {"name", "color"}
            assert all(0 <= part <= 255 for part in properties["classification"]["color"])
        assert all(isinstance(value, str) for value in properties["metadata"].values())
        assert shapely.from_geojson(json.dumps(feature["geometry"])).is_valid
    by_name = {feature["properties"]["name"]: feature for feature in document["features"]}
    assert by_name["Edge <&> of it"]["properties"]["classification"]["color"] == [200, 0, 0]
    assert "isLocked" not in by_name["Edge <&> of it"]["properties"]
    assert by_name["Flag 2"]["properties"]["isLocked"] is True
    assert by_name["Flag 2"]["geometry"] == RING


def test_what_qupath_writes_is_taken(flagged):
    def feature(geometry, **properties):
        return {"type": "Feature", "geometry": geometry, "properties": properties}

    features = [
        feature(
            TRIANGLE, objectType="annotation", classification={"name": "Tumor", "color": [1, 2, 3]}
        ),
        feature(RING, classification={"names": ["Tumor", "Positive"], "color": [1, 2, 3]}),
        feature(RING, classification="stroma", name="old style", isLocked=True),
        feature(point(1, 1), objectType="detection", measurements={"area": 3}),
        feature({"type": "MultiPoint", "coordinates": [[1, 2], [3, 4]]}),
        feature(polygon(rectangle(3, 4, 50, 60)), classification=None),
    ]
    report = flagged.take(json.dumps({"type": "FeatureCollection", "features": features}))
    assert report.get_json()["created"] == 7
    found = sorted(flagged.list()["items"], key=lambda flag: flag["number"])
    assert [flag["label"] for flag in found[:3]] == ["Tumor", "Tumor: Positive", "Stroma"]
    assert [flag["kind"] for flag in found] == ["polygon"] * 3 + ["point"] * 3 + ["box"]
    assert (found[2]["state"], found[2]["name"]) == ("resolved", "old style")
    notes = [note["text"] for note in report.get_json()["notes"]]
    assert any("'Tumor: Positive' is not among the labels" in note for note in notes)
    assert any("measurements" in note for note in notes)
    assert any("MultiPoint" in note for note in notes)


def test_a_file_edited_elsewhere_changes_the_flags_it_came_from(flagged):
    flag = flagged.create(TRIANGLE, label="Tumor", reason="why")
    document = json.loads(flagged.export("geojson"))
    document["features"][0]["geometry"] = RING
    report = flagged.take(json.dumps(document)).get_json()
    assert (report["updated"], report["created"]) == (1, 0)
    now = flagged.get(flag).get_json()
    assert (now["geometry"], now["version"], now["reason"]) == (RING, 2, "why")
    assert len(flagged.get(flag, "/history").get_json()["items"]) == 2


@pytest.mark.parametrize("gone", [True, False])
def test_nothing_is_lost_when_a_flag_changed_since_its_export(flagged, gone):
    flag = flagged.create(TRIANGLE)
    document = json.loads(flagged.export("geojson"))
    document["features"][0]["geometry"] = RING
    if gone:
        flagged.delete(flag)
    else:
        flagged.patch(flag, label="Tumor")
    report = flagged.take(json.dumps(document)).get_json()
    assert (report["created"], report["updated"]) == (1, 0)
    assert "became a copy" in report["notes"][0]["text"]
    assert flagged.list()["total"] == (1 if gone else 2)


def test_asap_gets_declared_groups_and_numbered_vertices(full):
    root = ElementTree.fromstring(full.export("xml"))
    groups = {group.get("Name") for group in root.iterfind("AnnotationGroups/Group")}
    annotations = list(root.iterfind("Annotations/Annotation"))
    assert annotations
    for annotation in annotations:
        group = annotation.get("PartOfGroup")
        assert group in groups or group == "None"  # else ASAP discards the whole file
        orders = [at.get("Order") for at in annotation.iterfind("Coordinates/Coordinate")]
        assert orders == [str(n) for n in range(len(orders))]
    kinds = {annotation.get("Type") for annotation in annotations}
    assert kinds == {"Polygon", "Rectangle", "Dot", "Measurement"}


def test_an_asap_round_trip_keeps_shapes_holes_labels_and_names(full):
    copy = of(full, full.other)
    report = copy.take(full.export("xml")).get_json()
    assert (report["format"], report["created"], report["notes"]) == ("xml", 6, [])
    fields = ("geometry", "label", "name")
    assert essence(copy.list()["items"], *fields) == essence(full.list()["items"], *fields)


def test_camelyons_groups_become_labels(flagged):
    def annotation(name, group, kind="Polygon"):
        points = "".join(
            f'<Coordinate Order="{n}" X="{x}" Y="{y}"/>'
            for n, (x, y) in enumerate([(10, 10), (90, 10), (90.5, 90)])
        )
        head = f'<Annotation Name="{name}" Type="{kind}" PartOfGroup="{group}" Color="#F4FA58">'
        return f"{head}<Coordinates>{points}</Coordinates></Annotation>"

    text = (
        "<?xml version='1.0'?><ASAP_Annotations><Annotations>"
        + annotation("Annotation 0", "_0")
        + annotation("Annotation 1", "_2", "Spline")
        + annotation("Annotation 2", "mine")
        + "</Annotations><AnnotationGroups><Group Name='_0' PartOfGroup='None' Color='#64FE2E'/>"
        "<Group Name='_2' PartOfGroup='None' Color='#64FE2E'/></AnnotationGroups>"
        "</ASAP_Annotations>"
    )
    report = flagged.take(text).get_json()
    labels = [flag["label"] for flag in flagged.list()["items"]]
    assert labels == ["mine", "Negative", "Tumor"]
    notes = " ".join(note["text"] for note in report["notes"])
    assert "'_0' was taken as 'Tumor'" in notes
    assert "'mine' is not declared" in notes
    assert "spline" in notes


def test_asap_counts_from_the_corner_of_the_scan_and_qupath_from_the_bounds(
    slide_folder, client, scan
):
    make_scn(slide_folder / "a.scn", offset_l0_px=(700, 333))
    flagged = Flagged(client, scan()[0]["id"])
    flagged.create(point(100, 50))
    root = ElementTree.fromstring(flagged.export("xml"))
    corner = root.find("Annotations/Annotation/Coordinates/Coordinate")
    assert (float(corner.get("X")), float(corner.get("Y"))) == (800, 383)
    inside = json.loads(flagged.export("geojson"))["features"][0]["geometry"]
    assert inside["coordinates"] == [100, 50]
    whole = json.loads(flagged.export("geojson", plane="scan"))["features"][0]["geometry"]
    assert whole["coordinates"] == [800, 383]
    flagged.take(flagged.export("xml"))
    flagged.take(json.dumps({"type": "Feature", "geometry": whole}), plane="scan")
    assert [f["geometry"]["coordinates"] for f in flagged.list()["items"]] == [[100, 50]] * 3


def test_all_or_nothing_unless_asked(flagged):
    features = [
        {"type": "Feature", "geometry": TRIANGLE, "properties": {}},
        {"type": "Feature", "geometry": point(99_999, 0), "properties": {}},
        {"type": "Feature", "geometry": None, "properties": {}},
        {"type": "Feature", "geometry": RING, "properties": {"objectType": "tile"}},
    ]
    text = json.dumps(features)
    answer = flagged.take(text)
    problem = answer.get_json()
    assert (answer.status_code, problem["code"]) == (400, "import_refused")
    assert [one["place"] for one in problem["problems"]] == ["feature 3", "feature 4", "feature 2"]
    assert flagged.list()["total"] == 0
    report = flagged.take(text, skip_problems=True).get_json()
    assert (report["created"], report["skipped_count"]) == (1, 3)
    assert flagged.list()["total"] == 1


def test_outlines_that_cross_themselves_are_mended_and_said(flagged):
    bow_tie = polygon(ring((100, 100), (300, 300), (300, 100), (100, 300)))
    report = flagged.take(json.dumps({"type": "Feature", "geometry": bow_tie})).get_json()
    assert report["created"] == 1
    assert "taken apart" in report["notes"][0]["text"]


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;">]>'
    "<ASAP_Annotations><Annotations>&c;</Annotations></ASAP_Annotations>"
)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (BOMB, "not safe"),
        ("<svg/>", "not of ASAP"),
        ("<ASAP_Annotations><", "not safe, well-formed"),
        ('{"type": "FeatureCollection"}', "no GeoJSON"),
        ("[" * 100_000, "no JSON"),
        ("{", "no JSON"),
        ("a,b\n1,2\n", "geometry_wkt"),
        (b"\xff\xfe", "UTF-8"),
        ("", "geometry_wkt"),
    ],
)
def test_files_that_are_none_are_refused_with_the_reason(flagged, content, what):
    answer = flagged.take(content)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "import_refused")
    assert what in answer.get_json()["detail"]


def test_others_write_while_a_large_file_is_read(flagged, app, monkeypatch):
    somebody = Flagged(app.test_client(), flagged.slide_id, "Bob")

    def read(content: bytes) -> csv_table.Found:
        somebody.create(TRIANGLE)
        return csv_table.read(content)

    monkeypatch.setitem(importing.READERS, "csv", read)
    report = flagged.take("label,geometry_wkt\ntumor,POINT (3 4)\n").get_json()
    assert report["created"] == 1
    assert [flag["number"] for flag in flagged.list()["items"]] == [2, 1]


def test_too_large_a_file_is_refused(flagged, monkeypatch):
    monkeypatch.setattr("viewer.flags.importing.MOST_BYTES", 1000)
    assert flagged.take("x" * 1001).status_code == 413


def test_cells_of_a_table_are_never_formulas(full):
    rows = list(csv.DictReader(io.StringIO(full.export("csv").decode())))
    assert len(rows) == 6
    for row in rows:
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row.values())
    names = {row["name"] for row in rows}
    assert "'=1+1" in names
    assert float(rows[1]["area_mm2"]) == pytest.approx(0.03)
    assert shapely.from_wkt(rows[1]["geometry_wkt"]).area == pytest.approx(120_000)


def test_a_table_by_hand_needs_outlines_alone(flagged):
    report = flagged.take("label,geometry_wkt\ntumor,POINT (3 4)\n,nonsense\n", skip_problems=True)
    assert report.get_json()["skipped"] == [{"place": "line 3", "reason": "geometry_wkt is no WKT"}]
    assert flagged.list()["items"][0]["label"] == "Tumor"


@pytest.mark.skipif(not OUTLINES.exists(), reason="the outlines of CAMELYON16 are not at hand")
def test_real_outlines_survive_every_format(slide_folder, client, scan):
    with zipfile.ZipFile(OUTLINES) as archive:
        document = json.loads(archive.read("jsons/valid/Tumor_106.json"))
    outlines = [entry["vertices"] for entry in document["positive"]]
    left = min(x for outline in outlines for x, _ in outline)
    top = min(y for outline in outlines for _, y in outline)
    shifted = [[[x - left, y - top] for x, y in outline] for outline in outlines]
    width = max(x for outline in shifted for x, _ in outline)
    height = max(y for outline in shifted for _, y in outline)
    # A slide of that size would be large: the shapes are what matters.
    shrink = 1000 / max(width, height)
    scaled = [[[x * shrink, y * shrink] for x, y in outline] for outline in shifted]
    features = [
        {
            "type": "Feature",
            "geometry": polygon([*outline, outline[0]]),
            "properties": {"classification": {"name": "Tumor", "color": [200, 0, 0]}},
        }
        for outline in scaled
    ]
    make_slide(slide_folder / "a.tif", (1000, 1000), mpp=0.5, level_factors=(1,))
    make_slide(slide_folder / "b.tif", (1001, 1000), mpp=0.5, level_factors=(1,))
    make_slide(slide_folder / "c.tif", (1002, 1000), mpp=0.5, level_factors=(1,))
    first, second, third = (Flagged(client, slide["id"]) for slide in scan())
    report = first.take(json.dumps(features), skip_problems=True).get_json()
    taken = report["created"]
    assert taken > 0.9 * len(outlines)
    assert second.take(first.export("geojson")).get_json()["created"] == taken
    assert third.take(second.export("xml")).get_json()["created"] == taken
    areas = [
        sum(flag["area_mm2"] for flag in one.list(limit=500)["items"]) for one in (first, third)
    ]
    assert areas[0] == pytest.approx(areas[1])
    assert essence(first.list(limit=500)["items"], "geometry", "label") == essence(
        third.list(limit=500)["items"], "geometry", "label"
    )
