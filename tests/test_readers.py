"""Who is asking: by cookie, by token, by a proxy's header; and how a name is refused."""

import stat

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from tests.slides import make_slide
from viewer import create_app
from viewer.cli import main
from viewer.db import utc_now, writing
from viewer.reading.records import ApiToken
from viewer.services import EXTENSION
from viewer.tokens import create_token, find_token, revoke_token

ME = "/api/v1/me"
PROXY = "X-Forwarded-User"


@pytest.fixture
def token(sessions) -> str:
    with writing(sessions) as session:
        return create_token(session, "Night script")[1]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_nobody_is_known_at_first(client):
    answer = client.get(ME)
    assert answer.get_json() == {"name": None, "source": None, "can_change": True}
    assert answer.cache_control.no_store


def test_a_name_said_once_is_kept_by_the_browser(client, app):
    said = client.put(ME, json={"name": "  Rudolf Virchow "})
    expected = {"name": "Rudolf Virchow", "source": "cookie", "can_change": True}
    assert said.get_json() == expected
    cookie = said.headers["Set-Cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=Lax", "Max-Age=31536000"))
    assert client.get(ME).get_json() == expected
    assert app.test_client().get(ME).get_json()["name"] is None
    assert client.put(ME, json={"name": "Čapek, 山田"}).get_json()["name"] == "Čapek, 山田"
    assert client.get(ME).get_json()["name"] == "Čapek, 山田"


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "two\nlines", "nul\0", 5, None])
def test_names_nobody_could_read_are_refused(client, name):
    assert client.put(ME, json={"name": name}).status_code == 400
    assert client.get(ME).get_json()["name"] is None


def test_a_cookie_nobody_signed_counts_for_nothing(client, app, settings, tmp_path):
    client.put(ME, json={"name": "A"})
    value = client.get_cookie("sentinode_reader").value
    forged = ["A", value[:-2] + ("AA" if value[-2:] != "AA" else "BB"), "x" * 4000]
    for wrong in forged:
        client.set_cookie("sentinode_reader", wrong)
        assert client.get(ME).get_json()["name"] is None
    other = create_app(settings.model_copy(update={"data": tmp_path / "other"}))
    theirs = other.test_client()
    theirs.set_cookie("sentinode_reader", value)
    assert theirs.get(ME).get_json()["name"] is None
    other.extensions[EXTENSION].engine.dispose()


def test_the_signing_key_is_for_its_owner_alone_and_stays(client, settings):
    client.put(ME, json={"name": "A"})
    file = settings.data / "signing.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_bytes()) == 32
    assert [path.name for path in settings.data.glob("*signing*")] == ["signing.key"]


def test_a_token_tells_who_asks(client, token, sessions):
    answer = client.get(ME, headers=bearer(token))
    assert answer.get_json() == {"name": "Night script", "source": "token", "can_change": False}
    with sessions() as session:
        row = session.scalars(select(ApiToken)).one()
        assert token not in (row.sha256, row.id)
        assert row.used_at is not None


@pytest.mark.parametrize("wrong", ["", "x", "snt_", "snt_" + "x" * 43, "ü"])
def test_a_token_of_nobody_is_refused(client, token, wrong):
    answer = client.get(ME, headers=bearer(wrong))
    assert (answer.status_code, answer.get_json()["code"]) == (401, "token_invalid")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_revoked_token_ends_at_once(client, token, sessions):
    with writing(sessions) as session:
        row = session.scalars(select(ApiToken)).one()
        assert revoke_token(session, row.id)
    assert client.get(ME, headers=bearer(token)).status_code == 401
    with writing(sessions) as session:
        assert not revoke_token(session, row.id)
        assert not revoke_token(session, "none")
        assert find_token(session, token) is None


def test_with_a_proxy_nothing_else_counts(client, settings, token):
    behind = create_app(settings.model_copy(update={"reader_header": PROXY}))
    there = behind.test_client()
    there.set_cookie("sentinode_reader", "x")
    assert there.get(ME, headers=bearer(token)).get_json()["name"] is None
    for sent, name in [("ada", "ada"), ("  ", None), ("René".encode().decode("latin-1"), "René")]:
        answer = there.get(ME, headers={PROXY: sent}).get_json()
        assert answer["name"] == name
        assert answer["can_change"] is False
    answer = there.put(ME, json={"name": "B"}, headers={PROXY: "ada"})
    assert (answer.status_code, answer.get_json()["code"]) == (409, "conflict")
    assert "Set-Cookie" not in answer.headers
    behind.extensions[EXTENSION].engine.dispose()


def test_without_the_setting_a_header_is_nobody(client):
    assert client.get(ME, headers={PROXY: "ada"}).get_json()["name"] is None


def test_the_resolution_is_signed_by_who_is_known(client, slide_folder, scan):
    make_slide(slide_folder / "a.tif", mpp=None)
    place = f"/api/v1/slides/{scan()[0]['id']}/resolution"
    client.put(ME, json={"name": "Ada"})
    for body in ({}, {"set_by": "Somebody else"}):
        answer = client.put(place, json={"mpp_x": 0.5, "mpp_y": 0.5} | body)
        assert answer.get_json()["mpp_set_by"] == "Ada"


def test_tokens_are_made_listed_and_revoked_by_command(settings, app, client, monkeypatch):
    monkeypatch.setenv("SENTINODE_DATA", str(settings.data))
    made = CliRunner().invoke(main, ["token", "create", " Ada "])
    assert made.exit_code == 0, made.output
    secret = made.stdout.strip()
    assert client.get(ME, headers=bearer(secret)).get_json()["name"] == "Ada"
    listed = CliRunner().invoke(main, ["token", "list"]).stdout
    assert "Ada" in listed
    assert secret not in listed
    token_id = listed.split()[0]
    assert CliRunner().invoke(main, ["token", "revoke", token_id]).exit_code == 0
    assert client.get(ME, headers=bearer(secret)).status_code == 401
    assert "revoked" in CliRunner().invoke(main, ["token", "list"]).stdout
    again = CliRunner().invoke(main, ["token", "revoke", token_id])
    assert again.exit_code == 1
    assert "token list" in again.output
    assert CliRunner().invoke(main, ["token", "create", "a\nb"]).exit_code == 1


def test_use_of_a_token_is_not_written_at_each_request(client, token, sessions):
    client.get(ME, headers=bearer(token))
    with sessions() as session:
        first = session.scalars(select(ApiToken.used_at)).one()
    client.get(ME, headers=bearer(token))
    with sessions() as session:
        assert session.scalars(select(ApiToken.used_at)).one() == first <= utc_now()
