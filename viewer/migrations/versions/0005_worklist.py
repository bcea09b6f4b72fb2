"""What the worklist searches, sorts and scores by."""

import sqlalchemy as sa
from alembic import op

from viewer.slides.names import search_name, sort_name

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add search_name and sort_name to slide, and the indexes of the worklist."""
    for column in ("search_name", "sort_name"):
        op.add_column("slide", sa.Column(column, sa.Text, nullable=False, server_default=""))
    _fill()
    op.drop_index("ix_slide_name_id", "slide")
    op.create_index("ix_slide_sort_name_id", "slide", ["sort_name", "id"])
    op.create_index("ix_slide_first_seen_at", "slide", ["first_seen_at"])
    op.create_index(
        "ix_analysis_slide_id_state_created_at", "analysis", ["slide_id", "state", "created_at"]
    )


def _fill() -> None:
    slide = sa.table("slide", *map(sa.column, ("id", "name", "search_name", "sort_name")))
    rows = op.get_bind().execute(sa.select(slide.c.id, slide.c.name)).all()
    for slide_id, name in rows:
        names = {"search_name": search_name(name), "sort_name": sort_name(name)}
        op.execute(slide.update().where(slide.c.id == slide_id).values(**names))
