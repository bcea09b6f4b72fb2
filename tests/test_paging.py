"""Cursors: each row once whatever comes and goes, and no cursor but our own."""

from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from viewer.db import writing
from viewer.errors import BadRequest
from viewer.paging import Key, page_of
from viewer.reading.records import ApiToken

START = datetime(2026, 1, 1, tzinfo=UTC)
NEWEST_FIRST = (Key(ApiToken.created_at, descending=True), Key(ApiToken.id))
BY_READER = (Key(ApiToken.reader), Key(ApiToken.id))


@pytest.fixture
def rows(sessions):
    with writing(sessions) as session:
        for n in range(7):
            session.add(
                ApiToken(
                    id=f"t{n}",
                    reader="ab"[n % 2],
                    sha256=str(n),
                    created_at=START + timedelta(days=n // 3),
                )
            )


def all_ids(session, keys, limit: int) -> list[str]:
    found, after = [], None
    while True:
        page, after = page_of(session, select(ApiToken), keys, limit, after)
        assert len(page) <= limit
        found += [row[0].id for row in page]
        if after is None:
            return found


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8])
def test_each_row_comes_once_in_order(rows, sessions, limit: int):
    with sessions() as session:
        assert all_ids(session, NEWEST_FIRST, limit) == ["t6", "t3", "t4", "t5", "t0", "t1", "t2"]
        assert all_ids(session, BY_READER, limit) == ["t0", "t2", "t4", "t6", "t1", "t3", "t5"]


def test_a_row_that_came_before_repeats_nothing(rows, sessions):
    with writing(sessions) as session:
        page, after = page_of(session, select(ApiToken), BY_READER, 2, None)
        session.add(ApiToken(id="t", reader="a", sha256="new", created_at=START))
        session.flush()
        following, _ = page_of(session, select(ApiToken), BY_READER, 2, after)
    assert [row[0].id for row in page + following] == ["t0", "t2", "t4", "t6"]


def cursor(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "x",
        "é",
        cursor("[]"),
        cursor('["", 1]'),
        cursor('["", "a", 1]'),
        cursor('["", 1, "t0"]'),
        cursor('["", null, "t0"]'),
        cursor('["", true, "t0"]'),
        cursor('["", "a\\u0000", "t0"]'),
        cursor('["", "\\ud800", "t0"]'),
        cursor('["other", "a", "t0"]'),
        cursor("[" * 100_000),
    ],
)
def test_what_is_no_cursor_of_this_list_is_refused(rows, sessions, wrong: str):
    with sessions() as session, pytest.raises(BadRequest):
        page_of(session, select(ApiToken), BY_READER, 2, wrong)


@pytest.mark.parametrize("wrong", ['["", "yesterday", "t0"]', '["", "2026-01-01", "t0"]'])
def test_a_time_must_be_one(rows, sessions, wrong: str):
    with sessions() as session, pytest.raises(BadRequest):
        page_of(session, select(ApiToken), NEWEST_FIRST, 2, cursor(wrong))
