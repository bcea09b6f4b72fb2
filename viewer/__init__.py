"""The viewer: slide library, Deep Zoom tiles, analyses and the pages that show them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from viewer.settings import Settings


def create_app(settings: "Settings | None" = None) -> "Flask":
    """The WSGI application; opens no slide and no connection before the first request."""
    # Here, so that the commands and the processes that compute start without all this.
    from flask import Flask

    from viewer import errors, logs
    from viewer.db import make_engine, make_sessions
    from viewer.services import EXTENSION, Services
    from viewer.settings import PROJECT_FOLDER, Settings
    from viewer.slides.images import SlideImages
    from viewer.web import (
        analyses,
        flag_exchange,
        flags,
        health,
        heat_thumbnails,
        hotspots,
        me,
        openapi,
        pages,
        readings,
        regions,
        report,
        reviews,
        security,
        slides,
        tiles,
        tours,
        vendor,
        worklist,
    )
    from viewer.web.converters import IndexConverter, SlideIdConverter, TicketConverter
    from viewer.web.tile_path import TilePath

    settings = settings or Settings()
    logs.configure(settings)
    app = Flask(
        __name__,
        static_folder=PROJECT_FOLDER / "static",
        template_folder=PROJECT_FOLDER / "templates",
    )
    engine = make_engine(settings)
    sessions = make_sessions(engine)
    images = SlideImages(settings, sessions)
    app.extensions[EXTENSION] = Services(settings, engine, sessions, images)
    app.url_map.converters.update(
        slide_id=SlideIdConverter, index=IndexConverter, ticket=TicketConverter
    )
    errors.init_app(app)
    security.init_app(app, settings)
    for module in (
        pages,
        slides,
        tiles,
        analyses,
        heat_thumbnails,
        health,
        vendor,
        me,
        openapi,
        readings,
        report,
        reviews,
        worklist,
        flags,
        flag_exchange,
        hotspots,
        tours,
        regions,
    ):
        app.register_blueprint(module.bp)
    app.wsgi_app = TilePath(app.wsgi_app, settings, images)  # type: ignore[method-assign] # WSGI's
    return app
