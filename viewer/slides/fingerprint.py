"""Ids of slides: they follow the content, so that moving or renaming a file keeps its id."""

import secrets
from hashlib import blake2b
from pathlib import Path

from viewer.slides.files import SLIDEDAT, mrxs_folder

ID_BYTES = 10  # 20 hex digits: two among a million slides meet with a chance under 10^-12

END_BYTES = 256 * 1024
SAMPLE_BYTES = 4 * 1024
SAMPLE_COUNT = 16


def content_id(path: Path) -> str:
    """The id of a file: its size, both ends and samples between; OSError when unreadable.

    Whole slides are gigabytes; their ends hold the directories, which list every tile's length.
    """
    digest = _digest("file")
    size_bytes = path.stat().st_size
    digest.update(size_bytes.to_bytes(8, "little"))
    with path.open("rb") as file:
        for start, length in _samples(size_bytes):
            file.seek(start)
            digest.update(file.read(length))
    folder = mrxs_folder(path)
    if folder is not None and (folder / SLIDEDAT).is_file():
        digest.update((folder / SLIDEDAT).read_bytes())
    return digest.hexdigest()


def series_id(series_uid: str) -> str:
    """The id of a DICOM series, whichever of its files is looked at."""
    digest = _digest("dicom-series")
    digest.update(series_uid.encode())
    return digest.hexdigest()


def opaque_id() -> str:
    """An id for something whose content cannot be read, or is listed under its own id already."""
    return secrets.token_hex(ID_BYTES)


def _samples(size_bytes: int) -> list[tuple[int, int]]:
    if size_bytes <= 2 * END_BYTES:
        return [(0, size_bytes)]
    step = (size_bytes - 2 * END_BYTES) // SAMPLE_COUNT
    middle = [(END_BYTES + step * index, SAMPLE_BYTES) for index in range(SAMPLE_COUNT)]
    return [(0, END_BYTES), *middle, (size_bytes - END_BYTES, END_BYTES)]


def _digest(kind: str) -> blake2b:
    # `person` keeps ids of different kinds, and of a later method, apart.
    return blake2b(digest_size=ID_BYTES, person=kind.encode())
