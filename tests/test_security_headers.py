"""What browsers are told, who may ask, and who may write."""

import hashlib

import pytest

from viewer import create_app
from viewer.services import EXTENSION

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
RESOLUTION = f"/api/v1/slides/{'0' * 20}/resolution"


def write(client, **headers: str) -> int:
    """The status of a write: 404 (no such slide) when it was let through, 403 when not."""
    body = {"mpp_x": 1, "mpp_y": 1, "set_by": "me"}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.put(RESOLUTION, json=body, headers=names).status_code


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/healthz",
        "/api/v1/slides",
        "/nothing",
        "/vendor/leaflet/leaflet.js",
        "/static/js/worklist.js",
        f"/slides/{'0' * 20}.dzi",
        RESOLUTION,
    ],
)
def test_every_answer_carries_the_headers(client, address: str):
    headers = client.get(address).headers
    assert headers["Content-Security-Policy"] == POLICY
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Set-Cookie" not in headers


def test_failures_carry_them_too(app, client):
    app.testing = False
    app.add_url_rule("/fails", "fails", lambda: 1 / 0)
    answer = client.get("/fails")
    assert answer.status_code == 500
    assert answer.headers["Content-Security-Policy"] == POLICY


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8000", "127.0.0.1", "127.0.0.1:8000", "[::1]:8000", "192.168.1.20"],
)
def test_it_answers_to_its_own_names(client, host: str):
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "notlocalhost",
        "[evil",
        "",
    ],
)
def test_it_does_not_answer_to_other_names(client, host: str):
    answer = client.get("/healthz", headers={"Host": host})
    assert answer.status_code in (400, 403)
    assert answer.get_json()["hint"]


def test_names_can_be_added(settings):
    names = ("slides.example.org", ".lab.example.org")
    app = create_app(settings.model_copy(update={"trusted_hosts": names}))
    client = app.test_client()
    for host in ("slides.example.org:8000", "a.lab.example.org"):
        assert client.get("/vendor/leaflet/x", headers={"Host": host}).status_code == 404
    assert client.get("/healthz", headers={"Host": "other.example.org"}).status_code == 403
    app.extensions[EXTENSION].engine.dispose()


def test_scripts_and_own_pages_may_write(client):
    assert write(client) == 404
    assert write(client, Sec_Fetch_Site="same-origin") == 404
    assert write(client, Sec_Fetch_Site="none") == 404
    assert write(client, Origin="http://localhost") == 404


@pytest.mark.parametrize("site", ["cross-site", "same-site", ""])
def test_pages_of_other_sites_may_not_write(client, site: str):
    assert write(client, Sec_Fetch_Site=site) == 403
    assert write(client, Sec_Fetch_Site=site, Origin="http://localhost") == 403


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "http://localhost:9999", "https://localhost", "null", "", "http://["],
)
def test_other_origins_may_not_write(client, origin: str):
    assert write(client, Origin=origin) == 403


def test_other_sites_may_link_to_pages(client):
    answer = client.get("/healthz", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("leaflet.js", "db49d009c841f5ca34a888c96511ae936fd9f5533e90d8b2c4d57596f4e5641a"),
        ("leaflet.css", "a7837102824184820dfa198d1ebcd109ff6d0ff9a2672a074b9a1b4d147d04c6"),
    ],
)
def test_leaflet_is_the_published_one_and_asked_for_by_etag(client, name: str, digest: str):
    answer = client.get(f"/vendor/leaflet/{name}")
    assert hashlib.sha256(answer.data).hexdigest() == digest
    headers = {"If-None-Match": answer.headers["ETag"]}
    assert client.get(f"/vendor/leaflet/{name}", headers=headers).status_code == 304
