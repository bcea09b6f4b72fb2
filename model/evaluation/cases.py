"""One slide at a time: its heat map against its mask, kept as figures and one small picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.evaluation import hotspots
from model.evaluation.cells import CellCounts, count_cells
from model.evaluation.detections import Detection
from model.evaluation.errors import EvaluationInvalid
from model.evaluation.froc import SlideFindings, judge_slide
from model.evaluation.lesions import LesionMap, evaluation_step_l0_px, find_lesions
from model.evaluation.pictures import Picture, draw_overview
from model.evaluation.slide_level import SlideScore
from model.extraction.lesions import open_lesions
from model.extraction.mask_values import AUTO
from model.extraction.masks import LesionMask
from model.extraction.study import StudySlide
from model.extraction.windows import Windows
from model.prediction.errors import HeatmapInvalid
from model.prediction.heatmap import Heatmap, HeatmapGeometry
from model.prediction.hotspots import score_rule
from model.prediction.wsi import Mpp, Wsi, open_wsi

CELL_PARTS = 8  # a cell is labelled by mask pixels of an eighth of its side, about 4 µm


@dataclass(frozen=True)
class Rules:
    """How heat maps become detections and scores; everything a reader must know to repeat it."""

    detect: Literal["peaks", "regions"] = "peaks"
    floor: float = hotspots.FLOOR
    silenced_um: float = hotspots.SILENCED_UM
    top_cells: int = 1
    mask_values: str = AUTO
    mpp: Mpp | None = None  # instead of the resolution the heat map was computed with

    def detection_rule(self) -> str:
        """In words, for the report."""
        if self.detect == "regions":
            return f"highest cell of each connected region of probability ≥ {self.floor:g}"
        return (
            f"highest cells first, none within {self.silenced_um:g} µm of a higher one,"
            f" down to probability {self.floor:g}"
        )

    def score_rule(self) -> str:
        """In words, for the report."""
        return score_rule(self.top_cells)


@dataclass(frozen=True)
class ModelStamp:
    """Which model made a heat map."""

    id: str
    version: str
    weights_sha256: str
    threshold: float
    calibrated: bool

    def in_words(self) -> str:
        """For messages."""
        weights = self.weights_sha256[:8]
        return f"{self.id} {self.version} (weights {weights}, threshold {self.threshold:g})"


@dataclass(frozen=True)
class Case:
    """A slide, judged. `findings` and `cells` are None for a partly annotated slide."""

    slide: StudySlide
    size_l0_px: tuple[int, int]
    mpp: Mpp
    model: ModelStamp
    score: SlideScore
    detections: tuple[Detection, ...]
    findings: SlideFindings | None
    cells: CellCounts | None
    picture: Picture


def judge_case(slide: StudySlide, heatmap_path: Path, rules: Rules) -> Case:
    """Judge one slide; raise EvaluationInvalid, HeatmapInvalid, MaskInvalid or SlideUnreadable."""
    heatmap = _open_heatmap(heatmap_path, slide.name)
    geometry = heatmap.geometry
    _refuse_unfinished(heatmap, slide.name)
    probabilities = heatmap.probabilities(0, geometry.rows, 0, geometry.columns)
    mpp = rules.mpp or Mpp(geometry.mpp_x, geometry.mpp_y)
    with open_wsi(slide.path) as wsi, open_lesions(slide, wsi, wsi.mpp, rules.mask_values) as mask:
        _refuse_other_slide(geometry, wsi, slide.name)
        tumour, lesions = _lesions(mask, mpp)
        detections = find_detections(probabilities, geometry, wsi.size_l0_px, mpp, rules)
        findings = judge_slide(slide.name, detections, lesions if lesions.lesions else None)
        above = [each for each in detections if each.probability >= geometry.threshold]
        hits = [(each, lesions.label_at(each.x_l0_px, each.y_l0_px) > 0) for each in above]
        return Case(
            slide=slide,
            size_l0_px=wsi.size_l0_px,
            mpp=mpp,
            model=_stamp(geometry),
            score=_score(slide, bool(lesions.lesions), probabilities, rules),
            detections=tuple(detections),
            findings=None if slide.partly_annotated else findings,
            cells=None if slide.partly_annotated else _cells(probabilities, geometry, mask),
            picture=draw_overview(wsi, mpp, tumour, lesions, probabilities, geometry, hits),
        )


def find_detections(
    probabilities: NDArray[np.float32],
    grid: hotspots.Grid,
    size_l0_px: tuple[int, int],
    mpp: Mpp,
    rules: Rules,
) -> list[Detection]:
    """Detections of a heat map (rows, columns) by the rules, highest first."""
    cell_um = grid.step_l0_x_px * mpp.x, grid.step_l0_y_px * mpp.y
    if rules.detect == "regions":
        cells = hotspots.regions(probabilities, rules.floor)
    else:
        cells = hotspots.peaks(
            probabilities, cell_um, radius_um=rules.silenced_um, floor=rules.floor
        )
    return hotspots.detections(probabilities, cells, grid, size_l0_px)


def one_model(cases: Sequence[Case]) -> ModelStamp:
    """The model of all heat maps; refuse a mixture, its figures would be nobody's."""
    stamps = {case.model: case.slide.name for case in cases}
    if len(stamps) > 1:
        (first, slide), (second, other), *_ = stamps.items()
        raise EvaluationInvalid(
            f"The heat maps come from different models: {slide} from {first.in_words()},"
            f" {other} from {second.in_words()}.",
            "Run predict on all slides with one model.",
        )
    return next(iter(stamps))


