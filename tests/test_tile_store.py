"""Costly tiles are made once, kept on disk within a budget, and made again when they are gone."""

import os
from pathlib import Path

import pytest

from tests.jpeg_slides import make_jpeg_slide, tissue
from viewer import create_app
from viewer.services import EXTENSION
from viewer.slides import tile_store
from viewer.slides.jpeg_tiles import JpegTiles
from viewer.slides.tile_store import TileStore

SIZE = (1601, 1203)
JPEG = b"\xff\xd8" + b"x" * 96 + b"\xff\xd9"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def slide(slide_folder: Path, scan) -> dict:
    make_jpeg_slide(slide_folder / "a.tif", SIZE, level_factors=(1,), draw=tissue(SIZE))
    return scan()[0]


def coarse(slide: dict, level: int = 8) -> str:
    return f"/slides/{slide['id']}_files/{level}/0_0.jpeg"


def test_after_a_restart_nothing_is_decoded_again(client, slide, settings, monkeypatch):
    tile, thumbnail = client.get(coarse(slide)).data, client.get(slide["thumbnail_url"]).data

    def fail(*_: object) -> None:
        raise AssertionError("a tile of the file was decoded")

    again = create_app(settings)
    client = again.test_client()
    client.get(f"/slides/{slide['id']}_files/11/0_0.jpeg")  # opening looks at a tile of its own
    monkeypatch.setattr(JpegTiles, "pixels", fail)
    assert client.get(coarse(slide)).data == tile
    assert client.get(slide["thumbnail_url"]).data == thumbnail
    assert client.get(coarse(slide, 7)).status_code == 200  # made of the ones that are kept
    again.extensions[EXTENSION].images.close()
    again.extensions[EXTENSION].engine.dispose()


def test_the_coarsest_tile_decodes_each_tile_of_the_file_once(client, slide, monkeypatch):
    decoded = []
    pixels = JpegTiles.pixels

    def noting(self, level, column, row, shrink=1):
        decoded.append((column, row))
        return pixels(self, level, column, row, shrink)

    client.get(f"/slides/{slide['id']}_files/11/0_0.jpeg")
    monkeypatch.setattr(JpegTiles, "pixels", noting)
    client.get(coarse(slide, 0))
    client.get(slide["thumbnail_url"])
    assert sorted(decoded) == sorted({(column, row) for column in range(7) for row in range(5)})


def test_fine_tiles_are_not_kept_on_disk(client, slide, settings):
    client.get(coarse(slide, 11))
    client.get(coarse(slide, 10))
    assert names(settings.tiles) == []
    client.get(coarse(slide, 9))
    assert names(settings.tiles) == ["9_0_0.jpg"]


def test_another_version_of_a_slide_has_tiles_of_its_own(
    client, slide, settings, slide_folder, scan
):
    client.get(coarse(slide))
    os.utime(slide_folder / "a.tif", (1, 1))
    (slide,) = scan()
    client.get(coarse(slide))
    assert names(settings.tiles).count("8_0_0.jpg") == 2


def test_without_a_budget_nothing_is_kept(tmp_path: Path):
    store = TileStore(tmp_path / "tiles", 0)
    store.write(("v1", "a"), JPEG)
    assert store.read(("v1", "a")) is None
    assert not (tmp_path / "tiles").exists()


def test_the_least_recently_used_tiles_go_when_the_budget_is_spent(tmp_path: Path):
    store = TileStore(tmp_path, 1000)
    for number in range(10):
        store.write(("v1", f"{number}"), JPEG)
        used_at = 1_000_000 + number
        os.utime(next(tmp_path.rglob(f"{number}.jpg")), (used_at, used_at))
    assert store.read(("v1", "0")) == JPEG  # notes its use
    store.write(("v2", "new"), JPEG)
    assert names(tmp_path) == ["0.jpg", *(f"{number}.jpg" for number in range(3, 10)), "new.jpg"]
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.jpg")) <= 1000


def test_what_lay_there_before_counts(tmp_path: Path):
    for number in range(10):
        TileStore(tmp_path, 10_000).write(("v1", f"{number}"), JPEG)
    TileStore(tmp_path, 500).write(("v1", "new"), JPEG)
    assert len(names(tmp_path)) <= 5


def test_half_a_tile_is_none(tmp_path: Path):
    store = TileStore(tmp_path, 1000)
    store.write(("v1", "a"), JPEG)
    next(tmp_path.rglob("a.jpg")).write_bytes(JPEG[:50])
    assert store.read(("v1", "a")) is None


def test_a_disk_that_takes_nothing_costs_no_tile(client, slide, settings, capsys):
    settings.tiles.parent.mkdir(parents=True, exist_ok=True)
    settings.tiles.write_bytes(b"a file where the folder should be")
    assert client.get(coarse(slide)).status_code == 200
    assert "cannot be kept on disk" in capsys.readouterr().err
    settings.tiles.unlink()


def test_use_is_noted_once_an_hour(tmp_path: Path):
    store = TileStore(tmp_path, 1000)
    store.write(("v1", "a"), JPEG)
    path = next(tmp_path.rglob("a.jpg"))
    just_now = path.stat().st_mtime - tile_store.USE_NOTED_S / 2
    os.utime(path, (just_now, just_now))
    store.read(("v1", "a"))
    assert path.stat().st_mtime == just_now
