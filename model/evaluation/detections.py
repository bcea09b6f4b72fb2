"""Detections: points with a probability, the thing that FROC counts. CAMELYON16's CSV format."""

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from model.evaluation.errors import EvaluationInvalid


@dataclass(frozen=True)
class Detection:
    """One point of level 0 where a lesion is claimed, and how probable it is (0–1)."""

    probability: float
    x_l0_px: float
    y_l0_px: float

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:  # false for NaN, too
            raise EvaluationInvalid(
                f"A detection has the probability {self.probability}.",
                "Give probabilities between 0 and 1.",
            )
        if not (math.isfinite(self.x_l0_px) and math.isfinite(self.y_l0_px)):
            raise EvaluationInvalid(
                f"A detection lies at ({self.x_l0_px}, {self.y_l0_px}).",
                "Give level-0 pixels of the slide.",
            )


def write_detections(path: Path, detections: Iterable[Detection]) -> None:
    """Write rows `prob,x,y` (level-0 px, whole pixels, no header) as CAMELYON16 wants them."""
    with path.open("w", newline="", encoding="ascii") as file:
        writer = csv.writer(file, lineterminator="\n")
        for each in detections:
            writer.writerow((f"{each.probability:.6f}", int(each.x_l0_px), int(each.y_l0_px)))


def read_detections(path: Path) -> list[Detection]:
    """Read rows `prob,x,y`; an empty file is a slide without detections."""
    detections = []
    with path.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.reader(file), start=1):
            if row:
                detections.append(_detection(row, f"Line {number} of {path.name}"))
    return detections


def _detection(row: list[str], where: str) -> Detection:
    try:
        probability, x_l0_px, y_l0_px = (float(value) for value in row)
    except ValueError as error:
        raise EvaluationInvalid(
            f"{where} is not `prob,x,y`: {','.join(row)[:80]!r}.",
            "Write three numbers a line, without a header.",
        ) from error
    return Detection(probability, x_l0_px, y_l0_px)
