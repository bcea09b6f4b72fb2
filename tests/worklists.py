"""Slides that are in the database alone: enough for lists, and made in no time."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session, sessionmaker

from viewer.db import writing
from viewer.flags.records import Flag
from viewer.reading.records import Reading, Verdict
from viewer.records import Analysis, Slide
from viewer.settings import Settings
from viewer.slides.files import folder_key

START = datetime(2026, 1, 1, tzinfo=UTC)
MPP = 0.25
SUMMARY: Mapping[str, Any] = {
    "peak_probability": 0.5,
    "cells_analysed": 4,
    "cells_positive": 1,
    "analysed_area_mm2": 1.0,
    "positive_area_mm2": 0.25,
    "chunks": 1,
    "revision": "7",
}


def slide_id(number: int) -> str:
    return f"{number:020x}"


def a_slide(settings: Settings, number: int, **columns: Any) -> Slide:
    """A slide of 1000 × 800 px in the first folder."""
    known: dict[str, Any] = {
        "id": slide_id(number),
        "folder_key": folder_key(settings.slides[0]),
        "relative_path": f"{number}.tif",
        "size_bytes": 1,
        "mtime_ns": 1,
        "inode": str(number),
        "name": f"slide {number}.tif",
        "width_px": 1000,
        "height_px": 800,
        "mpp_x": MPP,
        "mpp_y": MPP,
        "warnings": [],
        "probed_at": START,
        "first_seen_at": START + timedelta(seconds=number),
        "last_seen_at": START,
        "missing": False,
    }
    return Slide(**known | columns)


def an_analysis(number: int, score: float | None, **columns: Any) -> Analysis:
    """A finished analysis of a slide."""
    known: dict[str, Any] = {
        "id": f"{number:032x}",
        "slide_id": slide_id(number),
        "model_id": "lymph-node",
        "model_version": "1",
        "mpp_x": MPP,
        "mpp_y": MPP,
        "state": "done",
        "created_at": START,
        "finished_at": START,
        "summary": dict(SUMMARY),
        "score": score,
        "hotspots": 2,
        "warnings": [],
    }
    return Analysis(**known | columns)


def a_reading(number: int, state: str, reader: str = "Ada", **columns: Any) -> Reading:
    known: dict[str, Any] = {"version": 1, "changed_by": reader, "changed_at": START}
    return Reading(slide_id=slide_id(number), state=state, reader=reader, **known | columns)


def a_verdict(number: int, value: str, reader: str = "Ada", nth: int = 0) -> Verdict:
    return Verdict(
        id=f"{number:031x}{nth:x}",
        slide_id=slide_id(number),
        value=value,
        reader=reader,
        given_at=START + timedelta(days=nth),
        phase="open",
        overlay_on=True,
    )


def a_flag(number: int, nth: int = 1, **columns: Any) -> Flag:
    """A point at (1, 1)."""
    known: dict[str, Any] = {
        "id": f"{number:024x}{nth:08x}",
        "slide_id": slide_id(number),
        "number": nth,
        "version": 1,
        "kind": "point",
        "geometry": '{"type": "Point", "coordinates": [1, 1]}',
        **dict.fromkeys(("min_x_l0_px", "min_y_l0_px", "max_x_l0_px", "max_y_l0_px"), 1.0),
        **dict.fromkeys(("center_x_l0_px", "center_y_l0_px"), 1),
        **dict.fromkeys(("grid_level", "grid_row", "grid_column"), 0),
        "extent_l0_px": 0.0,
        "reason": "",
        "state": "open",
        "source": "drawn",
        "comment_count": 0,
        "created_by": "Ada",
        "created_at": START,
        "changed_by": "Ada",
        "changed_at": START,
        "touched_at": START,
        "action": "created",
        "deleted": False,
    }
    return Flag(**known | columns)


def store(sessions: sessionmaker[Session], *rows: Sequence[Any] | Any) -> None:
    """Keep slides first, then what belongs to them."""
    flat = [row for each in rows for row in (each if isinstance(each, list) else [each])]
    with writing(sessions) as session:
        session.add_all([row for row in flat if isinstance(row, Slide)])
        session.flush()
        session.add_all([row for row in flat if not isinstance(row, Slide)])
