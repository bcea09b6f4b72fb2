"""The slides as the rest of the viewer sees them: by id, with their file and their resolution."""

from hashlib import blake2b
from pathlib import Path
from typing import Literal

from sqlalchemy.orm import Session

from model.prediction.errors import SlideUnreadable
from model.prediction.wsi import Mpp
from viewer.db import utc_now
from viewer.errors import SlideChanged, SlideNotFound
from viewer.records import LibraryScan, Resolution, Slide
from viewer.settings import Settings
from viewer.slides.files import (
    OutsideFolder,
    Signature,
    SlideFile,
    check_unchanged,
    folder_key,
    guarded,
)

MppSource = Literal["slide", "user"]


def folder_keys(settings: Settings) -> dict[str, Path]:
    """The configured folders by the short name under which rows know them."""
    return {folder_key(folder): folder for folder in settings.slides}


def folders_key(settings: Settings) -> str:
    """A short name for the set of configured folders."""
    return blake2b(" ".join(sorted(folder_keys(settings))).encode(), digest_size=8).hexdigest()


def first_scan_is_under_way(session: Session, settings: Settings) -> bool:
    """Whether the folders were never looked through from end to end yet."""
    return session.get(LibraryScan, folders_key(settings)) is None


def slide_row(session: Session, settings: Settings, slide_id: str) -> Slide:
    """The row of a slide that is in the folders now, readable or not; raises `SlideNotFound`."""
    row = session.get(Slide, slide_id, populate_existing=True)
    if row is None or row.missing or row.folder_key not in folder_keys(settings):
        raise SlideNotFound
    return row


def check_readable(row: Slide) -> None:
    """Raise `SlideUnreadable` with the reason, where there is one."""
    if row.problem_reason is not None:
        raise SlideUnreadable(row.problem_reason, row.problem_hint or "")


def slide_file(session: Session, settings: Settings, slide_id: str) -> SlideFile:
    """The file of a readable slide, inside its folder.

    Raises `SlideNotFound`, `SlideUnreadable` with the reason, or `SlideChanged` when the file is
    gone or leads out of the folder now.
    """
    row = slide_row(session, settings, slide_id)
    check_readable(row)
    assert row.width_px is not None, "a readable slide has a size"
    assert row.height_px is not None, "a readable slide has a size"
    try:
        path = guarded(folder_keys(settings)[row.folder_key], row.relative_path)
    except (OSError, OutsideFolder):
        raise SlideChanged from None
    return SlideFile(
        id=row.id,
        path=path,
        signature=Signature(row.size_bytes, row.mtime_ns, row.inode),
        width_px=row.width_px,
        height_px=row.height_px,
        tile_size_px=row.tile_size_px,
    )


def slide_path(session: Session, settings: Settings, slide_id: str) -> Path:
    """The path of a readable slide whose file is still the one listed; raises as `slide_file`."""
    file = slide_file(session, settings, slide_id)
    check_unchanged(file)
    return file.path


def effective_mpp(session: Session, slide_id: str) -> tuple[Mpp | None, MppSource | None]:
    """The resolution to work with, and who says so: a user's word goes before the file's."""
    row = session.get(Slide, slide_id)
    return resolution_of(row, session.get(Resolution, slide_id)) if row else (None, None)


def resolution_of(slide: Slide, override: Resolution | None) -> tuple[Mpp | None, MppSource | None]:
    """As `effective_mpp`, from rows at hand."""
    if override is not None:
        return Mpp(override.mpp_x, override.mpp_y), "user"
    if slide.mpp_x is not None and slide.mpp_y is not None:
        return Mpp(slide.mpp_x, slide.mpp_y), "slide"
    return None, None


def set_resolution(session: Session, slide_id: str, mpp: Mpp, set_by: str) -> None:
    """Note the resolution a user states, with who and when."""
    session.merge(
        Resolution(slide_id=slide_id, mpp_x=mpp.x, mpp_y=mpp.y, set_by=set_by, set_at=utc_now())
    )
