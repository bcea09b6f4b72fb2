"""The tables of flags. Coordinates are level-0 pixels from the corner of the slide's bounds."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Double, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from viewer.db import Base, UtcDateTime

STATES = ("open", "agreed", "disagreed", "resolved")
KINDS = ("point", "box", "polygon", "freehand", "ruler")


class Flag(Base):
    """A region as it is now. What it was before stands in `FlagRevision`."""

    __tablename__ = "flag"
    __table_args__ = (
        UniqueConstraint("slide_id", "number"),
        Index("ix_flag_place", "slide_id", "deleted", "grid_level", "grid_row", "grid_column"),
        Index("ix_flag_news", "slide_id", "touched_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    slide_id: Mapped[str] = mapped_column(ForeignKey("slide.id", ondelete="CASCADE"))
    number: Mapped[int]  # of the slide's flags, from 1 on: how people call it
    version: Mapped[int]
    kind: Mapped[str]
    min_x_l0_px: Mapped[float] = mapped_column(Double)
    min_y_l0_px: Mapped[float] = mapped_column(Double)
    max_x_l0_px: Mapped[float] = mapped_column(Double)
    max_y_l0_px: Mapped[float] = mapped_column(Double)
    extent_l0_px: Mapped[float] = mapped_column(Double)  # the longer side of that box
    # Whole numbers, so that every database finds the cell of a grid by shifting bits.
    center_x_l0_px: Mapped[int]
    center_y_l0_px: Mapped[int]
    # The cell that holds the centre, of the finest grid whose cells are not smaller than the flag.
    grid_level: Mapped[int]
    grid_row: Mapped[int]
    grid_column: Mapped[int]
    area_px2: Mapped[float | None] = mapped_column(Double)
    label: Mapped[str | None] = mapped_column(Text)
    name: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    state: Mapped[str]
    assignee: Mapped[str | None] = mapped_column(Text)
    source: Mapped[str]  # drawn or imported
    # No foreign key: what a flag was set for stays said when the analysis is gone.
    hotspot_analysis_id: Mapped[str | None]
    hotspot_rank: Mapped[int | None]
    comment_count: Mapped[int] = mapped_column(default=0)
    created_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    touched_at: Mapped[datetime] = mapped_column(UtcDateTime)  # changed, or commented on
    action: Mapped[str]  # what made this version: created, changed, deleted, restored
    deleted: Mapped[bool] = mapped_column(default=False)
    # GeoJSON, sent as it is. The last column: SQLite walks through all text before those it wants.
    geometry: Mapped[str] = mapped_column(Text)


class FlagRevision(Base):
    """A version of a flag that another one took the place of. Rows are added, never changed."""

    __tablename__ = "flag_revision"

    flag_id: Mapped[str] = mapped_column(
        ForeignKey("flag.id", ondelete="CASCADE"), primary_key=True
    )
    version: Mapped[int] = mapped_column(primary_key=True)
    action: Mapped[str]
    changed_by: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)


class FlagComment(Base):
    """What somebody said about a flag. Rows are added, never changed."""

    __tablename__ = "flag_comment"
    __table_args__ = (Index("ix_flag_comment_flag_id", "flag_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    flag_id: Mapped[str] = mapped_column(ForeignKey("flag.id", ondelete="CASCADE"))
    text: Mapped[str] = mapped_column(Text)
    created_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
