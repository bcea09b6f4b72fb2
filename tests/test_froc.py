"""FROC on constructed cases; every answer is worked out by hand beside it.

Slides are 6400 × 6400 px of 0.243 µm, masks 200 × 200 px of level 5 (32 level-0 px each). Boxes of
tumour are 50 px wide (389 µm), far more than isolated tumour cells.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.evaluation.detections import Detection, read_detections, write_detections
from model.evaluation.errors import EvaluationInvalid
from model.evaluation.froc import OPERATING_POINTS, Froc, SlideFindings, judge_slide
from model.evaluation.lesions import LesionMap, find_lesions
from model.prediction.wsi import Mpp

LEFT, RIGHT = (20, 20, 70, 70), (120, 20, 170, 70)
IN_LEFT, IN_RIGHT, OUTSIDE = (45, 45), (145, 45), (100, 150)


def lesions(*boxes: tuple[int, int, int, int]) -> LesionMap:
    tumour = np.zeros((200, 200), bool)
    for left, top, right, bottom in boxes:
        tumour[top:bottom, left:right] = True
    return find_lesions(tumour, (32, 32), (6400, 6400), Mpp(0.243, 0.243))


def hit(probability: float, at: tuple[int, int]) -> Detection:
    return Detection(probability, at[0] * 32 + 16, at[1] * 32 + 16)


def froc(*slides: SlideFindings) -> Froc:
    return Froc(slides)


def tumour(name: str, detections: list[Detection], *boxes: tuple[int, int, int, int]):
    return judge_slide(name, detections, lesions(*boxes))


def normal(name: str, *detections: Detection) -> SlideFindings:
    return judge_slide(name, detections, None)


def test_one_lesion_one_hit_is_a_perfect_score():
    # Found at 0 false positives, flat from there on: 1 at all six points.
    assert froc(tumour("a", [hit(0.9, IN_LEFT)], LEFT)).score() == 1


def test_a_slide_without_detections_finds_nothing():
    curve = froc(tumour("a", [], LEFT)).curve()
    assert curve is not None
    assert curve.score == 0
    assert curve.fp_per_slide.tolist() == [0]


def test_one_of_two_lesions_is_half():
    assert froc(tumour("a", [hit(0.9, IN_LEFT)], LEFT, RIGHT)).score() == 0.5


def test_several_hits_in_one_lesion_count_once_at_the_highest():
    slide = tumour("a", [hit(0.4, IN_LEFT), hit(0.8, (30, 30)), hit(0.6, (60, 60))], LEFT)
    assert [found.probability for found in slide.lesions] == [0.8]
    assert slide.false_positives == ()
    assert froc(slide).score() == 1


def test_a_hit_outside_every_lesion_is_a_false_positive():
    # Threshold 0.9: 1 FP on 1 slide, nothing found. 0.5: the lesion too. So the curve is
    # (0, 0) → (1, 0) → (1, 1); nothing before 1 FP, everything from there: (0+0+1+1+1+1)/6.
    curve = froc(tumour("a", [hit(0.9, OUTSIDE), hit(0.5, IN_LEFT)], LEFT)).curve()
    assert curve is not None
    assert curve.fp_per_slide.tolist() == [0, 1, 1]
    assert curve.sensitivity.tolist() == [0, 0, 1]
    assert curve.sensitivity_at().tolist() == [0, 0, 1, 1, 1, 1]
    assert curve.score == pytest.approx(4 / 6)


def test_every_detection_on_a_normal_slide_is_a_false_positive():
    slide = normal("b", hit(0.9, IN_LEFT), hit(0.8, OUTSIDE))
    assert len(slide.false_positives) == 2


def test_false_positives_are_averaged_over_all_slides():
    # 1 FP above the only hit, on 4 slides: 0.25 FP per slide, where the lesion is found.
    slides = [tumour("a", [hit(0.5, IN_LEFT)], LEFT), normal("b", hit(0.9, OUTSIDE))]
    four = froc(*slides, normal("c"), normal("d")).curve()
    assert four is not None
    assert four.fp_per_slide.tolist() == [0, 0.25, 0.25]
    assert four.score == 1
    # On 2 slides the same FP is 0.5 a slide: nothing at 0.25, all from 0.5 on.
    assert froc(*slides).score() == pytest.approx(5 / 6)


def test_sensitivity_is_interpolated_at_the_six_points():
    # Two lesions, one slide. 0.9 finds the left one; then 4 FP (0.8); then 0.1 finds the right one
    # together with 4 more FP (0.1). Curve: (0, 0) (0, ½) (4, ½) (8, 1).
    fps = [hit(0.8, (x, 150)) for x in (10, 20, 30, 40)] + [
        hit(0.1, (x, 180)) for x in (10, 20, 30, 40)
    ]
    curve = froc(tumour("a", [hit(0.9, IN_LEFT), hit(0.1, IN_RIGHT), *fps], LEFT, RIGHT)).curve()
    assert curve is not None
    assert curve.fp_per_slide.tolist() == [0, 0, 4, 8]
    assert curve.sensitivity.tolist() == [0, 0.5, 0.5, 1]
    assert OPERATING_POINTS == (0.25, 0.5, 1, 2, 4, 8)
    assert curve.sensitivity_at().tolist() == [0.5, 0.5, 0.5, 0.5, 0.5, 1]
    assert curve.sensitivity_at([6]).tolist() == [0.75]  # half way between 4 and 8
    assert curve.score == pytest.approx(3.5 / 6)


def test_a_hit_and_a_false_positive_of_one_probability_pass_together():
    # No threshold lies between them: one point (1, 1) after (0, 0), and ¼, ½ by the line between.
    curve = froc(tumour("a", [hit(0.7, IN_LEFT), hit(0.7, OUTSIDE)], LEFT)).curve()
    assert curve is not None
    assert curve.thresholds.tolist() == [np.inf, 0.7]
    assert curve.sensitivity_at().tolist() == [0.25, 0.5, 1, 1, 1, 1]


def test_a_hit_on_isolated_tumour_cells_counts_for_nothing():
    # 4 px across, 12 px after joining: under 275 µm. One lesion remains, and it is found.
    slide = tumour("a", [hit(0.9, (150, 150)), hit(0.5, IN_LEFT)], LEFT, (148, 148, 152, 152))
    assert (len(slide.lesions), slide.itcs) == (1, 1)
    assert slide.false_positives == ()
    assert [each.probability for each in slide.itc_hits] == [0.9]
    assert froc(slide).score() == 1


def test_blobs_nearer_than_75_um_need_one_hit_and_farther_ones_two():
    # 8 px = 62 µm between them: one lesion. 12 px = 93 µm: two, of which one is found.
    near, far = (78, 20, 128, 70), (82, 20, 132, 70)
    assert froc(tumour("a", [hit(0.9, IN_LEFT)], LEFT, near)).score() == 1
    assert froc(tumour("a", [hit(0.9, IN_LEFT)], LEFT, far)).score() == 0.5


def test_a_hit_in_a_hole_counts_for_the_lesion():
    ring = np.zeros((200, 200), bool)
    ring[20:120, 20:120], ring[50:90, 50:90] = True, False
    there = find_lesions(ring, (32, 32), (6400, 6400), Mpp(0.243, 0.243))
    assert froc(judge_slide("a", [hit(0.9, (70, 70))], there)).score() == 1


def test_a_hit_in_the_joining_margin_counts_for_the_lesion():
    # The box ends at column 70; 4 px more belong to the evaluation mask, the fifth does not.
    assert tumour("a", [hit(0.9, (73, 45))], LEFT).false_positives == ()
    assert len(tumour("a", [hit(0.9, (74, 45))], LEFT).false_positives) == 1


def test_a_detection_of_probability_0_claims_nothing():
    assert normal("a", hit(0, OUTSIDE)).false_positives == ()
    assert froc(tumour("a", [hit(0, IN_LEFT)], LEFT)).score() == 0


def test_without_any_lesion_there_is_no_score():
    assert froc(normal("a", hit(0.5, OUTSIDE))).score() is None


def test_only_isolated_tumour_cells_is_no_lesion_either():
    assert froc(tumour("a", [hit(0.9, OUTSIDE)], (148, 148, 152, 152))).score() is None


def test_shifting_the_mask_by_half_a_lesion_lowers_the_score():
    # Slide a is hit every 10 px. Moved by half its width, the lesion (with its margin of 4 px)
    # begins at column 41: two columns of 3 hits become false positives, of the highest
    # probability. The only hit of slide b becomes one, too. For 2 slides and 2 lesions:
    # (1.5, 0) (3, 0) (3, ½) (3.5, ½), which is 0 up to 2 and ½ at 4 and 8 FP per slide: 1/6.
    grid = [hit(0.9 - x / 1000, (x, y)) for x in (25, 35, 45, 55, 65) for y in (25, 45, 65)]
    single = [hit(0.8, (30, 45))]
    right = froc(tumour("a", grid, LEFT), tumour("b", single, LEFT)).score()
    moved = (45, 20, 95, 70)
    shifted = froc(tumour("a", grid, moved), tumour("b", single, moved)).score()
    assert right == 1
    assert shifted == pytest.approx(1 / 6)


def test_weights_count_slides_as_if_they_were_there_more_than_once():
    slides = [
        tumour("a", [hit(0.9, IN_LEFT), hit(0.6, OUTSIDE)], LEFT, RIGHT),
        tumour("b", [hit(0.7, IN_LEFT)], LEFT),
        normal("c", hit(0.8, OUTSIDE)),
    ]
    # a twice, b not at all, c once: 4 lesions, 2 found at 0.9; FP: 1 at 0.8, 3 at 0.6; 3 slides.
    curve = froc(*slides).curve(np.array([2, 0, 1]))
    assert curve is not None
    assert curve.fp_per_slide.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 3, 1])
    assert curve.sensitivity.tolist() == [0, 0.5, 0.5, 0.5, 0.5]


levels = st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9])
places = st.sampled_from([IN_LEFT, IN_RIGHT, OUTSIDE, (10, 190)])


@given(st.lists(st.lists(st.tuples(levels, places), max_size=6), min_size=1, max_size=4))
def test_every_point_is_what_counting_at_its_threshold_gives(slides: list[list]):
    """The definition, threshold by threshold; slides with an even number hold two lesions."""
    found = [
        judge_slide(str(i), [hit(*each) for each in rows], TWO if i % 2 == 0 else None)
        for i, rows in enumerate(slides)
    ]
    curve = Froc(found).curve()
    assert curve is not None
    for threshold, fps, sensitivity in zip(
        curve.thresholds, curve.fp_per_slide, curve.sensitivity, strict=True
    ):
        above = [{at for p, at in rows if p >= threshold} for rows in slides]
        hits = sum(len(places & {IN_LEFT, IN_RIGHT}) for places in above[::2])
        false = sum(
            p >= threshold and (i % 2 == 1 or at not in (IN_LEFT, IN_RIGHT))
            for i, rows in enumerate(slides)
            for p, at in rows
        )
        assert sensitivity == pytest.approx(hits / (2 * len(slides[::2])))
        assert fps == pytest.approx(false / len(slides))


TWO = lesions(LEFT, RIGHT)


def test_a_mask_without_tumour_is_no_tumour_slide():
    with pytest.raises(EvaluationInvalid, match="holds no lesion"):
        tumour("a", [])


def test_no_slides_are_refused():
    with pytest.raises(EvaluationInvalid, match="no slide"):
        froc()


def test_a_slide_given_twice_is_refused():
    with pytest.raises(EvaluationInvalid, match="Slide a is given 2 times"):
        froc(normal("a"), normal("b"), normal("a"))


def test_a_detection_off_the_slide_is_refused():
    with pytest.raises(EvaluationInvalid, match="outside the slide"):
        tumour("a", [Detection(0.5, 6400, 10)], LEFT)


@pytest.mark.parametrize("probability", [-0.1, 1.01, float("nan")])
def test_a_probability_outside_0_to_1_is_refused(probability: float):
    with pytest.raises(EvaluationInvalid, match="probability"):
        Detection(probability, 0, 0)


def test_detections_survive_the_way_through_camelyon16s_csv(tmp_path):
    path = tmp_path / "test_001.csv"
    write_detections(path, [Detection(0.25, 100.5, 7.0), Detection(1.0, 0, 99999)])
    assert path.read_text() == "0.250000,100,7\n1.000000,0,99999\n"
    assert read_detections(path) == [Detection(0.25, 100, 7), Detection(1.0, 0, 99999)]


def test_an_empty_csv_is_a_slide_without_detections(tmp_path):
    (tmp_path / "a.csv").touch()
    assert read_detections(tmp_path / "a.csv") == []


@pytest.mark.parametrize("text", ["prob,x,y\n", "0.5,1\n", "0.5;1;2\n"])
def test_another_csv_is_refused_with_its_line(tmp_path, text: str):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(EvaluationInvalid, match=r"Line 1 of a\.csv"):
        read_detections(tmp_path / "a.csv")
