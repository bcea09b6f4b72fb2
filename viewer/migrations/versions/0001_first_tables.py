"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create slide, companion, library_scan, resolution, analysis and worker."""
    _create_slide()
    _create_what_belongs_to_a_slide()
    _create_analysis()
    op.create_table(
        "library_scan",
        sa.Column("folders_key", sa.String, nullable=False),
        sa.Column("completed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("folders_key", name="pk_library_scan"),
    )
    op.create_table(
        "worker",
        sa.Column("name", sa.String, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("scanning", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_worker"),
    )


def _file_columns() -> list[sa.Column[int] | sa.Column[str]]:
    return [
        sa.Column("folder_key", sa.String, nullable=False),
        sa.Column("relative_path", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("mtime_ns", sa.BigInteger, nullable=False),
        sa.Column("inode", sa.String, nullable=False),
    ]


def _create_slide() -> None:
    op.create_table(
        "slide",
        sa.Column("id", sa.String, nullable=False),
        *_file_columns(),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("width_px", sa.Integer),
        sa.Column("height_px", sa.Integer),
        sa.Column("mpp_x", sa.Double),
        sa.Column("mpp_y", sa.Double),
        sa.Column("objective_power", sa.Double),
        sa.Column("tile_size_px", sa.Integer),
        sa.Column("vendor", sa.String),
        sa.Column("reader", sa.String),
        sa.Column("warnings", sa.JSON, nullable=False),
        sa.Column("problem_reason", sa.Text),
        sa.Column("problem_hint", sa.Text),
        sa.Column("duplicate_of", sa.String),
        sa.Column("probed_at", MOMENT, nullable=False),
        sa.Column("first_seen_at", MOMENT, nullable=False),
        sa.Column("last_seen_at", MOMENT, nullable=False),
        sa.Column("missing", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_slide"),
    )
    op.create_index(
        "uq_slide_place",
        "slide",
        ["folder_key", "relative_path"],
        unique=True,
        sqlite_where=sa.text("NOT missing"),
        postgresql_where=sa.text("NOT missing"),
    )
    op.create_index("ix_slide_name_id", "slide", ["name", "id"])


def _slide_id(table: str) -> tuple[sa.Column[str], sa.ForeignKeyConstraint]:
    return sa.Column("slide_id", sa.String, nullable=False), sa.ForeignKeyConstraint(
        ["slide_id"], ["slide.id"], name=f"fk_{table}_slide_id_slide", ondelete="CASCADE"
    )


def _create_what_belongs_to_a_slide() -> None:
    op.create_table(
        "companion",
        *_file_columns(),
        *_slide_id("companion"),
        sa.PrimaryKeyConstraint("folder_key", "relative_path", name="pk_companion"),
    )
    op.create_table(
        "resolution",
        *_slide_id("resolution"),
        sa.Column("mpp_x", sa.Double, nullable=False),
        sa.Column("mpp_y", sa.Double, nullable=False),
        sa.Column("set_by", sa.Text, nullable=False),
        sa.Column("set_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("slide_id", name="pk_resolution"),
    )


def _create_analysis() -> None:
    op.create_table(
        "analysis",
        sa.Column("id", sa.String, nullable=False),
        *_slide_id("analysis"),
        sa.Column("model_id", sa.String, nullable=False),
        sa.Column("model_version", sa.String, nullable=False),
        sa.Column("mpp_x", sa.Double, nullable=False),
        sa.Column("mpp_y", sa.Double, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("error", sa.JSON),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("owner", sa.String),
        sa.Column("lease_until", MOMENT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.Column("focus", sa.JSON),
        sa.Column("focus_at", MOMENT),
        sa.Column("summary", sa.JSON),
        sa.PrimaryKeyConstraint("id", name="pk_analysis"),
    )
    op.create_index("ix_analysis_slide_id_created_at", "analysis", ["slide_id", "created_at"])
    op.create_index("ix_analysis_state_created_at", "analysis", ["state", "created_at"])
