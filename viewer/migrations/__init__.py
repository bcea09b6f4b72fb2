"""Changes of the database's layout, in order, run by Alembic from code."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from viewer.db import WRITES_AT_ONCE

# Any number will do, as long as nothing else of ours locks it.
POSTGRESQL_LOCK = 5_361_700


def migrate(engine: Engine) -> None:
    """Bring the database to this version's layout; several processes may run this at once."""
    with engine.connect() as connection:
        connection = connection.execution_options(**{WRITES_AT_ONCE: True})
        with connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({POSTGRESQL_LOCK})"))
            command.upgrade(alembic_config(connection), "head")


def is_current(connection: Connection) -> bool:
    """Whether the database has the layout of this version."""
    wanted = ScriptDirectory.from_config(alembic_config(connection)).get_current_head()
    return MigrationContext.configure(connection).get_current_revision() == wanted


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration without an ini file: it works on the connection it is given."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
