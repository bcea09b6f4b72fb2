"""Tickets: addresses of tiles that carry, signed, that who got them may see them, and until when.

A ticket is made where the access rules were checked: by the page, the slide list and the heat map's
description. It names the version of what it opens, so that what is behind such an address never
changes, and is the same for a whole day, so that browsers find again what they have kept.

    <version>.<last day, counted from 1970-01-01 UTC>.<HMAC-SHA256, base64url>
"""

import re
import time
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Literal, NamedTuple

from itsdangerous import Signer

from viewer.readers import signing_key
from viewer.settings import Settings

Kind = Literal["slide", "heatmap"]

DAY_S = 86_400
# Good for the present day (UTC) and the next one: between 24 and 48 hours.
GOOD_DAYS = 1
PATTERN = r"[0-9a-f]{1,32}\.[0-9]{1,6}\.[A-Za-z0-9_-]{43}"
_PARTS = re.compile(r"([0-9a-f]{1,32})\.([0-9]{1,6})\.([A-Za-z0-9_-]{43})")


class Ticket(NamedTuple):
    """A genuine ticket: the version it opens, and when it ends (seconds since 1970)."""

    version: str
    ends_at_s: float

    @property
    def is_over(self) -> bool:
        """Whether its time is over; the access rules must be asked again then."""
        return time.time() >= self.ends_at_s


def issue(settings: Settings, kind: Kind, thing_id: str, version: str) -> str:
    """A ticket for a thing in a version (hex digits); call it where access was checked."""
    last_day = int(time.time()) // DAY_S + GOOD_DAYS
    return f"{version}.{last_day}.{_signature(settings, kind, thing_id, version, last_day)}"


def read(settings: Settings, kind: Kind, thing_id: str, text: str) -> Ticket | None:
    """The ticket in an address, over or not; None if it is not one of ours for this thing."""
    parts = _PARTS.fullmatch(text)
    if parts is None:
        return None
    version, last_day, signature = parts.groups()
    value = _value(kind, thing_id, version, int(last_day))
    if not _signer(settings.data, signing_key(settings)).verify_signature(value, signature):
        return None
    return Ticket(version, float((int(last_day) + 1) * DAY_S))


def _signature(settings: Settings, kind: Kind, thing_id: str, version: str, last_day: int) -> str:
    signer = _signer(settings.data, signing_key(settings))
    return signer.get_signature(_value(kind, thing_id, version, last_day)).decode("ascii")


def _value(kind: Kind, thing_id: str, version: str, last_day: int) -> str:
    return f"{kind} {thing_id} {version} {last_day}"


@lru_cache(maxsize=16)
def _signer(data: Path, key: bytes) -> Signer:
    return Signer(key, salt=b"sentinode.tile", digest_method=sha256)
