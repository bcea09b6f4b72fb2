"""Tiles that were costly to make, kept on disk within a budget; those not used for longest go.

Whatever lies here can be made again: files may be deleted at any time, by anybody, and a disk that
is full or not writable costs time, not tiles. Several processes may share the folder.
"""

import logging
import os
import time
import uuid
from contextlib import suppress
from pathlib import Path
from threading import Lock

from viewer.slides.jpeg_streams import EOI, SOI

log = logging.getLogger(__name__)

Place = tuple[str, str]  # version of the slide, name of the tile

# A time of last use this old is renewed; noting every use would write at every read.
USE_NOTED_S = 3600.0
# How much of the budget is left after tidying up, so that it is not needed after each tile.
AFTER_TIDYING = 0.9


class TileStore:
    """JPEG files below `folder`, one for each place, of `budget_bytes` together; 0: none at all."""

    def __init__(self, folder: Path, budget_bytes: int) -> None:
        self._folder = folder
        self._budget_bytes = budget_bytes
        self._lock = Lock()
        # What lies there and what was added since; None before the first look.
        self._bytes: int | None = None
        self._warned = False

    def read(self, place: Place) -> bytes | None:
        """A tile that was kept, or None."""
        if not self._budget_bytes:
            return None
        path = self._path(place)
        try:
            with path.open("rb") as file:
                jpeg = file.read()
                used_at = os.fstat(file.fileno()).st_mtime
            if time.time() - used_at > USE_NOTED_S:
                os.utime(path)
        except OSError:
            return None
        # A machine that lost its power may leave a file empty.
        return jpeg if jpeg.startswith(SOI) and jpeg.endswith(EOI) else None

    def write(self, place: Place, jpeg: bytes) -> None:
        """Keep a tile; it is there in whole or not at all."""
        if len(jpeg) > self._budget_bytes:
            return
        path = self._path(place)
        part = path.with_name(f".{uuid.uuid4().hex}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                part.write_bytes(jpeg)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            self._warn(error)
            return
        self._count(len(jpeg))

    def _path(self, place: Place) -> Path:
        version, name = place
        return self._folder / version[:2] / version / f"{name}.jpg"

    def _count(self, added_bytes: int) -> None:
        with self._lock:
            if self._bytes is None:
                self._bytes = sum(size for _, size, _ in _files(self._folder))
            else:
                self._bytes += added_bytes
            if self._bytes > self._budget_bytes:
                self._bytes = self._tidy()

    def _tidy(self) -> int:
        """Delete what was not used for longest; return the bytes that are left."""
        files = sorted(_files(self._folder))
        left = sum(size for _, size, _ in files)
        for _, size, path in files:
            if left <= self._budget_bytes * AFTER_TIDYING:
                break
            path.unlink(missing_ok=True)
            left -= size
            with suppress(OSError):  # not empty
                path.parent.rmdir()
        return left

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            log.warning("Tiles cannot be kept on disk: %s", error.strerror)


def _files(folder: Path) -> list[tuple[float, int, Path]]:
    """Time of last use, size and path of each file below a folder."""
    found = []
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                status = path.stat()
            except OSError:
                continue  # another process was quicker
            found.append((status.st_mtime, status.st_size, path))
    return found
