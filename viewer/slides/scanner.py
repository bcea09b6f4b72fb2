"""Keeps the slide table in step with the folders. One pass looks into new and changed files only.

A row is a content: a moved file keeps its row, a file changed in place gets another one. A file
whose content is listed already is a duplicate with a row of its own that says so. A row whose file
is gone stays as `missing`, so that its analyses are back when the file is.
"""

import logging
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, and_, delete, exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased, sessionmaker

from viewer.db import utc_now, writing
from viewer.records import Analysis, Companion, FileRecord, LibraryScan, Resolution, Slide
from viewer.settings import Settings
from viewer.slides.files import Signature, signature_of
from viewer.slides.fingerprint import opaque_id
from viewer.slides.library import folder_keys, folders_key
from viewer.slides.probe import Reading, failed_reading, read_file
from viewer.slides.walk import Found, Place, walk

log = logging.getLogger(__name__)

# Rights, further files of a slide and disks change without a trace in the file itself.
TRY_AGAIN = timedelta(seconds=60)


@dataclass(frozen=True)
class ScanReport:
    """What one pass did: files found, files looked into, files gone."""

    found: int
    read: int
    vanished: int


@dataclass(frozen=True)
class _Known:
    """What an earlier pass noted about a place."""

    signature: Signature
    try_again: bool


def scan_once(sessions: sessionmaker[Session], settings: Settings) -> ScanReport:
    """Look through all folders once. Costs a look at each file's status when nothing changed."""
    found = {file.place: file for folder in settings.slides for file in walk(folder)}
    with sessions() as session:
        known = _known(session, settings)
    changed = [file for place, file in found.items() if not _is_unchanged(file, known.get(place))]
    _take_in(sessions, changed, found.keys())
    vanished = known.keys() - found.keys()
    if vanished:
        _note_vanished(sessions, vanished)
    with sessions() as session:
        orphans = [found[place] for place in _orphans(session) if place in found]
    _take_in(sessions, orphans, found.keys())
    _note_complete(sessions, settings)
    return ScanReport(len(found), len(changed) + len(orphans), len(vanished))


def _known(session: Session, settings: Settings) -> dict[Place, _Known]:
    keys = folder_keys(settings).keys()
    again_before = utc_now() - TRY_AGAIN
    slides = select(*_place_and_look(Slide), Slide.problem_reason, Slide.probed_at).where(
        ~Slide.missing, Slide.folder_key.in_(keys)
    )
    known = {}
    for key, path, *look, problem, probed_at in session.execute(slides):
        try_again = problem is not None and probed_at < again_before
        known[key, path] = _Known(Signature(*look), try_again)
    companions = select(*_place_and_look(Companion)).where(Companion.folder_key.in_(keys))
    for key, path, *look in session.execute(companions):
        known[key, path] = _Known(Signature(*look), try_again=False)
    return known


def _place_and_look(kind: type[FileRecord]) -> tuple[InstrumentedAttribute[Any], ...]:
    columns = (kind.folder_key, kind.relative_path, kind.size_bytes, kind.mtime_ns, kind.inode)
    return cast("tuple[InstrumentedAttribute[Any], ...]", columns)


def _is_unchanged(file: Found, known: _Known | None) -> bool:
    return known is not None and known.signature == file.signature and not known.try_again


def _take_in(
    sessions: sessionmaker[Session], files: Iterable[Found], places: Collection[Place]
) -> None:
    """Look into files and note what they are, each in a transaction of its own."""
    # A thread of its own contains what a reader may raise: half a dozen libraries parse these
    # files, and a file that meets a bug in one of them must not stop the others.
    with ThreadPoolExecutor(1, "reader") as reader:
        for file in files:
            looking = reader.submit(read_file, file)
            if error := looking.exception():
                log.error("A reader failed on a file", exc_info=error)
            reading = looking.result() if error is None else failed_reading(file)
            if file.problem is None and not _is_still(file):
                continue  # it is being written; the next pass finds it changed
            try:
                with writing(sessions) as session:
                    _note(session, file, reading, places)
            except IntegrityError:
                continue  # the scanner of another worker noted it first


def _is_still(file: Found) -> bool:
    try:
        return signature_of(file.path) == file.signature
    except OSError:
        return False


