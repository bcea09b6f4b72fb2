"""Whole files only: written beside, flushed, then renamed over the old one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from model.extraction.errors import WriteFailed


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that appears as `path` only once all of it is on disk; raise WriteFailed."""
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise WriteFailed(
            f"'{path.name}' could not be written: {error.strerror or error}.",
            "Free some space, or allow writing there, and run the command again: finished slides"
            " are kept.",
        ) from error
    finally:
        with suppress(OSError):  # nothing to remove, or no folder to remove it from
            partial.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a whole text file (UTF-8); raise WriteFailed."""
    with whole_file(path) as file:
        file.write(text.encode())
