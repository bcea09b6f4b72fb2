"""Progress of a command, on stderr: figures on stdout stay clean."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def bars() -> Iterator[Progress]:
    """Progress bars that vanish into plain lines where stderr is no terminal."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield progress


def counting(progress: Progress, description: str, total: int) -> Callable[[int], None]:
    """Add a bar; what is returned moves it on by so many."""
    task = progress.add_task(description, total=total)
    return lambda done: progress.update(task, advance=done)
