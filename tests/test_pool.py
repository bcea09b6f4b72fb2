"""The pool with plain objects instead of slides: who is opened, shared and closed, and when."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event, Lock

import pytest

from viewer.errors import SlideChanged
from viewer.slides.files import SlideFile, signature_of
from viewer.slides.pool import SlidePool


class Handle:
    def __init__(self, file: SlideFile) -> None:
        self.file = file
        self.closed = False

    def close(self) -> None:
        assert not self.closed, "closed twice"
        self.closed = True


class Opener:
    def __init__(self) -> None:
        self.handles: list[Handle] = []
        self._lock = Lock()

    def __call__(self, file: SlideFile) -> Handle:
        handle = Handle(file)
        with self._lock:
            self.handles.append(handle)
        return handle

    @property
    def open_count(self) -> int:
        return sum(not handle.closed for handle in self.handles)


@pytest.fixture
def opener() -> Opener:
    return Opener()


def make_file(folder: Path, name: str) -> SlideFile:
    path = folder / name
    path.write_bytes(name.encode())
    return SlideFile(name, path, signature_of(path), 10, 10, None)


def test_a_slide_is_opened_once_and_stays_open(tmp_path: Path, opener: Opener):
    pool = SlidePool(2, opener)
    file = make_file(tmp_path, "a")
    with pool.lease(file) as first:
        pass
    with pool.lease(file) as second:
        assert second is first
        assert not first.closed


def test_many_threads_at_once_open_it_once(tmp_path: Path):
    barrier, handles = Barrier(8), []

    def open_slowly(file: SlideFile) -> Handle:
        handles.append(Handle(file))
        barrier.wait()  # until 7 others wait outside: none of them came in here
        return handles[-1]

    pool = SlidePool(2, open_slowly)
    file = make_file(tmp_path, "a")

    def use(index: int) -> Handle:
        if index:
            barrier.wait()
        with pool.lease(file) as handle:
            return handle

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(use, range(8)))) == 1
    assert len(handles) == 1


def test_the_least_recently_used_slide_is_closed(tmp_path: Path, opener: Opener):
    pool = SlidePool(2, opener)
    files = {name: make_file(tmp_path, name) for name in "abc"}
    for name in "abac":
        with pool.lease(files[name]):
            pass
    assert {handle.file.id for handle in opener.handles if handle.closed} == {"b"}
    assert len(pool) == 2


def test_slides_being_read_are_not_closed_and_the_surplus_goes_afterwards(
    tmp_path: Path, opener: Opener
):
    pool = SlidePool(1, opener)
    with pool.lease(make_file(tmp_path, "a")), pool.lease(make_file(tmp_path, "b")):
        assert opener.open_count == 2
    assert opener.open_count == 1


def test_a_changed_file_is_refused_and_its_handle_closed(tmp_path: Path, opener: Opener):
    pool = SlidePool(2, opener)
    file = make_file(tmp_path, "a")
    with pool.lease(file):
        pass
    file.path.write_bytes(b"something else")
    with pytest.raises(SlideChanged), pool.lease(file):
        pass
    assert opener.open_count == 0


def test_a_vanished_file_is_refused(tmp_path: Path, opener: Opener):
    file = make_file(tmp_path, "a")
    file.path.unlink()
    with pytest.raises(SlideChanged), SlidePool(2, opener).lease(file):
        pass


def test_a_file_listed_anew_is_opened_anew(tmp_path: Path, opener: Opener):
    pool = SlidePool(2, opener)
    with pool.lease(make_file(tmp_path, "a")) as old:
        pass
    (tmp_path / "a").unlink()
    (tmp_path / "other").write_bytes(b"so that the inode is not used again")
    with pool.lease(make_file(tmp_path, "a")) as new:
        assert new is not old
    assert opener.open_count == 1


def test_a_dropped_slide_is_closed_when_its_last_reader_is_done(tmp_path: Path, opener: Opener):
    pool = SlidePool(2, opener)
    file = make_file(tmp_path, "a")
    with pool.lease(file) as handle, pool.lease(file):
        pool.drop(file.id)
        assert not handle.closed
    assert handle.closed


def test_a_failure_to_open_reaches_all_who_wait_and_is_not_kept(tmp_path: Path):
    file = make_file(tmp_path, "a")
    opening, go_on = Event(), Event()
    outcomes: list[type[Exception] | None] = [LookupError, None]

    def fail_first(file: SlideFile) -> Handle:
        outcome = outcomes.pop(0)
        opening.set()
        go_on.wait()
        if outcome is not None:
            raise outcome
        return Handle(file)

    pool = SlidePool(2, fail_first)

    def use() -> bool:
        with pool.lease(file):
            return True

    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(use)
        opening.wait()
        go_on.set()
        with pytest.raises(LookupError):
            first.result()
    assert len(pool) == 0
    assert use()


def test_closing_the_pool_closes_all(tmp_path: Path, opener: Opener):
    pool = SlidePool(8, opener)
    for name in "abc":
        with pool.lease(make_file(tmp_path, name)):
            pass
    pool.close()
    assert opener.open_count == 0


def test_threads_that_fight_over_few_places_leave_nothing_open(tmp_path: Path, opener: Opener):
    pool = SlidePool(2, opener)
    files = [make_file(tmp_path, name) for name in "abcdef"]

    def use(turn: int) -> None:
        with pool.lease(files[turn * 7 % 6]) as handle:
            assert not handle.closed
            if turn % 5 == 0:
                pool.drop(handle.file.id)
            assert not handle.closed

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(600)))
    assert opener.open_count == len(pool) <= 2
    pool.close()
    assert opener.open_count == 0
