"""Looking through the slide folders: what lies there that is, or should be, a slide."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from model.prediction.wsi import looks_like_slide
from viewer.slides.files import OutsideFolder, Signature, folder_key, guarded, signature_of

Place = tuple[str, str]  # key of the folder, path inside it


@dataclass(frozen=True)
class Problem:
    """Why something cannot be shown, and what to do."""

    reason: str
    hint: str


@dataclass(frozen=True)
class Found:
    """A file that should be a slide; with `problem` when it must not be opened at all."""

    folder: Path
    relative_path: str
    signature: Signature
    problem: Problem | None = None

    @property
    def place(self) -> Place:
        """Where it lies, without naming the folder's path."""
        return folder_key(self.folder), self.relative_path

    @property
    def path(self) -> Path:
        """The file to open."""
        return self.folder / self.relative_path

    @property
    def name(self) -> str:
        """The name shown to users."""
        return Path(self.relative_path).name


LINK_OUT = Problem(
    "This is a link to a file outside the slide folder, so it is not opened.",
    "Put the file itself here, or add the folder it lies in to SENTINODE_SLIDES.",
)
LINK_DEAD = Problem(
    "This is a link to a file that does not exist.", "Put the file back, or remove the link."
)
NOT_A_FILE = Problem("This is not a regular file.", "Replace it by the slide file itself.")
NAME_NOT_UTF8 = Problem("The name of this file is not valid UTF-8.", "Rename the file.")
FOLDER_CLOSED = Problem(
    "This folder cannot be read, so its slides are not listed.",
    "Give the account that runs Sentinode the right to read it.",
)


def folder_problem(folder: Path) -> Problem | None:
    """Why a configured folder cannot be looked through; None when all is well."""
    try:
        with os.scandir(folder):
            return None
    except FileNotFoundError:
        return Problem(
            "This folder does not exist.",
            "Create it or attach its disk, or correct SENTINODE_SLIDES and restart.",
        )
    except NotADirectoryError:
        return Problem("This is not a folder.", "Correct SENTINODE_SLIDES and restart.")
    except OSError:
        return Problem(
            "This folder cannot be read.",
            "Give the account that runs Sentinode the right to read it.",
        )


def walk(folder: Path) -> Iterator[Found]:
    """Everything in a slide folder, and below it, that is or should be a slide, in stable order."""
    closed: list[str] = []
    for here, folder_names, file_names in os.walk(
        folder, onerror=lambda e: closed.append(e.filename)
    ):
        folder_names[:] = sorted(_to_enter(folder_names, file_names))
        links = [name for name in folder_names if os.path.islink(os.path.join(here, name))]
        for name in sorted(file_names + links):
            found = _look_at(folder, Path(here, name), is_folder=name in links)
            if found is not None:
                yield found
    for name in closed:
        if Path(name) != folder:
            yield _refused(folder, Path(name), FOLDER_CLOSED)


def _to_enter(folder_names: list[str], file_names: list[str]) -> Iterator[str]:
    """Folders that may hold slides of their own: not hidden ones, not the insides of MIRAX."""
    mirax = {Path(name).stem for name in file_names if name.lower().endswith(".mrxs")}
    return (name for name in folder_names if not name.startswith(".") and name not in mirax)


def _look_at(folder: Path, path: Path, *, is_folder: bool) -> Found | None:
    if path.name.startswith(".") or not (is_folder or looks_like_slide(path)):
        return None
    relative_path = str(path.relative_to(folder))
    try:
        guarded(folder, relative_path)
        if is_folder:
            return None  # what it links to lies in the folder and is found there
        if not stat.S_ISREG(path.stat().st_mode):
            return _refused(folder, path, NOT_A_FILE)
        if not _is_utf8(relative_path):
            return _refused(folder, path, NAME_NOT_UTF8)
        return Found(folder, relative_path, signature_of(path))
    except OutsideFolder:
        return _refused(folder, path, LINK_OUT)
    except OSError:
        # Gone since the folder was listed, unless it is a link.
        return _refused(folder, path, LINK_DEAD) if path.is_symlink() else None


def _refused(folder: Path, path: Path, problem: Problem) -> Found:
    shown = os.fsencode(path.relative_to(folder)).decode("utf-8", "replace")
    return Found(folder, shown, Signature(0, 0, ""), problem)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
