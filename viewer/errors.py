"""The errors of the viewer, the one table of their HTTP statuses and the one handler."""

# ruff: noqa: N818 - named after what is wrong, as the HTTP statuses are; "Error" would add nothing

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from flask import Flask, Response, json, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from model.prediction.errors import (
    HeatmapInvalid,
    HeatmapsDiffer,
    HeatmapUnwritable,
    ModelInvalid,
    NoTissue,
    PredictionError,
    ResolutionUnknown,
    ResolutionUnsuitable,
    SlideUnreadable,
)

PROBLEM = "application/problem+json"


class ViewerError(Exception):
    """Something a user can act on: what is wrong (`message`), what to do (`hint`)."""

    code = "error"

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint
        # Further members of the answer (RFC 9457, 3.2) and further headers.
        self.members: dict[str, Any] = {}
        self.headers: dict[str, str] = {}

    def __str__(self) -> str:
        return f"{self.message} {self.hint}"


class NotFound(ViewerError):
    """The thing asked for does not exist."""

    code = "not_found"


class SlideNotFound(NotFound):
    """No slide has this id, or its file left the folders."""

    code = "slide_not_found"

    def __init__(
        self,
        message: str = "There is no such slide.",
        hint: str = "It may have been removed from its folder; go back to the worklist.",
    ) -> None:
        super().__init__(message, hint)


class AnalysisNotFound(NotFound):
    """No analysis has this id."""

    code = "analysis_not_found"

    def __init__(
        self,
        message: str = "There is no such analysis.",
        hint: str = "Open the slide again from the worklist.",
    ) -> None:
        super().__init__(message, hint)


class ModelNotFound(NotFound):
    """No model has this id."""

    code = "model_not_found"


class HeatmapNotReady(NotFound):
    """The heat map has no geometry yet."""

    code = "heatmap_not_ready"


class SweepMissing(NotFound):
    """The reader has no sweep of this slide."""

    code = "sweep_missing"

    def __init__(
        self,
        message: str = "There is no sweep of this slide.",
        hint: str = "Start one; it may have been ended in another window.",
    ) -> None:
        super().__init__(message, hint)


class HotspotNotFound(NotFound):
    """The analysis has no hot spot of this rank."""

    code = "hotspot_not_found"

    def __init__(
        self,
        message: str = "There is no such hot spot.",
        hint: str = "Ranks count from 1; ask for the list of the analysis's hot spots.",
    ) -> None:
        super().__init__(message, hint)


class HotspotsNotReady(NotFound):
    """The analysis has no hot spots yet: it is not finished."""

    code = "hotspots_not_ready"

    def __init__(
        self,
        message: str = "The hot spots of this analysis are not known yet.",
        hint: str = "They are as soon as the whole slide is analysed; ask again then.",
    ) -> None:
        super().__init__(message, hint)


class TileOutsideGrid(NotFound):
    """The level, column or row is outside the pyramid, or the format is none we serve."""

    code = "tile_outside_grid"

    def __init__(
        self,
        message: str = "There is no such tile.",
        hint: str = "Levels, columns and rows follow from the descriptor (.dzi); formats are "
        "jpeg and png.",
    ) -> None:
        super().__init__(message, hint)


class SlideChanged(ViewerError):
    """The slide's file is no longer the one that was looked at."""

    code = "slide_changed"

    def __init__(
        self,
        message: str = "The file of this slide was changed or removed.",
        hint: str = "Go back to the worklist and open the slide again.",
    ) -> None:
        super().__init__(message, hint)


class BadRequest(ViewerError):
    """The request is malformed."""

    code = "bad_request"


class Forbidden(ViewerError):
    """The request comes from somewhere that may not make it."""

    code = "forbidden"


class TicketInvalid(Forbidden):
    """The ticket in an address of tiles is none of ours."""

    code = "ticket_invalid"

    def __init__(
        self,
        message: str = "This address was not given out by this Sentinode.",
        hint: str = "Open the slide again from the worklist.",
    ) -> None:
        super().__init__(message, hint)


