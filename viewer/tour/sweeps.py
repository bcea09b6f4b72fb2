"""A reader's sweep over the tissue of a slide: where it stands, and what was seen on the way."""

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete
from sqlalchemy.orm import Session

from viewer.db import utc_now
from viewer.errors import BadRequest, Conflict, SweepMissing
from viewer.settings import Settings
from viewer.tour.fields import MOST_FIELDS, sweep_fields
from viewer.tour.records import Sweep
from viewer.tour.tissue import tissue_of


def start(
    session: Session,
    settings: Settings,
    slide_id: str,
    reader: str,
    magnification: float,
    field_l0_px: tuple[float, float],
) -> Sweep:
    """Begin a sweep, in place of an older one; raises `Conflict` where the tissue is not known."""
    tissue = tissue_of(session, settings, slide_id)
    if tissue is None or not tissue.mask.any():
        raise Conflict(
            "Where this slide holds tissue is not known."
            if tissue is None
            else "No tissue was found on this slide.",
            "Start its analysis: the tissue is known as soon as that runs."
            if tissue is None
            else "Look at the slide yourself: pale tissue may have been taken for glass.",
        )
    fields = sweep_fields(tissue, *field_l0_px)
    if fields is None:
        raise BadRequest(
            f"The sweep would have more than {MOST_FIELDS} fields.",
            "Choose a lower magnification or a larger window.",
        )
    now = utc_now()
    sweep = Sweep(
        slide_id=slide_id,
        reader=reader,
        magnification=magnification,
        field_width_l0_px=field_l0_px[0],
        field_height_l0_px=field_l0_px[1],
        centres_l0_px=[[x, y] for x, y in fields],
        position=0,
        seen=_packed(np.zeros(len(fields), np.bool_)),
        started_at=now,
        changed_at=now,
    )
    return session.merge(sweep)


def find(session: Session, slide_id: str, reader: str) -> Sweep | None:
    """The reader's sweep of a slide, if there is one."""
    return session.get(Sweep, (slide_id, reader), populate_existing=True)


def go_on(session: Session, slide_id: str, reader: str, position: int, seen: int | None) -> Sweep:
    """Note where the reader is, and a field that was seen; raises `SweepMissing`, `BadRequest`."""
    sweep = session.get(Sweep, (slide_id, reader), with_for_update=True, populate_existing=True)
    if sweep is None:
        raise SweepMissing
    count = len(sweep.centres_l0_px)
    if position > count or (seen is not None and seen >= count):
        raise BadRequest(f"The sweep has {count} fields.", "Ask for the sweep again.")
    if seen is not None:
        flags = seen_fields(sweep)
        flags[seen] = True
        sweep.seen = _packed(flags)
    sweep.position = position
    sweep.changed_at = utc_now()
    return sweep


def end(session: Session, slide_id: str, reader: str) -> None:
    """Forget the reader's sweep."""
    session.execute(delete(Sweep).where(Sweep.slide_id == slide_id, Sweep.reader == reader))


def seen_fields(sweep: Sweep) -> NDArray[np.bool_]:
    """Whether each field was seen."""
    count = len(sweep.centres_l0_px)
    bits = np.unpackbits(np.frombuffer(sweep.seen, np.uint8), count=count)
    return bits.astype(np.bool_)


def _packed(flags: NDArray[np.bool_]) -> bytes:
    return np.packbits(flags).tobytes()
