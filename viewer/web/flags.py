"""/api/v1/…/flags: regions that people mark on slides."""

import json
from hashlib import blake2b
from typing import Any

from flask import Blueprint, Response, jsonify, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from model.prediction.wsi import Mpp
from viewer.db import iso_utc, writing
from viewer.errors import BadRequest, Conflict, Unavailable
from viewer.flags import history, queries
from viewer.flags.content import FIELDS, Content, check, content_of
from viewer.flags.errors import FlagNotFound, GeometryInvalid, LabelUnknown, ReasonMissing
from viewer.flags.geometry import Extent, shape_of
from viewer.flags.labels import UNKNOWN_COLOUR, LabelSet, load_labels
from viewer.flags.records import Flag, FlagComment
from viewer.readers import require_reader
from viewer.reading.blind import is_locked
from viewer.records import Slide
from viewer.services import services
from viewer.slides.library import check_readable, effective_mpp, slide_row
from viewer.web.conditional import check_if_match, versioned
from viewer.web.openapi import describe
from viewer.web.requests import read_body, read_query
from viewer.web.schemas_flags import (
    CommentBody,
    CommentJson,
    CommentsJson,
    FlagBody,
    FlagChangeBody,
    FlagJson,
    FlagsJson,
    FlagsQuery,
    HistoryJson,
    LabelsJson,
    RestoreBody,
)

bp = Blueprint("flags", __name__, url_prefix="/api/v1")

FLAGS = "/slides/<slide_id:slide_id>/flags"
FLAG = "/flags/<string(length=32):flag_id>"
MOST_FLAG_BYTES = 8 * 1024 * 1024  # an outline of 100,000 vertices
ASK_AGAIN = "private, no-cache"
TAG = "Flags"


@bp.get(FLAGS)
@describe(tag=TAG, query=FlagsQuery, response=FlagsJson)
def index(slide_id: str) -> ResponseReturnValue:
    """The flags of a slide: a page of them, or what a part of the slide shows at a zoom.

    With `bbox` or `min_size_l0_px` all flags of that part are told, those shorter than the size
    asked for as clusters; numbers of items and clusters add up to `total`. Without: newest first.
    """
    query = read_query(FlagsQuery)
    with services().sessions() as session:
        slide = readable_slide(session, slide_id)
        mpp, _ = effective_mpp(session, slide.id)
        locked = is_locked(session, slide)
        etag = _etag(session, slide_id, mpp, locked)
        if request.if_none_match.contains_weak(etag):
            answer = Response(status=304)
        else:
            answer = Response(
                _listed(session, slide_id, query, mpp, locked), mimetype="application/json"
            )
    answer.set_etag(etag)
    answer.headers["Cache-Control"] = ASK_AGAIN
    return answer


@bp.post(FLAGS)
@describe(
    tag=TAG,
    body=FlagBody,
    response=FlagJson,
    status=201,
    versioned=True,
    errors=(GeometryInvalid, LabelUnknown, ReasonMissing, Conflict),
)
def create(slide_id: str) -> ResponseReturnValue:
    """Make a flag; 200 with the flag as it is when one with this id was made before."""
    request.max_content_length = MOST_FLAG_BYTES
    body, reader = read_body(FlagBody), require_reader()
    with writing(services().sessions) as session:
        slide = readable_slide(session, slide_id)
        shape = shape_of(body.kind, body.geometry, history.extent_of(slide), mend=body.mend)
        content = Content(shape, **{field: getattr(body, field) for field in FIELDS})
        check(content, labels())
        hotspot = (body.hotspot.analysis_id, body.hotspot.rank) if body.hotspot else None
        flag, is_new = history.create(
            session, slide_id, content, reader.name, flag_id=body.id, hotspot=hotspot
        )
        answer = _answer(session, flag, 201 if is_new else 200)
    answer.headers["Location"] = url_for(".show", flag_id=flag.id)
    return answer


@bp.get(FLAG)
@describe(tag=TAG, response=FlagJson, versioned=True, errors=(FlagNotFound,))
def show(flag_id: str) -> ResponseReturnValue:
    """One flag."""
    with services().sessions() as session:
        return _answer(session, find_flag(session, flag_id))


