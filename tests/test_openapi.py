"""The description of the interface: complete, sound, readable, and what the program really does."""

import re
from itertools import count
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema_rs import validator_for
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.engine_room import Threads, make_speckled, with_random_model, worker
from viewer.db import writing
from viewer.tokens import create_token
from viewer.web.openapi import undescribed

URL = "/api/v1/openapi.json"
EXAMPLES = 8
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# One after the other, each from the beginning, the same at each run.
BOUNDED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
MEDIA_TYPES_WE_WRITE = ("application/json", "application/problem+json")


def test_every_route_is_described(app):
    assert undescribed(app) == []


def test_it_is_openapi_3_1_and_every_reference_leads_somewhere(client):
    document = client.get(URL).get_json()
    assert document["openapi"] == "3.1.0"
    known = set(document["components"]["schemas"])
    operations = [each for path in document["paths"].values() for each in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    assert all(operation["summary"].strip() for operation in operations)

    def walk(part):
        if isinstance(part, dict):
            reference = part.get("$ref")
            assert reference is None or reference.rsplit("/", 1)[1] in known, reference
            list(map(walk, part.values()))
        elif isinstance(part, list):
            list(map(walk, part))

    walk(document)
    for schema in document["components"]["schemas"].values():
        validator_for(schema | {"components": document["components"]})


def test_the_paths_are_those_of_the_program(client):
    paths = client.get(URL).get_json()["paths"]
    assert all(path.startswith("/api/v1/") for path in paths)
    assert not any("<" in path for path in paths)
    assert "{slide_id}" in "".join(paths)


def test_people_can_read_it_without_a_script(client):
    page = client.get("/api")
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert all(
        src.startswith("/static/") for src in re.findall('<script[^>]*src="([^"]*)', page.text)
    )
    for path in client.get(URL).get_json()["paths"]:
        assert f"<code>{path}</code>" in page.text


@pytest.fixture
def ids(app, client, sessions, slide_folder: Path, scan) -> dict[str, str]:
    """Things that are really there, by the name they have in addresses; and a token."""
    with writing(sessions) as session:
        _, token = create_token(session, "Ada")
    headers = {"Authorization": f"Bearer {token}"}
    make_speckled(slide_folder / "slide.tif")
    slide_id = scan()[0]["id"]
    place = f"/api/v1/slides/{slide_id}"
    analysis_id = client.post(f"{place}/analyses").get_json()["id"]
    worker(app.extensions["sentinode"].settings, sessions).work_once(Threads().pool)
    flag = {"kind": "point", "geometry": {"type": "Point", "coordinates": [20, 20]}}
    view = {"name": "a", "query": {"q": "x"}}
    found = {"slide_id": slide_id, "analysis_id": analysis_id, "other_id": analysis_id}
    found["flag_id"] = client.post(f"{place}/flags", json=flag, headers=headers).get_json()["id"]
    found["view_id"] = client.post("/api/v1/views", json=view, headers=headers).get_json()["id"]
    return found | {"rank": "1", "token": token}


@pytest.fixture
def settings(settings):
    return with_random_model(settings)


def test_it_does_what_it_says(app, ids, subtests):
    """Every operation, with what its own description allows, on things that are there."""
    app.testing = False  # a failure inside is a 500, as it would be for anybody
    schema = schemathesis.openapi.from_wsgi(URL, app)
    found = [result.ok() for result in schema.get_all_operations()]
    # What deletes comes last, so that the others find something.
    for operation in sorted(found, key=lambda each: each.method == "delete"):
        with subtests.test(operation=operation.label):
            _try(operation, ids)


def _try(operation, ids: dict[str, str]) -> None:
    turns = count()

    @BOUNDED
    @given(case=operation.as_strategy())
    def check(case) -> None:
        turn = next(turns)
        known = {name: ids[name] for name in case.path_parameters or {} if name in ids}
        if turn % 4:
            case.path_parameters.update(known)
        headers = {"Authorization": f"Bearer {ids['token']}"} if turn % 3 else {}
        if case.headers and "If-Match" in case.headers and turn % 2:
            case.headers["If-Match"] = "*"
        answer = case.call(headers=headers)
        case.validate_response(answer, checks=CHECKS)

    check()
