"""Run by Alembic: applies the revisions on the connection that the caller opened."""

from alembic import context

from viewer.db import Base
from viewer.flags.records import Flag
from viewer.reading.records import Reading
from viewer.records import Slide
from viewer.tour.records import Sweep

# Importing the records fills the metadata that `--autogenerate` compares with.
assert Slide.metadata is Flag.metadata is Reading.metadata is Sweep.metadata is Base.metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot alter a table in place
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
