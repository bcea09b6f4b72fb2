"""Hot spots: regions found in bands are those of the whole map, and are measured rightly."""

import tracemalloc

import numpy as np
import pytest
from scipy import ndimage

from model.prediction.heatmap import Heatmap
from model.prediction.hotspots import bands, find_hotspots, size_class, slide_score
from model.prediction.regions import ranked_regions
from tests.heatmaps import GEOMETRY, make_heatmap

CELL_UM = 32.0  # 128 px of 0.25 µm


def stored(path, probabilities, **geometry) -> Heatmap:
    rows, columns = probabilities.shape
    tissue = (~np.isnan(probabilities)).astype(np.float32)
    heatmap = make_heatmap(path / "map.zarr", tissue, rows=rows, columns=columns, **geometry)
    for chunk in heatmap.planned_chunks():
        top, bottom, left, right = heatmap.geometry.chunk_cells_range(chunk)
        heatmap.write_chunk(chunk, probabilities[top:bottom, left:right])
    return heatmap


def cut(grid, rows):
    return [grid[top : top + rows] for top in range(0, len(grid), rows)]


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 40])
@pytest.mark.parametrize("share", [0.2, 0.4, 0.5])
def test_bands_give_the_regions_of_the_whole_map(rows, share):
    grid = np.random.default_rng(rows).random((40, 33), np.float32)
    grid[grid < 0.05] = np.nan
    threshold = 1 - share
    labels, count = ndimage.label(np.nan_to_num(grid) >= threshold, np.ones((3, 3)))

    regions, found = ranked_regions(cut(grid, rows), threshold)

    assert found == count == len(regions)
    for region in regions:
        mask = labels == labels[region.peak_cell]
        assert region.cells == mask.sum()
        assert region.peak == grid[mask].max()
        assert region.total == pytest.approx(float(grid[mask].sum()), rel=1e-5)
        lines = [(r, *np.flatnonzero(mask[r])[[0, -1]]) for r in np.flatnonzero(mask.any(1))]
        assert region.extents.tolist() == [list(map(int, line)) for line in lines]


def test_a_region_that_closes_only_far_below_is_one():
    grid = np.zeros((12, 9), np.float32)
    grid[:, 0] = grid[:, 8] = 0.9
    grid[11] = 0.9  # a U over all bands
    grid[0:2, 4] = 0.95  # inside it, and another
    regions, found = ranked_regions(cut(grid, 3), 0.5)
    assert found == 2
    assert [region.cells for region in regions] == [2, 12 + 12 + 7]


def test_the_ranking_is_peak_to_two_decimals_then_area_then_reading_order():
    grid = np.zeros((20, 20), np.float32)
    grid[2, 2] = 0.9012
    grid[8:10, 8:10] = 0.8988  # 0.90 too, and larger
    grid[15, 15] = 0.99
    grid[15, 2] = grid[15, 5] = 0.6
    regions, _ = ranked_regions(cut(grid, 4), 0.5)
    assert [region.peak_cell for region in regions] == [
        (15, 15), (8, 8), (2, 2), (15, 2), (15, 5),
    ]  # fmt: skip


def test_only_the_first_are_kept_and_all_are_counted():
    grid = np.zeros((60, 60), np.float32)
    grid[::2, ::2] = np.linspace(0.5, 1, 900, dtype=np.float32).reshape(30, 30)
    regions, found = ranked_regions(cut(grid, 8), 0.5, most=10)
    everything, _ = ranked_regions([grid], 0.5)
    assert found == 900
    assert [r.peak_cell for r in regions] == [r.peak_cell for r in everything[:10]]


def test_memory_follows_the_width_of_a_map_not_its_height():
    chance = np.random.default_rng(0)
    band = chance.random((64, 300), np.float32)

    def peak_bytes(times: int) -> int:
        tracemalloc.start()
        ranked_regions((band for _ in range(times)), 0.7, most=100)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert peak_bytes(80) < 1.5 * peak_bytes(8)


def test_a_spot_is_measured_in_mm2_and_um(tmp_path):
    grid = np.full((50, 70), 0.1, np.float32)
    grid[10:13, 20:24] = 0.8  # 3 × 4 cells of 32 µm
    grid[11, 22] = 0.9
    heatmap = stored(tmp_path, grid, origin_l0_x_px=64.0)

    (spot,) = find_hotspots(heatmap).spots

    assert (spot.rank, spot.peak_probability) == (1, pytest.approx(0.9))
    assert spot.mean_probability == pytest.approx((11 * 0.8 + 0.9) / 12)
    assert spot.area_mm2 == pytest.approx(12 * 0.032**2)
    assert spot.longest_um == pytest.approx(np.hypot(3 * CELL_UM, 4 * CELL_UM))
    assert spot.size_class == "itc"
    assert (spot.x_l0_px, spot.y_l0_px) == (64 + 22.5 * 128, 11.5 * 128)
    assert spot.bbox_l0_px == (64 + 20 * 128, 10 * 128, 64 + 24 * 128, 13 * 128)


def test_the_length_is_the_diagonal_of_a_slanted_spot(tmp_path):
    grid = np.zeros((50, 70), np.float32)
    for step in range(10):
        grid[5 + step, 5 + step] = 0.8  # touching at corners
    (spot,) = find_hotspots(stored(tmp_path, grid)).spots
    assert spot.longest_um == pytest.approx(np.hypot(10, 10) * CELL_UM)


def test_spots_stay_on_the_slide_at_its_far_edges(tmp_path):
    grid = np.zeros((50, 70), np.float32)
    grid[49, 69] = 0.8
    (spot,) = find_hotspots(stored(tmp_path, grid), (69 * 128 + 10, 49 * 128 + 20)).spots
    assert (spot.x_l0_px, spot.y_l0_px) == (69 * 128 + 9, 49 * 128 + 19)
    assert spot.bbox_l0_px[2:] == (69 * 128 + 10, 49 * 128 + 20)


@pytest.mark.parametrize(
    ("longest_um", "expected"),
    [(44.0, "itc"), (200.0, "itc"), (200.1, "micro"), (2000.0, "micro"), (2000.1, "macro")],
)
def test_size_classes_follow_the_limits_of_02_and_2_mm(longest_um, expected):
    assert size_class(longest_um) == expected


def test_cells_that_were_not_analysed_part_spots_and_score_nothing(tmp_path):
    grid = np.full((50, 70), np.nan, np.float32)
    grid[5, 5:8] = 0.9, np.nan, 0.8
    heatmap = stored(tmp_path, grid)
    assert find_hotspots(heatmap).count == 2
    assert slide_score(bands(heatmap)) == pytest.approx(0.9)
    assert slide_score(bands(heatmap), top_cells=2) == pytest.approx(0.85)


def test_an_empty_map_has_neither_spots_nor_a_score(tmp_path):
    heatmap = make_heatmap(tmp_path / "map.zarr", 0.0)
    assert find_hotspots(heatmap).spots == ()
    assert slide_score(bands(heatmap)) is None


def test_bands_hold_whole_chunks_and_every_row(tmp_path):
    heatmap = make_heatmap(tmp_path / "map.zarr", 1.0)
    heights = [len(band) for band in bands(heatmap, rows=40)]
    assert heights == [32, 18]
    assert sum(heights) == GEOMETRY.rows
