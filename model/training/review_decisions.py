"""Which of what readers decided is settled, and why the rest is left out.

Settled are flags that somebody agreed or disagreed with, and hot spots of which all who have an
opinion have the same, both on slides whose reading is done. Each reason for leaving something out
has a name in LEFT_OUT and is counted under it.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from model.training.reviews import Analysis, Cells, Flag, ReviewedSlide, Spot

TUMOUR_LABELS = ("Tumor", "Tumour", "Metastasis", "Metastases")
NORMAL_LABELS = ("Negative", "Normal")
# Reasons, by what they speak of, in the words of the command's output.
LEFT_OUT: dict[str, dict[str, str]] = {
    "slides": {
        "unread": "unread",
        "in_review": "still in review",
        "second_opinion": "waiting for a second opinion",
        "unsatisfactory": "unsatisfactory by their verdict",
        "locked": "locked to the reader who made the export",
        "no_file": "not in the folder of slides",
        "other_file": "of another size than the file of that name",
        "same_name": "named like another slide of the export",
        "test": "in the test part of the split",
        "validation": "in the validation part of the split",
        "not_in_split": "in no part of the split (--new-split takes them)",
        "patient_held_out": "of a patient in the validation or test part",
        "unusable": "that cannot be used",
    },
    "flags": {
        "open": "open",
        "resolved": "resolved, which does not say how",
        "no_area": "rulers, which are no regions",
        "label_without_meaning": "with no label for tumour or normal tissue",
        "normal_disagreed": "for normal tissue that somebody disagreed with",
        "against_verdict": "for tumour on slides whose verdict is no tumour",
        "too_small": "without tumour and smaller than half a cell",
        "outside": "beyond the slide",
    },
    "hotspots": {
        "no_opinion": "nobody has an opinion of",
        "readers_disagree": "readers disagree on",
        "older_than_analysis": "judged before their analysis ended",
        "cells_unknown": "whose heat map is gone",
        "too_small": "without tumour and smaller than half a cell",
        "against_verdict": "agreed on slides whose verdict is no tumour",
        "outside": "beyond the slide",
    },
    "patches": {
        "contested": "that readers call both tumour and not",
        "contradicts_manifest": "that the manifest labels otherwise",
        "little_tissue": "with too little tissue",
        "little_tumour": "with less tumour than the manifest's label rule wants",
        "beyond_cap": "beyond --max-per-region",
    },
}


@dataclass(frozen=True)
class Decision:
    """A region that readers settled: label 1 for tumour, 0 for none; and who said so of what."""

    source: Literal["flag", "hotspot"]
    id: str  # the flag's, or the analysis's and the rank
    label: int
    shape: dict[str, Any] | Cells  # GeoJSON in level-0 px, or cells
    by: tuple[str, ...]
    at: str
    model_id: str | None
    model_version: str | None

    def to_json(self) -> dict[str, Any]:
        """Where a row came from, without the shape."""
        return {name: value for name, value in vars(self).items() if name != "shape"} | {
            "by": list(self.by)
        }


@dataclass(frozen=True)
class Labels:
    """Which labels of flags stand for tumour, and which for its absence; any case of letters."""

    tumour: tuple[str, ...] = TUMOUR_LABELS
    normal: tuple[str, ...] = NORMAL_LABELS

    def meaning(self, label: str) -> int | None:
        """1, 0, or None for a label that says nothing of tumour."""
        for value, names in ((1, self.tumour), (0, self.normal)):
            if label.casefold() in map(str.casefold, names):
                return value
        return None


class LeftOut:
    """Counts of what was not used, by kind and reason of LEFT_OUT."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {kind: Counter() for kind in LEFT_OUT}

    def add(self, kind: str, reason: str, count: int = 1) -> None:
        """Count; a reason without a name in LEFT_OUT is a mistake of this program."""
        assert reason in LEFT_OUT[kind], reason
        self._counts[kind][reason] += count

    def to_json(self) -> dict[str, dict[str, int]]:
        """Numbers above 0."""
        return {
            kind: {reason: counts[reason] for reason in LEFT_OUT[kind] if counts[reason]}
            for kind, counts in self._counts.items()
        }


def unsettled(slide: ReviewedSlide) -> str | None:
    """Why nothing of this slide counts, by its reading; None if it may."""
    if slide.state != "reviewed":
        return slide.state
    if slide.verdict is not None and slide.verdict.value == "unsatisfactory":
        return "unsatisfactory"
    return "locked" if slide.locked else None


def decisions(slide: ReviewedSlide, labels: Labels, left_out: LeftOut) -> Iterator[Decision]:
    """What is settled on a slide, flags by number, then hot spots by analysis and rank."""
    clear = slide.verdict is not None and slide.verdict.value == "no_tumour"
    models = {each.id: (each.model_id, each.model_version) for each in slide.analyses}
    for flag in slide.flags:
        label = _flag_label(flag, labels)
        if label == 1 and clear:
            label = "against_verdict"
        if isinstance(label, str):
            left_out.add("flags", label)
            continue
        model = models.get(flag.hotspot.analysis_id) if flag.hotspot else None
        by = tuple(dict.fromkeys((flag.created_by, flag.changed_by)))
        yield Decision(
            "flag", flag.id, label, flag.geometry, by, flag.changed_at, *(model or (None, None))
        )
    for analysis in slide.analyses:
        left_out.add("hotspots", "no_opinion", analysis.hotspots_without_opinion)
        yield from _spots(analysis, clear, left_out)


def _flag_label(flag: Flag, labels: Labels) -> int | str:
    """0 or 1, or why the flag says neither."""
    if flag.state in ("open", "resolved"):
        return flag.state
    if flag.kind == "ruler":
        return "no_area"
    # Without a label but set for a hot spot, it repeats what the model claims: tumour.
    claimed = 1 if flag.hotspot else None
    meaning = labels.meaning(flag.label) if flag.label is not None else claimed
    if meaning is None:
        return "label_without_meaning"
    if flag.state == "agreed":
        return meaning
    # "Not normal" may be anything.
    return 0 if meaning == 1 else "normal_disagreed"


def _spots(analysis: Analysis, clear: bool, left_out: LeftOut) -> Iterator[Decision]:
    for spot in analysis.hotspots:
        label = _spot_label(spot, analysis.finished_at, clear)
        if isinstance(label, str):
            left_out.add("hotspots", label)
            continue
        assert spot.cells is not None
        yield Decision(
            "hotspot",
            f"{analysis.id}/{spot.rank}",
            label,
            spot.cells,
            tuple(each.reader for each in spot.opinions),
            max(each.changed_at for each in spot.opinions),
            analysis.model_id,
            analysis.model_version,
        )


def _spot_label(spot: Spot, finished_at: str | None, clear: bool) -> int | str:
    """0 or 1, or why the spot says neither."""
    opinions = {each.opinion for each in spot.opinions}
    if not opinions:
        return "no_opinion"
    # Times are ISO 8601 in UTC to the millisecond: their order is that of the texts. An analysis
    # that was computed anew may have another spot under this rank.
    if finished_at is not None and min(each.changed_at for each in spot.opinions) < finished_at:
        return "older_than_analysis"
    if len(opinions) > 1:
        return "readers_disagree"
    if spot.cells is None:
        return "cells_unknown"
    if opinions == {"disagree"}:
        return 0
    return "against_verdict" if clear else 1
