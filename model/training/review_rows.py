"""What is settled on one slide, as rows of a manifest.

A cell that lies in regions of both kinds, or that the manifest already labels otherwise, is left
out: readers and masks must agree. Rows that are there already are marked, not added twice.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from model.extraction.manifest import SCHEMA, Manifest, make_table
from model.extraction.masks import ANY_SHARE
from model.extraction.patches import PatchSettings
from model.extraction.slide_tissue import SlideTissue, TissueSettings, find_tissue
from model.extraction.windows import Bools, Floats, filled_share
from model.prediction.wsi import Mpp, Wsi, open_wsi
from model.training.review_cells import Found, Lattice, cells_of, lattice
from model.training.review_decisions import Decision, Labels, LeftOut
from model.training.review_slides import Usable

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class ReviewSettings:
    """How many patches a region may give, and the seed by which they are drawn."""

    max_per_region: int = 200
    seed: int = 0
    labels: Labels = field(default_factory=Labels)


@dataclass(frozen=True)
class Region:
    """What a decision gave: rows of the manifest to mark, and rows to add."""

    decision: Decision
    marked: Rows
    added: pa.Table


@dataclass(frozen=True)
class Reviewed:
    """What a slide gave, and what a manifest says of the slide itself."""

    slide: Usable
    record: dict[str, Any]
    regions: list[Region]


@dataclass(frozen=True)
class _Claim:
    decision: Decision
    found: Found


def learn_slide(
    slide: Usable,
    settled: list[Decision],
    manifest: Manifest | None,
    own: Rows,
    extraction: tuple[PatchSettings, TissueSettings],
    settings: ReviewSettings,
    left_out: LeftOut,
) -> Reviewed | None:
    """Rows of what is settled on a slide; None where the file is not the slide that was read.

    `own` are its rows in the manifest. Raises SlideUnreadable, ResolutionUnknown,
    ResolutionUnsuitable, StudyInvalid for a slide smaller than a patch, ReviewsInvalid.
    """
    patches, tissue_settings = extraction
    with open_wsi(slide.path) as wsi:
        if wsi.size_l0_px != (slide.review.width_px, slide.review.height_px):
            return None
        tissue = find_tissue(wsi, tissue_settings, _mpp(slide, manifest))
        grid = lattice(wsi, tissue.mpp, patches)
        record = _record(wsi, tissue)
    shares = grid.tissue_shares(tissue.mask)
    claims = list(_claims(settled, grid, left_out))
    allowed = grid.whole()
    little = allowed & (shares < patches.min_tissue_share - 1e-9)
    contested = _contested(claims, grid, patches)
    place, contradicted = _existing(manifest, own, grid)
    taken = np.zeros(grid.shape, np.bool_)
    regions = []
    for claim in claims:
        label = claim.decision.label
        at = claim.found.cells[:, 0], claim.found.cells[:, 1]
        free = allowed[at] & ~taken[at]
        refused = {
            "little_tissue": little[at],
            "contested": contested[label][at],
            "contradicts_manifest": contradicted[label][at],
            "little_tumour": _little_tumour(claim, patches),
        }
        for reason, which in refused.items():
            left_out.add("patches", reason, int((free & which).sum()))
            free &= ~which
        chosen = _drawn(np.flatnonzero(free), slide.name, claim.decision, settings)
        left_out.add("patches", "beyond_cap", int(free.sum()) - len(chosen))
        taken[at] |= free  # what one region has, another does not give again
        cells, there = claim.found.cells[chosen], place[at][chosen]
        new = there < 0
        inside = claim.found.patch_shares[chosen][new]
        table = _rows(slide, label, cells[new], inside, shares, grid, patches, settings.seed)
        regions.append(Region(claim.decision, there[~new], table))
    return Reviewed(slide, record, regions)


def _mpp(slide: Usable, manifest: Manifest | None) -> Mpp | None:
    """The resolution that goes before the file's: the manifest's own, else a reader's word."""
    there = manifest.slides.get(slide.name, {}) if manifest is not None else {}
    if "mpp_x" in there:
        return Mpp(float(there["mpp_x"]), float(there["mpp_y"]))
    review = slide.review
    if review.mpp_source == "user" and review.mpp_x is not None and review.mpp_y is not None:
        return Mpp(review.mpp_x, review.mpp_y)
    return None


def _record(wsi: Wsi, tissue: SlideTissue) -> dict[str, Any]:
    width, height = wsi.size_l0_px
    # Readers spoke of regions, not of the whole slide.
    known = {"width_px": width, "height_px": height, "partly_annotated": True}
    return known | tissue.to_json() | {"left_out": None}


