"""What the report of a slide says, gathered from the database for who asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from model.prediction.models import Model
from model.prediction.wsi import Mpp
from viewer.analyses.catalog import models
from viewer.db import utc_now
from viewer.flags.queries import flag_json
from viewer.flags.records import Flag, FlagComment
from viewer.reading.records import Verdict
from viewer.reading.shown import ShownReading
from viewer.records import Analysis, Hotspot, Slide
from viewer.settings import Settings
from viewer.slides.cautions import cautions
from viewer.slides.library import resolution_of
from viewer.slides.listing import Listed, with_details
from viewer.tour.records import HotspotReview
from viewer.tour.reviews import reviews

NOTICE = "Research use only. Not for diagnostic procedures."
# Whoever marked more wants a table of them, not a book; the rest is counted and said.
MOST_PICTURED_FLAGS = 24
MOST_LISTED_FLAGS = 500
MOST_HOTSPOTS = 12


@dataclass(frozen=True)
class FlagEntry:
    """A flag with its comments."""

    flag: dict[str, Any]  # as the API shows it
    comments: Sequence[FlagComment]


@dataclass(frozen=True)
class HotspotEntry:
    """A hot spot with what readers say of it."""

    spot: Hotspot
    reviews: Sequence[HotspotReview]


@dataclass(frozen=True)
class ReportContent:
    """All facts of a report; what the model said is left out while it is closed to who asks."""

    slide: Slide
    mpp: Mpp | None
    mpp_set_by: str | None
    reading: ShownReading
    verdicts: Sequence[Verdict]
    analysis: Analysis | None
    model: Model | None
    hotspots: Sequence[HotspotEntry]
    flags: Sequence[FlagEntry]
    flag_count: int
    warnings: Sequence[dict[str, Any]]
    made_by: str | None
    made_at: datetime

    @property
    def locked(self) -> bool:
        """Whether the blind first read of who asks is still to come."""
        return self.reading.locked


def gather(
    session: Session, settings: Settings, slide: Slide, made_by: str | None
) -> ReportContent:
    """The report of a slide as it is now."""
    listed = with_details(session, [slide])[0]
    mpp, _ = resolution_of(slide, listed.resolution)
    analysis = None if listed.reading.locked else listed.finished
    verdicts = select(Verdict).where(Verdict.slide_id == slide.id)
    of_slide = (Flag.slide_id == slide.id, ~Flag.deleted)
    return ReportContent(
        slide=slide,
        mpp=mpp,
        mpp_set_by=listed.resolution.set_by if listed.resolution else None,
        reading=listed.reading,
        verdicts=session.scalars(verdicts.order_by(Verdict.given_at, Verdict.id)).all(),
        analysis=analysis,
        model=_model(settings, analysis),
        hotspots=_hotspots(session, analysis),
        flags=_flags(session, listed, mpp),
        flag_count=session.scalar(select(func.count()).select_from(Flag).where(*of_slide)) or 0,
        warnings=cautions(listed),
        made_by=made_by,
        made_at=utc_now(),
    )


def _model(settings: Settings, analysis: Analysis | None) -> Model | None:
    """The model that made the analysis, if that version is still at hand."""
    if analysis is None:
        return None
    wanted = (analysis.model_id, analysis.model_version)
    valid = (model for model in models(settings) if isinstance(model, Model))
    return next((model for model in valid if (model.id, model.version) == wanted), None)


def _hotspots(session: Session, analysis: Analysis | None) -> list[HotspotEntry]:
    if analysis is None:
        return []
    wanted = select(Hotspot).where(Hotspot.analysis_id == analysis.id)
    spots = session.scalars(wanted.order_by(Hotspot.rank).limit(MOST_HOTSPOTS)).all()
    said = reviews(session, analysis.id, [spot.rank for spot in spots])
    return [HotspotEntry(spot, said.get(spot.rank, [])) for spot in spots]


def _flags(session: Session, listed: Listed, mpp: Mpp | None) -> list[FlagEntry]:
    wanted = select(Flag).where(Flag.slide_id == listed.slide.id, ~Flag.deleted)
    flags = session.scalars(wanted.order_by(Flag.number).limit(MOST_LISTED_FLAGS)).all()
    ids = [flag.id for flag in flags]
    comments_of: dict[str, list[FlagComment]] = {}
    comments = select(FlagComment).where(FlagComment.flag_id.in_(ids)).order_by(FlagComment.id)
    for comment in session.scalars(comments):
        comments_of.setdefault(comment.flag_id, []).append(comment)
    locked = listed.reading.locked
    return [
        FlagEntry(flag_json(flag, mpp, locked=locked), comments_of.get(flag.id, []))
        for flag in flags
    ]
