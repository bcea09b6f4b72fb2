"""How well probabilities fit labels. Curves and areas are scikit-learn's.

Expected calibration error (ECE, Naeini et al. 2015): probabilities fall into 15 bins of equal
width; the mean over bins, weighted by their patches, of |share of tumour − mean probability|.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score, roc_curve

from model.evaluation.intervals import Interval, bootstrap

ECE_BINS = 15

Labels = NDArray[np.int64]
Probabilities = NDArray[np.float32]


def roc_auc(labels: Labels, probabilities: Probabilities) -> float | None:
    """Area under the ROC curve; None where only one class is present."""
    if len(np.unique(labels)) < 2:
        return None
    return float(roc_auc_score(labels, probabilities))


def pr_auc(labels: Labels, probabilities: Probabilities) -> float | None:
    """Average precision; None where only one class is present."""
    if len(np.unique(labels)) < 2:
        return None
    return float(average_precision_score(labels, probabilities))


def f1(labels: Labels, probabilities: Probabilities, threshold: float) -> float | None:
    """F1 of calling tumour from `threshold` on; None where no patch is or is called tumour."""
    called = probabilities >= threshold
    if not labels.any() and not called.any():
        return None
    return float(f1_score(labels, called))


def sensitivity(labels: Labels, probabilities: Probabilities, threshold: float) -> float | None:
    """Share of tumour patches at or above `threshold`; None without tumour patches."""
    return _mean(probabilities[labels == 1] >= threshold)


def specificity(labels: Labels, probabilities: Probabilities, threshold: float) -> float | None:
    """Share of normal patches below `threshold`; None without normal patches."""
    return _mean(probabilities[labels == 0] < threshold)


def ece(labels: Labels, probabilities: Probabilities) -> float:
    """Expected calibration error over ECE_BINS bins of equal width."""
    bins = np.minimum((probabilities * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = np.bincount(bins, weights=labels - probabilities, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / len(labels))


def threshold_for_sensitivity(labels: Labels, probabilities: Probabilities, wanted: float) -> float:
    """The highest threshold whose sensitivity reaches `wanted` (0–1]; needs both classes."""
    _, sensitivities, thresholds = roc_curve(labels, probabilities, drop_intermediate=False)
    return float(thresholds[np.argmax(sensitivities >= wanted)])


def roc_auc_interval(
    labels: Labels, probabilities: Probabilities, blocks: NDArray[np.int64]
) -> Interval:
    """95 % interval of the ROC-AUC; blocks (n,) numbers 0, 1, … of what is drawn together."""
    _, ranks = np.unique(probabilities, return_inverse=True)
    return bootstrap(
        lambda weights: weighted_roc_auc(labels, ranks, weights[blocks]), int(blocks.max()) + 1
    )


def weighted_roc_auc(
    labels: Labels, ranks: NDArray[np.int64], weights: NDArray[np.int64]
) -> float | None:
    """ROC-AUC of patches (n,) drawn `weights` times each; None where a class was not drawn.

    `ranks` number the probabilities 0, 1, … in order, equal ones alike. scikit-learn's own sorts
    and checks its input anew, which is a hundred times slower over all draws.
    """
    tumour = np.bincount(ranks, weights=weights * labels)
    normal = np.bincount(ranks, weights=weights * (1 - labels))
    pairs = tumour.sum() * normal.sum()
    if pairs == 0:
        return None
    in_order = tumour @ (np.cumsum(normal) - normal / 2)
    return float(in_order / pairs)


def _mean(values: NDArray[np.bool_]) -> float | None:
    return float(values.mean()) if len(values) else None
