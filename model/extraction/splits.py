"""Train, validation and test: by patient, never by patch; the split is a file that can be given."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from model.extraction.errors import SplitInvalid
from model.extraction.files import write_text
from model.extraction.manifest import Manifest

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")
FRACTIONS = (0.7, 0.15, 0.15)
Counts = dict[str, int]


@dataclass(frozen=True)
class Split:
    """Names of the slides of each part."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def slides(self, part: Part) -> tuple[str, ...]:
        """Names of the slides of that part."""
        names: tuple[str, ...] = getattr(self, part)
        return names


def make_split(
    patients: Mapping[str, str],
    positive: Iterable[str],
    seed: int,
    fractions: Sequence[float] = FRACTIONS,
) -> Split:
    """Split slides by patient; patients with a slide in `positive` are shared out on their own.

    `patients` holds the patient of each slide. Raises SplitInvalid if there are too few patients.
    """
    check_fractions(fractions)
    ill = {patients[slide] for slide in positive}
    random = np.random.default_rng(seed)
    part_of: dict[str, Part] = {}
    for stratum in (ill, set(patients.values()) - ill):
        order = [str(patient) for patient in random.permutation(sorted(stratum))]
        part_of |= dict(zip(order, _shared_out(len(order), fractions), strict=True))
    split = Split(
        *(
            tuple(sorted(slide for slide, patient in patients.items() if part_of[patient] == part))
            for part in PARTS
        )
    )
    for part, fraction in zip(PARTS, fractions, strict=True):
        if fraction and not split.slides(part):
            raise SplitInvalid(
                f"{len(set(patients.values()))} patients are too few: none is left for {part}.",
                "Add slides, or give a split of your own with --split.",
            )
    return split


def check_fractions(fractions: Sequence[float]) -> None:
    """Raise SplitInvalid unless these are the shares of train, validation and test."""
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise SplitInvalid(
            f"The fractions {tuple(fractions)} are not three shares that sum to 1.",
            "For example 0.7 0.15 0.15.",
        )


def _shared_out(count: int, fractions: Sequence[float]) -> list[Part]:
    """A part for each of `count` patients: largest remainders, and none empty that need not be."""
    exact = np.array(fractions) * count
    sizes = np.floor(exact).astype(int)
    for index in np.argsort(sizes - exact, kind="stable")[: count - sizes.sum()]:
        sizes[index] += 1
    for index, fraction in enumerate(fractions):
        if fraction and not sizes[index] and sizes.max() > 1:
            sizes[sizes.argmax()] -= 1
            sizes[index] += 1
    return [part for part, size in zip(PARTS, sizes, strict=True) for _ in range(size)]


def check_split(split: Split, patients: Mapping[str, str], needed: Iterable[str]) -> None:
    """Raise SplitInvalid if a slide or a patient is in two parts, or a slide is in none or unknown.

    `patients` holds the patient of every slide of the study, `needed` the slides with patches.
    """
    part_of: dict[str, Part] = {}
    for part in PARTS:
        for slide in split.slides(part):
            if slide in part_of:
                raise _leak(f"slide '{slide}'", part_of[slide], part)
            part_of[slide] = part
    _refuse_strangers(part_of, patients, needed)
    parts_of_patient: dict[str, tuple[Part, str]] = {}
    for slide, part in part_of.items():
        other, twin = parts_of_patient.setdefault(patients[slide], (part, slide))
        if other != part:
            raise _leak(f"patient '{patients[slide]}' (slides '{twin}', '{slide}')", other, part)


def _leak(who: str, first: Part, second: Part) -> SplitInvalid:
    return SplitInvalid(
        f"The split leaks: {who} is in {first} and in {second}.",
        "Put all slides of a patient into one part.",
    )


def _refuse_strangers(
    part_of: Mapping[str, Part], patients: Mapping[str, str], needed: Iterable[str]
) -> None:
    unknown = sorted(set(part_of) - set(patients))
    missing = sorted(set(needed) - set(part_of))
    if unknown or missing:
        what = "names slides the study does not hold" if unknown else "leaves slides out"
        raise SplitInvalid(
            f"The split {what}: {', '.join((unknown or missing)[:5])}.",
            "Correct the split file, or let a new one be made.",
        )


def write_split(path: Path, split: Split) -> None:
    """Write a split as JSON, or as CSV (slide,part) by the file's ending; raise WriteFailed."""
    if path.suffix == ".csv":
        lines = [f"{slide},{part}" for part in PARTS for slide in split.slides(part)]
        write_text(path, "\n".join(["slide,part", *lines]) + "\n")
    else:
        write_text(path, json.dumps(asdict(split), indent=1) + "\n")


def read_split(path: Path) -> Split:
    """Read a split file; raise SplitInvalid."""
    try:
        text = path.read_text(encoding="utf-8")
        parts = _from_csv(text) if path.suffix == ".csv" else json.loads(text)
        if set(parts) != set(PARTS):
            raise ValueError("other parts")
        return Split(**{part: tuple(_names(parts[part])) for part in PARTS})
    except OSError as error:
        raise SplitInvalid(
            f"Split '{path.name}' could not be read: {error.strerror}.", "Check its name."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise SplitInvalid(
            f"'{path.name}' is not a split.",
            'Write CSV with the columns slide,part, or JSON {"train": [slides],'
            ' "validation": [slides], "test": [slides]}.',
        ) from error


def _names(names: object) -> list[str]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("not a list of names")
    return names


def _from_csv(text: str) -> dict[str, list[str]]:
    parts: dict[str, list[str]] = {part: [] for part in PARTS}
    for row in csv.DictReader(io.StringIO(text)):
        if not row["slide"] or not row["part"]:
            raise ValueError("a line without slide or part")
        parts[row["part"].strip()].append(row["slide"].strip())
    return parts


def rows_of(
    manifest: Manifest, split: Split, part: Part
) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Rows of the manifest in that part, (n,); raise SplitInvalid if they are of one class only."""
    slides = manifest.column("slide").astype(str)
    rows = np.flatnonzero(np.isin(slides, split.slides(part)))
    labels = manifest.column("label")[rows]
    if not (labels == 0).any() or not (labels == 1).any():
        held = f"only label {labels[0]}" if len(labels) else "no patch"
        raise SplitInvalid(
            f"The part '{part}' holds {held} ({len(split.slides(part))} slides).",
            "It needs tumour and normal patches: add slides, or give another split.",
        )
    return rows


def check_classes(split: Split, slides: Mapping[str, Mapping[str, int]]) -> dict[str, Counts]:
    """Slides and patches of each part; raise SplitInvalid if the training part has one class only.

    `slides` holds `positives` and `negatives` of each slide by name.
    """
    counts: dict[str, Counts] = {}
    for part in PARTS:
        inside = [slides[name] for name in split.slides(part) if name in slides]
        counts[part] = {"slides": len(inside)} | {
            key: sum(slide[key] for slide in inside) for key in ("positives", "negatives")
        }
    for key, what in (("positives", "tumour"), ("negatives", "normal tissue")):
        if not counts["train"][key]:
            raise SplitInvalid(
                f"No patch of the training part shows {what} ({counts['train']['slides']} slides).",
                "It needs both: add slides, look at masks and previews, or give another split.",
            )
    return counts
