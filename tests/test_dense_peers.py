"""What peers leave is read as what it is, and laid beside our cells at the same points."""

import subprocess
from pathlib import Path

import numpy as np
import openslide
import pytest
import zarr
from PIL import Image

from benchmarks import dense_peer_runs
from benchmarks.browser_servers import PeerMissingError
from benchmarks.dense_peer_runs import Run, Scored, read_heatmap, read_tiatoolbox, read_wsinfer
from benchmarks.dense_peers import difference, ratios
from benchmarks.large_slides import MPP, TILE_MM, TILE_PX, Layout, write_slide
from tests.heatmaps import fill, make_heatmap

PATCH_MM2 = (384 * MPP / 1000) ** 2


def test_patches_of_both_peers_meet_the_cell_in_their_middle(tmp_path):
    heatmap = make_heatmap(tmp_path / "ours.zarr", rows=9, columns=12, mpp_x=MPP, mpp_y=MPP)
    grid = fill(heatmap)
    ours = read_heatmap(tmp_path / "ours.zarr")
    rows = [(384 * column, 384 * row) for row in range(3) for column in range(4)]
    middles = [grid[3 * row + 1, 3 * column + 1] for row in range(3) for column in range(4)]
    table = "".join(
        f"{x},{y},384,384,{p - 0.01}\n" for (x, y), p in zip(rows, middles, strict=True)
    )
    (tmp_path / "slide.csv").write_text(f"minx,miny,width,height,prob_Tumor\n{table}")
    group = zarr.create_group(tmp_path / "tiatoolbox.zarr")
    boxes = np.array([(x // 4, y // 4, x // 4 + 96, y // 4 + 96) for x, y in rows])
    group.create_array("coordinates", data=boxes)
    both = np.stack([1 - np.array(middles), middles], 1).astype(np.float32)
    group.create_array("probabilities", data=both)

    wsinfer = read_wsinfer(tmp_path / "slide.csv")
    tiatoolbox = read_tiatoolbox(tmp_path / "tiatoolbox.zarr")

    assert ours.probabilities.size == 9 * 12
    for theirs in (wsinfer, tiatoolbox):
        assert theirs.each_mm2 == pytest.approx(PATCH_MM2)
        assert theirs.each_mm2 == pytest.approx(9 * ours.each_mm2)
    assert difference(wsinfer, ours) == {"patches": 12, "mean": 0.01}
    assert difference(tiatoolbox, ours) == {"patches": 12, "mean": 0.0}


def test_times_are_divided_by_the_area_that_each_has_scored():
    def run(seconds: float, scores: int, each_mm2: float) -> Run:
        return Run(seconds, 2 * seconds, Scored(np.zeros((scores, 2)), np.zeros(scores), each_mm2))

    theirs, small = [run(30.0, 10, 0.9), run(60.0, 10, 0.9)], [run(3.0, 1, 0.9)]
    ours, ours_small = [run(10.0, 90, 0.1), run(5.0, 90, 0.1)], [run(2.0, 9, 0.1)]

    found = ratios(theirs, small, ours, ours_small)

    assert found["ratio_range"] == [3.0, 12.0]
    assert found["ratio_per_mm2"] == found["ratio_per_mm2_cpu"] == 7.5
    assert found["ratio_per_score"] == 67.5  # nine times as many
    assert found["ratio_per_mm2_beyond_start"] == pytest.approx((45 - 3) / (7.5 - 2), abs=0.01)


def test_peer_that_cannot_be_installed_is_skipped_with_pips_reason(tmp_path, monkeypatch):
    def pip_fails(command, **_) -> None:
        raise subprocess.CalledProcessError(
            1, command, stderr="ERROR: No matching torch\nWARNING: x\n"
        )

    monkeypatch.setattr(dense_peer_runs, "FOLDER", tmp_path)
    monkeypatch.setattr(dense_peer_runs, "INSTALL_GB", 0)
    monkeypatch.setattr(dense_peer_runs.venv, "create", lambda *_, **__: None)
    monkeypatch.setattr(dense_peer_runs.subprocess, "run", pip_fails)

    with pytest.raises(PeerMissingError, match="wsinfer cannot be installed: ERROR: No matching"):
        dense_peer_runs.peer_python("wsinfer", install=True)
    with pytest.raises(PeerMissingError, match="--quick installs nothing"):
        dense_peer_runs.peer_python("wsinfer", install=False)


def _blobs() -> np.ndarray:
    """A tile with shapes some 32 px wide, which survive being magnified."""
    noise = np.random.default_rng(0).integers(0, 256, (TILE_PX // 32, TILE_PX // 32, 3), np.uint8)
    image = Image.fromarray(noise).resize((TILE_PX, TILE_PX), Image.Resampling.BICUBIC)
    return np.asarray(image)


def test_finer_levels_show_the_same_tissue(tmp_path: Path):
    middle, radius = TILE_MM / 2, TILE_MM / 3
    layout = Layout(TILE_MM, TILE_MM, ((middle, middle, radius, radius),))
    write_slide(tmp_path / "slide.tif", layout, [_blobs()], finer_levels=True)

    with openslide.OpenSlide(tmp_path / "slide.tif") as slide:
        pixels = [
            np.asarray(
                slide.read_region((0, 0), level, (TILE_PX * 4 >> level,) * 2)
                .convert("RGB")
                .reduce(4 >> level),
                np.float64,
            )
            for level in range(3)
        ]

    assert pixels[2].std() > 20
    for finer in pixels[:2]:
        assert abs(finer - pixels[2]).mean() < 4
