"""What requests share: settings, database sessions and the open slides."""

from dataclasses import dataclass

from flask import current_app
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from viewer.settings import Settings
from viewer.slides.images import SlideImages

EXTENSION = "sentinode"


@dataclass(frozen=True)
class Services:
    """One per application; made by `create_app`, opens nothing until it is used."""

    settings: Settings
    engine: Engine
    sessions: sessionmaker[Session]
    images: SlideImages


def services() -> Services:
    """The services of the application that answers the present request."""
    found: Services = current_app.extensions[EXTENSION]
    return found
