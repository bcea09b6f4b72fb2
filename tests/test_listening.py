"""What listens: the web address, and beside it only what asks for our own certificate."""

import socket
import ssl

import psutil
import pytest

from tests.engine_room import wait_until
from tests.processes import serve, wait_for_scoring_processes

TIMEOUT_S = 20


@pytest.fixture
def served(settings, tmp_path):
    quiet = settings.model_copy(update={"models": (tmp_path / "none",), "workers": 2})
    with serve(quiet, tmp_path / "log") as running:
        wait_for_scoring_processes(running, 2)
        # A process listens before it joins; what it must not listen on is closed by then.
        wait_until(lambda: "Worker is ready" in running.log.read_text())
        yield running


def listening(running):
    return {
        (connection.laddr.ip, connection.laddr.port)
        for process in running.tree()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


def speaks_http(port):
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        try:
            return plain.recv(4) == b"HTTP"
        except ConnectionResetError:
            return False


def admits_strangers(port):
    """Whether somebody without our certificate is answered; fails where there is no TLS."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as plain,
        context.wrap_socket(plain) as secure,
    ):
        try:
            return secure.recv(1) != b""  # Dask greets whoever it admits
        except (ssl.SSLError, ConnectionResetError):
            return False


def test_only_the_web_address_is_open_and_only_to_this_machine(served):
    found = listening(served)
    web_port = int(served.url.rsplit(":", 1)[1])

    assert {ip for ip, _ in found} == {"127.0.0.1"}
    others = {port for _, port in found} - {web_port}
    assert speaks_http(web_port)
    assert len(others) >= 3, "the scheduler and two processes"
    for port in others:
        assert not speaks_http(port)
        assert not admits_strangers(port)
