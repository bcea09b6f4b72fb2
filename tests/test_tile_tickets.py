"""Addresses with a signed ticket: the short way to tiles, under the rules of the long one."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.jpeg_slides import make_jpeg_slide, tissue
from tests.slides import make_slide
from viewer.services import EXTENSION
from viewer.slides import images as slide_images
from viewer.web import tickets

SIZE = (800, 600)


@pytest.fixture
def slide(slide_folder: Path, scan) -> dict:
    make_jpeg_slide(slide_folder / "a.tif", SIZE, draw=tissue(SIZE))
    return scan()[0]


def short(slide: dict, tile: str = "10/1_1.jpeg") -> str:
    return slide["dzi_url"].removesuffix(".dzi") + "_files/" + tile


def plain(slide: dict, tile: str = "10/1_1.jpeg") -> str:
    return f"/slides/{slide['id']}_files/{tile}"


@pytest.fixture
def flask_calls(app) -> list[str]:
    """The addresses that got through to Flask."""
    calls: list[str] = []
    path = app.wsgi_app
    inner = path._app

    def noting(environ, start_response):
        calls.append(environ["PATH_INFO"])
        return inner(environ, start_response)

    path._app = noting
    return calls


def test_the_slides_address_carries_a_ticket_and_works(client, slide):
    assert tickets._PARTS.search(slide["dzi_url"])
    assert client.get(slide["dzi_url"]).data == client.get(f"/slides/{slide['id']}.dzi").data


@pytest.mark.parametrize(
    "tile", ["10/1_1.jpeg", "10/3_2.jpeg", "9/0_0.jpeg", "5/0_0.jpeg", "10/1_1.png"]
)
def test_both_ways_give_the_same(client, slide, flask_calls, tile: str):
    one = client.get(short(slide, tile))
    assert flask_calls == []
    other = client.get(plain(slide, tile))
    assert flask_calls == [plain(slide, tile)]
    assert (one.status_code, one.data, one.mimetype) == (200, other.data, other.mimetype)
    assert one.get_etag() == other.get_etag()
    ours = {name: text for name, text in one.headers.items() if name != "Cache-Control"}
    assert ours.items() <= dict(other.headers).items()


def test_what_it_shows_never_changes_so_it_is_kept_for_ever(client, slide):
    cache = client.get(short(slide)).cache_control
    assert cache.private
    assert cache.max_age == 31_536_000
    assert cache.immutable


def test_a_browser_that_has_it_gets_304(client, slide, flask_calls):
    first = client.get(short(slide))
    again = client.get(short(slide), headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data, flask_calls) == (304, b"", [])
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["X-Content-Type-Options"] == "nosniff"


def test_no_query_after_the_first_tile(app, client, slide):
    client.get(short(slide))
    app.extensions[EXTENSION].engine.dispose()
    images = app.extensions[EXTENSION].images
    images._files.clear()
    images._sessions = None  # who asks the database now fails
    assert client.get(short(slide, "10/0_0.jpeg")).status_code == 200


def test_head_has_no_body(client, slide):
    answer = client.head(short(slide))
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.content_length == len(client.get(short(slide)).data)


def test_other_host_names_are_refused(client, slide):
    client.get(short(slide))
    answer = client.get(short(slide), headers={"Host": "evil.example"})
    assert answer.status_code == 403


@pytest.mark.parametrize("place", ["signature", "day", "version", "slide"])
def test_a_forged_ticket_is_refused(client, slide, slide_folder, scan, place: str):
    address = short(slide)
    _, version, day, rest = address.split(".", 3)
    match place:
        case "signature":
            forged = address.replace(rest[:1], "A" if rest[0] != "A" else "B", 1)
            forged = f"/slides/{slide['id']}.{version}.{day}.{'A' * 43}_files/10/1_1.jpeg"
        case "day":
            forged = address.replace(f".{day}.", f".{int(day) + 1}.")
        case "version":
            forged = address.replace(version, "0" * 16)
        case _:
            make_slide(slide_folder / "b.tif", (900, 700))
            (other,) = [item for item in scan() if item["id"] != slide["id"]]
            forged = address.replace(slide["id"], other["id"])
    answer = client.get(forged, headers={"Accept": "application/json"})
    assert answer.status_code == 403
    assert answer.get_json()["code"] == "ticket_invalid"


def test_a_ticket_of_another_installation_is_refused(client, slide, settings, tmp_path):
    other = settings.model_copy(update={"data": tmp_path / "other"})
    version = slide["dzi_url"].split(".")[1]
    ticket = tickets.issue(other, "slide", slide["id"], version)
    assert client.get(f"/slides/{slide['id']}.{ticket}.dzi").status_code == 403


def test_a_ticket_for_a_heat_map_opens_no_slide(client, slide, settings):
    ticket = tickets.issue(settings, "heatmap", slide["id"], slide["dzi_url"].split(".")[1])
    assert client.get(f"/slides/{slide['id']}.{ticket}.dzi").status_code == 403


def test_when_its_time_is_over_the_rules_are_asked_again(client, slide, flask_calls, monkeypatch):
    address = short(slide)
    assert client.get(address).status_code == 200
    later = tickets.time.time() + 3 * tickets.DAY_S
    monkeypatch.setattr(tickets.time, "time", lambda: later)
    assert client.get(address).status_code == 200
    assert flask_calls == [address]


def test_it_is_the_same_all_day(settings, monkeypatch):
    monkeypatch.setattr(tickets.time, "time", lambda: 20_000 * tickets.DAY_S + 5.0)
    early = tickets.issue(settings, "slide", "a", "0")
    monkeypatch.setattr(tickets.time, "time", lambda: 20_001 * tickets.DAY_S - 5.0)
    assert tickets.issue(settings, "slide", "a", "0") == early
    monkeypatch.setattr(tickets.time, "time", lambda: 20_001 * tickets.DAY_S + 5.0)
    assert not tickets.read(settings, "slide", "a", early).is_over
    monkeypatch.setattr(tickets.time, "time", lambda: 20_002 * tickets.DAY_S + 5.0)
    assert tickets.read(settings, "slide", "a", early).is_over


@pytest.mark.parametrize("how", ["replaced", "removed"])
def test_a_file_that_is_not_the_one_listed_is_410(client, slide, slide_folder: Path, how: str):
    assert client.get(short(slide)).status_code == 200
    path = slide_folder / "a.tif"
    path.unlink()
    if how == "replaced":
        make_jpeg_slide(path, SIZE, draw=tissue(SIZE, seed=2))
    answer = client.get(short(slide))
    assert answer.status_code == 410
    assert answer.get_json()["code"] == "slide_changed"


def test_a_slide_that_moved_within_the_folders_goes_on(client, slide, slide_folder, scan):
    client.get(short(slide))
    (slide_folder / "a.tif").rename(slide_folder / "b.tif")
    scan()
    assert client.get(short(slide)).status_code == 200


def test_a_slide_listed_anew_has_another_address(client, slide, slide_folder, scan, monkeypatch):
    monkeypatch.setattr(slide_images, "RENDERING", "next")
    slide_images.version.cache_clear()
    try:
        (now,) = scan()
        assert now["dzi_url"] != slide["dzi_url"]
        assert client.get(short(slide)).status_code == 410
        assert client.get(short(now)).status_code == 200
    finally:
        slide_images.version.cache_clear()


@pytest.mark.parametrize("tile", ["10/4_0.jpeg", "11/0_0.jpeg", "10/0_0.webp", "10/00_0.jpeg"])
def test_outside_the_grid_is_404(client, slide, tile: str):
    assert client.get(short(slide, tile)).status_code == 404


def test_the_picture_is_the_slides(client, slide):
    pixels = np.asarray(Image.open(BytesIO(client.get(short(slide)).data)))
    off = pixels.astype(int) - tissue(SIZE)[256:512, 256:512]
    assert np.abs(off).mean() < 15
