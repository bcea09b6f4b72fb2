"""The viewer: slide library, Deep Zoom tiles, analyses and the pages that show them."""

from importlib import import_module
from importlib.util import find_spec

from flask import Flask

from viewer import errors
from viewer.db import make_engine, make_sessions
from viewer.services import EXTENSION, Services
from viewer.settings import PROJECT_FOLDER, Settings
from viewer.slides.images import SlideImages
from viewer.web.converters import IndexConverter, SlideIdConverter


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application; opens no file and no connection before the first request."""
    from viewer.web import health, pages, security, slides, tiles, vendor

    settings = settings or Settings()
    app = Flask(
        __name__,
        static_folder=PROJECT_FOLDER / "static",
        template_folder=PROJECT_FOLDER / "templates",
    )
    engine = make_engine(settings)
    sessions = make_sessions(engine)
    images = SlideImages(settings, sessions)
    app.extensions[EXTENSION] = Services(settings, engine, sessions, images)
    app.url_map.converters.update(slide_id=SlideIdConverter, index=IndexConverter)
    errors.init_app(app)
    security.init_app(app, settings)
    for module in (pages, slides, tiles, health, vendor):
        app.register_blueprint(module.bp)
    if find_spec("viewer.web.analyses"):
        app.register_blueprint(import_module("viewer.web.analyses").bp)
    return app
