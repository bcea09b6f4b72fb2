"""/api/v1/me: who Sentinode takes the reader for."""

from typing import Literal

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict

from viewer.errors import Conflict
from viewer.readers import Reader, ReaderName, current_reader, remember
from viewer.services import services
from viewer.web.openapi import describe
from viewer.web.requests import read_body

bp = Blueprint("me", __name__, url_prefix="/api/v1/me")


class Me(BaseModel):
    """Who is asking: `name` is null until somebody said it; `can_change` whether PUT sets it."""

    name: str | None
    source: Literal["proxy", "token", "cookie"] | None
    can_change: bool


class MeBody(BaseModel):
    """The name of the person in front of this browser."""

    model_config = ConfigDict(extra="forbid")

    name: ReaderName


@bp.get("")
@describe(response=Me, tag="Readers")
def show() -> ResponseReturnValue:
    """Who is asking."""
    return _answer(current_reader())


@bp.put("")
@describe(body=MeBody, response=Me, errors=(Conflict,), tag="Readers")
def put() -> ResponseReturnValue:
    """Say who is asking; kept in a signed cookie of this browser."""
    name = read_body(MeBody).name
    known = current_reader()
    if services().settings.reader_header is not None or (known and known.source == "token"):
        raise Conflict(
            "Your name comes from how you signed in.", "Sign in as somebody else to change it."
        )
    answer = _answer(Reader(name, "cookie"))
    remember(answer, name)
    return answer


def _answer(reader: Reader | None) -> Response:
    fixed = services().settings.reader_header is not None or (reader and reader.source == "token")
    answer = jsonify(
        name=reader.name if reader else None,
        source=reader.source if reader else None,
        can_change=not fixed,
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer
