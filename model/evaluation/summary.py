"""All slides together: the figures of a report, before anything is drawn or written."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from model.evaluation.cases import Case, ModelStamp, Rules, one_model
from model.evaluation.cells import (
    CellCounts,
    ReliabilityBin,
    cell_auc,
    expected_calibration_error,
    reliability,
)
from model.evaluation.errors import EvaluationInvalid
from model.evaluation.figures import Figure, explain
from model.evaluation.froc import OPERATING_POINTS, Froc, FrocCurve, SlideFindings
from model.evaluation.intervals import Interval, bootstrap
from model.evaluation.slide_level import RocCurve, SlideScore, blocks, slide_auc, slide_roc

Blocks = NDArray[np.int64]
NO_NORMAL = "no normal slide is among them, so false positives come from tumour slides alone"


@dataclass(frozen=True)
class Summary:
    """The figures of one model on one set of slides, and the curves behind them."""

    model: ModelStamp
    patch_roc_auc: Figure
    slide_auc: Figure
    froc: Figure
    froc_curve: FrocCurve | None
    froc_intervals: tuple[tuple[float, float] | None, ...]  # at the six operating points
    roc_curve: RocCurve | None
    reliability: list[ReliabilityBin]
    ece: float | None


def summarise(cases: Sequence[Case], rules: Rules) -> Summary:
    """The figures of judged slides; raise EvaluationInvalid where they do not belong together."""
    if not cases:
        raise EvaluationInvalid("There is no slide to evaluate.", "Give at least one.")
    model = one_model(cases)
    scores = [case.score for case in cases]
    whole = [case for case in cases if case.findings is not None]
    findings = [case.findings for case in whole if case.findings is not None]
    counts = [case.cells for case in whole if case.cells is not None]
    drawn = blocks([case.score for case in whole])
    froc, curve, intervals = _froc(findings, drawn, _unit(scores), rules, len(cases) - len(whole))
    return Summary(
        model=model,
        patch_roc_auc=_patches(counts, drawn, _unit(scores)),
        slide_auc=slide_auc(scores, rules.score_rule()),
        froc=froc,
        froc_curve=curve,
        froc_intervals=intervals,
        roc_curve=slide_roc(scores),
        reliability=reliability(counts) if counts else [],
        ece=expected_calibration_error(counts) if counts else None,
    )


def froc_figure(
    findings: Sequence[SlideFindings], drawn: Blocks, unit: str, method: str
) -> tuple[Figure, FrocCurve | None, tuple[Interval, ...]]:
    """FROC score with its interval, the curve, and intervals at the six operating points."""
    froc = Froc(findings)
    curve = froc.curve()
    n = _counts(findings)
    if not n["normal_slides"]:
        method = f"{method}; {NO_NORMAL}"
    if curve is None:
        reason = "No slide holds a lesion that is to be found (isolated tumour cells are not)."
        return Figure(None, None, n, method, reason), None, ()

    def at(point: float, weights: Blocks) -> float | None:
        resampled = froc.curve(weights[drawn])
        return None if resampled is None else float(resampled.sensitivity_at([point])[0])

    count = int(drawn.max()) + 1
    score = bootstrap(lambda weights: froc.score(weights[drawn]), count)
    points = tuple(bootstrap(partial(at, point), count) for point in OPERATING_POINTS)
    sensitivities: dict[str, object] = {
        f"{point:g}": {"value": float(value), "ci95": interval.ci95}
        for point, value, interval in zip(
            OPERATING_POINTS, curve.sensitivity_at(), points, strict=True
        )
    }
    figure = Figure(
        curve.score,
        score.ci95,
        n,
        f"{method}; {explain(score, unit)}",
        details={"sensitivity_at_fp_per_slide": sensitivities},
    )
    return figure, curve, points


def _froc(
    findings: Sequence[SlideFindings], drawn: Blocks, unit: str, rules: Rules, left_out: int
) -> tuple[Figure, FrocCurve | None, tuple[tuple[float, float] | None, ...]]:
    method = (
        "mean sensitivity at ¼, ½, 1, 2, 4 and 8 false positives per slide, lesions after"
        f" CAMELYON16; detections: {rules.detection_rule()}"
    )
    if left_out:
        method = f"{method}; {left_out} partly annotated slides left out"
    if not findings:
        nothing = Figure(None, None, _counts(findings), method, "No slide is fully annotated.")
        return nothing, None, ()
    figure, curve, intervals = froc_figure(findings, drawn, unit, method)
    return figure, curve, tuple(each.ci95 for each in intervals)


def _patches(counts: Sequence[CellCounts], drawn: Blocks, unit: str) -> Figure:
    if not counts:
        return Figure(None, None, {}, "cells of heat maps", "No slide is fully annotated.")
    return cell_auc(counts, drawn, unit)


def _counts(findings: Sequence[SlideFindings]) -> dict[str, int]:
    normal = sum(each.normal for each in findings)
    return {
        "slides": len(findings),
        "tumour_slides": len(findings) - normal,
        "normal_slides": normal,
        "lesions": sum(len(each.lesions) for each in findings),
        "itc": sum(each.itcs for each in findings),
    }


def _unit(scores: Sequence[SlideScore]) -> str:
    return "patients" if any(each.patient for each in scores) else "slides"
