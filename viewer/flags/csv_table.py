"""Flags as a table: for spreadsheets and scripts, and back; the outline stands there as WKT."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

import shapely

from model.prediction.wsi import Mpp
from viewer.db import iso_utc
from viewer.flags.content import State
from viewer.flags.errors import ImportRefused
from viewer.flags.exchange import Entry, Found, plain, prose
from viewer.flags.geometry import TYPES, area_mm2, length_um
from viewer.flags.records import STATES, Flag

MEDIA_TYPE = "text/csv"
COLUMNS = (
    "flag_id",
    "number",
    "version",
    "kind",
    "label",
    "name",
    "state",
    "reason",
    "assignee",
    "created_by",
    "created_at",
    "changed_by",
    "changed_at",
    "comments",
    "area_mm2",
    "length_um",
    "center_x_l0_px",
    "center_y_l0_px",
    "geometry_wkt",
    # The notice every export carries; a line of its own would be taken for a row.
    "research_use_only_not_for_diagnostic_procedures",
)
NEEDED = ("geometry_wkt",)
# A spreadsheet would compute cells that begin so; the apostrophe makes them text.
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
MOST_CELL_CHARACTERS = 8_000_000


def write(flags: Iterable[Flag], mpp: Mpp | None) -> Iterator[str]:
    """The table, a flag at a time."""
    yield _line(COLUMNS)
    for flag in flags:
        yield _line([_safe(value) for value in _values(flag, mpp)])


def _values(flag: Flag, mpp: Mpp | None) -> list[Any]:
    return [
        flag.id,
        flag.number,
        flag.version,
        flag.kind,
        flag.label,
        flag.name,
        flag.state,
        flag.reason,
        flag.assignee,
        flag.created_by,
        iso_utc(flag.created_at),
        flag.changed_by,
        iso_utc(flag.changed_at),
        flag.comment_count,
        _figure(area_mm2(flag.area_px2, mpp)),
        _figure(length_um(flag.geometry, mpp)),
        (flag.min_x_l0_px + flag.max_x_l0_px) / 2,
        (flag.min_y_l0_px + flag.max_y_l0_px) / 2,
        shapely.to_wkt(shapely.from_geojson(flag.geometry), rounding_precision=2),
        None,
    ]


def _figure(value: float | None) -> str | None:
    return None if value is None else f"{value:.6g}"


def _safe(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value


def _line(values: Iterable[object]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(["" if value is None else value for value in values])
    return buffer.getvalue()


def read(content: bytes) -> Found:
    """The regions of a table with the column geometry_wkt; other columns may be missing."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ImportRefused("The table is not UTF-8.", "Save it as 'CSV UTF-8'.") from None
    # Of the whole process, so never set back: another thread may be reading a table as well.
    csv.field_size_limit(MOST_CELL_CHARACTERS)
    try:
        return _read_rows(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise ImportRefused(f"The table cannot be read: {error}.", "Save it as CSV.") from None


def _read_rows(rows: "csv.DictReader[str]") -> Found:
    missing = [name for name in NEEDED if name not in (rows.fieldnames or ())]
    if missing:
        raise ImportRefused(
            f"The table has no column {missing[0]}.", "Take an exported table as a pattern."
        )
    found = Found()
    for row in rows:
        _read_row(row, f"line {rows.line_num}", found)
    return found


def _read_row(row: dict[str, Any], place: str, found: Found) -> None:
    values = {name: _unsafe(value) for name, value in row.items() if isinstance(value, str)}
    try:
        geometry = json.loads(shapely.to_geojson(shapely.from_wkt(values.get("geometry_wkt", ""))))
    except (shapely.errors.ShapelyError, ValueError, TypeError):
        found.refuse(place, "geometry_wkt is no WKT")
        return
    kind, state = values.get("kind", ""), values.get("state", "")
    version = values.get("version", "")
    found.entries.append(
        Entry(
            place,
            geometry,
            kind if geometry.get("type") in TYPES.get(kind, ()) else None,
            plain(values.get("label"), 100) or None,
            plain(values.get("name"), 200) or None,
            prose(values.get("reason"), 2000),
            _state(state),
            plain(values.get("assignee"), 100) or None,
            _hex(values.get("flag_id", "")),
            int(version) if version.isdecimal() and len(version) < 10 else None,
        )
    )


def _state(text: str) -> State:
    return text if text in STATES else "open"  # type: ignore[return-value] # one of STATES


def _unsafe(value: str) -> str:
    return value[1:] if value.startswith("'") and value[1:].startswith(FORMULAS) else value


def _hex(text: str) -> str | None:
    text = text.lower()
    return text if len(text) == 32 and set(text) <= set("0123456789abcdef") else None
