"""The pages people look at."""

from flask import Blueprint, render_template

from model.prediction.errors import SlideUnreadable
from viewer.services import services
from viewer.web.slides import find_slide

bp = Blueprint("pages", __name__)


@bp.get("/")
def worklist() -> str:
    """The list of slides; the page fetches its rows itself."""
    return render_template("worklist.html")


@bp.get("/slides/<slide_id:slide_id>")
def slide(slide_id: str) -> str:
    """The viewer; an error page that gives the reason where the slide cannot be shown."""
    with services().sessions() as session:
        shown = find_slide(session, slide_id)
    if shown["problem"] is not None:
        reason, hint = shown["problem"]["reason"], shown["problem"]["hint"]
        raise SlideUnreadable(f"{shown['name']}: {reason}", hint)
    analyse_on_open = services().settings.analyse_on_open
    return render_template("viewer.html", slide=shown, analyse_on_open=analyse_on_open)
