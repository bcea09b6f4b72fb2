"""Turns what routes declare into an OpenAPI 3.1 document."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from viewer.errors import PROBLEM, PreconditionMissing, Stale, ViewerError, status_of
from viewer.readers import COOKIE
from viewer.web.converters import path_schema

VERSION = "1"
JSON = "application/json"
ABOUT = (
    "Slides, analyses, hot spots, verdicts and flags of Sentinode. Field names carry their units; "
    "times are UTC in ISO 8601; coordinates are level-0 pixels with the origin at the top-left "
    "corner of the slide's bounds. Research use only. Not for diagnostic procedures."
)
REF = "#/components/schemas/{model}"

Model = type[BaseModel]


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


class Route(NamedTuple):
    """One method of one address, as Flask knows it (`rule`), with the text that describes it."""

    rule: str
    method: str
    name: str
    about: str
    described: Described


class Schemas:
    """The schemas of all models, and references to them; two models may have one name."""

    def __init__(self, routes: Sequence[Route]) -> None:
        wanted: dict[tuple[Model, JsonSchemaMode], None] = {(Problem, "serialization"): None}
        for route in routes:
            if route.described.body is not None:
                wanted[route.described.body, "validation"] = None
            if route.described.response is not None:
                wanted[route.described.response, "serialization"] = None
        self._references, definitions = models_json_schema(list(wanted), ref_template=REF)
        self.all: dict[str, Any] = definitions["$defs"]

    def taken(self, model: Model) -> Mapping[str, Any]:
        """A reference to what a request holds."""
        return self._references[model, "validation"]

    def given(self, model: Model) -> Mapping[str, Any]:
        """A reference to what an answer holds."""
        return self._references[model, "serialization"]


def make_document(routes: Sequence[Route]) -> dict[str, Any]:
    """The document of these routes."""
    schemas = Schemas(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        address = _PLACE.sub(r"{\g<name>}", route.rule)
        paths.setdefault(address, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sentinode", "version": VERSION, "description": ABOUT},
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": schemas.all,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
        "security": [{}, {"token": []}, {"cookie": []}],
    }


def _operation(route: Route, schemas: Schemas) -> dict[str, Any]:
    described = route.described
    summary, _, more = route.about.partition("\n")
    places = _path_parameters(route.rule)
    operation: dict[str, Any] = {
        "operationId": route.name,
        "tags": [described.tag],
        "summary": summary,
        "parameters": [*places, *_query_parameters(described), *_headers(described)],
        "responses": _responses(described, schemas),
    }
    if more.strip():
        operation["description"] = " ".join(more.split())
    if described.body is not None:
        required = any(field.is_required() for field in described.body.model_fields.values())
        content = {described.body_media_type: {"schema": schemas.taken(described.body)}}
        operation["requestBody"] = {"required": required, "content": content}
    elif described.body_media_type != JSON:
        content = {described.body_media_type: {"schema": {"type": "string"}}}
        operation["requestBody"] = {"required": True, "content": content}
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


def _responses(described: Described, schemas: Schemas) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "As asked."}
    if described.response is not None:
        good["content"] = {described.media_type: {"schema": schemas.given(described.response)}}
    elif described.media_type != JSON:
        good["content"] = {described.media_type: {}}
    if described.versioned:
        good["headers"] = {"ETag": {"required": True, "schema": {"type": "string"}}}
    errors = described.errors + ((PreconditionMissing, Stale) if described.if_match else ())
    said: dict[int, list[str]] = {}
    for kind in errors:
        about = (kind.__doc__ or "").strip().partition("\n")[0]
        said.setdefault(int(status_of(kind("", ""))), []).append(about)
    problem = {PROBLEM: {"schema": schemas.given(Problem)}}
    bad = {
        str(status): {"description": " ".join(texts), "content": problem}
        for status, texts in sorted(said.items())
    }
    other = {"description": "Anything that went wrong.", "content": problem}
    return {str(described.status): good, **bad, "default": other}
