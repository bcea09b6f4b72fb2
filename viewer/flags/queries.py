"""Finding flags: lists page by page, and what a part of a slide shows at a zoom."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil, log2
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Select, func, or_, select, union_all
from sqlalchemy.orm import Session

from model.prediction.wsi import Mpp
from viewer.db import iso_utc
from viewer.flags.geometry import area_mm2, grid_level, length_um
from viewer.flags.records import STATES, Flag
from viewer.paging import Key, page_of

COARSEST_GRID = 22  # cells wider than any slide
MOST_CELLS = 512  # along a side of the box asked for, each 1/CLUSTER_CELL of a cluster's
# A cluster stands for the flags of a cell this many times as wide as the smallest flag shown.
CLUSTER_CELL = 8
FARTHEST_L0_PX = 1e9
MOST_OUTLINES = 1500  # in one answer; what is smaller than these becomes clusters


@dataclass(frozen=True)
class Filter:
    """Which flags are wanted; None takes all."""

    state: str | None = None
    label: str | None = None
    assignee: str | None = None
    created_by: str | None = None
    text: str | None = None
    deleted: bool = False

    def clauses(self, slide_id: str) -> list[ColumnElement[bool]]:
        """For WHERE."""
        found = [Flag.slide_id == slide_id, Flag.deleted.is_(self.deleted)]
        for name in ("state", "assignee", "created_by"):
            if (value := getattr(self, name)) is not None:
                found.append(getattr(Flag, name) == value)
        if self.label is not None:
            found.append(Flag.label.is_(None) if self.label == "" else Flag.label == self.label)
        if self.text:
            found.append(
                or_(
                    *(
                        column.icontains(self.text, autoescape=True)
                        for column in (Flag.name, Flag.reason, Flag.label)
                    )
                )
            )
        return found


@dataclass(frozen=True)
class Box:
    """A part of the slide, right and bottom just outside."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class View:
    """What a part of a slide holds: `flags` to draw and `clusters` that stand for the rest."""

    flags: list[Flag]
    clusters: list[dict[str, Any]]

    @property
    def total(self) -> int:
        """Every flag is in one of the two."""
        return len(self.flags) + sum(int(cluster["count"]) for cluster in self.clusters)


def page(
    session: Session, slide_id: str, wanted: Filter, limit: int, after: str | None
) -> tuple[list[Flag], str | None, int]:
    """Newest number first: the flags, the cursor of the next page, and how many there are."""
    clauses = wanted.clauses(slide_id)
    total = session.scalar(select(func.count()).select_from(Flag).where(*clauses)) or 0
    query = select(Flag).where(*clauses)
    rows, more = page_of(session, query, [Key(Flag.number, descending=True)], limit, after, "flags")
    return [row[0] for row in rows], more, total


def state_counts(session: Session, slide_id: str) -> dict[str, int]:
    """How many flags of a slide are in each state."""
    query = select(Flag.state, func.count()).where(Flag.slide_id == slide_id, ~Flag.deleted)
    found = {row[0]: row[1] for row in session.execute(query.group_by(Flag.state))}
    return {state: found.get(state, 0) for state in STATES}


def last_touch(session: Session, slide_id: str) -> datetime | None:
    """When a flag of the slide was last made, changed, deleted or commented on."""
    return session.scalar(select(func.max(Flag.touched_at)).where(Flag.slide_id == slide_id))


def every_flag(session: Session, slide_id: str, wanted: Filter) -> Iterator[Flag]:
    """Oldest first, a few at a time: for exports."""
    query = select(Flag).where(*wanted.clauses(slide_id)).order_by(Flag.number)
    yield from session.scalars(query.execution_options(yield_per=500))


def view(
    session: Session, slide_id: str, wanted: Filter, box: Box | None, min_size_l0_px: float
) -> View:
    """Flags that reach into the box (all without one), and clusters of those smaller than asked.

    What is clustered counts where its centre lies, so that boxes side by side count it once. More
    than MOST_OUTLINES are never sent: the smallest of them are clustered as well.
    """
    clauses = wanted.clauses(slide_id)
    found = _largest(session, clauses, box, min_size_l0_px)
    small = Flag.extent_l0_px < min_size_l0_px
    if len(found) > MOST_OUTLINES:
        cut = found[MOST_OUTLINES][1]
        found = [(flag_id, extent) for flag_id, extent in found if extent > cut]
        small = Flag.extent_l0_px <= cut
    elif min_size_l0_px <= 0:
        return View(_by_id(session, [flag_id for flag_id, _ in found]), [])
    clusters = _clusters(session, [*clauses, small], box, min_size_l0_px)
    # A cluster of one is that flag, as long as there are not too many of them.
    singles = [cluster for cluster in clusters if cluster["count"] == 1]
    if len(singles) > MOST_OUTLINES:
        singles = []
    alone = {single["flag_id"] for single in singles}
    flags = _by_id(session, [*(flag_id for flag_id, _ in found), *alone])
    rest = [cluster for cluster in clusters if cluster["flag_id"] not in alone]
    for cluster in rest:
        del cluster["flag_id"]
    return View(flags, rest)


