"""What readers say of hot spots: the present word of each reader, and every change of it."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from viewer.db import utc_now
from viewer.errors import HotspotNotFound
from viewer.records import Analysis, Hotspot
from viewer.tour.records import HotspotReview, HotspotReviewChange

Opinion = Literal["agree", "disagree"]


class Tally(NamedTuple):
    """How far a reader is with the hot spots of an analysis."""

    kept: int
    seen: int
    agreed: int
    disagreed: int


def hotspot(session: Session, analysis_id: str, rank: int) -> Hotspot:
    """One hot spot; raises `HotspotNotFound`."""
    found = session.get(Hotspot, (analysis_id, rank))
    if found is None:
        raise HotspotNotFound
    return found


def review(
    session: Session,
    analysis_id: str,
    rank: int,
    reader: str,
    seen: bool,
    opinion: Opinion | None,
) -> HotspotReview:
    """Set what a reader says of a hot spot; kept with its history. Raises `HotspotNotFound`.

    Whoever has an opinion has seen it.
    """
    hotspot(session, analysis_id, rank)
    seen = seen or opinion is not None
    said = session.get(HotspotReview, (analysis_id, rank, reader), with_for_update=True)
    if said is not None and (said.seen, said.opinion) == (seen, opinion):
        return said
    now = utc_now()
    version = said.version + 1 if said is not None else 1
    values = {"seen": seen, "opinion": opinion, "version": version, "changed_at": now}
    keys = {"analysis_id": analysis_id, "rank": rank, "reader": reader}
    session.add(HotspotReviewChange(**keys, **values))
    merged = session.merge(HotspotReview(**keys, **values))
    session.flush()
    return merged


def reviews(
    session: Session, analysis_id: str, ranks: Sequence[int]
) -> dict[int, list[HotspotReview]]:
    """What all readers say of these hot spots, by rank, the first word first."""
    rows = session.scalars(
        select(HotspotReview)
        .where(HotspotReview.analysis_id == analysis_id, HotspotReview.rank.in_(ranks))
        .order_by(HotspotReview.changed_at, HotspotReview.reader)
    )
    found = defaultdict(list)
    for row in rows:
        found[row.rank].append(row)
    return found


def tally(session: Session, analysis: Analysis, reader: str | None) -> Tally:
    """Counts over the hot spots that are kept."""
    of_analysis = Hotspot.analysis_id == analysis.id
    kept = session.scalar(select(func.count()).select_from(Hotspot).where(of_analysis)) or 0
    if reader is None:
        return Tally(kept, 0, 0, 0)
    own = (
        select(HotspotReview.seen, HotspotReview.opinion)
        .join(
            Hotspot,
            (Hotspot.analysis_id == HotspotReview.analysis_id)
            & (Hotspot.rank == HotspotReview.rank),
        )
        .where(of_analysis, HotspotReview.reader == reader)
    )
    said = session.execute(own).all()
    return Tally(
        kept,
        seen=sum(row.seen for row in said),
        agreed=sum(row.opinion == "agree" for row in said),
        disagreed=sum(row.opinion == "disagree" for row in said),
    )
