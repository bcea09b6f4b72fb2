"""`serve` says when it is ready, watches over what it started, and leaves nothing behind."""

import signal
import socket
import urllib.request

import pytest
from click.testing import CliRunner

from tests.engine_room import wait_until
from tests.processes import alive, serve, wait_for_scoring_processes
from viewer.cli import main
from viewer.serve import is_loopback
from viewer.settings import Settings


@pytest.fixture
def settings(settings, tmp_path):
    """Without a model, so that nothing has to be loaded."""
    return settings.model_copy(update={"models": (tmp_path / "none",)})


@pytest.fixture
def served(settings, tmp_path):
    with serve(settings, tmp_path / "log") as running:
        wait_for_scoring_processes(running, settings.workers)
        yield running


def get(url):
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url) as answer:
        return answer.status


def ended(processes):
    return wait_until(lambda: not alive(processes))


def test_pages_can_be_opened_when_it_says_so_and_sigterm_ends_all(served):
    assert get(f"{served.url}/") == 200
    assert get(f"{served.url}/healthz") == 200
    started = served.tree()
    assert len(started) >= 5, "serve, web with its child, worker with its child"

    assert served.send(signal.SIGTERM) == 0

    assert not alive(started)


def test_ctrl_c_ends_all(served):
    started = served.tree()

    assert served.send(signal.SIGINT) == 0

    assert not alive(started)


def test_a_killed_serve_takes_everything_along(served):
    started = served.tree()

    assert served.send(signal.SIGKILL) == -signal.SIGKILL

    assert ended(started)


def test_a_killed_worker_is_started_again(served):
    worker = served.child("worker")

    worker.kill()

    again = wait_until(lambda: (new := served.child("worker")) and new.pid != worker.pid and new)
    assert again.is_running()
    assert "The worker ended" in served.log.read_text()
    assert get(f"{served.url}/healthz") == 200


def test_without_web_side_it_ends_with_an_error(served):
    started = served.tree()

    served.child("web").kill()

    assert served.process.wait(60) == 1
    assert ended(started)
    assert "The web side ended" in served.log.read_text()


def test_a_busy_port_is_refused_in_words(settings):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        result = CliRunner().invoke(main, ["serve", "--port", port])

    assert result.exit_code == 1
    assert f"Cannot listen on 127.0.0.1, port {port}" in result.output
    assert "Choose another port" in result.output


def test_listening_beyond_this_machine_is_warned_of():
    with socket.create_server(("0.0.0.0", 0)) as other:
        port = str(other.getsockname()[1])
        result = CliRunner().invoke(main, ["serve", "--host", "0.0.0.0", "--port", port])

    assert "Sentinode has no login" in result.output


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_is_this_machine(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "slides.example.org"])
def test_all_else_is_not(host):
    assert not is_loopback(host)


def test_settings_are_printed_with_their_meaning(monkeypatch):
    monkeypatch.setenv("SENTINODE_DATABASE", "postgresql+psycopg://me:secret@host/db")
    result = CliRunner().invoke(main, ["settings"])

    assert result.exit_code == 0
    for name, field in Settings.model_fields.items():
        assert f"SENTINODE_{name.upper()}=" in result.output
        assert field.description.split()[0] in result.output
    assert "secret" not in result.output


def test_a_wrong_setting_is_named(monkeypatch):
    monkeypatch.setenv("SENTINODE_PORT", "many")

    result = CliRunner().invoke(main, ["settings"])

    assert result.exit_code == 1
    assert "SENTINODE_PORT" in result.output
