"""What readers decided, slide by slide: verdicts, flags and opinions on hot spots.

It leaves as a file that `python -m model from-review` learns from, so it says where things lie in
a form that needs nothing of Sentinode's database or heat maps.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from model.prediction.errors import HeatmapInvalid
from model.prediction.heatmap import Heatmap
from model.prediction.spot_cells import runs_json, spot_runs
from viewer.analyses.job import heatmap_path
from viewer.analyses.records import DONE
from viewer.db import iso_utc
from viewer.flags.records import Flag
from viewer.reading.verdicts import verdict_json
from viewer.records import Analysis, Hotspot
from viewer.settings import Settings
from viewer.slides.filters import WorklistFilter
from viewer.slides.library import folder_keys, resolution_of
from viewer.slides.listing import Listed, all_slides
from viewer.tour.records import HotspotReview

FORMAT = 1
Json = dict[str, Any]


def decisions(session: Session, settings: Settings, wanted: WorklistFilter) -> Iterator[Json]:
    """A row for each slide of the list, some hundred read at a time.

    Hot spots of a slide that is locked to who makes the present request are left out.
    """
    folder_of = {key: folder.name for key, folder in folder_keys(settings).items()}
    for part in all_slides(session, settings, wanted):
        ids = [listed.slide.id for listed in part]
        flags_of = _flags(session, ids)
        open_ids = [listed.slide.id for listed in part if not listed.reading.locked]
        analyses_of = _analyses(session, settings, open_ids)
        for listed in part:
            row = _slide_json(listed, folder_of[listed.slide.folder_key])
            flags = [_flag_json(flag, row["locked"]) for flag in flags_of[listed.slide.id]]
            yield row | {"flags": flags, "analyses": analyses_of[listed.slide.id]}


def _slide_json(listed: Listed, folder: str) -> Json:
    slide, shown = listed.slide, listed.reading
    mpp, source = resolution_of(slide, listed.resolution)
    return {
        "id": slide.id,
        "name": slide.name,
        "folder": folder,
        "width_px": slide.width_px,
        "height_px": slide.height_px,
        "mpp_x": mpp.x if mpp else None,
        "mpp_y": mpp.y if mpp else None,
        "mpp_source": source,
        "state": shown.reading.state,
        "verdict": verdict_json(shown.verdict) if shown.verdict else None,
        "verdicts": shown.verdicts,
        "locked": shown.locked,
    }


def _flags(session: Session, slide_ids: Sequence[str]) -> dict[str, list[Flag]]:
    """Flags that are not deleted, by slide, in the order of their numbers."""
    query = select(Flag).where(Flag.slide_id.in_(slide_ids), ~Flag.deleted)
    found = defaultdict(list)
    for flag in session.scalars(query.order_by(Flag.slide_id, Flag.number)):
        found[flag.slide_id].append(flag)
    return found


def _flag_json(flag: Flag, locked: bool) -> Json:
    hotspot = {"analysis_id": flag.hotspot_analysis_id, "rank": flag.hotspot_rank}
    return {
        "id": flag.id,
        "number": flag.number,
        "version": flag.version,
        "kind": flag.kind,
        "geometry": json.loads(flag.geometry),
        "label": flag.label,
        "state": flag.state,
        "created_by": flag.created_by,
        "created_at": iso_utc(flag.created_at),
        "changed_by": flag.changed_by,
        "changed_at": iso_utc(flag.changed_at),
        "hotspot": hotspot if flag.hotspot_analysis_id and not locked else None,
    }


def _analyses(
    session: Session, settings: Settings, slide_ids: Sequence[str]
) -> dict[str, list[Json]]:
    """Finished analyses with hot spots, by slide, with those that somebody has an opinion of."""
    counts = (
        select(Analysis, func.count())
        .join(Hotspot, Hotspot.analysis_id == Analysis.id)
        .where(Analysis.slide_id.in_(slide_ids), Analysis.state == DONE)
        .group_by(Analysis.id)
        .order_by(Analysis.slide_id, Analysis.created_at, Analysis.id)
    )
    found = defaultdict(list)
    kept = session.execute(counts).all()
    spots_of = _spots(session, [analysis.id for analysis, _ in kept])
    for analysis, count in kept:
        spots = spots_of.get(analysis.id, {})
        found[analysis.slide_id].append(
            {
                "id": analysis.id,
                "model_id": analysis.model_id,
                "model_version": analysis.model_version,
                "finished_at": iso_utc(analysis.finished_at),
                "hotspots": _spots_json(settings, analysis, spots),
                "hotspots_without_opinion": count - len(spots),
            }
        )
    return found


def _spots(
    session: Session, analysis_ids: Sequence[str]
) -> dict[str, dict[int, tuple[Hotspot, list[HotspotReview]]]]:
    """Hot spots with an opinion by analysis and rank, and what each reader says of them."""
    query = (
        select(Hotspot, HotspotReview)
        .join(
            HotspotReview,
            (Hotspot.analysis_id == HotspotReview.analysis_id)
            & (Hotspot.rank == HotspotReview.rank),
        )
        .where(Hotspot.analysis_id.in_(analysis_ids), HotspotReview.opinion.is_not(None))
        .order_by(Hotspot.analysis_id, Hotspot.rank, HotspotReview.changed_at, HotspotReview.reader)
    )
    found: dict[str, dict[int, tuple[Hotspot, list[HotspotReview]]]] = defaultdict(dict)
    for spot, said in session.execute(query):
        found[spot.analysis_id].setdefault(spot.rank, (spot, []))[1].append(said)
    return found


def _spots_json(
    settings: Settings,
    analysis: Analysis,
    spots: dict[int, tuple[Hotspot, list[HotspotReview]]],
) -> list[Json]:
    heatmap = _heatmap(settings, analysis.id) if spots else None
    return [
        {
            "rank": rank,
            "peak_probability": spot.peak_probability,
            "bbox_l0_px": spot.bbox_l0_px,
            "x_l0_px": spot.x_l0_px,
            "y_l0_px": spot.y_l0_px,
            "cells": _cells(heatmap, spot) if heatmap else None,
            "opinions": [
                {
                    "reader": each.reader,
                    "opinion": each.opinion,
                    "changed_at": iso_utc(each.changed_at),
                }
                for each in said
            ],
        }
        for rank, (spot, said) in spots.items()
    ]


def _heatmap(settings: Settings, analysis_id: str) -> Heatmap | None:
    try:
        return Heatmap.open(heatmap_path(settings, analysis_id))
    except HeatmapInvalid:
        return None  # what was said stays said, though nobody knows the cells any more


def _cells(heatmap: Heatmap, spot: Hotspot) -> Json | None:
    left, top, right, bottom = spot.bbox_l0_px
    try:
        runs = spot_runs(heatmap, (left, top, right, bottom), spot.x_l0_px, spot.y_l0_px)
    except HeatmapInvalid:
        return None
    return runs_json(heatmap, runs) if len(runs) else None
