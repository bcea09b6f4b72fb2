"""The description of the JSON interface: OpenAPI 3.1, made from what each route declares.

A route is described by `@describe(…)` under its `@bp.get(…)`; its docstring is the summary.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from flask import Blueprint, Flask, current_app, jsonify, render_template
from flask.typing import ResponseReturnValue

from viewer.errors import ViewerError
from viewer.web.openapi_document import JSON, Described, Model, Route, make_document

bp = Blueprint("openapi", __name__)

EXTENSION = "sentinode-openapi"
PREFIX = "/api/v1"
View = TypeVar("View", bound=Callable[..., Any])


_DESCRIBED: dict[Callable[..., Any], Described] = {}


def describe(
    *,
    tag: str,
    query: Model | None = None,
    body: Model | None = None,
    response: Model | None = None,
    media_type: str = JSON,
    status: int = 200,
    errors: tuple[type[ViewerError], ...] = (),
    versioned: bool = False,
    if_match: bool = False,
    body_media_type: str = JSON,
) -> Callable[[View], View]:
    """Declare what a route takes and answers; it changes nothing about what the route does.

    `response` is the model of a JSON answer (None: no JSON; then `media_type` says what, and status
    204 that there is nothing). `versioned` answers carry an ETag, `if_match` routes demand one.
    `errors` are those worth naming beside 400, and beside 412 and 428 of `if_match`.
    """
    described = Described(
        tag,
        query,
        body,
        response,
        media_type,
        status,
        errors,
        versioned,
        if_match,
        body_media_type,
    )

    def note(view: View) -> View:
        _DESCRIBED[view] = described
        return view

    return note


@bp.get(f"{PREFIX}/openapi.json")
def document_json() -> ResponseReturnValue:
    """This description, as OpenAPI 3.1."""
    return jsonify(document(current_app))


@bp.get("/api")
def page() -> str:
    """The same, to be read by people."""
    whole = document(current_app)
    tags: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for address, operations in whole["paths"].items():
        for method, operation in operations.items():
            tags.setdefault(operation["tags"][0], []).append((address, method, operation))
    return render_template("api.html", document=whole, tags=dict(sorted(tags.items())))


def document(app: Flask) -> dict[str, Any]:
    """The OpenAPI document of all described routes, made at the first request."""
    if EXTENSION not in app.extensions:
        app.extensions[EXTENSION] = make_document(list(_routes(app)))
    made: dict[str, Any] = app.extensions[EXTENSION]
    return made


def undescribed(app: Flask) -> list[str]:
    """The routes under /api/v1 that declare nothing."""
    return sorted(
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(f"{PREFIX}/")
        and app.view_functions[rule.endpoint] not in _DESCRIBED
        and app.view_functions[rule.endpoint] is not document_json
    )


def _routes(app: Flask) -> Iterator[Route]:
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if described := _DESCRIBED.get(view):
            about = (view.__doc__ or "").strip()
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield Route(
                    rule.rule, method, f"{rule.endpoint}.{method.lower()}", about, described
                )
