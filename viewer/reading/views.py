"""Saved views: queries of the worklist under a name, one's own beside those built in."""

from collections.abc import Sequence
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from viewer.db import utc_now
from viewer.errors import Conflict, NotFound
from viewer.reading.records import SavedView

MOST_VIEWS = 100  # of one reader


# Addresses of the worklist; their names are texts of the page.
BUILT_IN: dict[str, tuple[str, dict[str, str]]] = {
    "mine": ("Mine", {"mine": "true", "sort": "suspicion"}),
    "unread": ("Unread", {"state": "unread", "sort": "suspicion"}),
    "second-opinion": ("Second opinion", {"state": "second_opinion", "sort": "suspicion"}),
}


class ViewNotFound(NotFound):
    """The reader has no view with this id."""

    code = "view_not_found"

    def __init__(
        self,
        message: str = "There is no such view of yours.",
        hint: str = "Views that are built in cannot be deleted.",
    ) -> None:
        super().__init__(message, hint)


class NameTaken(Conflict):
    """The reader has a view with this name."""

    code = "name_taken"

    def __init__(
        self,
        message: str = "You have a view with this name.",
        hint: str = "Choose another name, or delete that view first.",
    ) -> None:
        super().__init__(message, hint)


def views_of(session: Session, reader: str) -> Sequence[SavedView]:
    """The reader's own views by name."""
    wanted = select(SavedView).where(SavedView.reader == reader)
    return session.scalars(wanted.order_by(SavedView.name, SavedView.id)).all()


def save_view(session: Session, reader: str, name: str, query: dict[str, str]) -> SavedView:
    """Keep a query under a new name; raises `Conflict` for a taken one, or too many."""
    mine = SavedView.reader == reader
    if session.scalar(select(SavedView.id).where(mine, SavedView.name == name)):
        raise NameTaken
    count = session.scalar(select(func.count()).select_from(SavedView).where(mine)) or 0
    if count >= MOST_VIEWS:
        raise Conflict(f"You have {MOST_VIEWS} views already.", "Delete one first.")
    view = SavedView(id=uuid4().hex, reader=reader, name=name, query=query, created_at=utc_now())
    session.add(view)
    try:
        session.flush()
    except IntegrityError:  # another window was faster by a moment
        raise NameTaken from None
    return view


def delete_view(session: Session, reader: str, view_id: str) -> None:
    """Delete one of the reader's own; raises `ViewNotFound`."""
    view = session.get(SavedView, view_id)
    if view is None or view.reader != reader:
        raise ViewNotFound
    session.delete(view)
