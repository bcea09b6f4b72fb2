"""Hot spots, what readers say of them, the sweep of the tissue and what was viewed."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create hotspot, hotspot_review, hotspot_review_change, coverage and sweep."""
    for column in (
        sa.Column("score", sa.Double),
        sa.Column("score_rule", sa.Text),
        sa.Column("hotspots", sa.Integer),
        sa.Column("warnings", sa.JSON),
    ):
        op.add_column("analysis", column)
    _create_hotspot()
    _create_reviews()
    _create_walks()


def _owned_by(table: str, owner: str) -> tuple[sa.Column[str], sa.ForeignKeyConstraint]:
    name = f"{owner}_id"
    return sa.Column(name, sa.String, nullable=False), sa.ForeignKeyConstraint(
        [name], [f"{owner}.id"], name=f"fk_{table}_{name}_{owner}", ondelete="CASCADE"
    )


def _create_hotspot() -> None:
    op.create_table(
        "hotspot",
        *_owned_by("hotspot", "analysis"),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("peak_probability", sa.Double, nullable=False),
        sa.Column("mean_probability", sa.Double, nullable=False),
        sa.Column("area_mm2", sa.Double, nullable=False),
        sa.Column("longest_um", sa.Double, nullable=False),
        sa.Column("size_class", sa.String, nullable=False),
        sa.Column("x_l0_px", sa.Double, nullable=False),
        sa.Column("y_l0_px", sa.Double, nullable=False),
        sa.Column("bbox_l0_px", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("analysis_id", "rank", name="pk_hotspot"),
    )


def _create_reviews() -> None:
    keys = ("analysis_id", "rank", "reader")
    for table, key in (
        ("hotspot_review", keys),
        ("hotspot_review_change", (*keys, "version")),
    ):
        op.create_table(
            table,
            *_owned_by(table, "analysis"),
            sa.Column("rank", sa.Integer, nullable=False),
            sa.Column("reader", sa.Text, nullable=False),
            sa.Column("seen", sa.Boolean, nullable=False),
            sa.Column("opinion", sa.String),
            sa.Column("version", sa.Integer, nullable=False),
            sa.Column("changed_at", MOMENT, nullable=False),
            sa.PrimaryKeyConstraint(*key, name=f"pk_{table}"),
        )


def _create_walks() -> None:
    op.create_table(
        "coverage",
        *_owned_by("coverage", "slide"),
        sa.Column("reader", sa.Text, nullable=False),
        sa.Column("recording", sa.Boolean, nullable=False),
        sa.Column("step_l0_px", sa.Integer, nullable=False),
        sa.Column("columns", sa.Integer, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("viewed", sa.LargeBinary, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("slide_id", "reader", name="pk_coverage"),
    )
    op.create_table(
        "sweep",
        *_owned_by("sweep", "slide"),
        sa.Column("reader", sa.Text, nullable=False),
        sa.Column("magnification", sa.Double, nullable=False),
        sa.Column("field_width_l0_px", sa.Double, nullable=False),
        sa.Column("field_height_l0_px", sa.Double, nullable=False),
        sa.Column("centres_l0_px", sa.JSON, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("seen", sa.LargeBinary, nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("slide_id", "reader", name="pk_sweep"),
    )
