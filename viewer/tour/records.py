"""The tables of the tour. What a person decided is only ever added to, never changed."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from viewer.db import Base, UtcDateTime


def _analysis_id() -> Mapped[str]:
    return mapped_column(ForeignKey("analysis.id", ondelete="CASCADE"), primary_key=True)


def _slide_id() -> Mapped[str]:
    return mapped_column(ForeignKey("slide.id", ondelete="CASCADE"), primary_key=True)


class HotspotReview(Base):
    """What a reader says of a hot spot now; `version` counts the changes from 1."""

    __tablename__ = "hotspot_review"

    # Not the hot spot's own key: an analysis that is computed anew keeps what was said of it.
    analysis_id: Mapped[str] = _analysis_id()
    rank: Mapped[int] = mapped_column(primary_key=True)
    reader: Mapped[str] = mapped_column(Text, primary_key=True)
    seen: Mapped[bool]
    opinion: Mapped[str | None]
    version: Mapped[int]
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class HotspotReviewChange(Base):
    """One change of what a reader says of a hot spot: how it was afterwards."""

    __tablename__ = "hotspot_review_change"

    analysis_id: Mapped[str] = _analysis_id()
    rank: Mapped[int] = mapped_column(primary_key=True)
    reader: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    seen: Mapped[bool]
    opinion: Mapped[str | None]
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Coverage(Base):
    """The parts of a slide that a reader viewed at 10× or more, as a coarse grid of bits."""

    __tablename__ = "coverage"

    slide_id: Mapped[str] = _slide_id()
    reader: Mapped[str] = mapped_column(Text, primary_key=True)
    recording: Mapped[bool]
    step_l0_px: Mapped[int]
    columns: Mapped[int]
    rows: Mapped[int]
    viewed: Mapped[bytes] = mapped_column(LargeBinary)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Sweep(Base):
    """A walk of a reader over the tissue of a slide, field by field."""

    __tablename__ = "sweep"

    slide_id: Mapped[str] = _slide_id()
    reader: Mapped[str] = mapped_column(Text, primary_key=True)
    magnification: Mapped[float]
    field_width_l0_px: Mapped[float]
    field_height_l0_px: Mapped[float]
    centres_l0_px: Mapped[list[list[float]]] = mapped_column(JSON)
    position: Mapped[int]  # from 0; the number of fields when it is through
    seen: Mapped[bytes] = mapped_column(LargeBinary)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
