"""The report: one self-contained HTML page, the same figures as JSON, and the detections as CSV."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from model.evaluation import close_ups, plots
from model.evaluation.cases import Case, Rules
from model.evaluation.close_ups import Mistake
from model.evaluation.colours import css_gradient
from model.evaluation.detections import write_detections
from model.evaluation.figures import Figure
from model.evaluation.intervals import REPLICATES, SEED
from model.evaluation.patch_figures import PatchFigures
from model.evaluation.pictures import Picture
from model.evaluation.slide_level import SlideScore
from model.evaluation.summary import Summary, summarise
from model.extraction.files import write_text

RESEARCH_USE = "Research use only. Not for diagnostic procedures."


@dataclass(frozen=True)
class Provenance:
    """What was evaluated and how; free text comes from the person who ran it."""

    data: str
    split: str
    command: str
    seed: int = SEED
    resamples: int = REPLICATES


@dataclass(frozen=True)
class Report:
    """Everything the page and the JSON show."""

    summary: Summary
    cases: tuple[Case, ...]
    rules: Rules
    provenance: Provenance
    false_positives: tuple[tuple[Mistake, Picture], ...]
    false_negatives: tuple[tuple[Mistake, Picture], ...]
    patches: PatchFigures | None  # figures of `python -m model evaluate`
    created_at: str


def make_report(
    cases: Sequence[Case],
    rules: Rules,
    provenance: Provenance,
    patches: PatchFigures | None = None,
) -> Report:
    """Sum up judged slides and draw their worst mistakes; raise EvaluationInvalid."""
    summary = summarise(cases, rules)
    wrong = close_ups.false_positives(cases)
    missed = close_ups.false_negatives(cases, summary.model.threshold)
    pictures = close_ups.draw([*wrong, *missed], cases, rules)
    return Report(
        summary=summary,
        cases=tuple(cases),
        rules=rules,
        provenance=provenance,
        false_positives=tuple(zip(wrong, pictures[: len(wrong)], strict=True)),
        false_negatives=tuple(zip(missed, pictures[len(wrong) :], strict=True)),
        patches=patches,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def write_report(report: Report, folder: Path) -> None:
    """Write report.json, report.html and detections/<slide>.csv; each file appears in whole."""
    (folder / "detections").mkdir(parents=True, exist_ok=True)
    for case in report.cases:
        write_detections(folder / "detections" / f"{case.slide.name}.csv", case.detections)
    text = json.dumps(to_json(report), ensure_ascii=False, indent=1, allow_nan=False)
    write_text(folder / "report.json", text + "\n")
    write_text(folder / "report.html", to_html(report))


def figures(report: Report) -> dict[str, Figure]:
    """The three headline figures; labelled patches, where given, take the place of cells."""
    summary = report.summary
    return {
        "patch_roc_auc": report.patches.figure() if report.patches else summary.patch_roc_auc,
        "slide_auc": summary.slide_auc,
        "froc": summary.froc,
    }


def to_json(report: Report) -> dict[str, object]:
    """All figures, without pictures."""
    summary = report.summary
    curve, roc = summary.froc_curve, summary.roc_curve
    return {
        "research_use": RESEARCH_USE,
        **{name: figure.to_json() for name, figure in figures(report).items()},
        "cell_roc_auc": summary.patch_roc_auc.to_json(),
        "calibration": {
            "ece": summary.ece,
            "temperature_scaled": summary.model.calibrated,
            "bins": [asdict(each) for each in summary.reliability],
        },
        "patches": report.patches and report.patches.model_dump(mode="json"),
        "froc_curve": curve and {
            # The first point, (0, 0), has no threshold: nothing is called there.
            "threshold": [None, *curve.thresholds[1:].tolist()],
            "fp_per_slide": curve.fp_per_slide.tolist(),
            "sensitivity": curve.sensitivity.tolist(),
        },
        "roc_curve": roc and {
            "false_positive_rate": roc.false_positive_rate.tolist(),
            "sensitivity": roc.sensitivity.tolist(),
        },
        "slides": [slide_figures(case, summary.model.threshold) for case in report.cases],
        "worst_false_positives": [_mistake(each) for each, _ in report.false_positives],
        "worst_false_negatives": [_mistake(each) for each, _ in report.false_negatives],
        "provenance": provenance(report),
    }  # fmt: skip


def slide_figures(case: Case, threshold: float) -> dict[str, object]:
    """One slide's row; found, false positives and ITC hits at the model's threshold."""
    found = case.findings
    return {
        "slide": case.slide.name,
        "patient": case.slide.patient,
        "tumour": case.score.tumour,
        "score": case.score.score,
        "partly_annotated": case.slide.partly_annotated,
        "mpp": [case.mpp.x, case.mpp.y],
        "lesions": found and len(found.lesions),
        "lesions_found": found and sum(each.probability >= threshold for each in found.lesions),
        "itc": found and found.itcs,
        "false_positives": found
        and sum(each.probability >= threshold for each in found.false_positives),
    }


def provenance(report: Report) -> dict[str, object]:
    """What made the figures, so that they can be made again."""
    return {
        **asdict(report.provenance),
        "created_at": report.created_at,
        "slides": len(report.cases),
        "model": asdict(report.summary.model),
        "detections": report.rules.detection_rule(),
        "slide_score": report.rules.score_rule(),
        "mask_values": report.rules.mask_values,
        "mpp_override": report.rules.mpp and [report.rules.mpp.x, report.rules.mpp.y],
    }


def to_html(report: Report) -> str:
    """The page; it needs no other file and runs no script."""
    environment = Environment(
        loader=PackageLoader("model.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = _shown
    threshold = report.summary.model.threshold
    return environment.get_template("report.html.j2").render(
        report=report,
        research_use=RESEARCH_USE,
        figures=figures(report),
        charts=_charts(report.summary, [case.score for case in report.cases]),
        provenance=provenance(report),
        rows=[(case, slide_figures(case, threshold)) for case in report.cases],
        gradient=css_gradient(),
    )


def _charts(summary: Summary, scores: list[SlideScore]) -> dict[str, Markup | None]:
    curve, roc, bins = summary.froc_curve, summary.roc_curve, summary.reliability
    return {
        "froc": plots.froc_plot(curve, summary.froc_intervals) if curve else None,
        "roc": plots.roc_plot(roc) if roc else None,
        "scores": plots.score_plot(scores, summary.model.threshold),
        "reliability": plots.reliability_plot(bins) if bins else None,
    }


def _mistake(mistake: Mistake) -> dict[str, object]:
    return {
        "slide": mistake.slide,
        "x_l0_px": round(mistake.x_l0_px),
        "y_l0_px": round(mistake.y_l0_px),
        "probability": mistake.probability,
        "size_um": mistake.size_um,
    }


def _shown(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
