"""The short way to tiles: a WSGI callable in front of Flask for addresses that carry a ticket.

It gives what Flask would give, under the same rules: the host name is checked, the ticket says that
access was, and the headers are the same. It answers 200 and 304 alone. Whatever else there is to
say (no such tile, a forged ticket, one whose time is over, a slide that changed) Flask says.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from model.prediction.errors import PredictionError
from viewer.analyses.heatmap_tiles import HeatmapTiles
from viewer.errors import ViewerError
from viewer.settings import Settings
from viewer.slides.deepzoom import DeepZoom
from viewer.slides.files import SlideFile, check_unchanged
from viewer.slides.images import PNG, SlideImages, tile_etag, zoom_of
from viewer.web import tickets
from viewer.web.security import HEADERS, is_trusted, trusted_names

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

# What a ticketed address shows is fixed by the version in it.
KEEP_FOR_EVER = "private, max-age=31536000, immutable"
MOST_REMEMBERED = 4096

_NUMBER = "(0|[1-9][0-9]{0,6})"
_SLIDE_TILE = re.compile(
    rf"(/slides/([0-9a-f]{{20}})\.({tickets.PATTERN}))"
    rf"_files/{_NUMBER}/{_NUMBER}_{_NUMBER}\.(jpeg|png)"
)
_HEATMAP_TILE = re.compile(
    rf"(/api/v1/analyses/([^/]{{32}})/heatmap/tiles\.({tickets.PATTERN}))"
    rf"/{_NUMBER}/{_NUMBER}_{_NUMBER}\.png"
)
_SLIDES, _ANALYSES = "/slides/", "/api/v1/analyses/"

Environ = dict[str, Any]
Answer = tuple[str, list[tuple[str, str]], bytes]


@dataclass(frozen=True, slots=True)
class _OpenSlide:
    ticket: tickets.Ticket
    file: SlideFile
    zoom: DeepZoom


@dataclass(frozen=True, slots=True)
class _OpenHeatmap:
    ticket: tickets.Ticket
    analysis_id: str


class TilePath:
    """Answers ticketed tiles itself and hands everything else to the application."""

    def __init__(self, app: "WSGIApplication", settings: Settings, images: SlideImages) -> None:
        self._app, self._settings, self._images = app, settings, images
        self._heatmaps = HeatmapTiles(settings)
        self._trusted = trusted_names(settings)
        self._fixed_headers = [*HEADERS.items(), ("Cache-Control", KEEP_FOR_EVER)]
        # By the part of the address up to the ticket: what was checked once is known.
        self._slides: dict[str, _OpenSlide] = {}
        self._maps: dict[str, _OpenHeatmap] = {}
        self._hosts: dict[str, bool] = {}
        self._lock = Lock()

    def __call__(self, environ: Environ, start_response: "StartResponse") -> Iterable[bytes]:
        """WSGI (PEP 3333)."""
        answer = self._answer(environ) if environ["REQUEST_METHOD"] == "GET" else None
        if answer is None:
            return self._app(environ, start_response)
        status, headers, body = answer
        start_response(status, headers)
        return [body]

    def _answer(self, environ: Environ) -> Answer | None:
        path = environ["PATH_INFO"]
        try:
            if path.startswith(_SLIDES) and (match := _SLIDE_TILE.fullmatch(path)):
                return self._slide_tile(match, environ)
            if path.startswith(_ANALYSES) and (match := _HEATMAP_TILE.fullmatch(path)):
                return self._heatmap_tile(match, environ)
        except (ViewerError, PredictionError, OSError):
            pass  # Flask meets it again, and knows how to say it
        return None

    def _slide_tile(self, match: re.Match[str], environ: Environ) -> Answer | None:
        prefix, slide_id, ticket, level, column, row, image_format = match.groups()
        opened = self._slides.get(prefix) or self._open_slide(prefix, slide_id, ticket)
        if opened is None or opened.ticket.is_over or not self._is_trusted(environ):
            return None
        address = int(level), int(column), int(row)
        opened.zoom.tile_box_dz_px(address)
        etag = tile_etag(opened.ticket.version, address, image_format)
        try:
            if f'"{etag}"' in environ.get("HTTP_IF_NONE_MATCH", ""):
                check_unchanged(opened.file)
                return self._not_modified(etag)
            rendered = self._images.render_tile(opened.file, address, image_format)
        except ViewerError:
            self._slides.pop(prefix, None)  # changed, or moved: Flask asks the database
            raise
        return self._found(etag, rendered.media_type, rendered.body)

    def _heatmap_tile(self, match: re.Match[str], environ: Environ) -> Answer | None:
        prefix, analysis_id, ticket, level, column, row = match.groups()
        opened = self._maps.get(prefix) or self._open_map(prefix, analysis_id, ticket)
        if opened is None or opened.ticket.is_over or not self._is_trusted(environ):
            return None
        version, tile = opened.ticket.version, (int(level), int(column), int(row))
        etag = "{}-{}-{}-{}".format(version, *tile)
        if f'"{etag}"' in environ.get("HTTP_IF_NONE_MATCH", ""):
            return self._not_modified(etag)
        png = self._heatmaps.png(analysis_id, version, tile)
        return None if png is None else self._found(etag, PNG, png)

    def _open_slide(self, prefix: str, slide_id: str, text: str) -> _OpenSlide | None:
        ticket = tickets.read(self._settings, "slide", slide_id, text)
        if ticket is None or ticket.is_over:
            return None
        file = self._images.file(slide_id)
        if self._images.version(file) != ticket.version:
            return None
        opened = _OpenSlide(ticket, file, zoom_of(file))
        self._remember(self._slides, prefix, opened)
        return opened

    def _open_map(self, prefix: str, analysis_id: str, text: str) -> _OpenHeatmap | None:
        ticket = tickets.read(self._settings, "heatmap", analysis_id, text)
        if ticket is None or ticket.is_over:
            return None
        opened = _OpenHeatmap(ticket, analysis_id)
        self._remember(self._maps, prefix, opened)
        return opened

    def _is_trusted(self, environ: Environ) -> bool:
        host = environ.get("HTTP_HOST", "")
        trusted = self._hosts.get(host)
        if trusted is None:
            trusted = is_trusted(host, self._trusted)
            self._remember(self._hosts, host, trusted)
        return trusted

    def _remember(self, known: dict[str, Any], key: str, value: object) -> None:
        with self._lock:
            while len(known) >= MOST_REMEMBERED:
                del known[next(iter(known))]
            known[key] = value

    def _found(self, etag: str, media_type: str, body: bytes) -> Answer:
        headers = [
            *self._fixed_headers,
            ("ETag", f'"{etag}"'),
            ("Content-Type", media_type),
            ("Content-Length", str(len(body))),
        ]
        return "200 OK", headers, body

    def _not_modified(self, etag: str) -> Answer:
        return "304 Not Modified", [*self._fixed_headers, ("ETag", f'"{etag}"')], b""
