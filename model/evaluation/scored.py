"""Logits of labelled patches, from a folder or from a manifest, for what is fitted to them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from model.evaluation.calibration import ScoredPatches, Unit
from model.evaluation.errors import EvaluationInvalid
from model.evaluation.manifest import slide_blocks
from model.evaluation.patches import PatchFolder
from model.extraction.splits import Part
from model.prediction.engine import Engine
from model.prediction.models import Model
from model.prediction.stain import each_normalised

READ_AT_ONCE = 512  # patches: neighbours are read together, and memory stays small
# As far as a slide's level may be from the model's resolution.
SPACING_TOLERANCE = 0.10

Begin = Callable[[int], Callable[[int], None]]  # patches in all → what hears of those done


def scored_folder(engine: Engine, path: Path, order: Path | None, begin: Begin) -> ScoredPatches:
    """Score a folder or zip of patches; `order` is a CSV with id and slide_order.

    Groups are blocks of neighbours in slide order, or single patches. Raises PatchesInvalid.
    """
    with PatchFolder(path) as folder:
        names = [patch.name for patch in folder.patches]
        groups = np.arange(len(names)) if order is None else slide_blocks(order, names)
        advance, logits = begin(len(names)), []
        for batch in folder.batches(engine.model.patch_size_px, READ_AT_ONCE):
            logits.append(engine.logits(each_normalised(batch, engine.model.stain)))
            advance(len(batch))
        unit: Unit = "patches" if order is None else "blocks"
        return ScoredPatches(
            np.concatenate(logits).astype(np.float64), folder.labels, groups, unit, path.name
        )


def scored_manifest(
    engine: Engine, manifest_path: Path, split_path: Path, part: Part, begin: Begin
) -> ScoredPatches:
    """Score one part of a manifest; groups are its patients.

    Raises ManifestInvalid, SplitInvalid, SlideUnreadable, and EvaluationInvalid where the patches
    are not of the model's kind.
    """
    from model.extraction.manifest import read_manifest
    from model.extraction.patch_reader import PatchReader
    from model.extraction.splits import read_split, rows_of
    from model.extraction.stains import SlideStains, stains_of

    manifest = read_manifest(manifest_path)
    _check_kind(manifest.metadata["settings"], engine.model)
    rows = rows_of(manifest, read_split(split_path), part)
    files = manifest.slide_files()
    reader = PatchReader(manifest, files, manifest_path.parent / "pixels")
    if engine.model.stain is not None:
        target = engine.model.stain
        reader.stains = SlideStains(target, stains_of(manifest, rows, files, target))
    advance, logits = begin(len(rows)), []
    for start in range(0, len(rows), READ_AT_ONCE):
        some = rows[start : start + READ_AT_ONCE]
        logits.append(engine.logits(reader.read(some)))
        advance(len(some))
    reader.close()
    patients, groups = np.unique(manifest.column("patient")[rows].astype(str), return_inverse=True)
    slides = len(np.unique(manifest.column("slide")[rows].astype(str)))
    return ScoredPatches(
        np.concatenate(logits).astype(np.float64),
        manifest.column("label")[rows].astype(np.int64),
        groups,
        "slides" if len(patients) == slides else "patients",
        f"the {part} part of {manifest_path.name}",
    )


def _check_kind(settings: dict[str, object], model: Model) -> None:
    size_px, mpp = settings.get("size_px"), settings.get("mpp")
    if size_px != model.patch_size_px:
        raise EvaluationInvalid(
            f"The manifest's patches are {size_px} px wide; the model's are"
            f" {model.patch_size_px} px.",
            f"Make one with `python -m model patches --size-px {model.patch_size_px}`.",
        )
    spacing = model.spacing_um_px
    if isinstance(mpp, float) and abs(mpp / spacing - 1) > SPACING_TOLERANCE:
        raise EvaluationInvalid(
            f"The manifest's patches are of {mpp:g} µm/px; the model's of {spacing:g}.",
            f"Make one with `python -m model patches --mpp {spacing:g}`.",
        )
