"""HTTP load from one thread: so many connections, each asking again as soon as it is answered."""

import selectors
import socket
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import psutil

CONNECTIONS = 8
PIECE_BYTES = 1 << 18
# A server that is silent for so long on all connections has lost what it was asked.
SILENT_S = 20.0
# Fewer latencies than this have no 95th percentile.
LEAST_ANSWERS = 2
MB = 1024 * 1024


@dataclass
class Result:
    """One run: answers and how long each took, and what the server used for them."""

    latencies_s: list[float] = field(default_factory=list)
    wall_s: float = 0.0
    cpu_s: float = 0.0
    body_bytes: int = 0
    rss_mb: float = 0.0
    unanswered: int = 0

    def figures(self) -> dict[str, float]:
        """What the JSON shows of a run; raises SilentError if nothing was answered."""
        count = len(self.latencies_s)
        if count < LEAST_ANSWERS:
            raise SilentError(f"{count} answers, {self.unanswered} requests without one")
        return {
            "tiles": count,
            "tiles_per_s": count / self.wall_s,
            "cpu_ms_per_tile": 1000 * self.cpu_s / count,
            "p95_ms": 1000 * statistics.quantiles(self.latencies_s, n=20)[-1],
            "bytes_per_tile": self.body_bytes / count,
            "rss_mb": self.rss_mb,
            "unanswered": self.unanswered,
        }


class SilentError(Exception):
    """The server answered too little to be measured."""


class WrongAnswerError(Exception):
    """The server gave something else than a tile."""


class Connection:
    """A connection that stays open as long as the server lets it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.started_s = 0.0
        self._received = bytearray()
        self._wanted: int | None = None
        self._body_at = 0
        self._closes = False

    def ask(self, path: str) -> None:
        """Send a request; afterwards `is_done` says when the answer is whole."""
        self._received.clear()
        self._wanted = None
        self.started_s = time.perf_counter()
        lines = (f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{self._port}", "Accept: image/*", "", "")
        self.socket.sendall("\r\n".join(lines).encode())

    def is_done(self) -> bool:
        """Read what is there; whether the answer is whole. Raises WrongAnswerError."""
        piece = self.socket.recv(PIECE_BYTES)
        self._received += piece
        if self._wanted is None:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                if not piece:
                    raise WrongAnswerError("the server closed the connection")
                return False
            self._read_head(bytes(self._received[:end]), end + 4)
        return len(self._received) >= (self._wanted or 0)

    def _read_head(self, head: bytes, body_at: int) -> None:
        status, *lines = head.decode("latin-1").split("\r\n")
        if status.split(" ", 2)[1] != "200":
            raise WrongAnswerError(status)
        headers = {line.split(":", 1)[0].lower(): line.split(":", 1)[1].strip() for line in lines}
        self._body_at = body_at
        self._wanted = body_at + int(headers["content-length"])
        old = status.startswith("HTTP/1.0")
        self._closes = headers.get("connection", "close" if old else "").lower() == "close"

    def body(self) -> bytes:
        """The answer; the connection is ready for the next request."""
        return bytes(self._received[self._body_at : self._wanted])

    @property
    def closes(self) -> bool:
        """Whether the server takes no further request on this connection."""
        return self._closes


def fetch(port: int, path: str) -> bytes:
    """The body of one answer."""
    connection = Connection(port)
    connection.ask(path)
    while not connection.is_done():
        pass
    connection.socket.close()
    return connection.body()


def load(port: int, paths: Sequence[str], seconds: float, server: psutil.Process) -> Result:
    """Ask for each path once, as many as `seconds` allow."""
    result, waiting = Result(), iter(paths)
    before = _cpu_s(server)
    started = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for path in _first(waiting, CONNECTIONS):
            _begin(selector, Connection(port), path)
        while selector.get_map():
            if not (events := selector.select(SILENT_S)):
                result.unanswered = _give_up(selector)
                started += SILENT_S  # it was no time of answering
                break
            for key, _ in events:
                connection: Connection = key.data
                if not connection.is_done():
                    continue
                now = time.perf_counter()
                result.latencies_s.append(now - connection.started_s)
                result.body_bytes += len(connection.body())
                path = next(waiting, None) if now - started < seconds else None
                _go_on(selector, connection, path, port)
    result.wall_s = time.perf_counter() - started
    result.cpu_s = _cpu_s(server) - before
    result.rss_mb = _rss_mb(server)
    return result


def _give_up(selector: selectors.BaseSelector) -> int:
    """Close all connections; how many requests were not answered."""
    waiting = list(selector.get_map().values())
    for key in waiting:
        selector.unregister(key.fileobj)
        key.data.socket.close()
    return len(waiting)


def _go_on(
    selector: selectors.BaseSelector, connection: Connection, path: str | None, port: int
) -> None:
    if path is not None and not connection.closes:
        connection.ask(path)
        return
    selector.unregister(connection.socket)
    connection.socket.close()
    if path is not None:
        _begin(selector, Connection(port), path)


def _begin(selector: selectors.BaseSelector, connection: Connection, path: str) -> None:
    selector.register(connection.socket, selectors.EVENT_READ, connection)
    connection.ask(path)


def _first(waiting: Iterator[str], count: int) -> list[str]:
    return [path for _, path in zip(range(count), waiting, strict=False)]


def _tree(server: psutil.Process) -> list[psutil.Process]:
    return [server, *server.children(recursive=True)]


def _cpu_s(server: psutil.Process) -> float:
    times = [process.cpu_times() for process in _tree(server)]
    return sum(each.user + each.system for each in times)


def _rss_mb(server: psutil.Process) -> float:
    return sum(process.memory_info().rss for process in _tree(server)) / MB
