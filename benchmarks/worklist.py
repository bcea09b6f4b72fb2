"""How long the server takes for pages of a large worklist, in CPU time and on the clock.

    python -m benchmarks.worklist --slides 10000 --flags 5000

Beside each page stands what reading the same slides by their ids costs: the least any list can
take. The ratio of the two says how much finding and sorting add, whatever the machine.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from benchmarks.ratios import compare
from tests.worklists import (
    a_flag,
    a_reading,
    a_slide,
    a_verdict,
    an_analysis,
    slide_id,
    store,
)
from viewer import create_app
from viewer.migrations import migrate
from viewer.records import Slide
from viewer.services import EXTENSION, Services
from viewer.settings import Settings

LIMIT = 100
URL = "/api/v1/slides"
PAGES = {
    "first page, by suspicion": "sort=suspicion",
    "first page, by name": "sort=name",
    "first page, by date": "sort=added",
    "first page, by state": "sort=state",
    "unread, by suspicion": "sort=suspicion&state=unread",
    "search, by suspicion": "sort=suspicion&q=77",
    "with any warning": "warning=any",
    "with flags": "flagged=true",
}


@click.command()
@click.option("--slides", default=10_000, show_default=True)
@click.option("--flags", default=5_000, show_default=True)
@click.option("--rounds", default=15, show_default=True)
def main(slides: int, flags: int, rounds: int) -> None:
    """Make the slides in a temporary database, then time each page."""
    with _viewer(slides, flags) as (client, sessions):
        ids = [slide_id(n) for n in range(1, LIMIT + 1)]
        click.echo(f"{slides} slides, {flags} flags, pages of {LIMIT}, {rounds} rounds")
        for name, query in PAGES.items():
            _report(name, _getter(client, f"{URL}?{query}&limit={LIMIT}"), sessions, ids, rounds)
        middle = slide_id(slides // 2)
        _report(
            "neighbours, by suspicion",
            _getter(client, f"{URL}/{middle}/neighbours?sort=suspicion"),
            sessions,
            ids,
            rounds,
        )


def _report(
    name: str,
    ours: Callable[[], None],
    sessions: sessionmaker[Session],
    ids: list[str],
    rounds: int,
) -> None:
    def by_ids() -> None:
        with sessions() as session:
            found = session.scalars(select(Slide).where(Slide.id.in_(ids))).all()
            assert found

    ours()  # caches of statements and models are warm in a server that runs
    by_ids()
    compared = compare(by_ids, ours, rounds)
    clock_ms = sorted(_clock_ms(ours) for _ in range(rounds))
    cpu_ms = 1000 * statistics.median(compared.ours_s)
    least_ms = 1000 * statistics.median(compared.plain_s)
    click.echo(
        f"{name:26} {cpu_ms:6.1f} ms of CPU ({cpu_ms / least_ms:5.1f} × reading by ids);"
        f" clock: median {statistics.median(clock_ms):6.1f}, most {clock_ms[-1]:6.1f} ms"
    )


def _clock_ms(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


def _getter(client: FlaskClient, address: str) -> Callable[[], None]:
    def get() -> None:
        assert client.get(address).status_code == 200

    return get


@contextmanager
def _viewer(slides: int, flags: int) -> Iterator[tuple[FlaskClient, sessionmaker[Session]]]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "slides").mkdir()
        app = create_app(Settings(slides=(place / "slides",), data=place / "data"))
        services: Services = app.extensions[EXTENSION]
        migrate(services.engine)
        _fill(services, slides, flags)
        yield app.test_client(), services.sessions
        services.images.close()
        services.engine.dispose()


def _fill(services: Services, slides: int, flags: int) -> None:
    """Nine of ten slides analysed, a third read, names as scanners give them."""
    numbers = range(1, slides + 1)
    store(
        services.sessions,
        [a_slide(services.settings, n, name=f"S{n % 97:02}-{n:05} HE.svs") for n in numbers],
        [an_analysis(n, n * 7919 % slides / slides) for n in numbers if n % 10],
        [a_verdict(n, "no_tumour") for n in numbers if n % 6 == 0],
        [_reading(n) for n in numbers if n % 3 == 0],
        [a_flag(n * 7 % slides + 1, n) for n in range(1, flags + 1)],
    )


def _reading(number: int) -> object:
    if number % 6:
        return a_reading(number, "in_review")
    newest = {"verdict_id": f"{number:031x}0", "verdict_value": "no_tumour"}
    return a_reading(number, "reviewed", **newest)


if __name__ == "__main__":
    main()
