"""Heat map → detections → slide score, on maps small enough to read."""

from dataclasses import dataclass

import numpy as np
import pytest

from model.evaluation.detections import Detection
from model.evaluation.errors import EvaluationInvalid
from model.evaluation.hotspots import Cell, detections, peaks, regions, slide_score

CELL_UM = (31.0, 31.0)


@dataclass(frozen=True)
class Lattice:
    origin_l0_x_px: float = 0
    origin_l0_y_px: float = 0
    step_l0_x_px: float = 128
    step_l0_y_px: float = 128


def heat(cells: dict[tuple[int, int], float], rows: int = 20, columns: int = 20) -> np.ndarray:
    probabilities = np.full((rows, columns), 0.01, np.float32)
    for at, probability in cells.items():
        probabilities[at] = probability
    return probabilities


def test_peaks_come_highest_first():
    assert peaks(heat({(2, 2): 0.6, (15, 15): 0.9}), CELL_UM) == [Cell(15, 15), Cell(2, 2)]


def test_a_peak_silences_its_surroundings_of_187_um():
    # 6 cells are 186 µm, 7 cells 217 µm.
    assert peaks(heat({(5, 5): 0.9, (5, 11): 0.8}), CELL_UM) == [Cell(5, 5)]
    assert peaks(heat({(5, 5): 0.9, (5, 12): 0.8}), CELL_UM) == [Cell(5, 5), Cell(5, 12)]


def test_the_surroundings_are_round():
    # 5 cells along both axes are 5·√2·31 = 219 µm away.
    assert len(peaks(heat({(5, 5): 0.9, (10, 10): 0.8}), CELL_UM)) == 2


def test_the_radius_is_in_um_on_each_axis():
    high = heat({(5, 5): 0.9, (5, 9): 0.8})
    low = heat({(5, 5): 0.9, (9, 5): 0.8})
    assert len(peaks(high, (62.0, 31.0))) == 2  # 4 · 62 = 248 µm
    assert len(peaks(low, (62.0, 31.0))) == 1  # 4 · 31 = 124 µm


def test_a_silenced_cell_silences_nobody():
    # 0.8 lies between the others, 5 cells from each; they are 10 cells from one another.
    found = peaks(heat({(5, 2): 0.9, (5, 7): 0.8, (5, 12): 0.7}), CELL_UM)
    assert found == [Cell(5, 2), Cell(5, 12)]


def test_nothing_under_the_floor_is_a_peak():
    assert peaks(heat({(5, 5): 0.09}), CELL_UM) == []
    assert peaks(heat({(5, 5): 0.09}), CELL_UM, floor=0.05) == [Cell(5, 5)]


def test_a_lower_floor_only_adds_peaks():
    noise = np.random.default_rng(0).random((40, 30), np.float32)
    high, low = peaks(noise, CELL_UM, floor=0.9), peaks(noise, CELL_UM, floor=0.1)
    assert low[: len(high)] == high


def test_equal_cells_are_taken_in_reading_order():
    assert peaks(heat({(3, 9): 0.9, (3, 6): 0.9, (4, 5): 0.9}), CELL_UM) == [Cell(3, 6)]


def test_cells_that_were_not_analysed_are_no_peaks():
    assert peaks(np.full((4, 4), np.nan, np.float32), CELL_UM) == []
    assert peaks(heat({(0, 0): np.nan, (3, 3): 0.5}), CELL_UM) == [Cell(3, 3)]


@pytest.mark.parametrize("at", [(0, 0), (0, 19), (19, 0), (19, 19)])
def test_peaks_at_the_edge_silence_what_is_there(at: tuple[int, int]):
    noise = heat({at: 0.9})
    noise[noise < 0.9] = 0.5
    first, *others = peaks(noise, CELL_UM)
    assert first == at
    assert all(np.hypot(first.row - o.row, first.column - o.column) > 6 for o in others)


def test_a_region_is_one_detection_at_its_highest_cell():
    ring = {(r, c): 0.6 for r in range(4, 9) for c in range(4, 9) if r in (4, 8) or c in (4, 8)}
    assert regions(heat(ring | {(8, 6): 0.7, (15, 2): 0.9}), 0.5) == [Cell(15, 2), Cell(8, 6)]


def test_regions_that_touch_at_a_corner_are_one():
    assert regions(heat({(4, 4): 0.6, (5, 5): 0.7}), 0.5) == [Cell(5, 5)]


def test_cells_that_were_not_analysed_part_regions():
    assert len(regions(heat({(4, 4): 0.6, (4, 5): np.nan, (4, 6): 0.7}), 0.5)) == 2


def test_a_detection_lies_in_the_middle_of_its_cell():
    probabilities = heat({(2, 3): 0.75})
    lattice = Lattice(origin_l0_x_px=10, origin_l0_y_px=-20, step_l0_y_px=64.5)
    assert detections(probabilities, [Cell(2, 3)], lattice, (2560, 2560)) == [
        Detection(0.75, 10 + 3.5 * 128, -20 + 2.5 * 64.5)
    ]


def test_a_cell_that_hangs_over_the_edge_is_still_on_the_slide():
    (found,) = detections(heat({(19, 19): 0.5}), [Cell(19, 19)], Lattice(), (2440, 2450))
    assert (found.x_l0_px, found.y_l0_px) == (2439, 2449)


def test_the_slide_score_is_the_highest_cell():
    assert slide_score(heat({(2, 2): 0.6, (15, 15): 0.9, (1, 1): np.nan})) == pytest.approx(0.9)


def test_the_slide_score_can_be_the_mean_of_several():
    probabilities = heat({(2, 2): 0.6, (15, 15): 0.9, (9, 9): 0.3})
    assert slide_score(probabilities, top_cells=2) == pytest.approx(0.75)


def test_a_map_without_analysed_cells_has_no_score():
    with pytest.raises(EvaluationInvalid, match="No cell"):
        slide_score(np.full((3, 3), np.nan, np.float32))