class HeatmapLocked(Forbidden):
    """The heat map and all that follows from it stay closed until the reader's first verdict."""

    code = "heatmap_locked"

    def __init__(
        self,
        message: str = "The heat map of this slide is locked.",
        hint: str = "Give your verdict first; it opens then.",
    ) -> None:
        super().__init__(message, hint)


class ReaderUnknown(ViewerError):
    """Nobody said who is asking, and this request needs a name."""

    code = "reader_unknown"

    def __init__(
        self,
        message: str = "Sentinode does not know who you are.",
        hint: str = "Say your name (PUT /api/v1/me), or send a token.",
    ) -> None:
        super().__init__(message, hint)
        self.headers["WWW-Authenticate"] = "Bearer"


class TokenInvalid(ReaderUnknown):
    """The token sent is none of ours, or was revoked."""

    code = "token_invalid"

    def __init__(
        self,
        message: str = "This token is unknown or was revoked.",
        hint: str = "Make a new one with: python -m viewer token create NAME",
    ) -> None:
        super().__init__(message, hint)


class PreconditionMissing(ViewerError):
    """A change must say, by If-Match, which state it was made for."""

    code = "precondition_missing"

    def __init__(
        self,
        message: str = "The header If-Match is missing.",
        hint: str = "Send the ETag of the state you changed, so that nobody's work is lost.",
    ) -> None:
        super().__init__(message, hint)


class Stale(ViewerError):
    """Somebody else changed it first; `current` is how it is now, `etag` its ETag (unquoted)."""

    code = "stale"

    def __init__(
        self,
        message: str = "Somebody else changed this meanwhile.",
        hint: str = "Look at the present state and make your change again.",
        current: object = None,
        etag: str | None = None,
    ) -> None:
        super().__init__(message, hint)
        self.members["current"] = current
        if etag is not None:
            self.headers["ETag"] = f'"{etag}"'


class Conflict(ViewerError):
    """The request does not fit the state of the thing it is about."""

    code = "conflict"


class ResolutionMissing(Conflict):
    """The slide's resolution is unknown, so it cannot be analysed."""

    code = "resolution_missing"

    def __init__(
        self,
        message: str = "The resolution of this slide is unknown.",
        hint: str = "Set how many µm a pixel covers; it is never guessed.",
    ) -> None:
        super().__init__(message, hint)


class RecordingOff(Conflict):
    """What is viewed is recorded only for readers who switched it on."""

    code = "recording_off"

    def __init__(
        self,
        message: str = "What you view on this slide is not recorded.",
        hint: str = "Switch the recording on first.",
    ) -> None:
        super().__init__(message, hint)


class Unavailable(ViewerError):
    """A part of Sentinode that is needed is not there right now."""

    code = "unavailable"


# The nearest ancestor in this table decides.
STATUS_CODES: dict[type[Exception], HTTPStatus] = {
    NotFound: HTTPStatus.NOT_FOUND,
    SlideChanged: HTTPStatus.GONE,
    BadRequest: HTTPStatus.BAD_REQUEST,
    Forbidden: HTTPStatus.FORBIDDEN,
    ReaderUnknown: HTTPStatus.UNAUTHORIZED,
    PreconditionMissing: HTTPStatus.PRECONDITION_REQUIRED,
    Stale: HTTPStatus.PRECONDITION_FAILED,
    Conflict: HTTPStatus.CONFLICT,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    ViewerError: HTTPStatus.INTERNAL_SERVER_ERROR,
    SlideUnreadable: HTTPStatus.UNPROCESSABLE_ENTITY,
    ResolutionUnknown: HTTPStatus.CONFLICT,
    ResolutionUnsuitable: HTTPStatus.CONFLICT,
    NoTissue: HTTPStatus.UNPROCESSABLE_ENTITY,
    ModelInvalid: HTTPStatus.INTERNAL_SERVER_ERROR,
    HeatmapInvalid: HTTPStatus.INTERNAL_SERVER_ERROR,
    HeatmapsDiffer: HTTPStatus.CONFLICT,
    HeatmapUnwritable: HTTPStatus.INSUFFICIENT_STORAGE,
    PredictionError: HTTPStatus.INTERNAL_SERVER_ERROR,
}

