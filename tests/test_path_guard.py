"""Nothing outside the slide folders can be reached, and no path is ever told."""

import json
import logging
import os
from pathlib import Path

import pytest

from tests.slides import make_slide
from viewer.db import writing
from viewer.errors import SlideChanged
from viewer.records import Slide
from viewer.slides.files import OutsideFolder, guarded
from viewer.slides.library import slide_path

TRAVERSALS = [
    "../secret.svs",
    "..%2fsecret.svs",
    "..%252fsecret.svs",
    "%2e%2e/secret.svs",
    "....//secret.svs",
    "..%5csecret.svs",
    "%2fetc%2fpasswd",
    "/etc/passwd",
    "a.tif%00",
    "a.tif",
    "%00",
    "%ff%fe",
]


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    return make_slide(tmp_path / "secret.svs", (400, 300))


@pytest.mark.parametrize(
    "address",
    [
        "/slides/{}",
        "/slides/{}.dzi",
        "/slides/{}_files/0/0_0.jpeg",
        "/slides/{}/thumbnail.jpeg",
        "/api/v1/slides/{}",
        "/vendor/leaflet/{}",
        "/static/{}",
    ],
)
def test_an_address_never_leads_to_a_file(client, slide_folder, secret, scan, address):
    make_slide(slide_folder / "a.tif")
    scan()
    for name in TRAVERSALS:
        answer = client.get(address.format(name), headers={"Accept": "application/json"})
        assert answer.status_code in (404, 308), (name, answer.data)
        assert str(slide_folder.parent).encode() not in answer.data


def test_a_link_out_of_the_folder_is_listed_and_refused(client, slide_folder, secret, scan):
    (slide_folder / "link.svs").symlink_to(secret)
    (item,) = scan()
    assert (item["name"], item["state"]) == ("link.svs", "unreadable")
    assert "outside the slide folder" in item["problem"]["reason"]
    answer = client.get(f"/slides/{item['id']}_files/0/0_0.jpeg")
    assert answer.status_code == 422
    assert client.get(f"/slides/{item['id']}/thumbnail.jpeg").status_code == 422


def test_a_linked_folder_outside_is_listed_and_not_entered(slide_folder, tmp_path, scan):
    (tmp_path / "outside").mkdir()
    make_slide(tmp_path / "outside" / "secret.svs")
    (slide_folder / "linked").symlink_to(tmp_path / "outside")
    (item,) = scan()
    assert (item["name"], item["state"]) == ("linked", "unreadable")


def test_a_link_that_leads_in_circles_does_no_harm(slide_folder: Path, scan):
    make_slide(slide_folder / "a.tif")
    (slide_folder / "again").symlink_to(slide_folder)
    (slide_folder / "self.svs").symlink_to("self.svs")
    items = {item["name"]: item["state"] for item in scan()}
    assert items == {"a.tif": "unanalysed", "self.svs": "unreadable"}


def test_the_slide_folder_itself_may_be_a_link(tmp_path, sessions, settings, client, scan):
    settings.slides[0].rmdir()
    (tmp_path / "real").mkdir()
    make_slide(tmp_path / "real" / "a.tif")
    settings.slides[0].symlink_to(tmp_path / "real")
    (item,) = scan()
    assert item["problem"] is None
    assert client.get(item["thumbnail_url"]).status_code == 200


@pytest.mark.parametrize(
    "relative_path", ["../secret.svs", "sub/../../secret.svs", "/etc/hostname", "a\0b", "link.svs"]
)
def test_rows_cannot_lead_out_of_the_folder(slide_folder: Path, secret, relative_path: str):
    (slide_folder / "sub").mkdir()
    (slide_folder / "link.svs").symlink_to(secret)
    with pytest.raises(OutsideFolder):
        guarded(slide_folder, relative_path)


def test_a_neighbour_whose_name_begins_alike_is_outside(slide_folder: Path):
    neighbour = slide_folder.with_name(slide_folder.name + "-2")
    neighbour.mkdir()
    (neighbour / "a.tif").write_bytes(b"")
    with pytest.raises(OutsideFolder):
        guarded(slide_folder, f"../{neighbour.name}/a.tif")


def test_a_file_replaced_by_a_link_outwards_is_refused(
    client, slide_folder, secret, scan, sessions, settings
):
    path = make_slide(slide_folder / "a.tif")
    (item,) = scan()
    path.unlink()
    path.symlink_to(secret)
    assert client.get(item["thumbnail_url"]).status_code == 410
    with sessions() as session, pytest.raises(SlideChanged):
        slide_path(session, settings, item["id"])


def test_a_forged_row_is_refused(client, slide_folder, secret, scan, sessions):
    make_slide(slide_folder / "a.tif")
    (item,) = scan()
    with writing(sessions) as session:
        session.get(Slide, item["id"]).relative_path = "../secret.svs"
    assert client.get(item["thumbnail_url"]).status_code == 410


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_instead_of_waited_for(slide_folder: Path, scan):
    os.mkfifo(slide_folder / "pipe.svs")
    (item,) = scan()
    assert item["problem"]["reason"] == "This is not a regular file."


def test_a_name_that_is_not_utf8_is_listed_and_refused(slide_folder: Path, scan):
    path = make_slide(slide_folder / "a.tif")
    try:
        os.rename(path, os.fsencode(slide_folder) + b"/M\xfcller.tif")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    (item,) = scan()
    assert item["name"] == "M�ller.tif"
    assert "UTF-8" in item["problem"]["reason"]


def test_no_path_in_any_answer(client, slide_folder: Path, tmp_path: Path, scan):
    (slide_folder / "ward-7").mkdir()
    make_slide(slide_folder / "ward-7" / "a.tif")
    (slide_folder / "ward-7" / "bad.svs").write_bytes(b"text")
    texts = [json.dumps(scan()), client.get("/api/v1/slides").get_data(as_text=True)]
    for item in scan():
        texts.append(client.get(f"/api/v1/slides/{item['id']}").get_data(as_text=True))
        texts.append(client.get(f"/slides/{item['id']}.dzi").get_data(as_text=True))
    for text in texts:
        assert str(tmp_path) not in text
        assert "ward-7" not in text


def test_logs_hide_paths_even_in_tracebacks(app, client, slide_folder: Path, capsys):
    app.testing = False
    path = slide_folder / "Müller, Anna.svs"

    @app.get("/fails")
    def fails() -> None:
        raise OSError(2, "No such file", str(path))

    assert client.get("/fails").status_code == 500
    logging.getLogger("viewer.somewhere").warning("about %s\nnext line", path)
    log = capsys.readouterr().err
    assert "Traceback" in log
    assert "next line" in log
    assert "[path hidden]" in log
    assert "Anna" not in log
    assert str(slide_folder) not in log
