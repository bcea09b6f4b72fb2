"""The pages people look at."""

from typing import Annotated, Any

from flask import Blueprint, Response, make_response, render_template, request
from pydantic import BaseModel, ConfigDict, StringConstraints

from model.prediction.errors import SlideUnreadable
from viewer.services import services
from viewer.web.requests import read_query
from viewer.web.security import FRAMED_BY_US, FRAMING_US
from viewer.web.slides import find_slide

bp = Blueprint("pages", __name__)


@bp.get("/")
def worklist() -> str:
    """The list of slides; the page fetches its rows itself."""
    return render_template("worklist.html")


SlideId = Annotated[str, StringConstraints(pattern="^[0-9a-f]{20}$")]


class CompareQuery(BaseModel):
    """Two slides; the right one is the left one again where it is not named."""

    model_config = ConfigDict(extra="forbid")

    left: SlideId
    right: SlideId | None = None


@bp.get("/slides/<slide_id:slide_id>")
def slide(slide_id: str) -> Response:
    """The viewer; an error page that gives the reason where the slide cannot be shown."""
    shown = _readable(slide_id)
    analyse_on_open = services().settings.analyse_on_open
    page = render_template("viewer.html", slide=shown, analyse_on_open=analyse_on_open)
    answer = make_response(page)
    if "pane" in request.args:
        answer.headers["Content-Security-Policy"] = FRAMED_BY_US
    return answer


@bp.get("/compare")
def compare() -> Response:
    """Two viewers side by side."""
    query = read_query(CompareQuery)
    left, right = _readable(query.left), _readable(query.right or query.left)
    answer = make_response(render_template("compare.html", left=left, right=right))
    answer.headers["Content-Security-Policy"] = FRAMING_US
    return answer


def _readable(slide_id: str) -> dict[str, Any]:
    with services().sessions() as session:
        shown = find_slide(session, slide_id)
    if shown["problem"] is not None:
        reason, hint = shown["problem"]["reason"], shown["problem"]["hint"]
        raise SlideUnreadable(f"{shown['name']}: {reason}", hint)
    return shown