@bp.patch(FLAG)
@describe(
    tag=TAG,
    body=FlagChangeBody,
    response=FlagJson,
    versioned=True,
    if_match=True,
    errors=(FlagNotFound, GeometryInvalid, LabelUnknown, ReasonMissing),
)
def change(flag_id: str) -> ResponseReturnValue:
    """Change a flag; what it was stays in its history. 412 tells how it is now."""
    request.max_content_length = MOST_FLAG_BYTES
    body, reader = read_body(FlagChangeBody), require_reader()
    with writing(services().sessions) as session:
        # A deleted one too: who changed it meanwhile is told so, and nothing is lost.
        flag = find_flag(session, flag_id, deleted=True)
        check_if_match(flag.version, lambda: flag_with_geometry(session, flag))
        if flag.deleted:
            raise FlagNotFound
        before = content_of(flag)
        content = _changed(body, before, history.extent_of(readable_slide(session, flag.slide_id)))
        check(content, labels(), before)
        history.change(session, flag, content, reader.name)
        return _answer(session, flag)


@bp.delete(FLAG)
@describe(tag=TAG, status=204, if_match=True, errors=(FlagNotFound,))
def delete(flag_id: str) -> ResponseReturnValue:
    """Take a flag off its slide. `restore` brings it back."""
    reader = require_reader()
    with writing(services().sessions) as session:
        flag = find_flag(session, flag_id, deleted=True)
        check_if_match(flag.version, lambda: flag_with_geometry(session, flag))
        if flag.deleted:
            raise FlagNotFound
        history.delete(session, flag, reader.name)
    return "", 204


@bp.post(f"{FLAG}/restore")
@describe(
    tag=TAG, body=RestoreBody, response=FlagJson, versioned=True, errors=(FlagNotFound, BadRequest)
)
def restore(flag_id: str) -> ResponseReturnValue:
    """Make an earlier version the present one again, also of a deleted flag."""
    body, reader = read_body(RestoreBody), require_reader()
    with writing(services().sessions) as session:
        flag = find_flag(session, flag_id, deleted=True)
        if "If-Match" in request.headers:
            check_if_match(flag.version, lambda: flag_with_geometry(session, flag))
        extent = history.extent_of(readable_slide(session, flag.slide_id))
        history.restore(session, flag, body.version, extent, reader.name)
        return _answer(session, flag)


@bp.get(f"{FLAG}/history")
@describe(tag=TAG, response=HistoryJson, errors=(FlagNotFound,))
def show_history(flag_id: str) -> ResponseReturnValue:
    """Every version of a flag, the newest first; also of a deleted one."""
    with services().sessions() as session:
        flag = find_flag(session, flag_id, deleted=True)
        return jsonify(items=history.versions(session, flag))


@bp.get(f"{FLAG}/comments")
@describe(tag=TAG, response=CommentsJson, errors=(FlagNotFound,))
def comments(flag_id: str) -> ResponseReturnValue:
    """What was said about a flag, the oldest first."""
    with services().sessions() as session:
        flag = find_flag(session, flag_id, deleted=True)
        return jsonify(items=[_comment_json(one) for one in history.comments(session, flag)])


@bp.post(f"{FLAG}/comments")
@describe(tag=TAG, body=CommentBody, response=CommentJson, status=201, errors=(FlagNotFound,))
def comment(flag_id: str) -> ResponseReturnValue:
    """Say something about a flag; this makes no new version of it."""
    body, reader = read_body(CommentBody), require_reader()
    with writing(services().sessions) as session:
        said = history.add_comment(session, find_flag(session, flag_id), body.text, reader.name)
        return jsonify(_comment_json(said)), 201


@bp.get("/labels")
@describe(tag=TAG, response=LabelsJson)
def list_labels() -> ResponseReturnValue:
    """The labels of this laboratory (SENTINODE_LABELS)."""
    items = [
        {
            "name": label.name,
            "colour": label.colour,
            "key": label.key,
            "mark": label.shown_mark,
            "filled": label.filled,
            "reason_required": label.reason_required,
        }
        for label in labels().labels
    ]
    return jsonify(items=items, unknown_colour=UNKNOWN_COLOUR)


