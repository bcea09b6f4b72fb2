"""Reading requests: parameters and JSON bodies, checked by pydantic."""

from typing import TypeVar

from flask import request
from pydantic import BaseModel, ValidationError

from viewer.errors import BadRequest

Wanted = TypeVar("Wanted", bound=BaseModel)


def read_query(wanted: type[Wanted]) -> Wanted:
    """The parameters of the address; raises `BadRequest` naming what is wrong."""
    return _check(wanted, request.args.to_dict())


def read_body(wanted: type[Wanted]) -> Wanted:
    """The JSON body; an absent one counts as `{}`. Raises `BadRequest` naming what is wrong."""
    try:
        body = request.get_json() if request.get_data() else {}
    except RecursionError:
        raise BadRequest("The JSON is nested too deeply.", "Correct the request.") from None
    return _check(wanted, body)


def _check(wanted: type[Wanted], values: object) -> Wanted:
    try:
        return wanted.model_validate(values)
    except ValidationError as error:
        wrong = [_sentence(part["loc"], part["msg"]) for part in error.errors()]
        raise BadRequest("; ".join(wrong) + ".", "Correct the request.") from None


def _sentence(place: tuple[int | str, ...], what: str) -> str:
    name = ".".join(str(part) for part in place)
    return f"{name}: {what}" if name else what
