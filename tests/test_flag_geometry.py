"""Which geometries a flag may have, and what mending makes of the others."""

import json

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from tests.flags import RING, TRIANGLE, multi, point, polygon, rectangle, ring, ruler
from viewer.flags.errors import GeometryInvalid
from viewer.flags.geometry import Extent, grid_level, is_box, kind_of, shape_of

SLIDE = Extent(1000, 800)
BOW_TIE = polygon(ring((100, 100), (300, 300), (300, 100), (100, 300)))
NAN = float("nan")


def refused(geometry, kind="polygon", **options):
    with pytest.raises(GeometryInvalid) as caught:
        shape_of(kind, geometry, SLIDE, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "geometry"),
    [
        ("point", point(3.5, 4)),
        ("box", polygon(rectangle(1, 2, 3, 4))),
        ("polygon", RING),
        ("freehand", TRIANGLE),
        ("polygon", multi([rectangle(0, 0, 9, 9)], [rectangle(20, 0, 29, 9)])),
        ("ruler", ruler((0, 0), (3, 4), (9, 9))),
    ],
)
def test_sound_geometries_stay_as_they_are(kind, geometry):
    assert json.loads(shape_of(kind, geometry, SLIDE).geojson) == geometry


@pytest.mark.parametrize(
    ("geometry", "what"),
    [
        (point(NAN, 1), "cannot be a 'Point'"),
        (polygon(ring((0, 0), (9, 0), (NAN, 9))), "finite"),
        (polygon(ring((0, 0), (9, 0), (1e300, 9))), "outside the slide"),
        (polygon(ring((0, 0), (9, 0), (9, 2000))), "outside the slide"),
        (polygon([[0, 0], [9, 0], [9, 9]]), "not closed"),
        (polygon([[0, 0], [9, 0], [0, 0]]), "three different vertices"),
        (polygon([["0", "0"], ["9", "0"], ["9", "9"], ["0", "0"]]), "finite number"),
        (polygon([[0], [1], [2], [0]]), "pairs of numbers"),
        (polygon([[0, 0], [1, "a"], [2, 2], [0, 0]]), "finite number"),
        (polygon([0, 1]), "pairs of numbers"),
        (polygon(), "no rings"),
        ({"type": "Polygon"}, "no rings"),
        ({"type": "MultiPolygon", "coordinates": "ab"}, "no outline"),
        ({"type": "GeometryCollection", "geometries": []}, "cannot be"),
        ({}, "cannot be"),
        (BOW_TIE, "not sound"),
        (polygon(rectangle(0, 0, 50, 50), rectangle(40, 40, 90, 90)), "not sound"),
        (polygon(ring((0, 0), (5, 5), (9, 9))), "not sound"),
    ],
)
def test_unsound_geometries_are_refused_with_the_reason(geometry, what):
    assert what in refused(geometry)


def test_a_little_outside_the_slide_is_near_enough():
    shape_of("polygon", polygon(rectangle(-20, -20, 50, 50)), SLIDE)


@pytest.mark.parametrize("geometry", [ruler((1, 1)), ruler((1, 1), (1, 1))])
def test_a_ruler_has_two_ends(geometry):
    refused(geometry, "ruler")


def test_boxes_are_upright_rectangles():
    assert "upright" in refused(TRIANGLE, "box")
    assert is_box([rectangle(1, 2, 3, 4)])
    assert not is_box([ring((0, 0), (2, 1), (1, 3), (-1, 2))])
    assert not is_box([rectangle(1, 2, 3, 4), rectangle(1.5, 2.5, 2, 3)])
    assert kind_of(polygon(rectangle(1, 2, 3, 4))) == "box"


def test_mending_takes_a_crossing_apart():
    shape = shape_of("freehand", BOW_TIE, SLIDE, mend=True)
    mended = json.loads(shape.geojson)
    assert shape.mended
    assert mended["type"] == "MultiPolygon"
    assert shapely.from_geojson(shape.geojson).is_valid
    assert shape.area_px2 == pytest.approx(20_000)


def test_mending_closes_a_ring_and_says_nothing_of_it():
    open_ring = polygon([[0, 0], [90, 0], [90, 90]])
    shape = shape_of("polygon", open_ring, SLIDE, mend=True)
    assert json.loads(shape.geojson) == polygon(ring((0, 0), (90, 0), (90, 90)))


def test_nothing_can_be_mended_to_nothing():
    assert "no area" in refused(polygon(ring((0, 0), (5, 5), (9, 9))), mend=True)


coordinate = st.floats(0, 800, allow_nan=False)


@given(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=30))
def test_whatever_is_drawn_is_sound_after_mending_or_refused(vertices):
    try:
        shape = shape_of("freehand", polygon(ring(*vertices)), SLIDE, mend=True)
    except GeometryInvalid:
        return
    area = shapely.from_geojson(shape.geojson)
    assert area.is_valid
    assert area.area == pytest.approx(shape.area_px2, abs=0.1)
    assert shape_of("freehand", json.loads(shape.geojson), SLIDE).mended is False


@given(st.floats(0, 1e6))
def test_a_grid_cell_is_not_smaller_than_its_flag(extent):
    level = grid_level(extent)
    assert 2**level >= extent
    assert level == 8 or 2 ** (level - 1) < extent
