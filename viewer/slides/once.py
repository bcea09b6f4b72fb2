"""A bounded store of computed values in which no value is computed twice at the same time."""

from collections.abc import Callable, Hashable
from threading import Event, Lock
from typing import Generic, TypeVar

from cachetools import LRUCache

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class OnceCache(Generic[Key, Value]):
    """Least-recently-used values up to `max_bytes`; waiters share one computation."""

    def __init__(self, max_bytes: int, size_of: Callable[[Value], int]) -> None:
        self._lock = Lock()
        self._values: LRUCache[Key, Value] = LRUCache(max_bytes, size_of)
        self._flights: dict[Key, _Flight[Value]] = {}

    def get(self, key: Key, compute: Callable[[], Value]) -> Value:
        """The stored value, or that of `compute`; its errors reach the one who called it."""
        while True:
            with self._lock:
                if key in self._values:
                    return self._values[key]
                flight = self._flights.get(key)
                if flight is None:
                    flight = self._flights[key] = _Flight()
                    break
            flight.landed.wait()
            if flight.values:
                return flight.values[0]
            # The other computation failed: try it ourselves and meet its error first-hand.
        return self._fly(key, flight, compute)

    def _fly(self, key: Key, flight: "_Flight[Value]", compute: Callable[[], Value]) -> Value:
        try:
            value = compute()
            flight.values.append(value)
        finally:
            with self._lock:
                del self._flights[key]
                if flight.values and self._values.getsizeof(value) <= self._values.maxsize:
                    self._values[key] = value
            flight.landed.set()
        return value


class _Flight(Generic[Value]):
    """A computation under way; `values` holds its result, or nothing when it failed."""

    def __init__(self) -> None:
        self.landed = Event()
        self.values: list[Value] = []
