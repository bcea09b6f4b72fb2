"""The Deep Zoom addresses and the thumbnail."""

from flask import Blueprint, Response, request, url_for

from viewer.errors import SlideChanged, TicketInvalid
from viewer.services import services
from viewer.slides.files import SlideFile
from viewer.slides.images import Picture
from viewer.web import tickets
from viewer.web.tile_path import KEEP_FOR_EVER

bp = Blueprint("tiles", __name__)

# Ids follow the content, so another file has another address, and what a browser keeps stays right
# for its address. Not `immutable`: colour handling and JPEG quality can change under an address;
# then a reload, or the end of the week, asks again by ETag.
KEEP_TILES = "private, max-age=604800"
# The descriptor is asked for at each opening: it is tiny, and tells that the file has changed.
ASK_AGAIN = "private, no-cache"


@bp.get("/slides/<slide_id:slide_id>.dzi")
def descriptor(slide_id: str) -> Response:
    """The Deep Zoom descriptor."""
    images = services().images
    return send_picture(images.descriptor(images.file(slide_id)), ASK_AGAIN)


@bp.get("/slides/<slide_id:slide_id>_files/<index:level>/<index:column>_<index:row>.<image_format>")
def tile(slide_id: str, level: int, column: int, row: int, image_format: str) -> Response:
    """A Deep Zoom tile; 404 outside the grid."""
    images = services().images
    picture = images.tile(images.file(slide_id), (level, column, row), image_format)
    return send_picture(picture, KEEP_TILES)


@bp.get("/slides/<slide_id:slide_id>.<ticket:ticket>.dzi")
def ticketed_descriptor(slide_id: str, ticket: str) -> Response:
    """The Deep Zoom descriptor whose tiles carry the ticket."""
    return send_picture(services().images.descriptor(_ticketed(slide_id, ticket)), ASK_AGAIN)


@bp.get(
    "/slides/<slide_id:slide_id>.<ticket:ticket>_files"
    "/<index:level>/<index:column>_<index:row>.<image_format>"
)
def ticketed_tile(
    slide_id: str, ticket: str, level: int, column: int, row: int, image_format: str
) -> Response:
    """A tile that `TilePath` did not answer: for one whose ticket is over, say why or send it."""
    file = _ticketed(slide_id, ticket)
    picture = services().images.tile(file, (level, column, row), image_format)
    return send_picture(picture, KEEP_FOR_EVER)


@bp.get("/slides/<slide_id:slide_id>/thumbnail.jpeg")
def thumbnail(slide_id: str) -> Response:
    """The whole slide, small."""
    images = services().images
    return send_picture(images.thumbnail(images.file(slide_id)), KEEP_TILES)


def descriptor_url(slide_id: str, version: str) -> str:
    """The address of a slide's descriptor, with a ticket for its tiles in this version."""
    ticket = tickets.issue(services().settings, "slide", slide_id, version)
    return url_for("tiles.ticketed_descriptor", slide_id=slide_id, ticket=ticket)


def _ticketed(slide_id: str, text: str) -> SlideFile:
    """The file a ticket opens. One that is over opens what may be seen without one: every slide."""
    ticket = tickets.read(services().settings, "slide", slide_id, text)
    if ticket is None:
        raise TicketInvalid
    images = services().images
    file = images.file(slide_id)
    if images.version(file) != ticket.version:
        raise SlideChanged
    return file


def send_picture(picture: Picture, keep: str) -> Response:
    """The picture, or 304 where the browser has it; `keep` is the Cache-Control."""
    known = request.if_none_match.contains(picture.etag)
    if known:
        answer = Response(b"", 304)
    else:
        rendered = picture.render()
        answer = Response(rendered.body, mimetype=rendered.media_type)
    answer.set_etag(picture.etag)
    answer.headers["Cache-Control"] = keep
    return answer