PREDICTION_CODES: dict[type[PredictionError], str] = {
    SlideUnreadable: "slide_unreadable",
    ResolutionUnknown: "resolution_missing",
    ResolutionUnsuitable: "resolution_unsuitable",
    NoTissue: "no_tissue",
    ModelInvalid: "model_invalid",
    HeatmapInvalid: "heatmap_invalid",
    HeatmapsDiffer: "heatmaps_differ",
    HeatmapUnwritable: "heatmap_unwritable",
}


def status_of(error: Exception) -> HTTPStatus:
    """The HTTP status of a domain error; 500 for any other."""
    for kind in type(error).__mro__:
        if kind in STATUS_CODES:
            return STATUS_CODES[kind]
    return HTTPStatus.INTERNAL_SERVER_ERROR


def init_app(app: Flask) -> None:
    """Answer every error as JSON, or as a page where a person asked for a page."""
    app.register_error_handler(ViewerError, _viewer_error)
    app.register_error_handler(PredictionError, _prediction_error)
    app.register_error_handler(HTTPException, _http_error)


def _viewer_error(error: ViewerError) -> Response:
    answer = _answer(status_of(error), error.code, error.message, error.hint, error.members)
    answer.headers.update(error.headers)
    return answer


def _prediction_error(error: PredictionError) -> Response:
    code = PREDICTION_CODES.get(type(error), "prediction_error")
    return _answer(status_of(error), code, error.reason, error.hint)


# What werkzeug and Flask raise by themselves; their own texts are written for programmers.
_HTTP_TEXTS: dict[HTTPStatus, tuple[str, str]] = {
    HTTPStatus.BAD_REQUEST: ("The request is malformed.", "See the description of the interface."),
    HTTPStatus.NOT_FOUND: ("There is nothing at this address.", "Go back to the worklist."),
    HTTPStatus.METHOD_NOT_ALLOWED: (
        "This address does not take requests of this kind.",
        "See the description of the interface.",
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("The request is too large.", "Send less at once."),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: (
        "The request is not JSON.",
        "Send JSON with the header 'Content-Type: application/json'.",
    ),
    HTTPStatus.INTERNAL_SERVER_ERROR: (
        "Something went wrong inside Sentinode.",
        "Try again; if it stays, the log of the server tells more.",
    ),
}


def _http_error(error: HTTPException) -> Response:
    ready = error.get_response()
    if error.code is None or error.code < HTTPStatus.BAD_REQUEST:
        return make_response(ready)  # redirects and answers raised by aborting with a response
    status = HTTPStatus(error.code)
    message, hint = _HTTP_TEXTS.get(status, (f"{status.phrase}.", status.description))
    answer = _answer(status, status.name.lower(), message, hint)
    if "Allow" in ready.headers:
        answer.headers["Allow"] = ready.headers["Allow"]
    return answer


def _answer(
    status: HTTPStatus,
    code: str,
    message: str,
    hint: str,
    members: Mapping[str, Any] = MappingProxyType({}),
) -> Response:
    if _wants_page():
        page = render_template(
            "error.html", status=int(status), title=status.phrase, message=message, hint=hint
        )
        answer = make_response(page, status)
    else:
        answer = make_response(json.dumps(_problem(status, code, message, hint, members)), status)
        answer.mimetype = PROBLEM
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _problem(
    status: HTTPStatus, code: str, message: str, hint: str, members: Mapping[str, Any]
) -> dict[str, Any]:
    """The members of RFC 9457, with our `code` and `hint` and what the error adds."""
    return {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": message,
        "code": code,
        "hint": hint,
        **members,
    }


def _wants_page() -> bool:
    """Pages answer with a page; so do unknown addresses that a person typed or followed."""
    if request.endpoint is not None:
        return request.blueprint == "pages"
    return "text/html" in request.headers.get("Accept", "")
