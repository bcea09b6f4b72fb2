"""Every error says what is wrong and what to do, as a page or as JSON."""

import inspect
from http import HTTPStatus

import pytest

from model.prediction import errors as prediction_errors
from model.prediction.errors import PredictionError, SlideUnreadable
from viewer import errors as viewer_errors
from viewer.errors import STATUS_CODES, ViewerError, status_of

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def error_classes():
    for module in (viewer_errors, prediction_errors):
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if (
                issubclass(kind, ViewerError | PredictionError)
                and kind.__module__ == module.__name__
            ):
                yield kind


@pytest.mark.parametrize("kind", list(error_classes()))
def test_every_error_has_a_status(kind):
    assert any(ancestor in STATUS_CODES for ancestor in kind.__mro__)
    error = kind("What is wrong.", "What to do.")
    assert status_of(error) >= HTTPStatus.BAD_REQUEST
    assert str(error) == "What is wrong. What to do."


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (viewer_errors.SlideNotFound(), 404),
        (viewer_errors.TileOutsideGrid(), 404),
        (viewer_errors.SlideChanged(), 410),
        (viewer_errors.ResolutionMissing(), 409),
        (viewer_errors.BadRequest("a", "b"), 400),
        (viewer_errors.ReaderUnknown(), 401),
        (viewer_errors.HeatmapLocked(), 403),
        (viewer_errors.Stale(), 412),
        (viewer_errors.PreconditionMissing(), 428),
        (SlideUnreadable("a", "b"), 422),
        (ZeroDivisionError(), 500),
    ],
)
def test_statuses(error, status):
    assert status_of(error) == status


def test_the_api_answers_with_json(client):
    answer = client.get("/api/v1/slides/" + "0" * 20)
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert answer.get_json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is no such slide.",
        "code": "slide_not_found",
        "hint": "It may have been removed from its folder; go back to the worklist.",
    }


@pytest.mark.parametrize("address", ["/api/v1/nothing", "/nothing", "/slides/x.dzi"])
def test_unknown_addresses_answer_programs_with_json(client, address: str):
    answer = client.get(address)
    assert answer.status_code == 404
    assert answer.get_json()["code"] == "not_found"


@pytest.mark.parametrize("address", ["/nothing", "/slides/x", "/slides/" + "0" * 20])
def test_people_get_a_page(client, address: str):
    answer = client.get(address, headers=HTML)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "Research use only" in answer.text
    assert "worklist" in answer.text


def test_a_failure_inside_is_a_plain_500(app, client):
    app.testing = False

    @app.get("/api/v1/fails")
    def fails() -> None:
        raise ZeroDivisionError("/secret/path")

    answer = client.get("/api/v1/fails")
    assert answer.status_code == 500
    assert answer.get_json()["code"] == "internal_server_error"
    assert "secret" not in answer.text


def test_errors_are_not_kept_by_browsers(client):
    assert client.get("/api/v1/slides/" + "0" * 20).cache_control.no_store


def test_a_wrong_method_names_the_right_ones(client):
    answer = client.post("/api/v1/slides")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
    assert answer.get_json()["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"mpp_x=1", "application/x-www-form-urlencoded", 415),
        (b"{}" + b" " * 70_000, "application/json", 413),
        (b"", "application/json", 400),
    ],
)
def test_bodies_that_are_no_json_object(client, body: bytes, content_type: str, status: int):
    address = f"/api/v1/slides/{'0' * 20}/resolution"
    answer = client.put(address, data=body, content_type=content_type)
    assert answer.status_code == status
    assert answer.get_json()["detail"]
