"""From a study to a manifest, slide after slide: finished ones are kept if the run breaks off."""

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from model.extraction.annotations import CAMELYON_GROUPS, Meaning
from model.extraction.errors import StudyInvalid, WriteFailed
from model.extraction.lesions import open_lesions
from model.extraction.manifest import SCHEMA, read_metadata, write_manifest
from model.extraction.mask_values import AUTO
from model.extraction.patches import PatchSettings, find_patches, patch_windows
from model.extraction.preview import write_preview
from model.extraction.runs import claim_folder, fingerprint
from model.extraction.slide_tissue import SlideTissue, TissueSettings, find_tissue
from model.extraction.study import Study, StudySlide
from model.prediction.errors import PredictionError
from model.prediction.wsi import Wsi, open_wsi

MANIFEST_FILE = "manifest.parquet"
Advance = Callable[[int], None]
# Called for each slide worked on: its name and how many windows it has; gives what counts them.
Begin = Callable[[str, int], Advance]


@dataclass(frozen=True)
class ExtractSettings:
    """Everything that decides what the manifest holds; recorded beside it and compared."""

    patches: PatchSettings = field(default_factory=PatchSettings)
    tissue: TissueSettings = field(default_factory=TissueSettings)
    mask_values: str = AUTO
    groups: Mapping[str, Meaning] = field(default_factory=lambda: dict(CAMELYON_GROUPS))

    def to_json(self) -> dict[str, Any]:
        """All values in one level, by name."""
        values = asdict(self.patches) | asdict(self.tissue)
        return values | {"mask_values": self.mask_values, "groups": dict(self.groups)}


@dataclass
class Extracted:
    """What a run gave: what is known of each slide, and why some could not be used."""

    slides: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: dict[str, PredictionError] = field(default_factory=dict)
    kept: int = 0  # slides finished by an earlier run


def extract(
    study: Study, out: Path, settings: ExtractSettings, begin: Begin, again: bool = False
) -> Extracted:
    """Write one part for each slide of `study` that has none yet, and a preview of each.

    A slide that cannot be used is reported, and the others are still done. Raises WriteFailed, and
    ManifestInvalid if `out` was begun with other settings.
    """
    claim_folder(out, settings.to_json(), again)
    done = Extracted()
    for slide in study.slides:
        part = part_path(out, slide.name)
        inputs = _inputs(slide, study)
        metadata = None if again else read_metadata(part)
        if metadata is not None and metadata["inputs"] == inputs:
            done.slides[slide.name] = metadata["slides"][slide.name]
            done.kept += 1
            continue
        try:
            table, record = _extract_slide(slide, out, settings, begin)
        except WriteFailed:
            raise
        except PredictionError as error:
            done.problems[slide.name] = error
            continue
        record = {"file": str(slide.path.relative_to(study.folder)), **record}
        described = _described({slide.name: record}, settings)
        write_manifest(part, [table], described | {"inputs": inputs})
        done.slides[slide.name] = record
    return done


def merge(study: Study, out: Path, settings: ExtractSettings, done: Extracted) -> Path:
    """Join the parts of all slides done into one manifest, read one after the other."""
    parts = (pq.read_table(part_path(out, name)) for name in done.slides)
    where = os.path.relpath(study.folder.resolve(), out.resolve())
    write_manifest(out / MANIFEST_FILE, parts, _described(done.slides, settings) | {"study": where})
    return out / MANIFEST_FILE


def part_path(out: Path, slide: str) -> Path:
    """Where the part of a slide lies."""
    return out / "parts" / f"{slide}.parquet"


def _described(slides: Mapping[str, Any], settings: ExtractSettings) -> dict[str, Any]:
    return {"settings": settings.to_json(), "slides": dict(slides), "study": "."}


def _inputs(slide: StudySlide, study: Study) -> dict[str, Any]:
    """What a part was made from; a part made from anything else is made again."""
    return {
        "file": str(slide.path.relative_to(study.folder)),
        "slide": fingerprint(slide.path),
        "lesions": fingerprint(slide.lesions),
        "patient": slide.patient,
        "partly_annotated": slide.partly_annotated,
        "normal": slide.normal,
    }


def _extract_slide(
    slide: StudySlide, out: Path, settings: ExtractSettings, begin: Begin
) -> tuple[pa.Table, dict[str, Any]]:
    with open_wsi(slide.path) as wsi:
        tissue = find_tissue(wsi, settings.tissue)
        record = {
            "patient": slide.patient,
            "width_px": wsi.size_l0_px[0],
            "height_px": wsi.size_l0_px[1],
            "partly_annotated": slide.partly_annotated,
            **tissue.to_json(),
        }
        if tissue.left_out is not None:
            table = SCHEMA.empty_table()
        else:
            table, counts = _find(slide, wsi, tissue, settings, begin)
            record |= {"mask_values": counts}
        write_preview(out / "previews" / f"{slide.name}.png", wsi, tissue.mask, table)
    positives = int(table.column("label").to_numpy().sum())
    if slide.normal and positives:
        raise StudyInvalid(
            f"The slide is said to be normal, but {positives} of its patches hold tumour.",
            "Correct its mask, its name or normal.txt.",
        )
    return table, record | {"positives": positives, "negatives": table.num_rows - positives}


def _find(
    slide: StudySlide, wsi: Wsi, tissue: SlideTissue, settings: ExtractSettings, begin: Begin
) -> tuple[pa.Table, dict[int, int]]:
    """The slide's patches, and the values its mask was seen to hold."""
    windows, step_l0 = patch_windows(wsi, tissue.mpp, settings.patches)
    advance = begin(slide.name, windows.columns * windows.rows)
    with open_lesions(slide, wsi, tissue.mpp, settings.mask_values, settings.groups) as lesions:
        table = find_patches(
            slide, windows, step_l0, tissue.mask, lesions, settings.patches, advance
        )
        return table, lesions.value_counts
