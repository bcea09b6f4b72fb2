"""Temperature scaling (Guo et al. 2017, arXiv:1706.04599), checked on slides it was not fitted to.

One number divides every logit. It changes how sure a model sounds, never the order of its answers.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit
from sklearn.model_selection import GroupKFold

from model.evaluation import metrics
from model.evaluation.errors import EvaluationInvalid

# Beyond these a net is broken, not badly calibrated; the search needs some bounds.
LOWEST, HIGHEST = 0.05, 20.0
MOST_FOLDS = 10

Unit = Literal["patients", "slides", "blocks", "patches"]
Logits = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class ScoredPatches:
    """Logits (n,) before any temperature, labels (n,), and who belongs together, numbered (n,).

    `unit` says what a group is, `data` what the patches are, in words.
    """

    logits: Logits
    labels: Labels
    groups: Labels
    unit: Unit
    data: str


@dataclass(frozen=True)
class Calibration:
    """The temperature, and what it does to groups left out when it was fitted.

    ECE as in metrics.py, NLL in nats per patch; `before` is without any temperature.
    """

    temperature: float
    data: str
    n: int
    n_tumour: int
    checked_over: Unit
    groups: int
    folds: int
    fold_temperatures: tuple[float, float]  # lowest, highest
    ece_before: float
    ece_after: float
    nll_before: float
    nll_after: float

    @property
    def holds_elsewhere(self) -> bool:
        """Whether the check left out more than single patches, whose neighbours know them."""
        return self.checked_over != "patches"


def calibrate(scored: ScoredPatches) -> Calibration:
    """Fit on all patches, check by cross-validation over groups; raise EvaluationInvalid."""
    logits, labels = scored.logits, scored.labels
    groups = len(np.unique(scored.groups))
    folds = min(groups, MOST_FOLDS)
    _check_both_classes(labels, scored)
    if folds < 2:
        raise _too_few(scored)
    softened, temperatures = _left_out(scored, folds)
    return Calibration(
        temperature=fit_temperature(logits, labels),
        data=scored.data,
        n=len(labels),
        n_tumour=int(labels.sum()),
        checked_over=scored.unit,
        groups=groups,
        folds=folds,
        fold_temperatures=(min(temperatures), max(temperatures)),
        ece_before=metrics.ece(labels, expit(logits).astype(np.float32)),
        ece_after=metrics.ece(labels, expit(softened).astype(np.float32)),
        nll_before=nll(logits, labels),
        nll_after=nll(softened, labels),
    )


def fit_temperature(logits: Logits, labels: Labels) -> float:
    """The temperature of least cross-entropy; both arrays (n,), both classes among the labels."""
    # Convex in 1/T, so of one minimum in log T as well; there both ends are equally far.
    found = minimize_scalar(
        lambda log_t: nll(logits / np.exp(log_t), labels),
        bounds=(np.log(LOWEST), np.log(HIGHEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(found.x))


def nll(logits: Logits, labels: Labels) -> float:
    """Mean cross-entropy (nats) of logits (n,) against labels (n,)."""
    return float((np.logaddexp(0, logits) - labels * logits).mean())


def moved_threshold(threshold: float, before: float | None, after: float) -> float:
    """The threshold on probabilities of temperature `after` that calls the same patches.

    Rounded down, so that a patch at the threshold is still called.
    """
    moved = expit(logit(threshold) * (before or 1.0) / after)
    return float(np.floor(moved * 1e6) / 1e6)


def _left_out(scored: ScoredPatches, folds: int) -> tuple[Logits, list[float]]:
    """Logits (n,), each divided by a temperature fitted without its group."""
    softened = np.empty_like(scored.logits)
    temperatures = []
    for rest, part in GroupKFold(folds).split(scored.logits, groups=scored.groups):
        _check_both_classes(scored.labels[rest], scored)
        temperatures.append(fit_temperature(scored.logits[rest], scored.labels[rest]))
        softened[part] = scored.logits[part] / temperatures[-1]
    return softened, temperatures


def _check_both_classes(labels: Labels, scored: ScoredPatches) -> None:
    if labels.min(initial=1) == labels.max(initial=0):
        raise _too_few(scored)


def _too_few(scored: ScoredPatches) -> EvaluationInvalid:
    tumour = len(np.unique(scored.groups[scored.labels == 1]))
    normal = len(np.unique(scored.groups[scored.labels == 0]))
    return EvaluationInvalid(
        f"Of the {scored.unit} in {scored.data}, {tumour} hold tumour patches and {normal} normal"
        " ones: too few to check a temperature.",
        "It takes both classes in what is left when a part of them is set aside: add slides to"
        " the validation part.",
    )
