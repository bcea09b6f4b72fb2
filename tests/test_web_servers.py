"""Both web servers serve pages and tiles from the socket that `serve` opened, and end with it."""

import json
import signal
import urllib.error
import urllib.request

import pytest

from tests.engine_room import wait_until
from tests.jpeg_slides import make_jpeg_slide, tissue
from tests.processes import alive, serve

SIZE = (600, 500)


@pytest.fixture(params=["gunicorn", "granian"])
def served(request, settings, slide_folder, tmp_path, monkeypatch):
    make_jpeg_slide(slide_folder / "a.tif", SIZE, draw=tissue(SIZE))
    monkeypatch.setenv("SENTINODE_WEB_SERVER", request.param)
    settings = settings.model_copy(update={"models": (tmp_path / "none",)})
    with serve(settings, tmp_path / "log") as running:
        yield running


def get(url, **headers):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def test_pages_tiles_and_errors(served):
    assert get(f"{served.url}/")[0] == 200
    slides = f"{served.url}/api/v1/slides"
    assert wait_until(lambda: json.loads(get(slides)[2])["items"])
    (item,) = json.loads(get(slides)[2])["items"]
    tile = served.url + item["dzi_url"].removesuffix(".dzi") + "_files/10/0_0.jpeg"
    status, headers, body = get(tile)
    assert (status, headers["Content-Type"], body[:2]) == (200, "image/jpeg", b"\xff\xd8")
    assert "immutable" in headers["Cache-Control"]
    assert get(tile, **{"If-None-Match": headers["ETag"]})[0] == 304
    assert get(tile, Host="evil.example")[0] == 403
    assert get(tile.replace("10/0_0", "10/9_9"))[0] == 404
    assert json.loads(get(f"{served.url}/healthz")[2])["database"] == "ok"


def test_sigterm_and_sigkill_leave_nothing_behind(served):
    started = served.tree()
    served.send(signal.SIGKILL)
    assert wait_until(lambda: not alive(started))
