"""Slide-level AUC, cell-level figures and bootstrap intervals; small numbers, known answers."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from model.evaluation.cells import (
    BINS,
    cell_auc,
    count_cells,
    expected_calibration_error,
    reliability,
)
from model.evaluation.intervals import bootstrap
from model.evaluation.slide_level import SlideScore, blocks, slide_auc, slide_roc

RULE = "highest cell"


def scores(tumour: list[float], normal: list[float]) -> list[SlideScore]:
    return [SlideScore(f"tumour {i}", tumour=True, score=s) for i, s in enumerate(tumour)] + [
        SlideScore(f"normal {i}", tumour=False, score=s) for i, s in enumerate(normal)
    ]


def test_the_auc_is_the_share_of_pairs_in_the_right_order():
    # 0.9 beats both normals, 0.5 beats 0.4 and ties with the other: (2 + 1 + ½) / 4.
    figure = slide_auc(scores([0.9, 0.5], [0.5, 0.4]), RULE)
    assert figure.value == pytest.approx(3.5 / 4)
    assert figure.n == {"slides": 4, "tumour_slides": 2, "normal_slides": 2}
    assert RULE in figure.method


def test_the_interval_holds_the_value_and_comes_out_the_same_again():
    many = scores(list(np.linspace(0.3, 1, 20)), list(np.linspace(0, 0.7, 20)))
    figure = slide_auc(many, RULE)
    assert figure.value is not None
    assert figure.ci95 is not None
    assert figure.ci95[0] < figure.value < figure.ci95[1]
    assert slide_auc(many, RULE).ci95 == figure.ci95


@pytest.mark.parametrize(
    ("tumour", "normal", "missing"), [([0.9], [], "normal"), ([], [0.9], "tumour")]
)
def test_one_class_has_no_auc_and_the_reason_says_which_is_missing(
    tumour: list[float], normal: list[float], missing: str
):
    figure = slide_auc(scores(tumour, normal), RULE)
    assert (figure.value, figure.ci95) == (None, None)
    assert figure.reason is not None
    assert f"no {missing} slide" in figure.reason
    assert slide_roc(scores(tumour, normal)) is None


def test_the_curve_runs_from_corner_to_corner():
    curve = slide_roc(scores([0.9, 0.5], [0.5, 0.4]))
    assert curve is not None
    assert list(zip(curve.false_positive_rate, curve.sensitivity, strict=True)) == [
        (0, 0),
        (0, 0.5),
        (0.5, 1),
        (1, 1),
    ]


def test_slides_of_a_patient_are_drawn_together():
    named = [SlideScore(str(i), True, 0.5, patient) for i, patient in enumerate("abab")]
    assert blocks(named).tolist() == [0, 1, 0, 1]
    assert blocks(scores([0.1, 0.2], [0.3])).tolist() == [1, 2, 0]


def test_drawing_patients_widens_the_interval_when_their_slides_agree():
    chance = np.random.default_rng(3)
    patients = [(f"p{i}", i % 2 == 0, float(chance.random())) for i in range(12)]
    rows = [
        SlideScore(f"{p}-{k}", tumour, score + 0.2 * tumour, p)
        for p, tumour, score in patients
        for k in range(5)
    ]
    alone = [SlideScore(row.slide, row.tumour, row.score) for row in rows]
    together, single = slide_auc(rows, RULE).ci95, slide_auc(alone, RULE).ci95
    assert together is not None
    assert single is not None
    assert together[1] - together[0] > 1.5 * (single[1] - single[0])


def test_a_bootstrap_leaves_out_and_counts_what_has_no_value():
    # Undefined where slide 0 is not drawn: (1 − 1/3)³ = 30 % of the draws.
    interval = bootstrap(lambda weights: 1.0 if weights[0] else None, 3)
    assert interval.ci95 == (1, 1)
    assert interval.undefined / interval.replicates == pytest.approx(0.296, abs=0.05)


def test_a_bootstrap_that_is_mostly_undefined_gives_no_interval():
    interval = bootstrap(lambda weights: 1.0 if weights[0] > 1 else None, 3)
    assert interval.ci95 is None
    assert interval.reason is not None
    assert "too few" in interval.reason


def test_one_slide_cannot_be_resampled():
    assert bootstrap(lambda _: 1.0, 1).ci95 is None


def test_another_seed_draws_other_slides():
    same = [bootstrap(lambda w: float(w @ np.arange(50)), 50, seed=s).ci95 for s in (1, 1, 2)]
    assert same[0] == same[1] != same[2]


CELLS = np.random.default_rng(5).random((3, 40, 50)).astype(np.float32)
TRUTH = CELLS + np.random.default_rng(6).normal(0, 0.3, CELLS.shape) > 0.6


def test_cell_auc_agrees_with_scikit_learn():
    figure = cell_auc([count_cells(*each) for each in zip(CELLS, TRUTH, strict=True)], np.arange(3))
    assert figure.value == pytest.approx(roc_auc_score(TRUTH.ravel(), CELLS.ravel()), abs=1e-4)
    assert figure.ci95 is not None


def test_cells_that_were_not_analysed_count_for_nothing():
    holes = CELLS[0].copy()
    holes[:, ::2] = np.nan
    counts = count_cells(holes, TRUTH[0])
    assert counts.tumour.sum() + counts.normal.sum() == 40 * 25
    assert (counts.tumour == count_cells(CELLS[0, :, 1::2], TRUTH[0, :, 1::2]).tumour).all()


def test_cells_of_one_class_have_no_auc():
    figure = cell_auc([count_cells(CELLS[0], np.zeros_like(TRUTH[0]))], np.array([0]))
    assert figure.value is None
    assert figure.reason is not None
    assert "no tumour cell" in figure.reason


def test_the_extremes_of_probability_fall_into_the_outermost_bins():
    counts = count_cells(np.array([[0.0, 1.0]], np.float32), np.array([[False, True]]))
    assert counts.normal[0] == 1
    assert counts.tumour[BINS - 1] == 1


def test_reliability_compares_what_was_said_with_what_was():
    # 10 cells said to be 0.9, of which 7 are tumour; 10 said to be 0.1, of which none is.
    said = np.repeat(np.float32([0.9, 0.1]), 10)[None, :]
    counts = count_cells(said, (np.arange(20) < 7)[None, :])
    low, high = reliability([counts])
    assert (low.n, low.tumour_share, high.n, high.tumour_share) == (10, 0, 10, 0.7)
    assert high.mean_probability == pytest.approx(0.9, abs=1 / BINS)
    # (10 · |0 − 0.1| + 10 · |0.7 − 0.9|) / 20
    assert expected_calibration_error([counts]) == pytest.approx(0.15, abs=1e-3)


def test_no_cells_have_no_calibration():
    empty = count_cells(np.full((2, 2), np.nan, np.float32), np.zeros((2, 2), bool))
    assert reliability([empty]) == []
    assert expected_calibration_error([empty]) is None
