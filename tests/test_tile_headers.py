"""What browsers may keep, and when they must ask again."""

import os
from pathlib import Path

import pytest

from tests.slides import make_slide
from viewer import create_app
from viewer.services import EXTENSION


@pytest.fixture
def slide(slide_folder: Path, scan) -> dict:
    make_slide(slide_folder / "a.tif", (700, 500))
    return scan()[0]


def tile_of(slide: dict, tile: str = "10/0_0.jpeg") -> str:
    return f"/slides/{slide['id']}_files/{tile}"


@pytest.mark.parametrize("what", ["tile", "thumbnail"])
def test_pictures_are_kept_long_and_privately(client, slide, what):
    address = tile_of(slide) if what == "tile" else slide["thumbnail_url"]
    cache = client.get(address).cache_control
    assert cache.private
    assert cache.max_age >= 24 * 3600
    assert not cache.public


def test_the_descriptor_is_asked_for_again(client, slide):
    answer = client.get(slide["dzi_url"])
    assert answer.cache_control.no_cache
    assert answer.get_etag()[0]


def test_a_browser_that_has_it_gets_304_without_a_body(client, slide):
    for address in (tile_of(slide), slide["thumbnail_url"], slide["dzi_url"]):
        first = client.get(address)
        etag, weak = first.get_etag()
        assert not weak
        again = client.get(address, headers={"If-None-Match": f'"{etag}"'})
        assert (again.status_code, again.data) == (304, b"")
        assert again.get_etag() == (etag, False)
        assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
        other = client.get(address, headers={"If-None-Match": '"something-else"'})
        assert (other.status_code, other.data) == (200, first.data)


def test_a_304_opens_no_slide(app, client, slide):
    etag = client.get(tile_of(slide)).headers["ETag"]
    pool = app.extensions[EXTENSION].images.pool
    pool.close()
    assert client.get(tile_of(slide), headers={"If-None-Match": etag}).status_code == 304
    assert len(pool) == 0


def test_etags_of_different_pictures_differ(client, slide):
    addresses = [tile_of(slide, name) for name in ("10/0_0.jpeg", "10/1_0.jpeg", "10/0_0.png")]
    addresses += [tile_of(slide, "9/0_0.jpeg"), slide["thumbnail_url"], slide["dzi_url"]]
    etags = {client.get(address).headers["ETag"] for address in addresses}
    assert len(etags) == len(addresses)


def test_the_etag_changes_with_the_file(client, slide, slide_folder: Path, scan):
    before = client.get(tile_of(slide)).headers["ETag"]
    os.utime(slide_folder / "a.tif", (1, 1))
    scan()
    assert client.get(tile_of(slide)).headers["ETag"] != before


def test_the_etag_changes_with_the_quality(client, slide, settings):
    other = create_app(settings.model_copy(update={"jpeg_quality": 50}))
    etags = {app.get(tile_of(slide)).headers["ETag"] for app in (client, other.test_client())}
    assert len(etags) == 2
    other.extensions[EXTENSION].images.close()
    other.extensions[EXTENSION].engine.dispose()


@pytest.mark.parametrize("how", ["replaced", "removed"])
def test_a_file_that_is_not_the_one_listed_is_410(client, slide, slide_folder: Path, how):
    etag = client.get(tile_of(slide)).headers["ETag"]
    path = slide_folder / "a.tif"
    path.unlink()
    if how == "replaced":
        make_slide(path, (700, 500), draw=lambda x, y: (x + 0 * y)[..., None] % 250 + [0, 1, 2])
    answer = client.get(tile_of(slide), headers={"If-None-Match": etag})
    assert answer.status_code == 410
    assert answer.cache_control.no_store
    error = answer.get_json()
    assert error["code"] == "slide_changed"
    assert "worklist" in error["hint"]


def test_after_a_replacement_the_new_slide_shows_the_new_picture(
    client, slide, slide_folder: Path, scan
):
    client.get(tile_of(slide))
    (slide_folder / "a.tif").unlink()
    make_slide(slide_folder / "a.tif", (600, 400))
    (new,) = scan()
    assert client.get(new["thumbnail_url"]).status_code == 200
    assert client.get(tile_of(slide)).status_code == 404