def read_mask(
    slide: StudySlide, wsi: Wsi, mpp: Mpp, mask_values: str
) -> tuple[NDArray[np.bool_], LesionMap]:
    """The mask of a slide at the evaluation level (rows, columns), and its lesions."""
    with open_lesions(slide, wsi, wsi.mpp, mask_values) as mask:
        return _lesions(mask, mpp)


def _lesions(mask: LesionMask, mpp: Mpp) -> tuple[NDArray[np.bool_], LesionMap]:
    step = evaluation_step_l0_px(mpp)
    width, height = (
        -(-size // int(each)) for size, each in zip(mask.size_l0_px, step, strict=True)
    )
    tumour = mask.read((0, 0), step, width, height)
    return tumour, find_lesions(tumour, step, mask.size_l0_px, mpp)


def _cells(
    probabilities: NDArray[np.float32], geometry: HeatmapGeometry, mask: LesionMask
) -> CellCounts:
    step = geometry.step_l0_x_px, geometry.step_l0_y_px
    origin = geometry.origin_l0_x_px, geometry.origin_l0_y_px
    windows = Windows(geometry.columns, geometry.rows, origin, step, step)
    fine = step[0] / CELL_PARTS, step[1] / CELL_PARTS
    analysed = ~np.isnan(probabilities)
    shares = mask.tumour_share(windows, fine, analysed)
    return count_cells(probabilities, shares > 0)


def _score(
    slide: StudySlide, tumour: bool, probabilities: NDArray[np.float32], rules: Rules
) -> SlideScore:
    try:
        score = hotspots.slide_score(probabilities, rules.top_cells)
    except EvaluationInvalid as error:
        raise EvaluationInvalid(f"{slide.name}: {error.reason}", error.hint) from error
    patient = slide.patient if slide.patient != slide.name else None
    return SlideScore(slide.name, tumour, score, patient)


def _stamp(geometry: HeatmapGeometry) -> ModelStamp:
    return ModelStamp(
        geometry.model_id,
        geometry.model_version,
        geometry.weights_sha256,
        geometry.threshold,
        geometry.calibrated,
    )


def _open_heatmap(path: Path, name: str) -> Heatmap:
    try:
        return Heatmap.open(path)
    except HeatmapInvalid as error:
        raise HeatmapInvalid(
            f"{name}: {error.reason} ({path.name})", "Run predict on the slide."
        ) from error


def _refuse_unfinished(heatmap: Heatmap, name: str) -> None:
    missing = len(set(heatmap.planned_chunks()) - set(heatmap.stored_chunks()))
    if missing:
        raise EvaluationInvalid(
            f"The heat map of {name} is not finished: {missing} of"
            f" {len(heatmap.planned_chunks())} parts are missing.",
            "Run predict on the slide again; it goes on where it stopped.",
        )


def _refuse_other_slide(geometry: HeatmapGeometry, wsi: Wsi, name: str) -> None:
    """A heat map reaches the far edges of its slide, give or take a cell."""
    reach = (
        geometry.origin_l0_x_px + geometry.columns * geometry.step_l0_x_px,
        geometry.origin_l0_y_px + geometry.rows * geometry.step_l0_y_px,
    )
    steps = geometry.step_l0_x_px, geometry.step_l0_y_px
    width, height = wsi.size_l0_px
    if any(abs(r - s) > step for r, s, step in zip(reach, (width, height), steps, strict=True)):
        raise EvaluationInvalid(
            f"The heat map of {name} covers {reach[0]:.0f} × {reach[1]:.0f} px, the slide has"
            f" {width} × {height} px.",
            "It belongs to another slide or another scan: run predict on this one.",
        )
