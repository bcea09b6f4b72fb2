"""What is composed is kept within bounds, and no two requests compose the same."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from viewer.slides.once import OnceCache


def test_a_value_is_computed_once():
    cache = OnceCache[str, bytes](100, len)
    assert cache.get("a", lambda: b"1") == b"1"
    assert cache.get("a", lambda: b"2") == b"1"


def test_the_least_recently_used_value_goes_when_space_is_short():
    cache = OnceCache[str, bytes](20, len)
    for key in "abac":
        cache.get(key, lambda: b"0123456789")
    assert cache.get("a", lambda: b"new") == b"0123456789"
    assert cache.get("b", lambda: b"new") == b"new"


def test_a_value_larger_than_the_space_is_given_and_not_kept():
    cache = OnceCache[str, bytes](5, len)
    assert cache.get("a", lambda: b"0123456789") == b"0123456789"
    assert cache.get("a", lambda: b"new") == b"new"


def test_threads_that_want_the_same_value_share_one_computation():
    cache = OnceCache[str, bytes](100, len)
    others_are_on_their_way, computations = Barrier(8), []

    def compute() -> bytes:
        computations.append(1)
        others_are_on_their_way.wait()
        return b"1"

    def ask(index: int) -> bytes:
        if index:
            others_are_on_their_way.wait()
        return cache.get("a", compute)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(8))) == [b"1"] * 8
    assert len(computations) == 1


def test_a_failure_is_not_kept_and_who_waited_tries_again():
    cache = OnceCache[str, bytes](100, len)
    started, fail = Event(), Event()

    def compute_badly() -> bytes:
        started.set()
        fail.wait()
        raise LookupError

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(cache.get, "a", compute_badly)
        started.wait()
        second = threads.submit(cache.get, "a", lambda: b"1")
        fail.set()
        with pytest.raises(LookupError):
            first.result()
        assert second.result() == b"1"


def test_a_computation_may_ask_for_other_values():
    cache = OnceCache[int, int](100, lambda value: 1)

    def sum_to(n: int) -> int:
        return n + (cache.get(n - 1, lambda: sum_to(n - 1)) if n else 0)

    assert cache.get(50, lambda: sum_to(50)) == 1275
