"""Reading: tokens, states, verdicts, presence and saved views."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create api_token, reading, reading_change, verdict, presence and saved_view."""
    _create_token()
    _create_reading()
    _create_verdict()
    _create_presence()
    op.create_table(
        "saved_view",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("reader", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("query", sa.JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_saved_view"),
        sa.UniqueConstraint("reader", "name", name="uq_saved_view_reader_name"),
    )


def _create_token() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("reader", sa.Text, nullable=False),
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT),
        sa.Column("revoked_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_api_token"),
        sa.UniqueConstraint("sha256", name="uq_api_token_sha256"),
    )


def _slide_id(table: str) -> tuple[sa.Column[str], sa.ForeignKeyConstraint]:
    return sa.Column("slide_id", sa.String, nullable=False), sa.ForeignKeyConstraint(
        ["slide_id"], ["slide.id"], name=f"fk_{table}_slide_id_slide", ondelete="CASCADE"
    )


def _state_columns() -> list[sa.Column[str]]:
    return [
        sa.Column("state", sa.String, nullable=False),
        sa.Column("reader", sa.Text),
        sa.Column("assignee", sa.Text),
        sa.Column("verdict_id", sa.String),
    ]


def _change_columns() -> tuple[sa.Column[int], sa.Column[str], sa.Column[datetime]]:
    return (
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
    )


def _create_reading() -> None:
    op.create_table(
        "reading",
        *_slide_id("reading"),
        *_state_columns(),
        sa.Column("verdict_value", sa.String),
        *_change_columns(),
        sa.PrimaryKeyConstraint("slide_id", name="pk_reading"),
    )
    op.create_index("ix_reading_state_slide_id", "reading", ["state", "slide_id"])
    op.create_index("ix_reading_assignee", "reading", ["assignee"])
    op.create_table(
        "reading_change",
        *_slide_id("reading_change"),
        *_state_columns(),
        *_change_columns(),
        sa.PrimaryKeyConstraint("slide_id", "version", name="pk_reading_change"),
    )


def _create_verdict() -> None:
    op.create_table(
        "verdict",
        sa.Column("id", sa.String, nullable=False),
        *_slide_id("verdict"),
        sa.Column("value", sa.String, nullable=False),
        sa.Column("reader", sa.Text, nullable=False),
        sa.Column("given_at", MOMENT, nullable=False),
        sa.Column("phase", sa.String, nullable=False),
        sa.Column("overlay_on", sa.Boolean, nullable=False),
        sa.Column("analysis_id", sa.String),
        sa.Column("model_id", sa.String),
        sa.Column("model_version", sa.String),
        sa.Column("threshold", sa.Double),
        sa.Column("comment", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_verdict"),
    )
    op.create_index("ix_verdict_slide_id_given_at", "verdict", ["slide_id", "given_at"])
    op.create_index("ix_verdict_reader_slide_id", "verdict", ["reader", "slide_id"])


def _create_presence() -> None:
    op.create_table(
        "presence",
        *_slide_id("presence"),
        sa.Column("reader", sa.Text, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("slide_id", "reader", name="pk_presence"),
    )
    op.create_index("ix_presence_seen_at", "presence", ["seen_at"])