def _claims(settled: list[Decision], grid: Lattice, left_out: LeftOut) -> list[_Claim]:
    claims = []
    for decision in settled:
        found = cells_of(decision, grid)
        kind = "flags" if decision.source == "flag" else "hotspots"
        if found is None:
            left_out.add(kind, "too_small")
        elif not len(found.cells):
            left_out.add(kind, "outside")
        else:
            claims.append(_Claim(decision, found))
    return claims


def _contested(claims: list[_Claim], grid: Lattice, patches: PatchSettings) -> tuple[Bools, Bools]:
    """Cells that may not be taken for label 0, and for label 1, by what regions say together."""
    said = np.zeros((2, *grid.shape), np.bool_)
    for claim in claims:
        said[claim.decision.label][claim.found.cells[:, 0], claim.found.cells[:, 1]] = True
    both = said[0] & said[1]
    if patches.label_rule == "centre":
        return both, both
    # There, any tumour in a patch keeps it from being one without.
    cells = grid.cells
    near = filled_share(said[1], cells.origin_l0_px, cells.stride_l0_px, grid.patches) > ANY_SHARE
    return both | near, both


def _existing(
    manifest: Manifest | None, own: Rows, grid: Lattice
) -> tuple[NDArray[np.intp], tuple[Bools, Bools]]:
    """The manifest's row on each cell (-1: none), and cells it says are not of label 0, and 1.

    It says so by a row on the cell, and by patches around it that are tumour, or none, throughout.
    """
    place = np.full(grid.shape, -1, np.intp)
    against = np.zeros((2, *grid.shape), np.bool_)
    if manifest is None or not len(own):
        return place, (against[0], against[1])
    column = {name: manifest.column(name)[own] for name in SCHEMA.names if name != "patient"}
    width, height = (column["size_px"] * column[f"step_l0_{axis}_px"] for axis in "xy")
    left, top = column["x_l0_px"], column["y_l0_px"]
    centres = (grid.rows_at(top + height / 2), grid.columns_at(left + width / 2))
    row, col = (
        np.clip(np.floor(each), 0, limit - 1).astype(np.intp)
        for each, limit in zip(centres, grid.shape, strict=True)
    )
    place[row, col] = own
    label = column["label"].astype(np.intp)
    against[1 - label, row, col] = True
    # Hard rows may speak of their centre alone.
    pure = np.where(label == 1, 1 - column["tumour_share"], column["tumour_share"]) <= ANY_SHARE
    first = np.ceil([grid.rows_at(top), grid.columns_at(left)]).clip(0).astype(np.intp)
    last = np.floor([grid.rows_at(top + height), grid.columns_at(left + width)]).astype(np.intp)
    for at in np.flatnonzero(pure & ~column["hard"]):
        rows, columns = (slice(first[axis, at], last[axis, at]) for axis in (0, 1))
        against[1 - label[at], rows, columns] = True
    return place, (against[0], against[1])


def _little_tumour(claim: _Claim, patches: PatchSettings) -> Bools:
    if claim.decision.label == 0 or patches.label_rule != "share":
        return np.zeros(len(claim.found.cells), np.bool_)
    return claim.found.patch_shares < patches.min_tumour_share - 1e-9


def _drawn(free: Rows, slide: str, decision: Decision, settings: ReviewSettings) -> Rows:
    """All, or at most `max_per_region`, drawn by seed, slide and region, in reading order."""
    if len(free) <= settings.max_per_region:
        return free
    random = np.random.default_rng([settings.seed, *f"{slide} {decision.id}".encode()])
    return np.sort(random.permutation(free)[: settings.max_per_region])


def _rows(
    slide: Usable,
    label: int,
    cells: NDArray[np.intp],
    inside: NDArray[np.float64],
    tissue_shares: Floats,
    grid: Lattice,
    patches: PatchSettings,
    seed: int,
) -> pa.Table:
    """New rows; the share of tumour is what lies in the region, beyond it nobody said."""
    return make_table(
        {
            "slide": slide.name,
            "patient": slide.patient,
            "x_l0_px": grid.patches.x_l0_px[cells[:, 1]],
            "y_l0_px": grid.patches.y_l0_px[cells[:, 0]],
            "step_l0_x_px": grid.step_l0[0],
            "step_l0_y_px": grid.step_l0[1],
            "size_px": patches.size_px,
            "tissue_share": np.clip(tissue_shares[cells[:, 0], cells[:, 1]], 0, 1),
            "tumour_share": inside if label == 1 else 0.0,
            "label": label,
            "border": False,
            "hard": True,
            "seed": seed,
        },
        len(cells),
    )
