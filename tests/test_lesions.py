"""From tumour mask to lesions, after CAMELYON16's script; answers worked out by hand.

Level 5 of a 0.243 µm/px slide has pixels of 7.776 µm. Tumour is joined where a background pixel is
nearer than 37.5 µm = 4.82 px, so by 4 whole pixels on each side along a row.
"""

import numpy as np
import pytest

from model.evaluation.errors import EvaluationInvalid
from model.evaluation.lesions import (
    EVALUATION_MPP,
    LesionMap,
    evaluation_mask,
    evaluation_step_l0_px,
    find_lesions,
)
from model.prediction.wsi import Mpp

PIXEL_UM = (EVALUATION_MPP, EVALUATION_MPP)
C16 = Mpp(0.243, 0.243)


def mask(*boxes: tuple[int, int, int, int], size: int = 200) -> np.ndarray:
    """A mask with boxes of tumour: left, top, right, bottom in mask pixels."""
    tumour = np.zeros((size, size), bool)
    for left, top, right, bottom in boxes:
        tumour[top:bottom, left:right] = True
    return tumour


def lesions_of(tumour: np.ndarray) -> LesionMap:
    height, width = tumour.shape
    return find_lesions(tumour, (32, 32), (width * 32, height * 32), C16)


def test_no_tumour_is_no_lesion():
    assert lesions_of(mask()).lesions == ()


def test_a_lesion_grows_by_less_than_half_the_joining_distance():
    # Columns 50–59, 4 px on each side: 46–63.
    labels = evaluation_mask(mask((50, 50, 60, 60)), PIXEL_UM)
    assert np.flatnonzero(labels[55]).tolist() == list(range(46, 64))


@pytest.mark.parametrize(
    ("gap_px", "count"),
    [
        (8, 1),  # 62 µm: 4 px from each side meet
        (9, 2),  # 70 µm: the middle pixel is 5 px = 38.9 µm from both, the grid rounds down
        (10, 2),  # 78 µm, more than 75
    ],
)
def test_blobs_join_over_a_gap_under_75_um(gap_px: int, count: int):
    tumour = mask((20, 50, 60, 90), (60 + gap_px, 50, 100 + gap_px, 90))
    assert len(lesions_of(tumour).lesions) == count


@pytest.mark.parametrize(("gap_um", "count"), [(72, 1), (78, 2)])
def test_the_gap_is_75_um_whatever_the_pixel(gap_um: int, count: int):
    tumour = mask((20, 50, 60, 90), (60 + gap_um // 2, 50, 100 + gap_um // 2, 90))
    labels = evaluation_mask(tumour, (2.0, 2.0))
    assert labels.max() == count


def test_pixels_that_are_not_square_are_measured_in_um():
    # A gap of 12 px is 96 µm where a pixel is 8 µm wide, and 48 µm where it is 4 µm high.
    beside, below = (
        mask((20, 20, 50, 50), (62, 20, 92, 50)),
        mask((20, 20, 50, 50), (20, 62, 50, 92)),
    )
    assert evaluation_mask(beside, (8.0, 4.0)).max() == 2
    assert evaluation_mask(below, (8.0, 4.0)).max() == 1


def test_shapes_that_touch_at_a_corner_are_one():
    # The joining alone would make them one; with pixels of 100 µm nothing is joined.
    tumour = mask((10, 10, 20, 20), (20, 20, 30, 30))
    assert evaluation_mask(tumour, (100.0, 100.0)).max() == 1


def test_a_hole_belongs_to_its_lesion():
    tumour = mask((40, 40, 120, 120))
    tumour[60:100, 60:100] = False
    assert lesions_of(tumour).label_at(80 * 32, 80 * 32) == 1


def test_a_bay_open_to_the_outside_does_not():
    tumour = mask((40, 40, 120, 120))
    tumour[60:100, 60:] = False
    assert lesions_of(tumour).label_at(100 * 32, 80 * 32) == 0


def test_isolated_tumour_cells_are_under_275_um():
    # The major axis of a bar of n pixels is 4·sqrt((n² − 1) / 12) = 1.155 n. Joining adds 4 px on
    # each side: 20 px → 28 px, at most 32 px = 251 µm; 25 px → 33 px, near 37 px = 287 µm.
    small, large = lesions_of(mask((50, 50, 70, 52))), lesions_of(mask((50, 50, 75, 52)))
    assert [each.is_itc for each in (*small.lesions, *large.lesions)] == [True, False]
    assert small.targets == ()
    assert large.itcs == ()


def test_sizes_and_places_are_given_in_um_and_level_0_pixels():
    # 42 × 42 px before, 50 × 50 px after joining, without the 4 rounded corners.
    lesion = lesions_of(mask((54, 64, 96, 106))).lesions[0]
    assert lesion.centre_l0_px == pytest.approx((74.5 * 32, 84.5 * 32))
    assert lesion.box_l0_px == (50 * 32, 60 * 32, 100 * 32, 110 * 32)
    assert lesion.area_mm2 == pytest.approx(50**2 * EVALUATION_MPP**2 / 1e6, rel=0.02)
    assert lesion.major_axis_um == pytest.approx(50 * 4 / 12**0.5 * EVALUATION_MPP, rel=0.02)


@pytest.mark.parametrize("box", [(0, 0, 60, 60), (150, 150, 200, 200), (0, 80, 200, 90)])
def test_lesions_at_the_edge_of_the_slide_are_found(box: tuple[int, int, int, int]):
    tumour = mask(box)
    labels = evaluation_mask(tumour, PIXEL_UM)
    assert labels.max() == 1
    assert (labels[tumour] == 1).all()


def test_a_point_off_the_slide_is_refused():
    with pytest.raises(EvaluationInvalid, match="outside the slide of 6400 × 6400 px"):
        lesions_of(mask((10, 10, 60, 60))).label_at(6400, 0)


def test_the_cut_off_last_pixels_of_a_level_belong_to_its_last_row():
    # Level 5 of a slide of 6431 px has ⌊6431 / 32⌋ = 200 pixels; the last 31 px fall outside it.
    lesions = find_lesions(mask((150, 150, 200, 200)), (32, 32), (6431, 6431), C16)
    assert lesions.label_at(6430, 6430) == 1


def test_an_empty_array_is_refused():
    with pytest.raises(EvaluationInvalid, match="no pixel"):
        find_lesions(np.zeros((0, 5), bool), (32, 32), (160, 0), C16)


@pytest.mark.parametrize(
    ("mpp", "step_l0_px"),
    [(0.243, 32), (0.226, 32), (0.25, 32), (0.5, 16), (0.97, 8), (10, 1)],
)
def test_the_evaluation_mask_has_a_level_of_about_8_um(mpp: float, step_l0_px: int):
    assert evaluation_step_l0_px(Mpp(mpp, mpp)) == (step_l0_px, step_l0_px)


def test_each_axis_has_its_own_step():
    assert evaluation_step_l0_px(Mpp(0.25, 0.5)) == (32, 16)
