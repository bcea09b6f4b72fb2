"""A part of a slide as a picture: the right place, the right size, bounded cost."""

import tracemalloc
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.slides import GLASS, KNOWN_SQUARE, known_square_slide


@pytest.fixture
def place(slide_folder, scan):
    known_square_slide(slide_folder / "a.tif")
    return f"/api/v1/slides/{scan()[0]['id']}/regions.jpeg"


def picture(client, place, left, top, width, height, longest=200):
    answer = client.get(
        f"{place}?x_l0_px={left}&y_l0_px={top}&width_l0_px={width}&height_l0_px={height}"
        f"&longest_px={longest}"
    )
    assert answer.status_code == 200, answer.get_json()
    assert answer.mimetype == "image/jpeg"
    return np.asarray(Image.open(BytesIO(answer.data))).astype(int)


@pytest.mark.parametrize("factor", [0.5, 1, 2, 3, 4])
def test_it_shows_the_place_asked_for(client, place, factor):
    """The square's upper left corner lies in the middle of the picture, at any size."""
    side = 200 * factor
    left, top = KNOWN_SQUARE.left - side / 2, KNOWN_SQUARE.top - side / 2
    pixels = picture(client, place, left, top, side, side)
    assert pixels.shape == (200, 200, 3)
    dark = pixels[..., 1] < 130
    assert abs(dark[150].argmax() - 100) <= 1
    assert abs(dark[:, 150].argmax() - 100) <= 1


def test_the_longer_side_is_as_asked(client, place):
    assert picture(client, place, 0, 0, 400, 100, 64).shape == (16, 64, 3)


def test_beside_the_slide_it_is_white(client, place):
    pixels = picture(client, place, -200, 10, 400, 400)
    assert pixels[:, :95].min() > 250
    assert np.abs(pixels[100, 150] - GLASS).max() < 6


def test_a_region_far_larger_than_the_slide_costs_no_more_than_its_picture(client, place):
    tracemalloc.start()
    pixels = picture(client, place, 0, 0, 1e7, 1e7, 32)
    assert tracemalloc.get_traced_memory()[1] < 30e6
    tracemalloc.stop()
    assert pixels.shape == (32, 32, 3)
    assert picture(client, place, 1e6, 1e6, 500, 500).min() > 250


def test_it_is_kept_by_its_etag(client, place):
    address = f"{place}?x_l0_px=0&y_l0_px=0&width_l0_px=50&height_l0_px=50"
    first = client.get(address)
    again = client.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    other = client.get(address.replace("x_l0_px=0", "x_l0_px=1"))
    assert other.headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize(
    "query", ["", "x_l0_px=0", "x_l0_px=0&y_l0_px=0&width_l0_px=0&height_l0_px=5"]
)
def test_nonsense_is_refused(client, place, query):
    assert client.get(f"{place}?{query}").status_code == 400
