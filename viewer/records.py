"""The tables. Times are UTC; `_px` counts level-0 pixels inside the slide's bounds."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column, validates

from viewer.db import Base, UtcDateTime
from viewer.slides.names import search_name, sort_name

ANALYSIS_STATES = ("queued", "running", "cancelling", "cancelled", "failed", "done")


class FileRecord:
    """Where a file lies and how it looked when it was read last."""

    # Which of the configured folders: a hash, so that no path is stored twice.
    folder_key: Mapped[str]
    relative_path: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    inode: Mapped[str]  # as text: some file systems use all 64 bits


class Slide(FileRecord, Base):
    """A slide, or a file that should be one but cannot be shown (`problem_reason`)."""

    __tablename__ = "slide"
    __table_args__ = (
        Index(
            "uq_slide_place",
            "folder_key",
            "relative_path",
            unique=True,
            sqlite_where=text("NOT missing"),
            postgresql_where=text("NOT missing"),
        ),
        Index("ix_slide_sort_name_id", "sort_name", "id"),
        Index("ix_slide_first_seen_at", "first_seen_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    # Both follow from the name.
    search_name: Mapped[str] = mapped_column(Text)
    sort_name: Mapped[str] = mapped_column(Text)
    width_px: Mapped[int | None]
    height_px: Mapped[int | None]
    mpp_x: Mapped[float | None]
    mpp_y: Mapped[float | None]
    objective_power: Mapped[float | None]
    tile_size_px: Mapped[int | None]
    vendor: Mapped[str | None]
    reader: Mapped[str | None]
    warnings: Mapped[list[str]] = mapped_column(JSON, default=list)
    problem_reason: Mapped[str | None] = mapped_column(Text)
    problem_hint: Mapped[str | None] = mapped_column(Text)
    # Not a foreign key: the slide with the same content may go first.
    duplicate_of: Mapped[str | None]
    probed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    missing: Mapped[bool] = mapped_column(default=False)

    @validates("name")
    def _follow(self, _key: str, name: str) -> str:
        self.search_name, self.sort_name = search_name(name), sort_name(name)
        return name


class Companion(FileRecord, Base):
    """A further file of a slide that is listed already: an instance of a DICOM series."""

    __tablename__ = "companion"

    folder_key: Mapped[str] = mapped_column(primary_key=True)
    relative_path: Mapped[str] = mapped_column(Text, primary_key=True)
    slide_id: Mapped[str] = mapped_column(ForeignKey("slide.id", ondelete="CASCADE"))


class LibraryScan(Base):
    """When a set of folders was last looked through from end to end for the first time."""

    __tablename__ = "library_scan"

    folders_key: Mapped[str] = mapped_column(primary_key=True)
    completed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Resolution(Base):
    """The resolution a user set for a slide, in µm per level-0 pixel."""

    __tablename__ = "resolution"

    slide_id: Mapped[str] = mapped_column(
        ForeignKey("slide.id", ondelete="CASCADE"), primary_key=True
    )
    mpp_x: Mapped[float]
    mpp_y: Mapped[float]
    set_by: Mapped[str] = mapped_column(Text)
    set_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Analysis(Base):
    """One run of one model over one slide; its heat map lies in the data folder."""

    __tablename__ = "analysis"
    __table_args__ = (
        Index("ix_analysis_slide_id_created_at", "slide_id", "created_at"),
        Index("ix_analysis_slide_id_state_created_at", "slide_id", "state", "created_at"),
        Index("ix_analysis_state_created_at", "state", "created_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    slide_id: Mapped[str] = mapped_column(ForeignKey("slide.id", ondelete="CASCADE"))
    model_id: Mapped[str]
    model_version: Mapped[str]
    mpp_x: Mapped[float]
    mpp_y: Mapped[float]
    state: Mapped[str] = mapped_column(default="queued")
    error: Mapped[dict[str, str] | None] = mapped_column(JSON(none_as_null=True))
    attempts: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str | None]
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    focus: Mapped[dict[str, float] | None] = mapped_column(JSON(none_as_null=True))
    focus_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    summary: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    # What was found on the finished heat map; all null until it was looked for.
    score: Mapped[float | None]
    score_rule: Mapped[str | None] = mapped_column(Text)
    hotspots: Mapped[int | None]
    warnings: Mapped[list[dict[str, str]] | None] = mapped_column(JSON(none_as_null=True))


class Hotspot(Base):
    """One hot spot of a finished analysis; the highest ranks of `Analysis.hotspots` are kept."""

    __tablename__ = "hotspot"

    analysis_id: Mapped[str] = mapped_column(
        ForeignKey("analysis.id", ondelete="CASCADE"), primary_key=True
    )
    rank: Mapped[int] = mapped_column(primary_key=True)
    peak_probability: Mapped[float]
    mean_probability: Mapped[float]
    area_mm2: Mapped[float]
    longest_um: Mapped[float]
    size_class: Mapped[str]
    x_l0_px: Mapped[float]
    y_l0_px: Mapped[float]
    bbox_l0_px: Mapped[list[float]] = mapped_column(JSON)


class Worker(Base):
    """The heartbeat of a worker process."""

    __tablename__ = "worker"

    name: Mapped[str] = mapped_column(primary_key=True)
    pid: Mapped[int]
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    scanning: Mapped[bool] = mapped_column(default=False)
