"""The tables of reading. What a person decided is only ever added to, never changed."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from viewer.db import Base, UtcDateTime


def _slide_id(primary_key: bool = False) -> Mapped[str]:
    return mapped_column(ForeignKey("slide.id", ondelete="CASCADE"), primary_key=primary_key)


class ApiToken(Base):
    """A token of a script; only its SHA-256 is stored."""

    __tablename__ = "api_token"

    id: Mapped[str] = mapped_column(primary_key=True)
    reader: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Reading(Base):
    """How far the reading of a slide is; no row: unread. `version` counts its changes from 1."""

    __tablename__ = "reading"
    __table_args__ = (
        Index("ix_reading_state_slide_id", "state", "slide_id"),
        Index("ix_reading_assignee", "assignee"),
    )

    slide_id: Mapped[str] = _slide_id(primary_key=True)
    state: Mapped[str]
    reader: Mapped[str | None] = mapped_column(Text)
    assignee: Mapped[str | None] = mapped_column(Text)
    # The newest verdict: the worklist filters by its value without another look.
    verdict_id: Mapped[str | None]
    verdict_value: Mapped[str | None]
    version: Mapped[int]
    changed_by: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ReadingChange(Base):
    """One change of a reading: how it was afterwards, by whom and when."""

    __tablename__ = "reading_change"

    slide_id: Mapped[str] = _slide_id(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str]
    reader: Mapped[str | None] = mapped_column(Text)
    assignee: Mapped[str | None] = mapped_column(Text)
    verdict_id: Mapped[str | None]
    changed_by: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Verdict(Base):
    """What a reader found, and what of the model was to be seen meanwhile."""

    __tablename__ = "verdict"
    __table_args__ = (
        Index("ix_verdict_slide_id_given_at", "slide_id", "given_at"),
        Index("ix_verdict_reader_slide_id", "reader", "slide_id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    slide_id: Mapped[str] = _slide_id()
    value: Mapped[str]
    reader: Mapped[str] = mapped_column(Text)
    given_at: Mapped[datetime] = mapped_column(UtcDateTime)
    phase: Mapped[str]
    overlay_on: Mapped[bool]
    # Not a foreign key: the verdict outlives the analysis it was given with.
    analysis_id: Mapped[str | None]
    model_id: Mapped[str | None]
    model_version: Mapped[str | None]
    threshold: Mapped[float | None]
    comment: Mapped[str | None] = mapped_column(Text)


class Presence(Base):
    """Who has a slide open; counts for some seconds after `seen_at`."""

    __tablename__ = "presence"

    slide_id: Mapped[str] = _slide_id(primary_key=True)
    reader: Mapped[str] = mapped_column(Text, primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class SavedView(Base):
    """A query of the worklist that a reader gave a name."""

    __tablename__ = "saved_view"
    __table_args__ = (UniqueConstraint("reader", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    reader: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    query: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
