"""Who is asking: a name from a signing-in proxy, from a token or from a signed cookie.

A cookie says who somebody claims to be, which is enough to tell colleagues apart and is no proof.
Where proof is needed, a proxy signs people in and tells their name (SENTINODE_READER_HEADER).
"""

import os
import secrets
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from flask import Response, after_this_request, g, request
from itsdangerous import BadData, URLSafeTimedSerializer
from pydantic import AfterValidator, StringConstraints
from sqlalchemy.exc import OperationalError

from viewer.db import writing
from viewer.errors import ReaderUnknown, TokenInvalid
from viewer.services import services
from viewer.settings import Settings
from viewer.tokens import find_token, is_use_news, note_use

Source = Literal["proxy", "token", "cookie"]

COOKIE = "sentinode_reader"
COOKIE_S = 365 * 24 * 3600
KEY_FILE = "signing.key"
KEY_BYTES = 32
MOST_CHARACTERS = 100


def _plain(name: str) -> str:
    if not name.isprintable():
        msg = "must be one line of printable characters"
        raise ValueError(msg)
    return name


# A person's name as it is shown beside what the person did.
ReaderName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MOST_CHARACTERS),
    AfterValidator(_plain),
]


class Reader(NamedTuple):
    """Somebody who reads slides, and how Sentinode knows the name."""

    name: str
    source: Source


def current_reader() -> Reader | None:
    """Who makes the present request; None when nobody said. Raises `TokenInvalid`."""
    if "reader" not in g:
        g.reader = _find_reader(services().settings)
    found: Reader | None = g.reader
    return found


def require_reader() -> Reader:
    """Who makes the present request; raises `ReaderUnknown` (401) when nobody said."""
    reader = current_reader()
    if reader is None:
        raise ReaderUnknown
    return reader


def remember(answer: Response, name: str) -> None:
    """Put the name into a signed cookie of the browser, for a year; it counts at once."""
    g.reader = Reader(name, "cookie")
    answer.set_cookie(
        COOKIE,
        _serializer(services().settings).dumps(name),
        max_age=COOKIE_S,
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
    )


def signing_key(settings: Settings) -> bytes:
    """The key that signs cookies, made at the first need, readable for its owner alone."""
    return _signing_key(settings.data / KEY_FILE)


def _find_reader(settings: Settings) -> Reader | None:
    if settings.reader_header is not None:
        name = _header_text(settings.reader_header)
        return Reader(name, "proxy") if name else None
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return Reader(_reader_of_token(secret.strip()), "token")
    return _reader_of_cookie(settings)


def _header_text(header: str) -> str:
    """HTTP hands headers over as Latin-1; proxies write UTF-8 into them."""
    raw = request.headers.get(header, "").encode("latin-1", "replace")
    text = raw.decode("utf-8", "replace").strip()
    return "".join(filter(str.isprintable, text))[:MOST_CHARACTERS]


def _reader_of_token(secret: str) -> str:
    with services().sessions() as session:
        token = find_token(session, secret)
    if token is None:
        raise TokenInvalid
    if is_use_news(token):
        # Later: who asks may be found out inside a transaction, which this would wait for.
        after_this_request(lambda answer: _note_use(answer, token.id))
    return token.reader


def _note_use(answer: Response, token_id: str) -> Response:
    try:
        with writing(services().sessions) as session:
            note_use(session, token_id)
    except OperationalError:
        pass  # the database is busy; the next request notes it
    return answer


def _reader_of_cookie(settings: Settings) -> Reader | None:
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        return None
    try:
        name = _serializer(settings).loads(cookie, max_age=COOKIE_S)
    except BadData:
        return None  # of another installation, or forged: the name is asked for again
    return Reader(str(name), "cookie")


def _serializer(settings: Settings) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(signing_key(settings), salt="sentinode.reader")


@lru_cache(maxsize=16)
def _signing_key(path: Path) -> bytes:
    if not path.exists():
        _make_key(path)
    return path.read_bytes()


def _make_key(path: Path) -> None:
    """Whole from its first moment on: several processes may come here at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first; its key counts
    finally:
        draft.unlink()
