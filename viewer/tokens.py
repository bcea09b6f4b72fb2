"""Tokens of scripts. A token is shown once; the database keeps its SHA-256 alone."""

from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from secrets import token_hex, token_urlsafe

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from viewer.db import utc_now
from viewer.reading.records import ApiToken

# Tells a token apart from other secrets, for people and for programs that look for leaked ones.
PREFIX = "snt_"
# When a token was last used is noted no finer than this, or each request would write.
USED_STEP = timedelta(minutes=10)


def create_token(session: Session, reader: str) -> tuple[ApiToken, str]:
    """A new token for this reader: its row, and the token itself, which nobody can tell later."""
    secret = PREFIX + token_urlsafe(32)
    row = ApiToken(id=token_hex(4), reader=reader, sha256=_digest(secret), created_at=utc_now())
    session.add(row)
    session.flush()
    return row, secret


def list_tokens(session: Session) -> Sequence[ApiToken]:
    """All tokens, revoked ones too, oldest first."""
    return session.scalars(select(ApiToken).order_by(ApiToken.created_at, ApiToken.id)).all()


def revoke_token(session: Session, token_id: str) -> bool:
    """Revoke it; False when there is none with this id that is still valid."""
    row = session.get(ApiToken, token_id)
    if row is None or row.revoked_at is not None:
        return False
    row.revoked_at = utc_now()
    return True


def find_token(session: Session, secret: str) -> ApiToken | None:
    """The row of this token; None for an unknown or revoked one. Writes nothing."""
    # A hash of 32 random bytes needs no salt, and looking it up leaks nothing by its time.
    return session.scalar(
        select(ApiToken).where(ApiToken.sha256 == _digest(secret), ApiToken.revoked_at.is_(None))
    )


def is_use_news(token: ApiToken) -> bool:
    """Whether it is time to note that the token is used."""
    return token.used_at is None or utc_now() - token.used_at > USED_STEP


def note_use(session: Session, token_id: str) -> None:
    """Note that the token was used now; inside a writing transaction."""
    session.execute(update(ApiToken).where(ApiToken.id == token_id).values(used_at=utc_now()))


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
