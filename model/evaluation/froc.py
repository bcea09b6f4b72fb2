"""FROC after CAMELYON16: lesions found against false positives per slide.

A lesion counts as found at the highest probability among the detections inside it. A detection
outside every lesion, and every detection on a slide without lesions, is a false positive. A hit
on isolated tumour cells is neither. Source: the challenge's evaluation script (docs/evaluation.md
names the two places where we part from it, and why).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.evaluation.detections import Detection
from model.evaluation.errors import EvaluationInvalid
from model.evaluation.lesions import Lesion, LesionMap

OPERATING_POINTS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # false positives per slide

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Found:
    """A lesion to be found and the probability it was found with; 0 = missed."""

    lesion: Lesion
    probability: float


@dataclass(frozen=True)
class SlideFindings:
    """What the detections of one slide are worth."""

    slide: str
    lesions: tuple[Found, ...]
    false_positives: tuple[Detection, ...]
    itc_hits: tuple[Detection, ...]
    itcs: int
    normal: bool


@dataclass(frozen=True)
class FrocCurve:
    """Operating points from the strictest (0, 0) to the laxest; three arrays of one length."""

    thresholds: Floats
    fp_per_slide: Floats
    sensitivity: Floats

    def sensitivity_at(self, fp_per_slide: Sequence[float] = OPERATING_POINTS) -> Floats:
        """Sensitivity between the points by straight lines, flat beyond the last one."""
        return np.interp(fp_per_slide, self.fp_per_slide, self.sensitivity)

    @property
    def score(self) -> float:
        """Mean sensitivity at CAMELYON16's six operating points."""
        return float(self.sensitivity_at().mean())


def judge_slide(
    slide: str, detections: Sequence[Detection], lesions: LesionMap | None
) -> SlideFindings:
    """Sort a slide's detections into hits and false positives; no lesion map = normal slide."""
    # A probability of 0 claims nothing (the challenge's script drops such rows, too).
    claims = [each for each in detections if each.probability > 0]
    if lesions is None:
        return SlideFindings(slide, (), tuple(claims), (), 0, normal=True)
    if not lesions.lesions:
        raise EvaluationInvalid(
            f"The mask of {slide} holds no lesion.", "List the slide as normal, or mend the mask."
        )
    labels = [lesions.label_at(each.x_l0_px, each.y_l0_px) for each in claims]
    itc_labels = {lesion.label for lesion in lesions.itcs}
    best = {lesion.label: 0.0 for lesion in lesions.targets}
    for label, detection in zip(labels, claims, strict=True):
        if label in best:
            best[label] = max(best[label], detection.probability)
    return SlideFindings(
        slide=slide,
        lesions=tuple(Found(lesion, best[lesion.label]) for lesion in lesions.targets),
        false_positives=tuple(d for label, d in zip(labels, claims, strict=True) if label == 0),
        itc_hits=tuple(d for label, d in zip(labels, claims, strict=True) if label in itc_labels),
        itcs=len(itc_labels),
        normal=False,
    )


class Froc:
    """FROC of a set of slides, cheap to compute again with other slide weights (bootstrap)."""

    def __init__(self, findings: Sequence[SlideFindings]) -> None:
        _refuse_unusable(findings)
        self.findings = tuple(findings)
        claims = _claims(findings)
        self._probability = np.array([claim[0] for claim in claims], np.float64)
        self._slide = np.array([claim[1] for claim in claims], np.intp)
        self._is_hit = np.array([claim[2] for claim in claims], np.bool_)
        self._lesions = np.array([len(slide.lesions) for slide in findings], np.float64)
        # Detections of equal probability pass a threshold together: one point for all of them.
        self._last_of_tie = np.flatnonzero(np.diff(self._probability, append=-1.0))

    def curve(self, weights: NDArray[np.int64] | None = None) -> FrocCurve | None:
        """The curve with slide i counted weights[i] times (once); None without any lesion."""
        weight = np.ones(len(self.findings)) if weights is None else weights.astype(np.float64)
        lesions = float(weight @ self._lesions)
        if lesions == 0:
            return None
        counts = weight[self._slide]
        hits = np.cumsum(counts * self._is_hit)[self._last_of_tie] / lesions
        false = np.cumsum(counts * ~self._is_hit)[self._last_of_tie] / weight.sum()
        return FrocCurve(
            thresholds=np.concatenate(([np.inf], self._probability[self._last_of_tie])),
            fp_per_slide=np.concatenate(([0.0], false)),
            sensitivity=np.concatenate(([0.0], hits)),
        )

    def score(self, weights: NDArray[np.int64] | None = None) -> float | None:
        """Mean sensitivity at the six operating points; None without any lesion."""
        curve = self.curve(weights)
        return None if curve is None else curve.score


def _claims(findings: Sequence[SlideFindings]) -> list[tuple[float, int, bool]]:
    """(probability, slide, is a hit) of found lesions and false positives, highest first."""
    claims = []
    for index, slide in enumerate(findings):
        hits = [found.probability for found in slide.lesions if found.probability > 0]
        claims += [(probability, index, True) for probability in hits]
        claims += [(each.probability, index, False) for each in slide.false_positives]
    return sorted(claims, key=lambda claim: -claim[0])


def _refuse_unusable(findings: Sequence[SlideFindings]) -> None:
    if not findings:
        raise EvaluationInvalid("There is no slide to evaluate.", "Give at least one.")
    name, times = Counter(each.slide for each in findings).most_common(1)[0]
    if times > 1:
        raise EvaluationInvalid(
            f"Slide {name} is given {times} times.",
            "Give every slide once: FROC divides by their number.",
        )