def _note(session: Session, file: Found, reading: Reading, places: Collection[Place]) -> None:
    session.execute(delete(Companion).where(_lies_at(Companion, file.place)))
    here = session.scalar(select(Slide).where(_lies_at(Slide, file.place), ~Slide.missing))
    other = _listed_elsewhere(session, reading.id, here, places)
    if other is None:
        _put(session, file, reading.columns, here, reading.id or _id_of_unreadable(here))
    elif reading.in_series:
        _retire(session, here)
        _fill(other, reading.columns)  # the series may have grown since it was looked into
        session.add(Companion(**_at(file), slide_id=other.id))
    else:
        copy_id = here.id if here and here.duplicate_of else opaque_id()
        columns = reading.columns | {"duplicate_of": other.id}
        if reading.columns["problem_reason"] is None:
            columns |= _same_content(other)
        _put(session, file, columns, here, copy_id)


def _listed_elsewhere(
    session: Session, slide_id: str | None, here: Slide | None, places: Collection[Place]
) -> Slide | None:
    """The row with this content, if its own file is still there."""
    row = session.get(Slide, slide_id) if slide_id else None
    if row is None or row is here or row.missing:
        return None
    return row if (row.folder_key, row.relative_path) in places else None


def _id_of_unreadable(here: Slide | None) -> str:
    return here.id if here and here.problem_reason else opaque_id()


def _same_content(other: Slide) -> dict[str, Any]:
    return {
        "problem_reason": f"This file has the same content as “{other.name}”.",
        "problem_hint": "Open that one; this copy can be removed.",
    }


def _put(
    session: Session, file: Found, columns: dict[str, Any], here: Slide | None, slide_id: str
) -> None:
    """Make the row `slide_id` the one of this place."""
    if here is not None and here.id != slide_id:
        _retire(session, here)
    row = session.get(Slide, slide_id)
    if row is None:
        row = Slide(id=slide_id, first_seen_at=utc_now())
        session.add(row)
    row.name = file.name
    row.missing = False
    row.last_seen_at = utc_now()
    _fill(row, _at(file) | {"duplicate_of": None} | columns)


def _fill(row: Slide, columns: dict[str, Any]) -> None:
    row.probed_at = utc_now()
    for name, value in columns.items():
        setattr(row, name, value)


def _at(file: Found) -> dict[str, Any]:
    key, path = file.place
    return {"folder_key": key, "relative_path": path, **asdict(file.signature)}


def _note_vanished(sessions: sessionmaker[Session], places: Collection[Place]) -> None:
    with writing(sessions) as session:
        for place in places:
            session.execute(delete(Companion).where(_lies_at(Companion, place)))
            for row in session.scalars(select(Slide).where(_lies_at(Slide, place), ~Slide.missing)):
                _retire(session, row)


def _retire(session: Session, row: Slide | None) -> None:
    """Take a row off the list; what nobody can need again is deleted."""
    if row is None:
        return
    if row.problem_reason is not None and not _has_history(session, row):
        session.delete(row)
    else:
        row.missing = True
        row.last_seen_at = utc_now()
    session.flush()  # its place must be free before another row takes it


def _has_history(session: Session, row: Slide) -> bool:
    kinds = (Analysis, Resolution)
    return any(session.scalar(select(exists().where(kind.slide_id == row.id))) for kind in kinds)


def _orphans(session: Session) -> list[Place]:
    """Places of duplicates and companions whose own slide is not listed any more."""
    other = aliased(Slide)
    listed = exists().where(~other.missing)
    duplicates = select(Slide.folder_key, Slide.relative_path).where(
        ~Slide.missing,
        Slide.duplicate_of.is_not(None),
        ~listed.where(other.id == Slide.duplicate_of),
    )
    companions = select(Companion.folder_key, Companion.relative_path).where(
        ~listed.where(other.id == Companion.slide_id)
    )
    return [
        (key, path) for found in (duplicates, companions) for key, path in session.execute(found)
    ]


def _note_complete(sessions: sessionmaker[Session], settings: Settings) -> None:
    key = folders_key(settings)
    with sessions() as session:
        if session.get(LibraryScan, key) is not None:
            return
    with writing(sessions) as session:
        session.merge(LibraryScan(folders_key=key, completed_at=utc_now()))


def _lies_at(kind: type[FileRecord], place: Place) -> ColumnElement[bool]:
    return and_(kind.folder_key == place[0], kind.relative_path == place[1])
