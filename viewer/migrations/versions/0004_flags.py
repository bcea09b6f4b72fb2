"""Flags, their history and their comments."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create flag, flag_revision and flag_comment."""
    _create_flag()
    op.create_table(
        "flag_revision",
        sa.Column("flag_id", sa.String, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("flag_id", "version", name="pk_flag_revision"),
        _of_flag("flag_revision"),
    )
    op.create_table(
        "flag_comment",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("flag_id", sa.String, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_flag_comment"),
        _of_flag("flag_comment"),
    )
    op.create_index("ix_flag_comment_flag_id", "flag_comment", ["flag_id", "id"])


def _of_flag(table: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_flag_id_flag"
    return sa.ForeignKeyConstraint(["flag_id"], ["flag.id"], name=name, ondelete="CASCADE")


def _create_flag() -> None:
    op.create_table(
        "flag",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("slide_id", sa.String, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("min_x_l0_px", sa.Double, nullable=False),
        sa.Column("min_y_l0_px", sa.Double, nullable=False),
        sa.Column("max_x_l0_px", sa.Double, nullable=False),
        sa.Column("max_y_l0_px", sa.Double, nullable=False),
        sa.Column("extent_l0_px", sa.Double, nullable=False),
        sa.Column("center_x_l0_px", sa.Integer, nullable=False),
        sa.Column("center_y_l0_px", sa.Integer, nullable=False),
        sa.Column("grid_level", sa.Integer, nullable=False),
        sa.Column("grid_row", sa.Integer, nullable=False),
        sa.Column("grid_column", sa.Integer, nullable=False),
        sa.Column("area_px2", sa.Double),
        sa.Column("label", sa.Text),
        sa.Column("name", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("assignee", sa.Text),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("hotspot_analysis_id", sa.String),
        sa.Column("hotspot_rank", sa.Integer),
        sa.Column("comment_count", sa.Integer, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("touched_at", MOMENT, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("geometry", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_flag"),
        sa.UniqueConstraint("slide_id", "number", name="uq_flag_slide_id_number"),
        sa.ForeignKeyConstraint(
            ["slide_id"], ["slide.id"], name="fk_flag_slide_id_slide", ondelete="CASCADE"
        ),
    )
    place = ["slide_id", "deleted", "grid_level", "grid_row", "grid_column"]
    op.create_index("ix_flag_place", "flag", place)
    op.create_index("ix_flag_news", "flag", ["slide_id", "touched_at"])
