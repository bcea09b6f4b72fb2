"""The heat map on disk: whole or not there, readable while it is written, true at every zoom."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr

from model.prediction.errors import HeatmapInvalid, HeatmapUnwritable
from model.prediction.heatmap import Heatmap
from tests.heatmaps import GEOMETRY, fill, make_heatmap


def test_what_is_stored_is_read_again(tmp_path: Path) -> None:
    grid = fill(make_heatmap(tmp_path / "h.zarr"))
    heatmap = Heatmap.open(tmp_path / "h.zarr")
    assert heatmap.geometry == GEOMETRY
    assert np.array_equal(heatmap.probabilities(0, 50, 0, 70), grid)
    assert np.array_equal(heatmap.probabilities(30, 41, 31, 66), grid[30:41, 31:66])


def test_any_zarr_library_can_read_it(tmp_path: Path) -> None:
    grid = fill(make_heatmap(tmp_path / "h.zarr"))
    group = zarr.open_group(tmp_path / "h.zarr", mode="r")
    assert np.array_equal(np.asarray(group["probability"]), grid)
    assert group.attrs["geometry"] == GEOMETRY.to_json()


def test_chunks_without_tissue_are_not_planned(tmp_path: Path) -> None:
    share = np.zeros((50, 70), np.float32)
    share[0, 31], share[40, 69], share[10, 40] = 0.5, 0.11, 0.09  # the last one: too little
    heatmap = make_heatmap(tmp_path / "h.zarr", share)
    assert heatmap.planned_chunks() == [(0, 0), (1, 2)]
    assert heatmap.to_analyse.sum() == 2


def test_without_a_least_share_a_trace_of_tissue_counts(tmp_path: Path) -> None:
    share = np.zeros((50, 70), np.float32)
    share[5, 5] = 0.0001
    heatmap = make_heatmap(tmp_path / "h.zarr", share, min_tissue_share=0.0)
    assert heatmap.to_analyse.sum() == 1


def test_a_chunk_of_one_cell_or_of_none_counts_as_stored(tmp_path: Path) -> None:
    heatmap = make_heatmap(tmp_path / "h.zarr")
    heatmap.write_chunk((1, 2), np.full((18, 6), np.nan, np.float32))
    assert list(heatmap.stored_chunks()) == [(1, 2)]


def test_a_chunk_of_the_wrong_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="18 × 6"):
        make_heatmap(tmp_path / "h.zarr").write_chunk((1, 2), np.zeros((32, 32), np.float32))


def test_values_follow_a_writer(tmp_path: Path) -> None:
    writer = make_heatmap(tmp_path / "h.zarr")
    reader = Heatmap.open(tmp_path / "h.zarr")
    assert not reader.value_tile(0, 0, 0).any()
    writer.write_chunk((0, 1), np.full((32, 32), 1.0, np.float32))
    tile = reader.value_tile(0, 0, 0)
    assert tile.shape == (50, 70)
    assert (tile[:32, 32:64] == 255).all()
    assert np.count_nonzero(tile) == 32 * 32
    writer.write_chunk((0, 1), np.full((32, 32), 0.0, np.float32))
    assert (reader.value_tile(0, 0, 0)[:32, 32:64] == 1).all()


def test_value_tiles_hold_the_highest_of_what_they_cover(tmp_path: Path) -> None:
    heatmap = make_heatmap(tmp_path / "h.zarr", rows=300, columns=1030)
    grid = fill(heatmap)
    values = 1 + np.rint(254 * grid).astype(int)
    assert heatmap.level_count == 4
    assert np.array_equal(heatmap.value_tile(0, 4, 1), values[256:300, 1024:1030])
    for level in (1, 2, 3):
        side = 2**level
        padded = np.pad(values, ((0, -300 % side), (0, -1030 % side)))
        highest = padded.reshape(len(padded) // side, side, -1, side).max(axis=(1, 3))
        assert np.array_equal(heatmap.value_tile(level, 0, 0), highest[:256, :256])
    assert heatmap.value_tile(3, 0, 0).shape == (38, 129)


@pytest.mark.parametrize("tile", [(0, 1, 0), (0, 0, 1), (1, 0, 0), (-1, 0, 0), (0, -1, 0)])
def test_a_tile_outside_the_grid(tmp_path: Path, tile: tuple[int, int, int]) -> None:
    with pytest.raises(IndexError):
        make_heatmap(tmp_path / "h.zarr").value_tile(*tile)


def test_changes_since_a_revision(tmp_path: Path) -> None:
    heatmap = make_heatmap(tmp_path / "h.zarr", rows=300, columns=300)
    assert heatmap.revision() == 0
    assert heatmap.tiles_changed_since(0) == []
    heatmap.write_chunk((0, 8), np.zeros((32, 32), np.float32))
    first = heatmap.revision()
    assert heatmap.tiles_changed_since(0) == [(0, 1, 0), (1, 0, 0)]
    assert heatmap.tiles_changed_since(first) == []
    heatmap.write_chunk((8, 0), np.zeros((32, 32), np.float32))
    assert heatmap.revision() > first
    assert (0, 0, 1) in heatmap.tiles_changed_since(first)


def test_chunks_stored_in_the_same_tick_of_the_clock_are_told(tmp_path: Path) -> None:
    heatmap = make_heatmap(tmp_path / "h.zarr")
    told: set[tuple[int, int, int]] = set()
    revision = 0
    for chunk in heatmap.planned_chunks():
        top, bottom, left, right = heatmap.geometry.chunk_cells_range(chunk)
        heatmap.write_chunk(chunk, np.zeros((bottom - top, right - left), np.float32))
        assert heatmap.revision() != revision
        told |= set(heatmap.tiles_changed_since(revision))
        revision = heatmap.revision()
    assert told == {(0, 0, 0)}


def test_summary(tmp_path: Path) -> None:
    share = np.zeros((50, 70), np.float32)
    share[:2, :5] = 1
    heatmap = make_heatmap(tmp_path / "h.zarr", share)
    assert heatmap.summary()["peak_probability"] is None
    cells = np.full((32, 32), np.nan, np.float32)
    cells[:2, :5] = [[0.1, 0.2, 0.3, 0.4, 0.5], [0.9, 0.1, 0.1, 0.1, 0.1]]
    heatmap.write_chunk((0, 0), cells)
    summary = heatmap.summary()
    assert summary == {
        "peak_probability": pytest.approx(0.9),
        "cells_analysed": 10,
        "cells_positive": 2,
        "analysed_area_mm2": pytest.approx(10 * 0.032**2),
        "positive_area_mm2": pytest.approx(2 * 0.032**2),
    }


def test_half_written_files_are_not_chunks(tmp_path: Path) -> None:
    heatmap = make_heatmap(tmp_path / "h.zarr")
    row = tmp_path / "h.zarr" / "probability" / "c" / "0"
    row.mkdir(parents=True)
    (row / "1.8c6f.partial").write_bytes(b"\0" * 100)
    assert heatmap.stored_chunks() == {}
    assert not heatmap.value_tile(0, 0, 0).any()


def test_a_chunk_that_was_cut_off_is_named(tmp_path: Path) -> None:
    heatmap = make_heatmap(tmp_path / "h.zarr")
    fill(heatmap)
    (tmp_path / "h.zarr" / "probability" / "c" / "0" / "1").write_bytes(b"\0" * 100)
    with pytest.raises(HeatmapInvalid, match="damaged"):
        Heatmap.open(tmp_path / "h.zarr").value_tile(0, 0, 0)


@pytest.mark.parametrize("damage", ["missing", "no attributes", "not json", "no array", "version"])
def test_what_is_no_heat_map(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "h.zarr"
    if damage != "missing":
        make_heatmap(path)
    group = path / "zarr.json"
    if damage == "no attributes":
        group.write_text('{"zarr_format": 3, "node_type": "group"}')
    elif damage == "not json":
        group.write_text("{")
    elif damage == "no array":
        (path / "tissue" / "zarr.json").unlink()
    elif damage == "version":
        group.write_text(group.read_text().replace('"layout": 1', '"layout": 99'))
    with pytest.raises(HeatmapInvalid) as caught:
        Heatmap.open(path)
    assert str(tmp_path) not in str(caught.value)


def test_another_heat_map_is_never_overwritten(tmp_path: Path) -> None:
    grid = fill(make_heatmap(tmp_path / "h.zarr"))
    with pytest.raises(FileExistsError):
        make_heatmap(tmp_path / "h.zarr")
    kept = Heatmap.open(tmp_path / "h.zarr")
    assert np.array_equal(kept.probabilities(0, 50, 0, 70), grid)
    assert [path.name for path in tmp_path.iterdir()] == ["h.zarr"]


def test_killed_while_creating_leaves_no_heat_map(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys, pathlib\n"
        "from model.prediction import heatmap\n"
        "from tests.heatmaps import make_heatmap\n"
        "whole = heatmap._write_group\n"
        "def killed(*a):\n"
        "    whole(*a)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "heatmap._write_group = killed\n"
        "make_heatmap(pathlib.Path(sys.argv[1]))\n"
    )
    path = tmp_path / "h.zarr"
    run = subprocess.run([sys.executable, "-c", script, path], check=False)
    assert run.returncode == -signal.SIGKILL
    with pytest.raises(HeatmapInvalid, match="no heat map"):
        Heatmap.open(path)
    make_heatmap(path)


def test_killed_while_writing_leaves_whole_chunks_only(tmp_path: Path) -> None:
    path = tmp_path / "h.zarr"
    make_heatmap(path)
    script = (
        "import sys, pathlib, numpy as np\n"
        "from model.prediction.heatmap import Heatmap\n"
        "heatmap = Heatmap.open(pathlib.Path(sys.argv[1]))\n"
        "while True:\n"
        "    heatmap.write_chunk((0, 0), np.full((32, 32), 0.5, np.float32))\n"
        "    print('.', flush=True)\n"
    )
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", script, path], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout
            writer.stdout.read(7)
            writer.kill()
        heatmap = Heatmap.open(path)
        assert list(heatmap.stored_chunks()) == [(0, 0)]
        assert (heatmap.probabilities(0, 32, 0, 32) == 0.5).all()


FULL_DISK = (
    "import resource, sys, pathlib, numpy as np\n"
    "from model.prediction.errors import HeatmapUnwritable\n"
    "from model.prediction.heatmap import Heatmap\n"
    "from tests.heatmaps import make_heatmap\n"
    "path = pathlib.Path(sys.argv[1])\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), -1))\n"  # as a full disk does
    "try:\n"
    "    heatmap = Heatmap.open(path) if path.exists() else make_heatmap(path)\n"
    "    heatmap.write_chunk((0, 0), np.zeros((32, 32), np.float32))\n"
    "except HeatmapUnwritable as error:\n"
    "    print(error)\n"
)


def test_full_disk_leaves_no_half_heat_map(tmp_path: Path) -> None:
    path = tmp_path / "h.zarr"
    run = [sys.executable, "-c", FULL_DISK, str(path)]
    creating = subprocess.run([*run, "100"], capture_output=True, text=True, check=True)
    assert creating.stdout.startswith("The disk that holds the heat maps is full.")
    assert list(tmp_path.iterdir()) == []
    make_heatmap(path)
    writing = subprocess.run([*run, "1000"], capture_output=True, text=True, check=True)
    assert writing.stdout.startswith("The disk that holds the heat maps is full.")
    assert Heatmap.open(path).stored_chunks() == {}


def test_a_folder_nobody_can_write_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HeatmapUnwritable, match="cannot be written"):
        make_heatmap(tmp_path / "file" / "h.zarr")


def test_geometry_survives_json() -> None:
    geometry = replace(GEOMETRY, temperature=1.5, step_l0_x_px=127.36)
    assert type(geometry).from_json(geometry.to_json()) == geometry
    values = geometry.to_json()
    del values["model_id"]
    with pytest.raises(HeatmapInvalid, match="model_id"):
        type(geometry).from_json(values)
