"""The Deep Zoom addresses and the thumbnail."""

from flask import Blueprint, Response, request

from viewer.services import services
from viewer.slides.images import Picture

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


@bp.get("/slides/<slide_id:slide_id>/thumbnail.jpeg")
def thumbnail(slide_id: str) -> Response:
    """The whole slide, small."""
    images = services().images
    return send_picture(images.thumbnail(images.file(slide_id)), KEEP_TILES)


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
