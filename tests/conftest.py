"""A viewer of its own for each test: temporary slide folder, data folder and database."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from viewer import create_app
from viewer.migrations import migrate
from viewer.services import EXTENSION, Services
from viewer.settings import Settings
from viewer.slides.scanner import scan_once


@pytest.fixture
def slide_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "slides"
    folder.mkdir()
    return folder


@pytest.fixture
def settings(tmp_path: Path, slide_folder: Path) -> Settings:
    return Settings(slides=(slide_folder,), data=tmp_path / "data", workers=1, tile_cache_mb=16)


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    app = create_app(settings)
    app.testing = True
    services: Services = app.extensions[EXTENSION]
    migrate(services.engine)
    yield app
    services.images.close()
    services.engine.dispose()


@pytest.fixture
def sessions(app: Flask) -> sessionmaker[Session]:
    services: Services = app.extensions[EXTENSION]
    return services.sessions


class BufferedClient(FlaskClient):
    """Reads each answer to its end and closes it, as a server does."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        return super().open(*args, **{"buffered": True} | kwargs)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    app.test_client_class = BufferedClient
    return app.test_client()


@pytest.fixture
def scan(app: Flask, client: FlaskClient) -> Callable[[], list[dict[str, Any]]]:
    """Scan the folders once; the items of the slide list afterwards."""
    services: Services = app.extensions[EXTENSION]

    def scan() -> list[dict[str, Any]]:
        scan_once(services.sessions, services.settings)
        items: list[dict[str, Any]] = client.get("/api/v1/slides").get_json()["items"]
        return items

    return scan


@pytest.fixture
def sign_in(app: Flask) -> Callable[[str], FlaskClient]:
    """Opens a browser in front of which somebody sits who said a name."""

    def sign_in(name: str) -> FlaskClient:
        app.test_client_class = BufferedClient
        browser = app.test_client()
        browser.put("/api/v1/me", json={"name": name})
        return browser

    return sign_in
