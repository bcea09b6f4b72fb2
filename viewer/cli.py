"""`python -m viewer`: the commands. What they need is imported when they run."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from viewer.settings import Settings

FOLDER = click.Path(path_type=Path)
NO_LOGIN = (
    "Warning: Sentinode has no login. Everybody who reaches {host} sees every slide, and names of "
    "slides may name patients."
)
parent_pid = click.option("--parent-pid", type=int, hidden=True, help="End when this process does.")


@click.group()
def main() -> None:
    """Sentinode: slides, and where cancer is likely in them. For research use only."""


@main.command()
@click.option("--slides", type=FOLDER, multiple=True, help="Folder of slides; may be repeated.")
@click.option("--host", help="Address to listen on (default 127.0.0.1: this machine only).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port (default 8000; 0: any free one).")
def serve(slides: tuple[Path, ...], host: str | None, port: int | None) -> None:
    """Run the viewer and its worker until Ctrl-C."""
    from viewer import logs
    from viewer.serve import CannotServe, Supervisor, is_loopback, open_listener

    given = {"slides": slides or None, "host": host, "port": port}
    settings = _settings(**{name: value for name, value in given.items() if value is not None})
    logs.configure(settings)
    stop = _stop_on_signals()
    if not is_loopback(settings.host):
        click.echo(NO_LOGIN.format(host=settings.host), err=True)
    try:
        with open_listener(settings.host, settings.port) as listener:
            _migrate(settings)
            Supervisor(settings, listener, stop).run(_say_ready)
    except CannotServe as error:
        raise click.ClickException(str(error)) from error


@main.command()
@parent_pid
def worker(parent_pid: int | None) -> None:
    """Scan the slide folders and carry out analyses, without the web side."""
    from viewer import logs
    from viewer.analyses.runner import PoolLost
    from viewer.analyses.worker import run_worker
    from viewer.errors import Unavailable

    _end_with(parent_pid)
    settings = _settings()
    logs.configure(settings)
    try:
        run_worker(settings, _stop_on_signals())
    except Unavailable as error:
        raise click.ClickException(str(error)) from error
    except PoolLost as error:
        raise click.ClickException("The processes that compute heat maps are gone.") from error


@main.command(hidden=True)
@click.option("--fd", type=int, required=True, help="The listening socket.")
@parent_pid
def web(fd: int, parent_pid: int | None) -> None:
    """The web side alone, as `serve` starts it."""
    from viewer.webserver import run_web

    _end_with(parent_pid)
    run_web(_settings(), fd)


@main.command()
def migrate() -> None:
    """Bring the database to this version's layout; `serve` and `worker` do so by themselves."""
    _migrate(_settings())
    click.echo("The database is up to date.")


@main.command()
def settings() -> None:
    """Print every setting: its variable, present value and meaning."""
    from viewer.settings import Settings

    present = _settings()
    for name, field in Settings.model_fields.items():
        click.echo(f"SENTINODE_{name.upper()}={_shown(getattr(present, name))}")
        click.echo(click.wrap_text(field.description or "", 78, "    ", "    ") + "\n")


@main.command()
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; `python -m model from-review` reads it.",
)
def reviews(out: Path) -> None:
    """Write what readers decided on all slides: verdicts, flags, opinions on hot spots.

    The same as /api/v1/reviews.json, whatever a blind first read withholds from a reader.
    """
    from viewer import create_app
    from viewer.slides.filters import WorklistFilter
    from viewer.web.reviews import review_parts

    settings = _settings()
    _migrate(settings)
    # Who may read the database itself reads for nobody, so nothing is to be withheld.
    app = create_app(settings.model_copy(update={"blind_first_read": ()}))
    partial = out.with_name(out.name + ".partial")
    try:
        with app.test_request_context(), partial.open("w", encoding="utf-8") as file:
            file.writelines(review_parts(WorklistFilter()))
        partial.replace(out)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise click.ClickException(f"'{out.name}' cannot be written: {error.strerror}.") from None
    click.echo(f"Wrote {out}.")


@main.group()
def token() -> None:
    """Tokens with which scripts sign in: create, list, revoke."""


@token.command("create")
@click.argument("name")
def token_create(name: str) -> None:
    """Make a token that acts in the NAME of a reader, and print it: nobody can tell it again."""
    from pydantic import TypeAdapter, ValidationError

    from viewer.readers import ReaderName
    from viewer.tokens import create_token

    try:
        reader = TypeAdapter(ReaderName).validate_python(name)
    except ValidationError as error:
        raise click.ClickException(f"The name {error.errors()[0]['msg']}.") from None
    with _writing() as session:
        row, secret = create_token(session, reader)
    click.echo(f"Token {row.id} of {row.reader}; keep it secret, it is not shown again:", err=True)
    click.echo(secret)


@token.command("list")
def token_list() -> None:
    """List the tokens: id, reader, when made, last used and revoked."""
    from viewer.db import iso_utc
    from viewer.tokens import list_tokens

    with _writing() as session:
        for row in list_tokens(session):
            used, revoked = iso_utc(row.used_at) or "never", iso_utc(row.revoked_at)
            end = f"  revoked {revoked}" if revoked else ""
            click.echo(f"{row.id}  {row.reader}  made {iso_utc(row.created_at)}  used {used}{end}")


@token.command("revoke")
@click.argument("token_id", metavar="ID")
def token_revoke(token_id: str) -> None:
    """Revoke the token with this ID at once."""
    from viewer.tokens import revoke_token

    with _writing() as session:
        revoked = revoke_token(session, token_id)
    if not revoked:
        raise click.ClickException("There is no valid token with this id; see: token list")
    click.echo(f"Token {token_id} is revoked.")


@contextmanager
def _writing() -> Iterator["Session"]:
    """A transaction on a database of this version's layout."""
    from viewer.db import make_engine, make_sessions, writing
    from viewer.migrations import migrate as bring_up_to_date

    engine = make_engine(_settings())
    bring_up_to_date(engine)
    with writing(make_sessions(engine)) as session:
        yield session
    engine.dispose()


def _shown(value: object) -> str:
    import os

    if isinstance(value, tuple):
        return os.pathsep.join(map(str, value))
    return "" if value is None else str(value)  # a database address hides its password itself


def _settings(**given: object) -> "Settings":
    from pydantic import ValidationError

    from viewer.settings import Settings

    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        wrong = [
            f"SENTINODE_{part['loc'][0]}".upper() + f": {part['msg']}" for part in error.errors()
        ]
        raise click.ClickException("; ".join(wrong)) from None


def _migrate(settings: "Settings") -> None:
    from viewer.db import make_engine
    from viewer.migrations import migrate as bring_up_to_date

    engine = make_engine(settings)
    bring_up_to_date(engine)
    engine.dispose()


def _say_ready(url: str) -> None:
    print(f"Sentinode is ready at {url}", flush=True)  # noqa: T201 - scripts wait for this line


def _end_with(parent_pid: int | None) -> None:
    from viewer.lifeline import end_with

    if parent_pid is not None:
        end_with(parent_pid)


def _stop_on_signals() -> Event:
    """Set at the first SIGINT or SIGTERM."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
