"""A whole worklist as CSV or JSON, written as it is read from the database."""

import csv
import json
from collections.abc import Iterable, Iterator
from io import StringIO
from typing import Any

# What spreadsheets take for the beginning of a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_lines(header: list[str], rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """RFC 4180 with a header. Texts that a spreadsheet would run as a formula get a ' before."""
    buffer = StringIO()
    writer = csv.DictWriter(buffer, header)
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def json_parts(head: dict[str, Any], rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """An object with the members of `head`, and the rows as its list `items`."""
    yield json.dumps(head).removesuffix("}") + ', "items": ['
    separator = "\n"
    for row in rows:
        yield separator + json.dumps(row, ensure_ascii=False)
        separator = ",\n"
    yield "\n]}\n"


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value
