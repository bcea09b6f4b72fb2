"""Open slides: bounded in number, shared by threads, reopened when their file changes."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Lock
from typing import Generic, Protocol, TypeVar

from viewer.slides.files import SlideFile, check_unchanged


class Closable(Protocol):
    """Anything that holds a file open."""

    def close(self) -> None:
        """Give the file back."""


Opened = TypeVar("Opened", bound=Closable)


class SlidePool(Generic[Opened]):
    """At most `capacity` open slides, and more only while each of them is being read.

    Nothing is opened before the first lease, so a server may fork after making the pool.
    """

    def __init__(self, capacity: int, open_slide: Callable[[SlideFile], Opened]) -> None:
        self._capacity = capacity
        self._open_slide = open_slide
        self._lock = Lock()
        self._entries: OrderedDict[str, _Entry[Opened]] = OrderedDict()

    @contextmanager
    def lease(self, file: SlideFile, look: bool = True) -> Iterator[Opened]:
        """The open slide, kept open until the block ends.

        Raises `SlideChanged` when the file is not the one that was listed, and whatever opening
        it raises. Many threads may lease one slide; it is opened once. With `look` False an open
        slide is given without a look at its file, for those who look when they have read.
        """
        if look:
            try:
                check_unchanged(file)
            except BaseException:
                self.drop(file.id)
                raise
        entry = self._enter(file)
        try:
            yield entry.opened.result()
        finally:
            self._leave(entry)

    def drop(self, slide_id: str) -> None:
        """Forget an open slide; it is closed when its last reader is done."""
        with self._lock:
            entry = self._entries.pop(slide_id, None)
            closing = self._retired(entry) if entry else []
        _close(closing)

    def close(self) -> None:
        """Forget all open slides."""
        for slide_id in list(self._entries):
            self.drop(slide_id)

    def __len__(self) -> int:
        return len(self._entries)

    def _enter(self, file: SlideFile) -> "_Entry[Opened]":
        with self._lock:
            entry = self._entries.get(file.id)
            closing: list[_Entry[Opened]] = []
            if entry is not None and entry.file != file:
                closing += self._retired(self._entries.pop(file.id))
                entry = None
            first = entry is None
            if entry is None:
                entry = self._entries[file.id] = _Entry(file)
            entry.readers += 1
            self._entries.move_to_end(file.id)
            closing += self._surplus()
        _close(closing)
        if first:
            self._open(entry)
        return entry

    def _open(self, entry: "_Entry[Opened]") -> None:
        """Open outside the lock: other slides stay available, waiters share the outcome."""
        try:
            opened = self._open_slide(entry.file)
        except BaseException as error:
            with self._lock:
                if self._entries.get(entry.file.id) is entry:
                    del self._entries[entry.file.id]
            entry.opened.set_exception(error)
            raise
        entry.opened.set_result(opened)

    def _leave(self, entry: "_Entry[Opened]") -> None:
        with self._lock:
            entry.readers -= 1
            closing = self._surplus()
            if entry.retired and entry.readers == 0:
                closing.append(entry)
        _close(closing)

    def _surplus(self) -> "list[_Entry[Opened]]":
        """Take out the least recently used entries nobody reads, down to the capacity."""
        count = len(self._entries) - self._capacity
        if count <= 0:
            return []
        surplus = [entry for entry in self._entries.values() if entry.readers == 0][:count]
        for entry in surplus:
            del self._entries[entry.file.id]
        return surplus

    def _retired(self, entry: "_Entry[Opened]") -> "list[_Entry[Opened]]":
        entry.retired = True
        return [entry] if entry.readers == 0 else []


class _Entry(Generic[Opened]):
    """A slide that is open or being opened, and how many read it."""

    def __init__(self, file: SlideFile) -> None:
        self.file = file
        self.opened: Future[Opened] = Future()
        self.readers = 0
        self.retired = False


def _close(entries: "list[_Entry[Opened]]") -> None:
    for entry in entries:
        if entry.opened.exception() is None:
            entry.opened.result().close()
