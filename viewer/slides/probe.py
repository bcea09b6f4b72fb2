"""One look into a file: what it is, or why nobody can open it."""

from dataclasses import dataclass
from typing import Any

from model.prediction.errors import SlideUnreadable
from model.prediction.wsi import Wsi, open_wsi
from viewer.slides import colours
from viewer.slides.fingerprint import content_id, series_id
from viewer.slides.walk import Found, Problem


@dataclass(frozen=True)
class Reading:
    """What a file gave: its id (None when its content cannot be read) and the slide's columns."""

    id: str | None
    in_series: bool
    columns: dict[str, Any]


def read_file(found: Found) -> Reading:
    """Look into a file; a file that cannot be read gives a reading that says why."""
    if found.problem is not None:
        return Reading(None, in_series=False, columns=_columns(None, found.problem))
    try:
        with open_wsi(found.path) as wsi:
            if wsi.series_uid is not None:
                return Reading(series_id(wsi.series_uid), in_series=True, columns=_columns(wsi))
            return Reading(content_id(found.path), in_series=False, columns=_columns(wsi))
    except SlideUnreadable as error:
        problem = Problem(error.reason, error.hint)
        return Reading(_id_of_unreadable(found), in_series=False, columns=_columns(None, problem))
    except OSError:
        problem = Problem(
            "This file could not be read to its end.",
            "Check the disk or the network share it lies on; it is tried again every minute.",
        )
        return Reading(None, in_series=False, columns=_columns(None, problem))


def failed_reading(found: Found) -> Reading:
    """The reading of a file on which a reader failed in a way nobody foresaw."""
    problem = Problem(
        "The file cannot be read: the reading program failed on it.",
        "The log of the worker tells more; please report it, with a file that shows it.",
    )
    return Reading(_id_of_unreadable(found), in_series=False, columns=_columns(None, problem))


def _id_of_unreadable(found: Found) -> str | None:
    try:
        return content_id(found.path)
    except OSError:
        return None


def _columns(wsi: Wsi | None, problem: Problem | None = None) -> dict[str, Any]:
    size_px = wsi.size_l0_px if wsi else (None, None)
    mpp = wsi.mpp if wsi else None
    return {
        "width_px": size_px[0],
        "height_px": size_px[1],
        "mpp_x": mpp.x if mpp else None,
        "mpp_y": mpp.y if mpp else None,
        "objective_power": wsi.objective_power if wsi else None,
        "tile_size_px": wsi.tile_size_px if wsi else None,
        "vendor": wsi.vendor if wsi else None,
        "reader": wsi.reader if wsi else None,
        "warnings": colours.warnings(wsi) if wsi else [],
        "problem_reason": problem.reason if problem else None,
        "problem_hint": problem.hint if problem else None,
    }
