"""Colours are shown as the scanner's profile means them; nothing else is changed."""

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from model.prediction.wsi import open_wsi
from tests.slides import make_slide, make_svs

RED = (200, 30, 40)


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """sRGB with the meanings of red and blue exchanged: what is stored as red is blue light."""
    profile = bytearray(srgb_profile())
    (count,) = struct.unpack_from(">I", profile, 128)
    for entry in range(132, 132 + 12 * count, 12):
        name = bytes(profile[entry : entry + 4])
        profile[entry : entry + 4] = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}.get(name, name)
    return bytes(profile)


def plain(x, y):
    return np.broadcast_to(RED, (y.shape[0], x.shape[1], 3))


def shown(client, item, address: str = "_files/9/0_0.png") -> tuple[int, int, int]:
    answer = client.get(f"/slides/{item['id']}{address}")
    picture = np.asarray(Image.open(BytesIO(answer.data)).convert("RGB"))
    return tuple(picture[100, 100].tolist())


@pytest.mark.parametrize("address", ["_files/9/0_0.png", "_files/9/0_0.jpeg", "/thumbnail.jpeg"])
def test_display_colours_follow_the_profile(client, slide_folder: Path, scan, address: str):
    make_slide(slide_folder / "a.tif", (500, 400), icc=swapped_profile(), draw=plain)
    (item,) = scan()
    red, green, blue = shown(client, item, address)
    assert blue > 180 > 60 > red
    assert green < 60
    assert item["warnings"] == []


def test_the_model_sees_raw_pixels(slide_folder: Path):
    path = make_slide(slide_folder / "a.tif", (500, 400), icc=swapped_profile(), draw=plain)
    with open_wsi(path) as wsi:
        assert wsi.icc_profile == swapped_profile()
        assert wsi.read_level(0, 100, 100, 1, 1)[0, 0].tolist() == list(RED)


def test_an_srgb_profile_changes_nothing(client, slide_folder: Path, scan):
    make_slide(slide_folder / "a.tif", (500, 400), icc=srgb_profile(), draw=plain)
    (item,) = scan()
    assert np.abs(np.subtract(shown(client, item), RED)).max() <= 1


def test_without_a_profile_colours_are_left_alone(client, slide_folder: Path, scan):
    make_slide(slide_folder / "a.tif", (500, 400), draw=plain)
    (item,) = scan()
    assert shown(client, item) == RED
    assert item["warnings"] == []


@pytest.mark.parametrize("profile", [b"no profile at all" * 20, srgb_profile()[:300]])
def test_a_bad_profile_is_a_warning_not_an_error(client, slide_folder: Path, scan, profile):
    make_slide(slide_folder / "a.tif", (500, 400), icc=profile, draw=plain)
    (item,) = scan()
    assert (item["state"], item["problem"]) == ("unanalysed", None)
    assert "colour profile" in item["warnings"][0]["text"]
    assert shown(client, item) == RED


def test_an_aperio_slide_with_a_profile(client, slide_folder: Path, scan):
    make_svs(slide_folder / "a.svs", (500, 400), icc=swapped_profile(), draw=plain)
    (item,) = scan()
    red, _, blue = shown(client, item)
    assert blue > 150 > 80 > red
