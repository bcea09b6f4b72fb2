"""The mistakes worth looking at: likeliest false positives and largest missed lesions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from model.evaluation.cases import Case, Rules, read_mask
from model.evaluation.pictures import (
    Mark,
    Picture,
    View,
    around,
    close_up,
    draw_close_up,
    shapes,
)
from model.prediction.wsi import Wsi, open_wsi

SHOWN = 12


@dataclass(frozen=True)
class Mistake:
    """A false positive (`size_um` None) or a missed lesion (`size_um` its major axis)."""

    slide: str
    x_l0_px: float
    y_l0_px: float
    probability: float  # of the detection; for a lesion of its best one, 0 if there is none
    size_um: float | None
    view: View


def false_positives(cases: Sequence[Case], count: int = SHOWN) -> list[Mistake]:
    """The `count` most probable detections outside lesions."""
    found = [
        Mistake(
            case.slide.name,
            each.x_l0_px,
            each.y_l0_px,
            each.probability,
            None,
            close_up(each.x_l0_px, each.y_l0_px, case.mpp),
        )
        for case in cases
        if case.findings
        for each in case.findings.false_positives
    ]
    return sorted(found, key=lambda mistake: -mistake.probability)[:count]


def false_negatives(cases: Sequence[Case], threshold: float, count: int = SHOWN) -> list[Mistake]:
    """The `count` largest lesions without a detection at `threshold`; ITC is never asked for."""
    found = [
        Mistake(
            case.slide.name,
            *each.lesion.centre_l0_px,
            each.probability,
            each.lesion.major_axis_um,
            around(each.lesion, case.mpp),
        )
        for case in cases
        if case.findings
        for each in case.findings.lesions
        if each.probability < threshold
    ]
    return sorted(found, key=lambda mistake: -(mistake.size_um or 0))[:count]


def draw(mistakes: Sequence[Mistake], cases: Sequence[Case], rules: Rules) -> list[Picture]:
    """A close-up of each mistake, in their order; every slide is opened once."""
    by_name = {case.slide.name: case for case in cases}
    order = sorted(range(len(mistakes)), key=lambda i: mistakes[i].slide)
    pictures: dict[int, Picture] = {}
    for name, indices in groupby(order, key=lambda i: mistakes[i].slide):
        case = by_name[name]
        with open_wsi(case.slide.path) as wsi:
            paint = _painter(case, wsi, rules)
            pictures |= {i: paint(mistakes[i]) for i in indices}
    return [pictures[i] for i in range(len(mistakes))]


def _painter(case: Case, wsi: Wsi, rules: Rules) -> Callable[[Mistake], Picture]:
    tumour, lesions = read_mask(case.slide, wsi, case.mpp, rules.mask_values)

    def paint(mistake: Mistake) -> Picture:
        marks: tuple[Mark, ...] = ()
        if mistake.size_um is None:
            x_px, y_px = mistake.view.place(mistake.x_l0_px, mistake.y_l0_px)
            marks = (Mark(x_px, y_px, hit=False, probability=mistake.probability),)
        outlines = shapes(tumour, lesions, mistake.view)
        return draw_close_up(wsi, case.mpp, mistake.view, outlines, marks)

    return paint
