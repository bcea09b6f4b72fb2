"""The Deep Zoom addresses, as any Deep Zoom client asks for them."""

from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from model.prediction.wsi import open_wsi
from tests.slides import make_ome, make_slide, make_svs


def test_a_client_can_fetch_the_whole_pyramid(client, slide_folder: Path, scan):
    make_svs(slide_folder / "a.svs", (1500, 1100))
    (item,) = scan()
    answer = client.get(item["dzi_url"])
    assert answer.mimetype == "application/xml"
    image = ElementTree.fromstring(answer.data)
    tile_size, overlap = int(image.attrib["TileSize"]), int(image.attrib["Overlap"])
    width, height = (int(image[0].attrib[side]) for side in ("Width", "Height"))
    assert (tile_size, overlap, width, height) == (240, 0, 1500, 1100)
    files = item["dzi_url"].removesuffix(".dzi") + "_files"
    level = (max(width, height) - 1).bit_length()
    while level >= 0:
        for column in range(-(-width // tile_size)):
            for row in range(-(-height // tile_size)):
                tile = client.get(f"{files}/{level}/{column}_{row}.jpeg")
                expected = (
                    min(tile_size, width - column * tile_size),
                    min(tile_size, height - row * tile_size),
                )
                # What is cut from a JPEG of the file is sent without a further loss.
                cut = level in (11, 9) and expected != (tile_size, tile_size)
                kind = "image/png" if cut else "image/jpeg"
                assert (tile.status_code, tile.mimetype) == (200, kind)
                assert Image.open(BytesIO(tile.data)).size == expected
        level, width, height = level - 1, -(-width // 2), -(-height // 2)


@pytest.mark.parametrize("make", [make_slide, make_ome])
def test_png_tiles_are_the_slides_own_pixels(client, slide_folder: Path, scan, make):
    path = make(slide_folder / "a.ome.tif", (700, 500))
    (item,) = scan()
    tile = client.get(f"/slides/{item['id']}_files/10/2_1.png")
    assert tile.mimetype == "image/png"
    with open_wsi(path) as wsi:
        expected = wsi.read_level(0, 512, 256, 188, 244)
    assert np.array_equal(np.asarray(Image.open(BytesIO(tile.data))), expected)


@pytest.mark.parametrize(
    "tile",
    [
        "10/3_0.jpeg",
        "10/0_2.jpeg",
        "11/0_0.jpeg",
        "0/1_0.jpeg",
        "-1/0_0.jpeg",
        "10/-1_0.jpeg",
        "10/0_0.webp",
        "10/0_0.jpg",
        "10/0_0",
        "10/00_0.jpeg",
        "10/0_0.5.jpeg",
        "10/1e1_0.jpeg",
        "99999999999999999999/0_0.jpeg",
        "10/99999999999999999999_0.jpeg",
        "x/0_0.jpeg",
    ],
)
def test_outside_the_grid_is_404(client, slide_folder: Path, scan, tile: str):
    make_slide(slide_folder / "a.tif", (700, 500))
    (item,) = scan()
    answer = client.get(f"/slides/{item['id']}_files/{tile}")
    assert answer.status_code == 404
    assert answer.get_json()["code"] in ("tile_outside_grid", "not_found")


def test_the_thumbnail_is_the_whole_slide(client, slide_folder: Path, scan):
    make_slide(slide_folder / "a.tif", (1500, 1100))
    (item,) = scan()
    picture = Image.open(BytesIO(client.get(item["thumbnail_url"]).data))
    assert picture.size == (320, 235)
    red = np.asarray(picture)[:, :, 0].astype(int)
    assert red[:, 0].mean() == pytest.approx(20, abs=6)
    assert red[:, -1].mean() == pytest.approx(220, abs=6)


def test_a_slide_smaller_than_the_thumbnail_is_not_enlarged(client, slide_folder: Path, scan):
    make_slide(slide_folder / "a.tif", (200, 150), level_factors=(1,))
    (item,) = scan()
    assert Image.open(BytesIO(client.get(item["thumbnail_url"]).data)).size == (200, 150)


def test_label_and_macro_are_not_served(client, slide_folder: Path, scan):
    make_svs(slide_folder / "a.svs")
    (item,) = scan()
    for name in ("label", "macro", "label.jpeg", "macro.jpeg", "associated/label.jpeg"):
        assert client.get(f"/slides/{item['id']}/{name}").status_code == 404


def test_an_unknown_slide_is_404(client):
    for address in (".dzi", "_files/0/0_0.jpeg", "/thumbnail.jpeg"):
        answer = client.get(f"/slides/{'0' * 20}{address}")
        assert answer.status_code == 404
        assert answer.get_json()["code"] == "slide_not_found"
