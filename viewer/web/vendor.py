"""Leaflet, served from the pip package that carries it: nothing comes from elsewhere."""

from importlib.resources import as_file, files

from flask import Blueprint, Response, send_from_directory
from werkzeug.exceptions import NotFound

bp = Blueprint("vendor", __name__, url_prefix="/vendor")

LEAFLET = files("js_lib_leaflet") / "static" / "js_lib_leaflet"


@bp.get("/leaflet/<path:name>")
def leaflet(name: str) -> Response:
    """A file of Leaflet; 404 for anything else."""
    with as_file(LEAFLET) as folder:
        try:
            return send_from_directory(folder, name, max_age=3600)
        except ValueError:  # a NUL in the name, from safe_join's stat
            raise NotFound from None
