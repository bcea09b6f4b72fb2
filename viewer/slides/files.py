"""Slide files: how one looks from outside, and the guard that keeps paths inside the folders."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from viewer.errors import SlideChanged

SLIDEDAT = "Slidedat.ini"


@dataclass(frozen=True)
class Signature:
    """What changes when a file is written, replaced or restored; costs no look into it."""

    size_bytes: int
    mtime_ns: int
    inode: str


@dataclass(frozen=True)
class SlideFile:
    """A readable slide as it was listed: its file, and the size that its pyramid is built on."""

    id: str
    path: Path
    signature: Signature
    width_px: int
    height_px: int
    tile_size_px: int | None


class OutsideFolder(Exception):  # noqa: N818 - named after what is wrong
    """A path, or the link it is, leads out of the slide folder."""


def folder_key(folder: Path) -> str:
    """A short name for a slide folder that does not give its path away."""
    return blake2b(str(folder).encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def guarded(folder: Path, relative_path: str) -> Path:
    """The real file behind a path of a slide folder; OSError when there is none.

    Raises `OutsideFolder` when `..`, an absolute path or a symbolic link leads elsewhere.
    """
    try:
        # Not Path.resolve: up to Python 3.12 that raises RuntimeError for links in a circle.
        real = Path(os.path.realpath(folder / relative_path, strict=True))
    except ValueError as error:  # a NUL in the path
        raise OutsideFolder from error
    inside = folder.resolve(strict=True)
    if not real.is_relative_to(inside):
        raise OutsideFolder
    for part in _parts(folder / relative_path):
        if not Path(os.path.realpath(part)).is_relative_to(inside):
            raise OutsideFolder
    # The real path is for checking. Readers get the one in the folder, because the further files
    # of a slide are searched beside it.
    return folder / relative_path


def signature_of(path: Path) -> Signature:
    """The signature of a slide with all its files; OSError when it cannot be looked at."""
    main = path.stat()
    size_bytes, mtime_ns = main.st_size, main.st_mtime_ns
    for part in _parts(path):
        status = part.stat()
        size_bytes += status.st_size
        mtime_ns = max(mtime_ns, status.st_mtime_ns)
    return Signature(size_bytes, mtime_ns, str(main.st_ino))


def check_unchanged(file: SlideFile) -> None:
    """Raise `SlideChanged` when the file is no longer the one that was listed."""
    try:
        now = signature_of(file.path)
    except OSError:
        raise SlideChanged from None
    if now != file.signature:
        raise SlideChanged


def mrxs_folder(path: Path) -> Path | None:
    """The folder with the data of a MIRAX slide, whose own file is only a preview."""
    return path.with_suffix("") if path.suffix.lower() == ".mrxs" else None


def _parts(path: Path) -> Iterator[Path]:
    folder = mrxs_folder(path)
    if folder is not None and folder.is_dir():
        yield from (part for part in folder.iterdir() if part.is_file())
