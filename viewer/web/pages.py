"""The pages people look at."""

from flask import Blueprint, render_template

bp = Blueprint("pages", __name__)


@bp.get("/")
def worklist() -> str:
    """The list of slides; the page fetches its rows itself."""
    return render_template("worklist.html")
