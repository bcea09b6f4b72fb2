"""Lists a page at a time: where a page ends is said by the keys of its last row, not by a count.

Rows that come or go meanwhile neither repeat nor hide others, and a late page costs as little as
the first one.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, and_, or_
from sqlalchemy.orm import InstrumentedAttribute, Session

from viewer.db import UtcDateTime
from viewer.errors import BadRequest

MAX_LIMIT = 500
LARGEST_INTEGER = 2**63 - 1

Value = str | int | float


class Key(NamedTuple):
    """One sorting key, never null; the last one of an order is unique."""

    value: ColumnElement[Any] | InstrumentedAttribute[Any]
    descending: bool = False


def page_of(
    session: Session,
    query: Select[Any],
    keys: Sequence[Key],
    limit: int,
    after: str | None,
    kind: str = "",
) -> tuple[list[Row[Any]], str | None]:
    """At most `limit` rows of the query after the cursor `after`, and the cursor of the next page.

    The rows carry the keys behind the query's own columns. `kind` names the order: a cursor of
    another one is refused with `BadRequest`.
    """
    query = query.add_columns(*(key.value for key in keys)).order_by(*order_of(keys))
    if after is not None:
        query = query.where(beyond(keys, typed(keys, decode_cursor(after, kind))))
    rows = list(session.execute(query.limit(limit + 1)).all())
    more = len(rows) > limit
    last = tuple(rows[limit - 1])[-len(keys) :] if more else ()
    return rows[:limit], encode_cursor(kind, last) if more else None


def order_of(keys: Sequence[Key]) -> list[ColumnElement[Any]]:
    """For ORDER BY."""
    return [key.value.desc() if key.descending else key.value.asc() for key in keys]


def beyond(keys: Sequence[Key], last: Sequence[Any]) -> ColumnElement[bool]:
    """What comes after the row whose keys are `last`."""
    alternatives = []
    for n, key in enumerate(keys):
        same = [earlier.value == last[m] for m, earlier in enumerate(keys[:n])]
        further = key.value < last[n] if key.descending else key.value > last[n]
        alternatives.append(and_(*same, further))
    return or_(*alternatives)


def encode_cursor(kind: str, values: Sequence[Any]) -> str:
    """A cursor for addresses. Put no name of a person or slide in it: addresses get into logs."""
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    return urlsafe_b64encode(json.dumps([kind, *plain]).encode()).decode().rstrip("=")


def decode_cursor(text: str, kind: str) -> list[Value]:
    """The values of a cursor of this kind; raises `BadRequest` for anything else."""
    try:
        parts = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):  # of base64, of UTF-8 or of JSON
        raise wrong_cursor() from None
    match parts:
        case [str(found), *values] if found == kind and all(map(_is_value, values)):
            return values
    raise wrong_cursor()


def wrong_cursor() -> BadRequest:
    """To be raised for a cursor that this list did not give."""
    return BadRequest(
        "The value of 'after' is no cursor of this list.",
        "Take it from 'next' of the page before, and keep sorting and filters.",
    )


def _is_value(value: object) -> bool:
    """Whether a database may be asked for it."""
    match value:
        case bool():
            return False
        case int():
            return abs(value) <= LARGEST_INTEGER
        case float():
            return value == value and abs(value) != float("inf")
        case str():
            return value.isprintable()
    return False


def typed(keys: Sequence[Key], values: Sequence[Value]) -> list[Any]:
    """The values as the columns' types; raises `BadRequest` where they do not fit."""
    if len(values) != len(keys):
        raise wrong_cursor()
    return [_typed_one(key, value) for key, value in zip(keys, values, strict=True)]


def _typed_one(key: Key, value: Value) -> Any:  # noqa: ANN401 - whatever the column holds
    if isinstance(key.value.type, UtcDateTime):
        return _moment(value)
    if isinstance(value, str) != (key.value.type.python_type is str):
        raise wrong_cursor()
    return value


def _moment(value: Value) -> datetime:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise wrong_cursor() from None
    if moment.tzinfo is None:
        raise wrong_cursor()
    return moment
