"""Levels, grids and tiles of the Deep Zoom pyramid, without a picture."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewer.errors import TileOutsideGrid
from viewer.slides.deepzoom import DeepZoom

sizes = st.integers(1, 300_000)
tile_sizes = st.sampled_from([240, 256, 512, 1024])


def test_levels_go_from_one_pixel_to_full_size():
    zoom = DeepZoom(1500, 1100, 256)
    assert zoom.level_count == 12  # ceil(log2(1500)) + 1
    assert zoom.level_sizes_dz_px[0] == (1, 1)
    assert zoom.level_sizes_dz_px[-3:] == ((375, 275), (750, 550), (1500, 1100))


@pytest.mark.parametrize(
    ("size", "level_count"), [(1, 1), (2, 2), (3, 3), (4, 3), (256, 9), (257, 10), (65536, 17)]
)
def test_level_count_is_ceil_log2_plus_one(size, level_count):
    assert DeepZoom(size, 1, 256).level_count == level_count


def test_odd_sizes_round_up():
    assert DeepZoom(5, 3, 256).level_sizes_dz_px == ((1, 1), (2, 1), (3, 2), (5, 3))


@given(width=sizes, height=sizes)
def test_a_level_covers_the_slide_with_less_than_a_pixel_to_spare(width, height):
    zoom = DeepZoom(width, height, 256)
    for level, (width_dz_px, height_dz_px) in enumerate(zoom.level_sizes_dz_px):
        step = zoom.step_l0_px(level)
        assert 0 <= width_dz_px * step - width < step
        assert 0 <= height_dz_px * step - height < step


@given(width=st.integers(1, 5000), height=st.integers(1, 5000), tile_size=tile_sizes)
def test_tiles_cover_each_level_without_gap_or_overlap(width, height, tile_size):
    zoom = DeepZoom(width, height, tile_size)
    for level, size_dz_px in enumerate(zoom.level_sizes_dz_px):
        columns, rows = zoom.grid(level)
        right = bottom = 0
        for column in range(columns):
            x_dz_px, _, width_t_px, _ = zoom.tile_box_dz_px((level, column, 0))
            assert x_dz_px == right
            assert 1 <= width_t_px <= tile_size
            right += width_t_px
        for row in range(rows):
            _, y_dz_px, _, height_t_px = zoom.tile_box_dz_px((level, 0, row))
            assert y_dz_px == bottom
            assert 1 <= height_t_px <= tile_size
            bottom += height_t_px
        assert (right, bottom) == size_dz_px


@pytest.mark.parametrize(
    "address", [(-1, 0, 0), (12, 0, 0), (11, 6, 0), (11, 0, 5), (11, -1, 0), (0, 0, 1)]
)
def test_outside_the_grid_there_is_no_tile(address):
    with pytest.raises(TileOutsideGrid):
        DeepZoom(1500, 1100, 256).tile_box_dz_px(address)


@pytest.mark.parametrize(
    ("native", "used"),
    [(None, 256), (64, 256), (128, 128), (240, 240), (512, 512), (1024, 1024), (4096, 256)],
)
def test_the_tiles_are_the_slides_own_where_these_are_handy(native, used):
    assert DeepZoom.of_slide(5000, 4000, native).tile_size_px == used


def test_the_descriptor_follows_the_schema():
    image = ElementTree.fromstring(DeepZoom(1500, 1100, 240).descriptor())
    namespace = "{http://schemas.microsoft.com/deepzoom/2008}"
    assert image.tag == f"{namespace}Image"
    assert image.attrib == {"TileSize": "240", "Overlap": "0", "Format": "jpeg"}
    assert image.find(f"{namespace}Size").attrib == {"Width": "1500", "Height": "1100"}
