"""Which slides of an export may be learnt from: by the split, by their files, by their reading."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from model.extraction.errors import StudyInvalid
from model.extraction.manifest import Manifest
from model.extraction.splits import PARTS, Part, Split
from model.extraction.study import find_slides, patients_of, slide_name
from model.training.review_decisions import LeftOut, unsettled
from model.training.reviews import ReviewedSlide, Reviews


@dataclass(frozen=True)
class Usable:
    """A training slide of the export: its name in split and manifest, its patient and file."""

    name: str
    patient: str
    path: Path
    review: ReviewedSlide


@dataclass(frozen=True)
class Library:
    """Slides at hand, by lower-case name: files, names as split or manifest write them, patients.

    `known` holds the patient of every slide that a manifest or the folder names.
    """

    files: Mapping[str, Path]
    names: Mapping[str, str]
    known: Mapping[str, str]


def open_library(folder: Path, split: Split, manifest: Manifest | None) -> Library:
    """Slides of `folder`; raise StudyInvalid where there are none, or patients.csv is wrong."""
    files = find_slides(folder)
    listed = patients_of(folder, files)
    there = manifest.slides if manifest is not None else {}
    names = {key: slide_name(path) for key, path in files.items()}
    names |= {name.lower(): name for part in PARTS for name in split.slides(part)}
    names |= {name.lower(): name for name in there}
    known = {names[key]: patient for key, patient in listed.items()}
    known |= {name: slide["patient"] for name, slide in there.items()}
    return Library(files, names, known)


def usable_slides(
    reviews: Reviews, split: Split, library: Library, left_out: LeftOut, new_to_train: bool
) -> tuple[list[Usable], Split]:
    """Slides whose decisions count, by name, and the split with what was added to its training.

    A slide in no part is left out, or (`new_to_train`) joins the training part unless its patient
    is held out.
    """
    part_of: dict[str, Part] = {name: part for part in PARTS for name in split.slides(part)}
    held_out = {library.known.get(name) for name, part in part_of.items() if part != "train"} - {
        None
    }
    times = Counter(key for slide in reviews.items if (key := _key(slide)) is not None)
    found = []
    for slide in reviews.items:
        key = _key(slide)
        reason = unsettled(slide) or _without_file(key, times, library)
        if reason is None:
            assert key is not None
            name = library.names[key]
            usable = Usable(name, library.known[name], library.files[key], slide)
            reason = _held_out(usable, part_of, held_out, new_to_train)
        if reason is not None:
            left_out.add("slides", reason)
            continue
        found.append(usable)
    added = [each.name for each in found if each.name not in part_of]
    train = (*split.train, *sorted(added))
    return sorted(found, key=lambda each: each.name), replace(split, train=train)


def _key(slide: ReviewedSlide) -> str | None:
    """The slide's name as files are found by; None for a name no study can hold."""
    try:
        return slide_name(Path(slide.name)).lower()
    except StudyInvalid:
        return None


def _without_file(key: str | None, times: Counter[str], library: Library) -> str | None:
    if key is None or key not in library.files:
        return "no_file"
    return "same_name" if times[key] > 1 else None


def _held_out(
    slide: Usable, part_of: Mapping[str, Part], held_out: set[str | None], new_to_train: bool
) -> str | None:
    part = part_of.get(slide.name)
    if part == "train":
        return None
    if part is not None:
        return part
    if not new_to_train:
        return "not_in_split"
    return "patient_held_out" if slide.patient in held_out else None
