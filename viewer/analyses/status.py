"""An analysis as the API shows it. Progress is counted from what is stored, never kept."""

from collections.abc import Collection
from functools import cached_property
from statistics import median
from typing import Any

from sqlalchemy.orm import Session

from model.prediction.errors import HeatmapInvalid
from model.prediction.models import Model
from viewer.analyses import records
from viewer.analyses.catalog import models
from viewer.analyses.heatmaps import OpenHeatmap, open_heatmap
from viewer.analyses.job import heatmap_path
from viewer.db import iso_utc
from viewer.records import Analysis
from viewer.settings import Settings

SUMMARY = (
    "peak_probability",
    "cells_analysed",
    "cells_positive",
    "analysed_area_mm2",
    "positive_area_mm2",
)
# The pace is that of the last chunks. Chunks of several processes appear in bunches: each pace is
# taken over a few of them, and the median of these forgets a pause or a slow patch.
PACE_CHUNKS = 24
BUNCH = 4
NS_PER_S = 1e9


class Status:
    """Describes analyses within one request."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._settings = settings

    def of(self, analysis: Analysis, *, in_list: bool = False) -> dict[str, Any]:
        """The JSON of an analysis. In lists, heat maps of removed models are not opened for it."""
        model = self._models.get((analysis.model_id, analysis.model_version))
        # The record of a finished one says all; lists are mostly of these.
        known = analysis.state == records.DONE and (model is not None or in_list)
        opened = None if known else self._heatmap(analysis)
        return {
            "id": analysis.id,
            "slide_id": analysis.slide_id,
            "state": analysis.state,
            **_progress(analysis, opened),
            "error": analysis.error,
            "model": _model(analysis, model, opened),
            "summary": _summary(analysis),
            "score": analysis.score,
            "score_rule": analysis.score_rule,
            "hotspots": analysis.hotspots,
            "warnings": analysis.warnings or [],
            "created_at": iso_utc(analysis.created_at),
            "started_at": iso_utc(analysis.started_at),
            "finished_at": iso_utc(analysis.finished_at),
            "queue_position": self._queue_position(analysis),
        }

    def _heatmap(self, analysis: Analysis) -> OpenHeatmap | None:
        try:
            return open_heatmap(heatmap_path(self._settings, analysis.id))
        except HeatmapInvalid:
            return None  # its tiles give the reason

    def _queue_position(self, analysis: Analysis) -> int | None:
        """1 = the next one."""
        return self._places.get(analysis.id)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {id_: place for place, id_ in enumerate(records.queue(self._session), 1)}

    @cached_property
    def _models(self) -> dict[tuple[str, str], Model]:
        listed = models(self._settings)
        return {(m.id, m.version): m for m in listed if isinstance(m, Model)}


def seconds_left_s(stored_ns: Collection[int], chunks_left: int) -> float | None:
    """Time to store the rest at the pace of the last chunks; None before there is a pace."""
    times = sorted(stored_ns)[-PACE_CHUNKS:]
    step = min(BUNCH, len(times) - 1)
    if step < 1:
        return None
    paces = [(end - start) / step for start, end in zip(times, times[step:], strict=False)]
    return round(chunks_left * median(paces) / NS_PER_S, 1)


def _model(analysis: Analysis, present: Model | None, opened: OpenHeatmap | None) -> dict[str, Any]:
    # Where the model was removed or replaced since, the heat map knows what made it.
    source = present or (opened.heatmap.geometry if opened else None)
    return {
        "id": analysis.model_id,
        "version": analysis.model_version,
        "name": present.name if present else analysis.model_id,
        "threshold": source.threshold if source else None,
        "calibrated": source.calibrated if source else None,
    }


def _progress(analysis: Analysis, opened: OpenHeatmap | None) -> dict[str, Any]:
    if analysis.state == records.DONE and analysis.summary is not None:
        chunks = analysis.summary["chunks"]
        return _counts(1.0, chunks, chunks, None, analysis.summary["revision"])
    if opened is None:
        return _counts(0.0, 0, None, None, "0")
    stored, total = opened.stored(), len(opened.planned)
    left_s = None
    if analysis.state == records.RUNNING:
        left_s = seconds_left_s(stored.values(), total - len(stored))
    share = len(stored) / total if total else 0.0
    return _counts(share, len(stored), total, left_s, str(opened.heatmap.revision()))


def _counts(
    progress: float, done: int, total: int | None, left_s: float | None, revision: str
) -> dict[str, Any]:
    return {
        "progress": progress,
        "chunks_done": done,
        "chunks_total": total,
        "seconds_left_s": left_s,
        "revision": revision,
    }


def _summary(analysis: Analysis) -> dict[str, Any] | None:
    if analysis.summary is None:
        return None
    return {name: analysis.summary[name] for name in SUMMARY}
