"""The heat map as files of other programs."""

import io
import json

import numpy as np
import openslide
import pytest
import tifffile

from tests.heatmaps import make_heatmap
from tests.slides import make_scn, make_slide
from viewer.analyses.job import heatmap_path
from viewer.db import utc_now, writing
from viewer.flags.geometry import Extent
from viewer.flags.heatmap_export import in_slide_plane, write_tiff
from viewer.records import Analysis

SIZE = (1500, 1100)
STEP = 100.0
ROWS, COLUMNS = 9, 13
NOT = float("nan")


@pytest.fixture
def grid():
    grid = np.random.default_rng(1).random((ROWS, COLUMNS)).astype(np.float32)
    grid[2, 3] = NOT
    grid[0, 0] = 0.0
    grid[1, 1] = 1.0
    return grid


@pytest.fixture
def heatmap(tmp_path, grid):
    return stored(tmp_path / "map", grid)


def stored(path, grid, **geometry):
    given = {"rows": ROWS, "columns": COLUMNS, "chunk_cells": 4, "origin_l0_x_px": 50.0}
    given |= {"origin_l0_y_px": 30.0, "step_l0_x_px": STEP, "step_l0_y_px": STEP, "mpp_x": 0.5}
    heatmap = make_heatmap(path, (~np.isnan(grid)).astype(np.float32), **given, **geometry)
    for chunk in heatmap.planned_chunks():
        top, bottom, left, right = heatmap.geometry.chunk_cells_range(chunk)
        heatmap.write_chunk(chunk, grid[top:bottom, left:right])
    return heatmap


@pytest.fixture
def analysis(slide_folder, settings, client, scan, sessions, grid):
    """A finished analysis; its id and the state may be changed."""
    make_slide(slide_folder / "a.tif", SIZE, mpp=0.5)
    return add_analysis(settings, sessions, scan()[0]["id"], grid)


def add_analysis(settings, sessions, slide_id, grid, state="done"):
    row = Analysis(
        id="a" * 32,
        slide_id=slide_id,
        model_id="test-model",
        model_version="1.0.0",
        mpp_x=0.5,
        mpp_y=0.5,
        state=state,
        created_at=utc_now(),
    )
    with writing(sessions) as session:
        session.merge(row)
    path = heatmap_path(settings, row.id)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        stored(path, grid)
    return f"/api/v1/analyses/{row.id}"


def test_tiles_have_wsinfers_form(client, analysis, grid):
    document = json.loads(client.get(f"{analysis}/heatmap.geojson").data)
    assert document["type"] == "FeatureCollection"
    assert document["sentinode"]["notice"].startswith("Research use only.")
    assert len(document["features"]) == ROWS * COLUMNS - 1  # one was not analysed
    by_corner = {}
    for feature in document["features"]:
        properties = feature["properties"]
        assert (properties["objectType"], properties["isLocked"]) == ("tile", True)
        assert "classification" not in properties
        corners = feature["geometry"]["coordinates"][0]
        assert corners[0] == corners[-1]
        assert len(corners) == 5
        by_corner[tuple(corners[0])] = properties["measurements"]["prob_Tumor"]
    assert by_corner[150.0, 130.0] == 1.0
    assert by_corner[50.0, 30.0] == 0.0
    assert (350.0, 230.0) not in by_corner
    assert by_corner[1250.0, 830.0] == pytest.approx(grid[8, 12], abs=1e-4)


def test_tiles_may_be_limited_to_high_ones(client, analysis, grid):
    document = json.loads(client.get(f"{analysis}/heatmap.geojson?minimum=0.5").data)
    assert len(document["features"]) == (grid >= 0.5).sum()


def test_an_unfinished_map_is_no_file(client, analysis, settings, sessions, grid):
    slide_id = client.get(analysis).get_json()["slide_id"]
    add_analysis(settings, sessions, slide_id, grid, state="cancelled")
    for ending in ("geojson", "tif"):
        answer = client.get(f"{analysis}/heatmap.{ending}")
        assert (answer.status_code, answer.get_json()["code"]) == (409, "heatmap_unfinished")


def test_the_tiff_is_tiled_pyramidal_and_says_its_resolution(client, analysis, tmp_path):
    answer = client.get(f"{analysis}/heatmap.tif")
    assert answer.mimetype == "image/tiff"
    with tifffile.TiffFile(io.BytesIO(answer.data)) as tiff:
        page = tiff.pages[0]
        assert page.is_tiled
        assert page.shape == (-(-SIZE[1] // 64), -(-SIZE[0] // 64))
        assert "Research use only" in page.description
        per_cm = page.tags["XResolution"].value
        assert per_cm[0] / per_cm[1] == pytest.approx(1e4 / (0.5 * 64), rel=1e-6)


def test_other_readers_open_the_tiff(tmp_path, heatmap):
    path = tmp_path / "map.tif"
    with path.open("wb") as file:
        write_tiff(file, heatmap, Extent(SIZE[0] * 40, SIZE[1] * 40))
    with openslide.OpenSlide(path) as slide:
        assert slide.level_count >= 2
        assert slide.level_downsamples[1] == pytest.approx(2, rel=0.01)
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(0.5 * 64)


def test_each_pixel_holds_the_cell_its_centre_lies_in(heatmap, grid):
    plane = in_slide_plane(heatmap, Extent(*SIZE), (0, 0), 64)
    rows, columns = plane.shape
    for row in range(rows):
        for column in range(columns):
            x, y = (column + 0.5) * 64, (row + 0.5) * 64
            cell = int((y - 30) // STEP), int((x - 50) // STEP)
            inside = 0 <= cell[0] < ROWS and 0 <= cell[1] < COLUMNS
            p = grid[cell] if inside else NOT
            assert plane[row, column] == (0 if np.isnan(p) else 1 + round(254 * float(p)))


def test_the_scans_plane_is_moved_by_the_bounds(
    slide_folder, settings, client, scan, sessions, grid
):
    make_scn(slide_folder / "a.scn", (1200, 900), offset_l0_px=(700, 333))
    url = add_analysis(settings, sessions, scan()[0]["id"], grid)
    shapes = {}
    for plane in ("bounds", "scan"):
        data = client.get(f"{url}/heatmap.tif", query_string={"plane": plane}).data
        shapes[plane] = tifffile.imread(io.BytesIO(data), key=0)
    assert shapes["scan"].shape == (-(-(900 + 333) // 64), -(-(1200 + 700) // 64))
    assert shapes["scan"][5 + (333 // 64), 5 + (700 // 64)] in shapes["bounds"]
    assert (shapes["scan"][:, : 700 // 64] == 0).all()