def labels() -> LabelSet:
    """The label set of the settings; the file may change while Sentinode runs."""
    try:
        return load_labels(services().settings.labels)
    except (OSError, ValueError) as error:
        # It was right when Sentinode started; somebody is at it.
        why = error.strerror if isinstance(error, OSError) else error
        raise Unavailable(
            f"The file of the labels cannot be used: {why}.",
            "Correct the file of SENTINODE_LABELS.",
        ) from None


def readable_slide(session: Session, slide_id: str) -> Slide:
    """The slide; raises `SlideNotFound`, or `SlideUnreadable` with the reason."""
    slide = slide_row(session, services().settings, slide_id)
    check_readable(slide)
    return slide


def find_flag(session: Session, flag_id: str, *, deleted: bool = False) -> Flag:
    """The flag, of a slide that is in the folders now."""
    flag = history.get_flag(session, flag_id, deleted=deleted)
    slide_row(session, services().settings, flag.slide_id)
    return flag


def flag_with_geometry(session: Session, flag: Flag) -> dict[str, Any]:
    """The JSON of one flag."""
    mpp, _ = effective_mpp(session, flag.slide_id)
    locked = is_locked(session, session.get_one(Slide, flag.slide_id))
    return {**queries.flag_json(flag, mpp, locked=locked), "geometry": json.loads(flag.geometry)}


def _answer(session: Session, flag: Flag, status: int = 200) -> Response:
    return versioned(flag_with_geometry(session, flag), flag.version, status)


def _changed(body: FlagChangeBody, before: Content, extent: Extent) -> Content:
    changes = {field: getattr(body, field) for field in FIELDS if field in body.model_fields_set}
    shape = None
    if body.geometry is not None:
        kind = body.kind or before.shape.kind
        shape = shape_of(kind, body.geometry, extent, mend=body.mend)
    elif body.kind is not None and body.kind != before.shape.kind:
        shape = shape_of(body.kind, json.loads(before.shape.geojson), extent)
    return before.with_changes(shape, changes)


def _listed(
    session: Session, slide_id: str, query: FlagsQuery, mpp: Mpp | None, locked: bool
) -> str:
    wanted = queries.Filter(
        query.state, query.label, query.assignee, query.created_by, query.q, query.deleted
    )
    more: dict[str, Any]
    if query.bbox is None and query.min_size_l0_px is None:
        flags, after, total = queries.page(session, slide_id, wanted, query.limit, query.after)
        more = {"clusters": [], "total": total, "next": after}
    else:
        box = _box(query.bbox) if query.bbox else None
        view = queries.view(session, slide_id, wanted, box, query.min_size_l0_px or 0)
        flags, more = view.flags, {"clusters": view.clusters, "total": view.total, "next": None}
    more["states"] = queries.state_counts(session, slide_id)
    more["touched_at"] = iso_utc(queries.last_touch(session, slide_id))
    items = ",\n".join(queries.flag_text(flag, mpp, locked=locked) for flag in flags)
    return f'{{"items": [{items}], {json.dumps(more)[1:]}'


def _box(text: str) -> queries.Box:
    left, top, right, bottom = map(float, text.split(","))
    largest = max(map(abs, (left, top, right, bottom)))
    if left >= right or top >= bottom or largest > queries.FARTHEST_L0_PX:
        raise BadRequest("bbox: no area of a slide.", "Send left,top,right,bottom in level-0 px.")
    return queries.Box(left, top, right, bottom)


def _etag(session: Session, slide_id: str, mpp: Mpp | None, locked: bool) -> str:
    """Of everything a list of this address can tell."""
    touched = queries.last_touch(session, slide_id)
    what = f"{touched and touched.isoformat()} {mpp} {locked} {request.full_path}"
    return blake2b(what.encode(), digest_size=12).hexdigest()


def _comment_json(one: FlagComment) -> dict[str, Any]:
    return {
        "id": one.id,
        "text": one.text,
        "created_by": one.created_by,
        "created_at": iso_utc(one.created_at),
    }
