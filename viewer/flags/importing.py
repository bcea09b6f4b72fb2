"""Taking the flags of a file: all of them or none, and a report of what changed on the way."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from viewer.flags import asap, csv_table, geojson, history
from viewer.flags.content import Content, content_of
from viewer.flags.errors import GeometryInvalid, ImportRefused
from viewer.flags.exchange import Entry, Found, moved
from viewer.flags.geometry import TYPES, Extent, Kind, Shape, kind_of, shape_of
from viewer.flags.labels import LabelSet
from viewer.flags.records import Flag

Format = Literal["geojson", "xml", "csv"]
READERS = {"geojson": geojson.read, "xml": asap.read, "csv": csv_table.read}
MOST_BYTES = 64 * 1024 * 1024
MOST_FLAGS = 100_000
MOST_TOLD = 200
KINDS: tuple[str, ...] = get_args(Kind)
ALL_OR_NONE = (
    "Nothing was taken. Correct the file, or send it with skip_problems=true to take the rest."
)


@dataclass(frozen=True)
class Checked:
    """An entry whose shape is sound."""

    entry: Entry
    content: Content


def format_of(content: bytes) -> Format:
    """By its first character."""
    match content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]:
        case b"{" | b"[":
            return "geojson"
        case b"<":
            return "xml"
    return "csv"


@dataclass(frozen=True)
class SoundFile:
    """A file whose regions may be stored, with what is to be said of it."""

    format: Format
    checked: list[Checked]
    found: Found


def read(
    content: bytes,
    extent: Extent,
    offset_px: tuple[float, float],
    labels: LabelSet,
    *,
    skip_problems: bool = False,
) -> SoundFile:
    """Read and check a file, which may take long: to be done before the database is locked.

    Raises ImportRefused when a region is not sound and `skip_problems` is not set. `offset_px` is
    where the slide's bounds begin in the plane of the file.
    """
    file_format = format_of(content)
    found = READERS[file_format](content)
    if len(found.entries) > MOST_FLAGS:
        raise ImportRefused(
            f"The file holds more than {MOST_FLAGS} regions.", "Split it, or leave out detections."
        )
    checked = _check_all(found, extent, offset_px, labels)
    if found.problems and not skip_problems:
        count = len(found.problems)
        raise ImportRefused(
            f"{count} of {count + len(checked)} regions cannot be taken.",
            ALL_OR_NONE,
            found.problems[:MOST_TOLD],
        )
    return SoundFile(file_format, checked, found)


def take(session: Session, slide_id: str, file: SoundFile, by: str) -> dict[str, Any]:
    """Store what a file holds; the report."""
    found = file.found
    return {
        "format": file.format,
        **_store(session, slide_id, file.checked, by, found),
        "skipped": found.problems[:MOST_TOLD],
        "skipped_count": len(found.problems),
        "notes": [{"text": text, "count": count} for text, count in found.notes.items()],
    }


def _check_all(
    found: Found, extent: Extent, offset_px: tuple[float, float], labels: LabelSet
) -> list[Checked]:
    checked = []
    for entry in found.entries:
        try:
            shape = _shape(entry, extent, offset_px)
        except GeometryInvalid as error:
            found.refuse(entry.place, error.message)
            continue
        if shape.mended:
            found.notes["an outline that crossed itself was taken apart there"] += 1
        label = _label(entry.label, labels, found)
        words = {"name": entry.name, "reason": entry.reason, "state": entry.state}
        content = Content(shape, label=label, assignee=entry.assignee, **words)  # type: ignore[arg-type] # the fields of Content by name
        checked.append(Checked(entry, content))
    return checked


def _shape(entry: Entry, extent: Extent, offset_px: tuple[float, float]) -> Shape:
    geometry = entry.geometry
    known = any(geometry.get("type") in names for names in TYPES.values())
    if not known:
        raise GeometryInvalid(f"A '{geometry.get('type')}' is no region.", "Export areas.")
    kind: Kind = entry.kind if entry.kind in KINDS else kind_of(geometry)  # type: ignore[assignment] # one of KINDS
    shape = _sound(kind, geometry, extent, offset_px)
    return replace(shape, mended=False) if kind == "box" else shape


def _sound(
    kind: Kind, geometry: Mapping[str, Any], extent: Extent, offset_px: tuple[float, float]
) -> Shape:
    if offset_px != (0, 0):
        try:
            geometry = moved(geometry, -offset_px[0], -offset_px[1])
        except (TypeError, IndexError, KeyError):
            raise GeometryInvalid("Positions are not pairs of numbers.", "") from None
    try:
        return shape_of(kind, geometry, extent, mend=True)
    except GeometryInvalid:
        if kind != "box":
            raise
    return shape_of("polygon", geometry, extent, mend=True)


def _label(name: str | None, labels: LabelSet, found: Found) -> str | None:
    if name is None:
        return None
    label = labels.resolve(name)
    if label is None:
        found.notes[f"'{name}' is not among the labels here and was kept as it is"] += 1
        return name
    if label.name != name:
        found.notes[f"'{name}' was taken as '{label.name}'"] += 1
    return label.name


def _store(
    session: Session, slide_id: str, checked: list[Checked], by: str, found: Found
) -> dict[str, int]:
    number = history.next_number(session, slide_id)
    known = _known(session, [one.entry.flag_id for one in checked if one.entry.flag_id])
    rows: list[dict[str, Any]] = []
    counts = {"created": 0, "updated": 0, "unchanged": 0}
    taken: set[str] = set()
    for one in checked:
        flag_id = one.entry.flag_id
        flag = known.get(flag_id or "")
        if flag is not None and flag.slide_id == slide_id and flag_id not in taken:
            what = _update(session, flag, one, by, found)
        else:
            what = "copied" if flag is not None or flag_id in taken else "created"
        if what in ("copied", "created"):
            new_id = flag_id if what == "created" else None
            row = history.new_row(
                slide_id, number + len(rows), one.content, by, flag_id=new_id, source="imported"
            )
            rows.append(row)
        counts["created" if what == "copied" else what] += 1
        if flag_id:
            taken.add(flag_id)
    history.create_many(session, rows)
    return counts


def _update(session: Session, flag: Flag, one: Checked, by: str, found: Found) -> str:
    """A region that was exported from here and comes back."""
    if flag.deleted or one.entry.version not in (None, flag.version):
        what = "deleted" if flag.deleted else "changed"
        found.notes[f"a flag was {what} here since its export; the file's became a copy"] += 1
        return "copied"
    if one.content == content_of(flag):
        return "unchanged"
    history.change(session, flag, one.content, by)
    return "updated"


def _known(session: Session, ids: list[str]) -> dict[str, Flag]:
    found: dict[str, Flag] = {}
    for start in range(0, len(ids), 500):
        some = session.scalars(select(Flag).where(Flag.id.in_(ids[start : start + 500])))
        found.update((flag.id, flag) for flag in some)
    return found
