"""Figures of patch classification against values worked out by hand."""

import numpy as np
import pytest

from model.evaluation import metrics

LABELS = np.array([0, 0, 1, 1])
PROBABILITIES = np.array([0.1, 0.6, 0.4, 0.9], dtype=np.float32)
ONE_CLASS = np.zeros(4, dtype=np.int64)


def test_areas():
    # three of the four pairs are in order; precision 1 at recall 1/2, 2/3 at recall 1
    assert metrics.roc_auc(LABELS, PROBABILITIES) == pytest.approx(3 / 4)
    assert metrics.pr_auc(LABELS, PROBABILITIES) == pytest.approx((1 + 2 / 3) / 2)


def test_figures_at_a_threshold_count_the_threshold_as_tumour():
    at = 0.6
    assert metrics.sensitivity(LABELS, PROBABILITIES, np.float32(at)) == 0.5
    assert metrics.specificity(LABELS, PROBABILITIES, np.float32(at)) == 0.5
    assert metrics.f1(LABELS, PROBABILITIES, np.float32(at)) == pytest.approx(0.5)


def test_figures_without_a_class_are_none_not_zero():
    assert metrics.roc_auc(ONE_CLASS, PROBABILITIES) is None
    assert metrics.pr_auc(ONE_CLASS, PROBABILITIES) is None
    assert metrics.sensitivity(ONE_CLASS, PROBABILITIES, 0.5) is None
    assert metrics.specificity(ONE_CLASS + 1, PROBABILITIES, 0.5) is None
    assert metrics.f1(ONE_CLASS, PROBABILITIES, 1.0) is None


def test_calibration_error_by_hand():
    # bins [0, 1/15) and [14/15, 1]: |0 - 0.05| and |1/2 - 1|, two patches each
    probabilities = np.array([0.05, 0.05, 1.0, 1.0], dtype=np.float32)
    labels = np.array([0, 0, 1, 0])
    assert metrics.ece(labels, probabilities) == pytest.approx((0.05 + 0.5) / 2)


def test_calibration_error_of_honest_probabilities_is_small():
    chance = np.random.default_rng(0)
    probabilities = chance.random(20_000, dtype=np.float32)
    labels = (chance.random(20_000) < probabilities).astype(np.int64)
    assert metrics.ece(labels, probabilities) < 0.02
    assert metrics.ece(labels, probabilities**3) > 0.1


@pytest.mark.parametrize(("wanted", "expected"), [(0.5, 0.9), (0.51, 0.4), (1.0, 0.4)])
def test_the_threshold_is_the_highest_that_reaches_the_sensitivity(wanted, expected):
    threshold = metrics.threshold_for_sensitivity(LABELS, PROBABILITIES, wanted)
    assert threshold == pytest.approx(expected)
    assert metrics.sensitivity(LABELS, PROBABILITIES, threshold) >= wanted


def test_patches_that_share_slides_widen_the_interval():
    chance = np.random.default_rng(0)
    slides = np.arange(400) // 40
    # the slide alone decides how well its patches are told apart
    labels = np.arange(400) % 2
    probabilities = (0.5 + (labels - 0.5) * (slides % 2) * 0.5).astype(np.float32)
    probabilities += chance.normal(0, 0.05, 400).astype(np.float32)
    by_patch = metrics.roc_auc_interval(labels, probabilities, np.arange(400)).ci95
    by_slide = metrics.roc_auc_interval(labels, probabilities, slides).ci95
    auc = metrics.roc_auc(labels, probabilities)
    assert by_patch[0] < auc < by_patch[1]
    assert by_slide[1] - by_slide[0] > 1.5 * (by_patch[1] - by_patch[0])
    assert metrics.roc_auc_interval(labels, probabilities, slides).ci95 == by_slide


def test_no_interval_without_both_classes():
    assert metrics.roc_auc_interval(ONE_CLASS, PROBABILITIES, np.arange(4)).ci95 is None


def test_weighted_area_is_that_of_repeated_patches():
    chance = np.random.default_rng(0)
    labels = chance.integers(0, 2, 60)
    probabilities = (chance.integers(0, 20, 60) / 20).astype(np.float32)  # with ties
    weights = chance.integers(0, 4, 60)
    _, ranks = np.unique(probabilities, return_inverse=True)
    expected = metrics.roc_auc(labels.repeat(weights), probabilities.repeat(weights))
    assert metrics.weighted_roc_auc(labels, ranks, weights) == pytest.approx(expected)
    assert metrics.weighted_roc_auc(labels, ranks, weights * labels) is None
