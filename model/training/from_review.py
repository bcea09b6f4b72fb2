"""What readers settled becomes hard rows of the next manifest, and each row says where from.

Patches lie on the model's cells, as `mine` lays them. Only slides of the training part are opened.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from model.extraction.extract import ExtractSettings
from model.extraction.manifest import SCHEMA, Manifest, write_manifest
from model.extraction.patches import PatchSettings
from model.extraction.slide_tissue import TissueSettings
from model.extraction.splits import Split, check_split
from model.prediction.errors import PredictionError
from model.training.review_decisions import LeftOut, decisions
from model.training.review_rows import Reviewed, ReviewSettings, Rows, learn_slide
from model.training.review_slides import Library, open_library, usable_slides
from model.training.reviews import Reviews


@dataclass(frozen=True)
class Round:
    """All that an export gave; `split` is the one to train with."""

    found: list[Reviewed]
    split: Split
    library: Library
    left_out: LeftOut
    problems: dict[str, PredictionError]


def learn(
    reviews: Reviews,
    folder: Path,
    split: Split,
    manifest: Manifest | None,
    settings: ReviewSettings,
    new_to_train: bool = False,
) -> Round:
    """Rows of everything settled on training slides.

    A slide that cannot be used is reported in `problems`. Raises StudyInvalid, SplitInvalid for a
    leak, ReviewsInvalid.
    """
    left_out = LeftOut()
    library = open_library(folder, split, manifest)
    slides, split = usable_slides(reviews, split, library, left_out, new_to_train)
    rows = manifest.column("slide").astype(str) if manifest is not None else np.empty(0, str)
    # What `train` will check, before anything is read.
    check_split(split, library.known, [*np.unique(rows).tolist(), *(each.name for each in slides)])
    extraction = _extraction(manifest)
    found, problems = [], {}
    for slide in slides:
        settled = list(decisions(slide.review, settings.labels, left_out))
        if not settled:
            continue
        own = np.flatnonzero(rows == slide.name)
        try:
            reviewed = learn_slide(slide, settled, manifest, own, extraction, settings, left_out)
        except PredictionError as error:
            left_out.add("slides", "unusable")
            problems[slide.name] = error
            continue
        if reviewed is None:
            left_out.add("slides", "other_file")
        else:
            found.append(reviewed)
    return Round(found, split, library, left_out, problems)


def write_round(
    done: Round,
    manifest: Manifest | None,
    folder: Path,
    source: Mapping[str, Any],
    out: Path,
) -> dict[str, Any]:
    """Write the next manifest to `out` with a record of this round; give the record back.

    `source` says of the export what is worth keeping. Raises WriteFailed.
    """
    slides = _slides(done, manifest, folder)
    tables = [manifest.table.cast(SCHEMA)] if manifest is not None else []
    marked: list[Rows] = [np.empty(0, np.intp)]
    regions, position = [], len(manifest) if manifest is not None else 0
    for each in done.found:
        for region in each.regions:
            labels = region.added.column("label").to_numpy()
            slides[each.slide.name]["positives"] += int(labels.sum())
            slides[each.slide.name]["negatives"] += int((labels == 0).sum())
            regions.append(
                {"slide": each.slide.name}
                | region.decision.to_json()
                | {"rows": [position, len(labels)], "marked_rows": region.marked.tolist()}
            )
            position += len(labels)
            marked.append(region.marked)
            tables.append(region.added)
    hard = np.unique(np.concatenate(marked))
    if manifest is not None:
        tables[0] = manifest.with_hard(hard).table.cast(SCHEMA)
    record = dict(source) | _figures(done) | {"left_out": done.left_out.to_json()}
    before = manifest.metadata if manifest is not None else {"settings": _settings_json()}
    rounds = [*before.get("reviews", []), record | {"regions": regions}]
    study = os.path.relpath(folder.resolve(), out.parent.resolve())
    write_manifest(out, tables, before | {"slides": slides, "study": study, "reviews": rounds})
    return record


def _figures(done: Round) -> dict[str, int]:
    regions = [region for each in done.found for region in each.regions]
    tumour = sum(int(each.added.column("label").to_numpy().sum()) for each in regions)
    added = sum(each.added.num_rows for each in regions)
    return {
        "slides": len(done.found),
        "regions": sum(1 for each in regions if each.added.num_rows or len(each.marked)),
        "added": added,
        "added_tumour": tumour,
        "added_normal": added - tumour,
        "marked": sum(len(each.marked) for each in regions),
    }


def _slides(done: Round, manifest: Manifest | None, folder: Path) -> dict[str, dict[str, Any]]:
    """What the next manifest says of each slide; files are told from `folder` on."""
    there = manifest.slides if manifest is not None else {}
    old = manifest.slide_files() if manifest is not None else {}
    empty = {"positives": 0, "negatives": 0, "left_out": "nobody has cut patches from it"}
    slides: dict[str, dict[str, Any]] = {}
    for name, patient in done.library.known.items():
        path = done.library.files.get(name.lower(), old.get(name))
        assert path is not None, "known slides are in the folder or in the manifest"
        file = os.path.relpath(path.resolve(), folder.resolve())
        slides[name] = {"patient": patient, **empty, **there.get(name, {}), "file": file}
    for each in done.found:
        if each.slide.name not in there:
            slides[each.slide.name] |= each.record
    return slides


def _settings_json() -> dict[str, Any]:
    """Settings of a manifest without slides cut before: the shipped model's patches."""
    return ExtractSettings(PatchSettings(label_rule="centre")).to_json()


def _extraction(manifest: Manifest | None) -> tuple[PatchSettings, TissueSettings]:
    given = manifest.metadata["settings"] if manifest is not None else _settings_json()

    def known(settings: type[Any]) -> dict[str, Any]:
        names = {field.name for field in fields(settings)}
        return {name: value for name, value in given.items() if name in names}

    return PatchSettings(**known(PatchSettings)), TissueSettings(**known(TissueSettings))
