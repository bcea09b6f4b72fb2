"""Changes that lose nobody's work: ETag on answers, If-Match on writes."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, jsonify, request

from viewer.errors import PreconditionMissing, Stale


def versioned(body: Mapping[str, Any], version: int, status: int = 200) -> Response:
    """The JSON answer with the ETag of this version. Not kept: what it tells may depend on who."""
    answer = jsonify(body)
    answer.status_code = status
    answer.set_etag(str(version))
    answer.headers["Cache-Control"] = "no-store"
    return answer


def check_if_match(version: int, current: Callable[[], object]) -> None:
    """Compare If-Match with the present version; call it inside the writing transaction.

    Raises `PreconditionMissing` (428), or `Stale` (412) with what `current` gives: the thing as it
    is now.
    """
    if "If-Match" not in request.headers:
        raise PreconditionMissing
    # A proxy that compresses makes an ETag weak; it still names the same version.
    if not request.if_match.contains_weak(str(version)) and not request.if_match.star_tag:
        raise Stale(current=current(), etag=str(version))
