"""Hard negatives: where a model sees tumour in normal tissue of training slides.

Every such cell becomes a hard row of the next manifest: the row that is there already if its patch
lies on the cell, else a new one centred on it. A patch with any tumour is none, nor is one of a
slide whose lesions are not all outlined. Validation and test slides are never looked at.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from model.evaluation.errors import EvaluationInvalid
from model.evaluation.inputs import find_heatmaps
from model.extraction.annotations import CAMELYON_GROUPS
from model.extraction.errors import ManifestInvalid
from model.extraction.lesions import open_lesions
from model.extraction.manifest import SCHEMA, Manifest, make_table, write_manifest
from model.extraction.mask_values import AUTO
from model.extraction.masks import ANY_SHARE
from model.extraction.splits import Split, check_split
from model.extraction.study import Study, StudySlide
from model.extraction.windows import Bools, Pair, Windows
from model.prediction.errors import HeatmapInvalid
from model.prediction.heatmap import Heatmap, HeatmapGeometry
from model.prediction.wsi import open_wsi

Cells = NDArray[np.intp]  # (n, 2): rows and columns of a heat map


@dataclass(frozen=True)
class MiningSettings:
    """Which cells are taken: from `threshold` (None: the model's own), the highest of a slide."""

    threshold: float | None = None
    max_per_slide: int = 1000


@dataclass(frozen=True)
class Mined:
    """What one slide gave: rows of the manifest to mark, and rows to add."""

    slide: str
    marked: NDArray[np.intp]
    added: pa.Table
    geometry: HeatmapGeometry


def mine(
    manifest: Manifest, split: Split, study: Study, heatmaps: Path, settings: MiningSettings
) -> list[Mined]:
    """The false positives of every training slide that can have some.

    Raises SplitInvalid for a leak, EvaluationInvalid or HeatmapInvalid for heat maps that are
    missing, unfinished, or of several models.
    """
    names = manifest.column("slide").astype(str)
    patients = {name: slide["patient"] for name, slide in manifest.slides.items()}
    check_split(split, patients, np.unique(names).tolist())
    wanted = set(split.train) & set(names)
    slides = [each for each in study.slides if each.name in wanted and not each.partly_annotated]
    paths = find_heatmaps(heatmaps, slides)
    found = [_mine_slide(manifest, names, each, paths[each.name], settings) for each in slides]
    _refuse_mixture(found)
    return found


def write_mined(
    manifest: Manifest, found: list[Mined], study: Study, settings: MiningSettings, out: Path
) -> dict[str, Any]:
    """Write the next manifest to `out`, with a record of this round; give the record back."""
    marked = np.concatenate([each.marked for each in found])
    geometry = found[0].geometry
    record = {
        "model_id": geometry.model_id,
        "model_version": geometry.model_version,
        "weights_sha256": geometry.weights_sha256,
        "threshold": geometry.threshold if settings.threshold is None else settings.threshold,
        "max_per_slide": settings.max_per_slide,
        "slides": len(found),
        "marked": len(marked),
        "added": sum(each.added.num_rows for each in found),
    }
    slides = {name: dict(slide) for name, slide in manifest.slides.items()}
    for each in found:
        slides[each.slide]["negatives"] += each.added.num_rows
    metadata = manifest.metadata | {
        "slides": slides,
        "study": os.path.relpath(study.folder.resolve(), out.parent.resolve()),
        "mining": [*manifest.metadata.get("mining", []), record],
    }
    old = manifest.with_hard(marked).table.cast(SCHEMA)
    write_manifest(out, [old, *(each.added for each in found)], metadata)
    return record


def _mine_slide(
    manifest: Manifest, names: NDArray[Any], slide: StudySlide, path: Path, settings: MiningSettings
) -> Mined:
    heatmap = _open_finished(path, slide.name)
    geometry = heatmap.geometry
    rows = np.flatnonzero(names == slide.name)
    first = {name: manifest.column(name)[rows[0]] for name in manifest.table.column_names}
    windows = _windows(geometry, first)
    called = _called(heatmap, settings.threshold) & _within(windows, manifest.slides[slide.name])
    cells = _highest(heatmap, called & ~_tumour(manifest, slide, windows, first, called), settings)
    place = np.full(called.shape, -1, np.intp)
    own = _cells_of(manifest, rows, geometry)
    # Only rows without tumour: their label is 0 by every rule.
    normal = manifest.column("tumour_share")[rows] <= ANY_SHARE
    place[own[normal, 0], own[normal, 1]] = rows[normal]
    there = place[cells[:, 0], cells[:, 1]]
    table = _rows(windows, cells[there < 0], first, heatmap)
    return Mined(slide.name, there[there >= 0], table, geometry)


def _windows(geometry: HeatmapGeometry, first: dict[str, Any]) -> Windows:
    """A patch of the manifest's size around each cell."""
    cell = geometry.step_l0_x_px, geometry.step_l0_y_px
    size: Pair = (
        float(first["size_px"] * first["step_l0_x_px"]),
        float(first["size_px"] * first["step_l0_y_px"]),
    )
    origin: Pair = (
        geometry.origin_l0_x_px + (cell[0] - size[0]) / 2,
        geometry.origin_l0_y_px + (cell[1] - size[1]) / 2,
    )
    return Windows(geometry.columns, geometry.rows, origin, size, cell)


def _called(heatmap: Heatmap, threshold: float | None) -> Bools:
    """Cells (rows, columns) that are called tumour."""
    geometry = heatmap.geometry
    probabilities = heatmap.probabilities(0, geometry.rows, 0, geometry.columns)
    limit = geometry.threshold if threshold is None else threshold
    return np.asarray(np.nan_to_num(probabilities, nan=-1.0) >= limit)


def _within(windows: Windows, slide: dict[str, Any]) -> Bools:
    """Windows (rows, columns) wholly within the slide, as a manifest's are."""
    x, y = windows.x_l0_px, windows.y_l0_px
    columns = (x >= 0) & (x + windows.size_l0_px[0] <= slide["width_px"])
    rows = (y >= 0) & (y + windows.size_l0_px[1] <= slide["height_px"])
    return np.asarray(rows[:, None] & columns)


def _tumour(
    manifest: Manifest, slide: StudySlide, windows: Windows, first: dict[str, Any], wanted: Bools
) -> Bools:
    """Windows (rows, columns) with any tumour, as far as they are `wanted`."""
    settings = manifest.metadata["settings"]
    step = float(first["step_l0_x_px"]), float(first["step_l0_y_px"])
    values, groups = settings.get("mask_values", AUTO), settings.get("groups", CAMELYON_GROUPS)
    with open_wsi(slide.path) as wsi, open_lesions(slide, wsi, wsi.mpp, values, groups) as mask:
        return mask.tumour_share(windows, step, wanted) > ANY_SHARE


def _highest(heatmap: Heatmap, chosen: Bools, settings: MiningSettings) -> Cells:
    """The chosen cells of highest probability; equal ones in reading order."""
    geometry = heatmap.geometry
    cells = np.argwhere(chosen)
    probabilities = heatmap.probabilities(0, geometry.rows, 0, geometry.columns)
    order = np.argsort(-probabilities[cells[:, 0], cells[:, 1]], kind="stable")
    return np.asarray(cells[order[: settings.max_per_slide]])


def _cells_of(manifest: Manifest, rows: NDArray[np.intp], geometry: HeatmapGeometry) -> Cells:
    """The cell that the centre of each row's patch lies in, (n, 2)."""
    half = manifest.column("size_px")[rows] / 2
    x = manifest.column("x_l0_px")[rows] + half * manifest.column("step_l0_x_px")[rows]
    y = manifest.column("y_l0_px")[rows] + half * manifest.column("step_l0_y_px")[rows]
    column = (x - geometry.origin_l0_x_px) // geometry.step_l0_x_px
    row = (y - geometry.origin_l0_y_px) // geometry.step_l0_y_px
    last = geometry.rows - 1, geometry.columns - 1
    return np.stack([row, column], axis=1).clip(0, last).astype(np.intp)


def _rows(windows: Windows, cells: Cells, first: dict[str, Any], heatmap: Heatmap) -> pa.Table:
    """New rows of the manifest; the share of tissue is that of the cell."""
    changed = {
        "x_l0_px": windows.x_l0_px[cells[:, 1]],
        "y_l0_px": windows.y_l0_px[cells[:, 0]],
        "tissue_share": heatmap.tissue_shares[cells[:, 0], cells[:, 1]],
        "tumour_share": 0.0,
        "label": 0,
        "border": False,
        "hard": True,
    }
    return make_table(first | changed, len(cells))


def _open_finished(path: Path, name: str) -> Heatmap:
    try:
        heatmap = Heatmap.open(path)
    except HeatmapInvalid as error:
        raise HeatmapInvalid(f"{name}: {error.reason}", "Run predict on the slide.") from error
    if set(heatmap.planned_chunks()) - set(heatmap.stored_chunks()):
        raise EvaluationInvalid(
            f"The heat map of {name} is not finished.",
            "Run predict on the slide again; it goes on where it stopped.",
        )
    return heatmap


def _refuse_mixture(found: list[Mined]) -> None:
    models = {(each.geometry.weights_sha256, each.geometry.threshold): each for each in found}
    if len(models) > 1:
        first, second, *_ = models.values()
        raise ManifestInvalid(
            f"The heat maps of '{first.slide}' and '{second.slide}' come from different models.",
            "Run predict on all training slides with one model.",
        )
