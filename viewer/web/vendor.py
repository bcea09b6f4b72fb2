"""Leaflet, served from the pip package that carries it: nothing comes from elsewhere."""

from importlib.resources import files
from pathlib import Path

from flask import Blueprint, Response, send_from_directory

bp = Blueprint("vendor", __name__, url_prefix="/vendor")

LEAFLET = Path(str(files("js_lib_leaflet"))) / "static" / "js_lib_leaflet"


@bp.get("/leaflet/<path:name>")
def leaflet(name: str) -> Response:
    """A file of Leaflet; 404 for anything else."""
    return send_from_directory(LEAFLET, name, max_age=3600)