def flag_json(flag: Flag, mpp: Mpp | None, *, locked: bool) -> dict[str, Any]:
    """A flag as the API shows it, but for its geometry: see `flag_text`.

    `locked`: what the model said is closed to who asks, so hot spots are not named.
    """
    hotspot = {"analysis_id": flag.hotspot_analysis_id, "rank": flag.hotspot_rank}
    return {
        "id": flag.id,
        "slide_id": flag.slide_id,
        "number": flag.number,
        "version": flag.version,
        "kind": flag.kind,
        "bbox_l0_px": [flag.min_x_l0_px, flag.min_y_l0_px, flag.max_x_l0_px, flag.max_y_l0_px],
        "label": flag.label,
        "name": flag.name,
        "reason": flag.reason,
        "state": flag.state,
        "assignee": flag.assignee,
        "source": flag.source,
        "deleted": flag.deleted,
        "created_by": flag.created_by,
        "created_at": iso_utc(flag.created_at),
        "changed_by": flag.changed_by,
        "changed_at": iso_utc(flag.changed_at),
        "length_um": length_um(flag.geometry, mpp) if flag.kind == "ruler" else None,
        "area_mm2": area_mm2(flag.area_px2, mpp),
        "comments": flag.comment_count,
        "hotspot": hotspot if flag.hotspot_analysis_id and not locked else None,
    }


def flag_text(flag: Flag, mpp: Mpp | None, *, locked: bool) -> str:
    """The JSON of a flag. Its geometry is put in as it is stored: outlines may be long."""
    rest = json.dumps(flag_json(flag, mpp, locked=locked))
    return f'{rest[:-1]}, "geometry": {flag.geometry}}}'


def _largest(
    session: Session, clauses: Sequence[ColumnElement[bool]], box: Box | None, size_px: float
) -> list[tuple[str, float]]:
    """Ids and extents of the largest flags in the box, one more than may be sent."""
    base = select(Flag.id, Flag.extent_l0_px).where(*clauses, Flag.extent_l0_px >= size_px)
    if box is not None:
        base = _in_box(base, box, grid_level(size_px)).subquery().select()
    _, extent = base.selected_columns
    query = base.order_by(extent.desc()).limit(MOST_OUTLINES + 1)
    return [(row[0], row[1]) for row in session.execute(query)]


def _in_box(base: Select[str, float], box: Box, finest: int) -> CompoundSelect[str, float]:
    """By the grids: a flag reaches at most half a cell of its grid beyond the cell it is in."""
    touches = (
        Flag.min_x_l0_px < box.right,
        Flag.max_x_l0_px >= box.left,
        Flag.min_y_l0_px < box.bottom,
        Flag.max_y_l0_px >= box.top,
    )
    parts = []
    for level in range(min(finest, COARSEST_GRID), COARSEST_GRID + 1):
        half = 1 << level >> 1
        rows = int(box.top - half) >> level, int(box.bottom + half) >> level
        columns = int(box.left - half) >> level, int(box.right + half) >> level
        parts.append(
            base.where(
                Flag.grid_level == level,
                Flag.grid_row.between(*rows),
                Flag.grid_column.between(*columns),
                *touches,
            )
        )
    return union_all(*parts)


def _clusters(
    session: Session, clauses: Sequence[ColumnElement[bool]], box: Box | None, size_px: float
) -> list[dict[str, Any]]:
    x, y = Flag.center_x_l0_px, Flag.center_y_l0_px
    inside: list[ColumnElement[bool]] = []
    if box is not None:
        inside = [x >= box.left, x < box.right, y >= box.top, y < box.bottom]
        # Whatever was asked, a box holds a bounded number of cells.
        size_px = max(size_px, max(box.right - box.left, box.bottom - box.top) / MOST_CELLS)
    shift = ceil(log2(max(1.0, size_px * CLUSTER_CELL)))
    cell = x.op(">>")(shift), y.op(">>")(shift)
    query = (
        select(
            *cell,
            Flag.label,
            func.count(),
            func.min(Flag.id),
            func.min(Flag.min_x_l0_px),
            func.min(Flag.min_y_l0_px),
            func.max(Flag.max_x_l0_px),
            func.max(Flag.max_y_l0_px),
        )
        .where(*clauses, *inside)
        .group_by(*cell, Flag.label)
    )
    clusters: dict[tuple[int, int], dict[str, Any]] = {}
    for column, row, label, count, flag_id, *bounds in session.execute(query):
        _add(clusters.setdefault((column, row), {}), label, count, flag_id, bounds)
    return list(clusters.values())


def _add(
    cluster: dict[str, Any], label: str | None, count: int, flag_id: str, bounds: list[float]
) -> None:
    """Put the flags of one label into the cluster of their cell."""
    left, top, right, bottom = cluster.get("bbox_l0_px", bounds)
    box = [
        min(left, bounds[0]),
        min(top, bounds[1]),
        max(right, bounds[2]),
        max(bottom, bounds[3]),
    ]
    cluster["count"] = cluster.get("count", 0) + count
    cluster["bbox_l0_px"] = box
    cluster["x_l0_px"], cluster["y_l0_px"] = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    cluster.setdefault("labels", {})[label or ""] = count
    cluster["flag_id"] = flag_id


def _by_id(session: Session, ids: Sequence[str]) -> list[Flag]:
    return list(session.scalars(select(Flag).where(Flag.id.in_(ids)).order_by(Flag.number)))
