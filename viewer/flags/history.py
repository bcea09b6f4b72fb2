"""Making, changing, deleting and restoring flags: each leaves what was there before readable."""

import json
from typing import Any
from uuid import uuid4

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from viewer.db import iso_utc, utc_now
from viewer.errors import BadRequest, Conflict
from viewer.flags.content import FIELDS, Content, content_of
from viewer.flags.errors import FlagNotFound
from viewer.flags.geometry import Extent, shape_of
from viewer.flags.records import Flag, FlagComment, FlagRevision
from viewer.records import Slide

REVISED = ("kind", "geometry", *FIELDS, "deleted")


def extent_of(slide: Slide) -> Extent:
    """The size of a readable slide."""
    assert slide.width_px is not None, "a readable slide has a size"
    assert slide.height_px is not None, "a readable slide has a size"
    return Extent(slide.width_px, slide.height_px)


def get_flag(session: Session, flag_id: str, *, deleted: bool = False) -> Flag:
    """The flag; raises FlagNotFound, also for a deleted one unless those are wanted."""
    flag = session.get(Flag, flag_id, populate_existing=True, with_for_update=True)
    if flag is None or (flag.deleted and not deleted):
        raise FlagNotFound
    return flag


def create(
    session: Session,
    slide_id: str,
    content: Content,
    by: str,
    *,
    flag_id: str | None = None,
    hotspot: tuple[str, int] | None = None,
) -> tuple[Flag, bool]:
    """A new flag, and True; the one that is there with False, when `flag_id` is sent again."""
    # First: the same flag may be sent again while it is still being made.
    number = next_number(session, slide_id)
    if flag_id and (known := session.get(Flag, flag_id)):
        if known.slide_id != slide_id or known.created_by != by:
            raise Conflict("Another flag has this id.", "Take a new random id.")
        return known, False
    row = new_row(slide_id, number, content, by, flag_id=flag_id)
    if hotspot:
        row |= {"hotspot_analysis_id": hotspot[0], "hotspot_rank": hotspot[1]}
    flag = Flag(**row)
    session.add(flag)
    session.flush()
    return flag, True


def create_many(session: Session, rows: list[dict[str, Any]]) -> None:
    """Insert rows of `new_row`."""
    if rows:
        session.execute(insert(Flag), rows)


def new_row(
    slide_id: str,
    number: int,
    content: Content,
    by: str,
    *,
    flag_id: str | None = None,
    source: str = "drawn",
) -> dict[str, Any]:
    """All columns of a new flag."""
    now = utc_now()
    return {
        "id": flag_id or uuid4().hex,
        "slide_id": slide_id,
        "number": number,
        "version": 1,
        "source": source,
        "created_by": by,
        "created_at": now,
        "changed_by": by,
        "changed_at": now,
        "touched_at": now,
        "action": "created",
        "deleted": False,
        "comment_count": 0,
        **content.columns(),
    }


def next_number(session: Session, slide_id: str) -> int:
    """The first number no flag of the slide ever had. Others wait until this transaction ends."""
    session.scalar(select(Slide.id).where(Slide.id == slide_id).with_for_update())
    return (session.scalar(select(func.max(Flag.number)).where(Flag.slide_id == slide_id)) or 0) + 1


def change(session: Session, flag: Flag, content: Content, by: str) -> None:
    """A new version, unless nothing is different."""
    if content != content_of(flag):
        _next_version(session, flag, by, "changed", content.columns())


def delete(session: Session, flag: Flag, by: str) -> None:
    """Take it off the slide; `restore` brings it back."""
    _next_version(session, flag, by, "deleted", {"deleted": True})


def restore(session: Session, flag: Flag, version: int, extent: Extent, by: str) -> None:
    """Make what it was in `version` the present state."""
    if version == flag.version:
        if flag.deleted:
            raise BadRequest("In this version the flag is deleted.", "Name an earlier version.")
        return
    revision = session.get(FlagRevision, (flag.id, version))
    if revision is None:
        raise BadRequest(
            f"The flag has no version {version}.", "See GET /api/v1/flags/<flag_id>/history."
        )
    if revision.content["deleted"]:
        raise BadRequest("In this version the flag is deleted.", "Name an earlier version.")
    was = revision.content
    shape = shape_of(was["kind"], json.loads(was["geometry"]), extent)
    content = Content(shape, **{field: was[field] for field in FIELDS})
    _next_version(session, flag, by, "restored", content.columns() | {"deleted": False})


def versions(session: Session, flag: Flag) -> list[dict[str, Any]]:
    """Every version, the newest first, each with who, when and what it was."""
    found = session.scalars(
        select(FlagRevision)
        .where(FlagRevision.flag_id == flag.id)
        .order_by(FlagRevision.version.desc())
    )
    now = _version_json(flag.version, flag.action, flag.changed_by, flag, _revised(flag))
    return [now] + [
        _version_json(row.version, row.action, row.changed_by, row, row.content) for row in found
    ]


def add_comment(session: Session, flag: Flag, text: str, by: str) -> FlagComment:
    """Say something about a flag; its version stays."""
    now = utc_now()
    comment = FlagComment(flag_id=flag.id, text=text, created_by=by, created_at=now)
    session.add(comment)
    flag.comment_count += 1
    flag.touched_at = now
    session.flush()
    return comment


def comments(session: Session, flag: Flag) -> list[FlagComment]:
    """Oldest first."""
    wanted = select(FlagComment).where(FlagComment.flag_id == flag.id).order_by(FlagComment.id)
    return list(session.scalars(wanted))


def _next_version(
    session: Session, flag: Flag, by: str, action: str, columns: dict[str, Any]
) -> None:
    session.add(
        FlagRevision(
            flag_id=flag.id,
            version=flag.version,
            action=flag.action,
            changed_by=flag.changed_by,
            changed_at=flag.changed_at,
            content=_revised(flag),
        )
    )
    for name, value in columns.items():
        setattr(flag, name, value)
    flag.version += 1
    flag.action, flag.changed_by = action, by
    flag.changed_at = flag.touched_at = utc_now()
    session.flush()


def _revised(flag: Flag) -> dict[str, Any]:
    return {field: getattr(flag, field) for field in REVISED}


def _version_json(
    version: int, action: str, by: str, row: Flag | FlagRevision, content: dict[str, Any]
) -> dict[str, Any]:
    return {
        "version": version,
        "action": action,
        "changed_by": by,
        "changed_at": iso_utc(row.changed_at),
        **content,
        "geometry": json.loads(content["geometry"]),
    }
