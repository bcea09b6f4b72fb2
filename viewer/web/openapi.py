"""The description of the JSON interface: OpenAPI 3.1, made from what each route declares.

A route is described by `@describe(…)` under its `@bp.get(…)`; its docstring is the summary.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Blueprint, Flask, current_app, jsonify, render_template
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from viewer.errors import PROBLEM, PreconditionMissing, Stale, ViewerError, status_of
from viewer.web.converters import path_schema

bp = Blueprint("openapi", __name__)

EXTENSION = "sentinode-openapi"
PREFIX = "/api/v1"
VERSION = "1"
JSON = "application/json"
ABOUT = (
    "Slides, analyses, hot spots, verdicts and flags of Sentinode. Field names carry their units; "
    "times are UTC in ISO 8601; coordinates are level-0 pixels with the origin at the top-left "
    "corner of the slide's bounds. Research use only. Not for diagnostic procedures."
)
REF = "#/components/schemas/{model}"

Model = type[BaseModel]
View = TypeVar("View", bound=Callable[..., Any])


class Problem(BaseModel):
    """An error after RFC 9457: `detail` says what is wrong, `hint` what to do."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str


@dataclass(frozen=True)
class Described:
    """What a route takes and answers."""

    tag: str
    query: Model | None = None
    body: Model | None = None
    response: Model | None = None
    media_type: str = JSON
    status: int = 200
    errors: tuple[type[ViewerError], ...] = ()
    versioned: bool = False
    if_match: bool = False
    body_media_type: str = JSON


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
    return render_template("api.html", document=document(current_app))


def document(app: Flask) -> dict[str, Any]:
    """The OpenAPI document of all described routes, made at the first request."""
    if EXTENSION not in app.extensions:
        app.extensions[EXTENSION] = _make_document(app)
    made: dict[str, Any] = app.extensions[EXTENSION]
    return made


def _make_document(app: Flask) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for address, method, name, view, described in _routes(app):
        paths.setdefault(address, {})[method.lower()] = _operation(
            address, method, name, view, described
        )
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sentinode", "version": VERSION, "description": ABOUT},
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": _schemas(app),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "sentinode_reader"},
            },
        },
        "security": [{}, {"token": []}, {"cookie": []}],
    }


def undescribed(app: Flask) -> list[str]:
    """The routes under /api/v1 that declare nothing."""
    return sorted(
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(f"{PREFIX}/")
        and app.view_functions[rule.endpoint] not in _DESCRIBED
        and app.view_functions[rule.endpoint] is not document_json
    )


def _routes(app: Flask) -> Iterator[tuple[str, str, str, Callable[..., Any], Described]]:
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if described := _DESCRIBED.get(view):
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield rule.rule, method, rule.endpoint, view, described


def _operation(
    rule: str, method: str, name: str, view: Callable[..., Any], described: Described
) -> dict[str, Any]:
    summary, _, more = (view.__doc__ or "").strip().partition("\n")
    operation: dict[str, Any] = {
        "operationId": f"{name}.{method.lower()}",
        "tags": [described.tag],
        "summary": summary,
        "parameters": [
            *_path_parameters(rule),
            *_query_parameters(described),
            *_headers(described),
        ],
        "responses": _responses(described),
    }
    if more.strip():
        operation["description"] = " ".join(more.split())
    if described.body is not None:
        required = any(field.is_required() for field in described.body.model_fields.values())
        content = {described.body_media_type: {"schema": _ref(described.body)}}
        operation["requestBody"] = {"required": required, "content": content}
    return operation


_PLACE = re.compile(r"<(?:(?P<kind>\w+)(?:\((?P<options>[^)]*)\))?:)?(?P<name>\w+)>")


def _path_parameters(rule: str) -> list[dict[str, Any]]:
    return [
        {
            "name": place["name"],
            "in": "path",
            "required": True,
            "schema": path_schema(place["kind"] or "string", place["options"] or ""),
        }
        for place in _PLACE.finditer(rule)
    ]


def _query_parameters(described: Described) -> list[dict[str, Any]]:
    if described.query is None:
        return []
    schema = described.query.model_json_schema(ref_template=REF)
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": part}
        for name, part in schema["properties"].items()
    ]


def _headers(described: Described) -> list[dict[str, Any]]:
    if not described.if_match:
        return []
    about = "The ETag of the state that was changed."
    return [
        {
            "name": "If-Match",
            "in": "header",
            "required": True,
            "description": about,
            "schema": {"type": "string"},
        }
    ]


def _responses(described: Described) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "As asked."}
    if described.response is not None:
        good["content"] = {described.media_type: {"schema": _ref(described.response)}}
    elif described.media_type != JSON:
        good["content"] = {described.media_type: {}}
    if described.versioned:
        good["headers"] = {"ETag": {"required": True, "schema": {"type": "string"}}}
    errors = described.errors + ((PreconditionMissing, Stale) if described.if_match else ())
    said: dict[int, list[str]] = {}
    for kind in errors:
        about = (kind.__doc__ or "").strip().partition("\n")[0]
        said.setdefault(int(status_of(kind("", ""))), []).append(about)
    problem = {PROBLEM: {"schema": _ref(Problem)}}
    bad = {
        str(status): {"description": " ".join(texts), "content": problem}
        for status, texts in sorted(said.items())
    }
    other = {"description": "Anything that went wrong.", "content": problem}
    return {str(described.status): good, **bad, "default": other}


def _schemas(app: Flask) -> dict[str, Any]:
    wanted: dict[Model, JsonSchemaMode] = {Problem: "serialization"}
    for _, _, _, _, described in _routes(app):
        if described.body is not None:
            wanted[described.body] = "validation"
        if described.response is not None:
            wanted[described.response] = "serialization"
    _, definitions = models_json_schema(list(wanted.items()), ref_template=REF)
    schemas: dict[str, Any] = definitions["$defs"]
    return schemas


def _ref(model: Model) -> Mapping[str, str]:
    return {"$ref": REF.format(model=model.__name__)}
