"""The blind first read: what the model says stays closed until the reader has given a verdict.

Where it applies is decided per slide folder (SENTINODE_BLIND_FIRST_READ); whether a slide is still
closed is decided per reader, by the server alone. Who did not say a name gave no verdict.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, false, select
from sqlalchemy.orm import Session

from viewer.errors import HeatmapLocked
from viewer.readers import current_reader
from viewer.reading.records import Verdict
from viewer.records import Analysis, Slide
from viewer.services import services
from viewer.settings import Settings
from viewer.slides.library import folder_keys

ALL = "all"
# What an analysis tells of the slide, in its JSON, with what stands there while it is closed.
WITHHELD: dict[str, Any] = {"summary": None, "score": None, "hotspots": None, "warnings": []}


def require_unlocked(session: Session, slide_id: str) -> None:
    """Raise `HeatmapLocked` (403) when who asks has to give a verdict on this slide first.

    To be called wherever anything leaves the server that follows from a heat map: tiles, values,
    hot spots, scores, files made of them.
    """
    if not blind_folder_keys(services().settings):
        return  # nothing is ever locked here: no look into the database
    slide = session.get(Slide, slide_id)
    if slide is not None and is_locked(session, slide):
        raise HeatmapLocked


def require_analysis_unlocked(session: Session, analysis_id: str) -> None:
    """As `require_unlocked`, for the slide of this analysis; an unknown one passes."""
    if not blind_folder_keys(services().settings):
        return
    analysis = session.get(Analysis, analysis_id)
    if analysis is not None:
        require_unlocked(session, analysis.slide_id)


def is_locked(session: Session, slide: Slide) -> bool:
    """Whether the heat map of this slide is closed to who makes the present request."""
    settings = services().settings
    if slide.folder_key not in blind_folder_keys(settings):
        return False
    reader = current_reader()
    return reader is None or not session.scalar(select(_gave_verdict(slide.id, reader.name)))


def locked_ids(session: Session, slides: Sequence[Slide]) -> set[str]:
    """Those of the slides that are closed to who makes the present request."""
    keys = blind_folder_keys(services().settings)
    blind = {slide.id for slide in slides if slide.folder_key in keys}
    reader = current_reader()
    if not blind or reader is None:
        return blind
    given = (Verdict.reader == reader.name, Verdict.slide_id.in_(blind))
    return blind - set(session.scalars(select(Verdict.slide_id).where(*given)))


def locked_now(settings: Settings) -> ColumnElement[bool]:
    """In a query over `Slide`: whether it is closed to who makes the present request."""
    keys = blind_folder_keys(settings)
    if not keys:
        return false()
    blind = Slide.folder_key.in_(sorted(keys))
    reader = current_reader()
    return blind if reader is None else and_(blind, ~_gave_verdict(Slide.id, reader.name))


def blind_folder_keys(settings: Settings) -> frozenset[str]:
    """The folders under the blind first read, by the short names under which rows know them."""
    named = set(settings.blind_first_read)
    if not named:
        return frozenset()
    folders = folder_keys(settings).items()
    return frozenset(key for key, folder in folders if ALL in named or folder.name in named)


def withhold(shown: dict[str, Any]) -> dict[str, Any]:
    """The JSON of an analysis without what it found."""
    return shown | {name: value for name, value in WITHHELD.items() if name in shown}


def _gave_verdict(slide_id: Any, reader: str) -> ColumnElement[bool]:  # noqa: ANN401 - id or column
    return exists().where(Verdict.reader == reader, Verdict.slide_id == slide_id)
