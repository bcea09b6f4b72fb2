"""What a reader says about a slide: reader, levels, resolution, bounds, colours."""

from pathlib import Path

import numpy as np
import openslide
import pytest
from PIL import ImageCms

from model.prediction.slide import level_factors
from model.prediction.wsi import Mpp, looks_like_slide, open_wsi
from tests import slides


def test_generic_tiff_has_its_levels_and_resolution(tmp_path: Path) -> None:
    path = slides.make_slide(tmp_path / "s.tif", (1501, 1101), level_factors=(1, 2, 4))
    with open_wsi(path) as wsi:
        assert (wsi.reader, wsi.vendor) == ("openslide", "generic-tiff")
        assert wsi.size_l0_px == (1501, 1101)
        assert wsi.level_sizes_px == ((1501, 1101), (751, 551), (376, 276))
        assert wsi.level_downsamples == ((1, 1), (2, 2), (4, 4))
        assert wsi.mpp == Mpp(0.25, 0.25)
        assert wsi.tile_size_px == 256
        assert wsi.objective_power is None


def test_aperio_states_resolution_and_power_and_shows_no_label(tmp_path: Path) -> None:
    path = slides.make_svs(tmp_path / "s.svs")
    with open_wsi(path) as wsi:
        assert wsi.vendor == "aperio"
        assert wsi.mpp == Mpp(0.499, 0.499)
        assert wsi.objective_power == 20
        assert wsi.tile_size_px == 240
        assert not [name for name in dir(wsi) if "associated" in name or "label" in name]
    assert set(openslide.OpenSlide(path).associated_images) == {"thumbnail", "label", "macro"}


def test_non_square_resolution_is_kept_per_axis(tmp_path: Path) -> None:
    with open_wsi(slides.make_slide(tmp_path / "s.tif", mpp=(0.25, 0.5))) as wsi:
        assert wsi.mpp == Mpp(0.25, 0.5)


@pytest.mark.parametrize("mpp", [None, 25_400 / 72, 25_400 / 96, 25_400 / 300, 0.01])
def test_a_resolution_no_slide_has_is_unknown(tmp_path: Path, mpp: float | None) -> None:
    with open_wsi(slides.make_slide(tmp_path / "s.tif", mpp=mpp)) as wsi:
        assert wsi.mpp is None


def test_resolution_is_never_derived_from_the_objective(tmp_path: Path) -> None:
    with open_wsi(slides.make_svs(tmp_path / "s.svs", mpp=None, objective_power=40)) as wsi:
        assert wsi.objective_power == 40
        assert wsi.mpp is None


def test_bounds_are_the_origin(tmp_path: Path) -> None:
    path = slides.make_scn(tmp_path / "s.scn", (1200, 900), offset_l0_px=(700, 333))
    assert openslide.OpenSlide(path).properties["openslide.bounds-y"] == "333"
    with open_wsi(path) as wsi:
        assert wsi.vendor == "leica"
        assert wsi.bounds_offset_l0_px == (700, 333)
        assert wsi.size_l0_px == (1200, 900)
        assert wsi.level_sizes_px == ((1200, 900), (300, 225))
        assert wsi.level_downsamples == ((1, 1), (4, 4))
        assert wsi.objective_power == 20


@pytest.mark.parametrize("make", [slides.make_ome, slides.make_flat])
def test_what_openslide_cannot_show_large_image_reads(tmp_path: Path, make: slides.Maker) -> None:
    square = slides.Square(600, 300, 900, 500)
    path = make(tmp_path / "s.ome.tif", (1501, 1101), draw=slides.square_on_glass(square))
    with open_wsi(path) as wsi:
        assert wsi.reader == "large-image"
        assert wsi.size_l0_px == (1501, 1101)
        assert wsi.mpp == Mpp(0.5, 0.5)
        pixels = wsi.read_level(0, 500, 200, 500, 400)
        assert np.array_equal(
            pixels,
            slides.draw_pixels(slides.square_on_glass(square), wsi.size_l0_px)[200:600, 500:1000],
        )


def test_levels_of_an_ome_tiff_are_used(tmp_path: Path) -> None:
    with open_wsi(slides.make_ome(tmp_path / "s.ome.tif", level_factors=(1, 2, 4))) as wsi:
        assert wsi.level_downsamples == ((1, 1), (2, 2), (4, 4))


@pytest.mark.parametrize("make", [slides.make_slide, slides.make_ome])
def test_outside_the_slide_is_background(tmp_path: Path, make: slides.Maker) -> None:
    with open_wsi(make(tmp_path / "s.tif", (700, 500))) as wsi:
        pixels = wsi.read_level(0, -20, 480, 60, 40)
        assert (pixels[:, :20] == 255).all()
        assert (pixels[20:] == 255).all()
        assert (pixels[:20, 20:] != 255).any(axis=2).all()


def test_colours_stay_raw_and_the_profile_is_handed_out(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for make in (slides.make_slide, slides.make_flat):
        path = make(tmp_path / "s.tif", (300, 200), icc=profile)
        with open_wsi(path) as wsi:
            assert wsi.icc_profile == profile
            expected = slides.draw_pixels(slides.ramp((300, 200)), (300, 200))
            assert np.array_equal(wsi.read_level(0, 0, 0, 300, 200), expected)


def test_a_damaged_profile_is_no_obstacle(tmp_path: Path) -> None:
    path = slides.make_slide(tmp_path / "s.tif", (300, 200), icc=b"damaged" * 30)
    with open_wsi(path) as wsi:
        assert wsi.icc_profile == b""


def test_one_cache_serves_many_slides(tmp_path: Path) -> None:
    cache = openslide.OpenSlideCache(8 * 1024 * 1024)
    for name in ("a.tif", "b.tif"):
        with open_wsi(slides.make_slide(tmp_path / name), cache) as wsi:
            assert wsi.read_level(0, 0, 0, 64, 64).shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("full", "level", "factors"),
    [
        ((1001, 777), (500, 388), (2, 2)),  # rounded down
        ((1001, 777), (501, 389), (2, 2)),  # rounded up
        ((46000, 32914), (2875, 2057), (16, 16)),
        ((1000, 900), (3, 3), (256, 256)),  # 1000 / 3 would be another pyramid
        ((1500, 1100), (500, 367), (3, 3)),
        ((1500, 1100), (205, 151), (1500 / 205, 1100 / 151)),
    ],
)
def test_factor_of_a_level(
    full: tuple[int, int], level: tuple[int, int], factors: tuple[float, float]
) -> None:
    assert level_factors(full, level) == factors


def test_which_files_are_taken_for_slides(tmp_path: Path) -> None:
    taken = ["a.svs", "b.TIF", "c.ome.tiff", "d.ndpi", "e.mrxs", "f.scn", "g.bif", "h.dcm"]
    not_taken = ["a.jpg", "notes.txt", "._a.svs", ".a.tif", "e/Slidedat.ini", "e/Data0000.tif"]
    (tmp_path / "e.mrxs").touch()
    assert [name for name in taken if looks_like_slide(tmp_path / name)] == taken
    assert [name for name in not_taken if looks_like_slide(tmp_path / name)] == []
