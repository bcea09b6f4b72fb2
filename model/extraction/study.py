"""A study: a folder with slides/ and masks/ or annotations/, paired by name.

    slides/tumor_001.tif    masks/tumor_001_mask.tif  or  annotations/tumor_001.xml
    partly_annotated.txt    names of slides whose lesions are not all outlined, one a line
    normal.txt              names of slides without tumour, where the name does not say so
    patients.csv            slide,patient

The last three are optional. Names are compared without regard to case.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from model.extraction.errors import StudyInvalid
from model.prediction.wsi import wsi_extensions

# A DICOM slide is a folder of files, which names alone cannot pair.
_SLIDES = sorted(wsi_extensions() - {".dcm"})
SLIDE_ENDINGS = (*(f".ome{ending}" for ending in (".tif", ".tiff")), *_SLIDES)
MASK_ENDINGS = ("_mask.tif", "_mask.tiff", ".tif", ".tiff")
ANNOTATION_ENDINGS = (".xml", ".json")
NORMAL_NAMES = ("normal*",)  # CAMELYON16 names its slides so
CAMELYON17_NAME = re.compile(r"(patient_\d+)_node_\d+")
Source = Literal["masks", "annotations"]


@dataclass(frozen=True)
class StudySlide:
    """A slide of a study; `lesions` is its mask or annotation, None when it is known to be normal.

    A partly annotated slide gives no negatives: tumour may lie where nothing was outlined.
    """

    name: str
    patient: str
    path: Path
    lesions: Path | None
    partly_annotated: bool = False
    normal: bool = False  # said to hold no tumour, so a mask with tumour contradicts


@dataclass(frozen=True)
class Study:
    """Slides in the order of their names; `unused` are masks and annotations without a slide."""

    folder: Path
    slides: list[StudySlide]
    unused: list[str]


def open_study(
    folder: Path, normal_names: Sequence[str] = NORMAL_NAMES, source: Source | None = None
) -> Study:
    """Pair the files of a study; raise StudyInvalid, naming every slide it cannot pair.

    `source` chooses between masks and annotations where a slide has both.
    """
    slides = find_slides(folder)
    found: dict[Source, dict[str, Path]] = {
        "masks": _by_name(folder / "masks", MASK_ENDINGS),
        "annotations": _by_name(folder / "annotations", ANNOTATION_ENDINGS),
    }
    chosen = [found[source]] if source else list(found.values())
    lesions = {name: [files[name] for files in chosen if name in files] for name in slides}
    _refuse_two_truths(lesions)
    listed = _listed(folder / "normal.txt", slides)
    normal = {name for name in slides if _is_normal(name, normal_names)} | listed
    _refuse_unpaired([name for name in slides if not lesions[name] and name not in normal])
    partly = _listed(folder / "partly_annotated.txt", slides)
    patients = patients_of(folder, slides)
    unused = sorted(
        path.name for files in chosen for name, path in files.items() if name not in slides
    )
    return Study(
        folder,
        [
            StudySlide(
                name=slide_name(path),
                patient=patients[name],
                path=path,
                lesions=lesions[name][0] if lesions[name] else None,
                partly_annotated=name in partly,
                normal=name in normal,
            )
            for name, path in slides.items()
        ],
        unused,
    )


def find_slides(folder: Path) -> dict[str, Path]:
    """Slides in `folder`/slides (else `folder`) by lower-case name; raise StudyInvalid if none."""
    within = folder / "slides" if (folder / "slides").is_dir() else folder
    slides = _by_name(within, SLIDE_ENDINGS)
    if not slides:
        raise StudyInvalid(
            f"'{folder.name}' holds no slides.",
            f"Put them into its folder slides/; endings read are {', '.join(SLIDE_ENDINGS)}.",
        )
    return slides


def slide_name(path: Path) -> str:
    """The name of a slide by its file's; raise StudyInvalid for another ending."""
    if not path.name.lower().endswith(SLIDE_ENDINGS):
        raise StudyInvalid(
            f"'{path.name}' is no slide by its name.",
            f"Endings read are {', '.join(SLIDE_ENDINGS)}.",
        )
    return _stem(path, SLIDE_ENDINGS)


def patients_of(folder: Path, slides: Mapping[str, Path]) -> dict[str, str]:
    """The patient of each slide that `find_slides` found: by patients.csv, else by its name.

    Raises StudyInvalid for a list that names other slides.
    """
    listed = _patients(folder / "patients.csv", slides)
    return {name: listed.get(name) or _patient(slide_name(path)) for name, path in slides.items()}


def _by_name(folder: Path, endings: Sequence[str]) -> dict[str, Path]:
    """Files of those endings by name in lower case; the first ending that fits is taken off."""
    if not folder.is_dir():
        return {}
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.name.lower().endswith(tuple(endings)):
            continue
        if not path.is_file():
            continue
        name = _stem(path, endings).lower()
        if name in found:
            raise StudyInvalid(
                f"'{found[name].name}' and '{path.name}' in {folder.name}/ have the same name.",
                "Keep one of them.",
            )
        found[name] = path
    return found


def _stem(path: Path, endings: Sequence[str]) -> str:
    ending = next(ending for ending in endings if path.name.lower().endswith(ending))
    return path.name[: -len(ending)]


def _is_normal(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern.lower()) for pattern in patterns)


def _patient(name: str) -> str:
    match = CAMELYON17_NAME.fullmatch(name)
    return match[1] if match else name


def _refuse_two_truths(lesions: dict[str, list[Path]]) -> None:
    both = [name for name, files in lesions.items() if len(files) > 1]
    if both:
        raise StudyInvalid(
            f"{_some(both)} have a mask and an annotation, which may differ.",
            "Choose with --lesions masks or --lesions annotations.",
        )


def _refuse_unpaired(names: list[str]) -> None:
    if names:
        raise StudyInvalid(
            f"No mask or annotation for {_some(names)}.",
            "Add it to masks/ or annotations/. A slide without tumour may go without: name it in"
            " normal.txt or with --normal.",
        )


def _listed(path: Path, slides: dict[str, Path]) -> set[str]:
    """Names in a list, lower case; a name that fits no slide is refused, it may be misspelt."""
    if not path.is_file():
        return set()
    lines = path.read_text(encoding="utf-8").splitlines()
    names = {line.split("#")[0].strip().lower() for line in lines} - {""}
    _refuse_unknown(names, slides, path.name)
    return names


def _patients(path: Path, slides: Mapping[str, Path]) -> dict[str, str]:
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or not all(row.get("slide") and row.get("patient") for row in rows):
        raise StudyInvalid(
            f"{path.name} lacks the columns slide and patient, or a value in them.",
            "Write 'slide,patient' on its first line, then a slide a line.",
        )
    patients = {row["slide"].strip().lower(): row["patient"].strip() for row in rows}
    if len(patients) < len(rows):
        raise StudyInvalid(f"{path.name} names a slide twice.", "Keep one line for each slide.")
    _refuse_unknown(patients, slides, path.name)
    return patients


def _refuse_unknown(names: Iterable[str], slides: Mapping[str, Path], file: str) -> None:
    unknown = sorted(name for name in names if name not in slides)
    if unknown:
        raise StudyInvalid(
            f"{file} names {_some(unknown)}, which slides/ does not hold.",
            "Correct the spelling, or take the line out.",
        )


def _some(names: Sequence[str]) -> str:
    """Up to five names, and how many more."""
    listed = ", ".join(f"'{name}'" for name in names[:5])
    return listed + (f" and {len(names) - 5} more" if len(names) > 5 else "")
