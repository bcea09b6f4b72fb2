"""Does the slide hold a metastasis? One score per slide, judged by the area under the ROC curve.

A slide counts as positive when its mask holds any tumour, isolated tumour cells included, as in
CAMELYON16's slide task.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from model.evaluation.figures import Figure, explain
from model.evaluation.metrics import roc_auc, roc_auc_interval


@dataclass(frozen=True)
class SlideScore:
    """What the model says of a slide (higher = tumour), and what is true."""

    slide: str
    tumour: bool
    score: float
    patient: str | None = None


@dataclass(frozen=True)
class RocCurve:
    """Points from (0, 0) to (1, 1): shares of normals and of tumours called positive."""

    false_positive_rate: NDArray[np.float64]
    sensitivity: NDArray[np.float64]


def slide_auc(scores: Sequence[SlideScore], rule: str) -> Figure:
    """ROC-AUC over slides, interval by patient (by slide where patients are not known)."""
    tumour = sum(each.tumour for each in scores)
    n = {"slides": len(scores), "tumour_slides": tumour, "normal_slides": len(scores) - tumour}
    method = f"area under the ROC curve over slides; slide score: {rule}"
    if not 0 < tumour < len(scores):
        missing = "tumour" if tumour == 0 else "normal"
        return Figure(None, None, n, method, f"There is no {missing} slide to compare with.")
    labels, values = _arrays(scores)
    interval = roc_auc_interval(labels, values, blocks(scores))
    unit = "patients" if any(each.patient for each in scores) else "slides"
    return Figure(roc_auc(labels, values), interval.ci95, n, f"{method}; {explain(interval, unit)}")


def slide_roc(scores: Sequence[SlideScore]) -> RocCurve | None:
    """The curve behind `slide_auc`; None where one class is missing."""
    labels, values = _arrays(scores)
    if len(np.unique(labels)) < 2:
        return None
    rates, sensitivities, _ = roc_curve(labels, values, drop_intermediate=False)
    return RocCurve(rates, sensitivities)


def blocks(scores: Sequence[SlideScore]) -> NDArray[np.int64]:
    """Number of the patient (0, 1, …) of each slide; a slide without one stands for itself."""
    names = [f"patient {each.patient}" if each.patient else each.slide for each in scores]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def _arrays(scores: Sequence[SlideScore]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    labels = np.array([each.tumour for each in scores], np.int64)
    return labels, np.array([each.score for each in scores], np.float32)
