"""Tiles that the file holds are sent as they are, and show exactly what OpenSlide shows."""

import os
from io import BytesIO
from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile
from PIL import Image

from tests.jpeg_slides import make_jpeg_slide, split, tissue
from tests.slides import make_slide, make_svs
from tests.test_icc import swapped_profile
from viewer.services import EXTENSION
from viewer.slides import colours
from viewer.slides.deepzoom import DeepZoom

REAL = Path(__file__).parents[2] / "shared" / "data" / "slides" / "CMU-1-Small-Region.svs"
SIZE, ODD = (800, 600), (801, 603)

LAYOUTS = {
    "ycbcr 4:2:0": {},
    "ycbcr 4:2:2": {"subsampling": (2, 1)},
    "ycbcr 4:4:4": {"subsampling": (1, 1)},
    "rgb": {"colours": "rgb"},
    "tables in each tile": {"shared_tables": False},
    "rgb, tables in each tile": {"colours": "rgb", "shared_tables": False},
    "tiles of 512": {"tile_px": 512, "size_px": (1100, 600)},
    "factors of 4": {"level_factors": (1, 4)},
    "one level": {"level_factors": (1,)},
    "whole tiles": {"size_px": (1024, 512)},
    "odd sizes": {"size_px": ODD},
    "aperio": {"aperio": True, "tile_px": 240, "level_factors": (1, 4)},
    "aperio, rgb": {"aperio": True, "tile_px": 240, "level_factors": (1, 4), "colours": "rgb"},
    "aperio, odd": {"aperio": True, "size_px": ODD, "level_factors": (1, 4)},
    "tiles of 512, odd": {"tile_px": 512, "size_px": (2055, 2055), "level_factors": (1, 4)},
}


def write(layout: str, path: Path) -> Path:
    options = {"size_px": SIZE} | LAYOUTS[layout]
    size_px = options.pop("size_px")
    return make_jpeg_slide(path, size_px, draw=tissue(size_px), **options)


def shown(client, item, address) -> tuple[bytes, str, np.ndarray]:
    answer = client.get("/slides/{}_files/{}/{}_{}.jpeg".format(item["id"], *address))
    assert answer.status_code == 200
    pixels = np.asarray(Image.open(BytesIO(answer.data)).convert("RGB"))
    return answer.data, answer.mimetype, pixels


def check_all_tiles(client, item, path: Path) -> int:
    """Compare every tile of every level that the file has; return how many were sent unchanged."""
    zoom = DeepZoom.of_slide(item["width_px"], item["height_px"], item["tile_size_px"])
    unchanged = 0
    with tifffile.TiffFile(path) as tiff, openslide.OpenSlide(path) as slide:
        data = path.read_bytes()
        pages = [page for page in tiff.pages if page.is_tiled]
        for level, (page, size) in enumerate(zip(pages, slide.level_dimensions, strict=True)):
            step = round(slide.level_downsamples[level])
            dz_level = zoom.level_count - step.bit_length()
            whole = page.asarray()
            moved = not slide.level_downsamples[level].is_integer()
            columns, rows = zoom.grid(dz_level)
            for column in range(columns):
                for row in range(rows):
                    address = (dz_level, column, row)
                    x, y, width, height = zoom.tile_box_dz_px(address)
                    sent, kind, pixels = shown(client, item, address)
                    expected = whole[y : y + height, x : x + width]
                    assert np.array_equal(pixels, expected), (address, kind)
                    if not moved:
                        read = slide.read_region((x * step, y * step), level, (width, height))
                        assert np.array_equal(pixels, np.asarray(read.convert("RGB"))), address
                    if (width, height) == (zoom.tile_size_px, zoom.tile_size_px):
                        unchanged += split(sent)[1][-2000:] in data
                        assert kind == "image/jpeg"
            assert (whole.shape[1], whole.shape[0]) == size
    return unchanged


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_tile_equals_openslides_pixels(client, slide_folder: Path, scan, layout: str):
    path = write(layout, slide_folder / "a.svs")
    (item,) = scan()
    tile = item["tile_size_px"]
    options = {"size_px": SIZE, "level_factors": (1, 2, 4)} | LAYOUTS[layout]
    whole = sum(
        (options["size_px"][0] // factor // tile) * (options["size_px"][1] // factor // tile)
        for factor in options["level_factors"]
    )
    assert check_all_tiles(client, item, path) == whole > 0


@pytest.mark.parametrize("make", [make_slide, make_svs])
def test_slides_of_the_other_tests_too(client, slide_folder: Path, scan, make):
    path = make(slide_folder / "a.svs", SIZE, compression="jpeg")
    (item,) = scan()
    assert check_all_tiles(client, item, path) > 0


@pytest.mark.skipif(not REAL.exists(), reason="the real slide is not at hand")
def test_every_tile_of_the_real_slide(client, slide_folder: Path, scan):
    os.link(REAL, slide_folder / "a.svs") if os.access(REAL, os.W_OK) else (
        slide_folder / "a.svs"
    ).write_bytes(REAL.read_bytes())
    (item,) = scan()
    assert check_all_tiles(client, item, slide_folder / "a.svs") == 9 * 12


def test_a_small_profile_travels_with_the_tile(client, slide_folder: Path, scan):
    profile = swapped_profile()
    make_jpeg_slide(slide_folder / "a.tif", SIZE, draw=tissue(SIZE), icc=profile)
    (item,) = scan()
    for address in ("10/1_1", "10/3_2", "8/0_0", "7/0_0"):
        tile = client.get(f"/slides/{item['id']}_files/{address}.jpeg").data
        assert Image.open(BytesIO(tile)).info["icc_profile"] == profile
    png = client.get(f"/slides/{item['id']}_files/10/1_1.png").data
    assert "icc_profile" not in Image.open(BytesIO(png)).info


def test_a_large_profile_is_applied_here(client, slide_folder: Path, scan, monkeypatch):
    monkeypatch.setattr(colours, "EMBED_MOST_BYTES", 100)
    make_jpeg_slide(slide_folder / "a.tif", SIZE, icc=swapped_profile())
    (item,) = scan()
    assert item["warnings"] == []
    sent, kind, pixels = shown(client, item, (10, 1, 1))
    assert kind == "image/jpeg"
    assert "icc_profile" not in Image.open(BytesIO(sent)).info
    png = client.get(f"/slides/{item['id']}_files/10/1_1.png").data
    assert np.abs(np.asarray(Image.open(BytesIO(png))).astype(int) - pixels).mean() < 3


def test_a_file_written_over_is_never_read_by_its_old_offsets(client, slide_folder: Path, scan):
    path = make_jpeg_slide(slide_folder / "a.tif", SIZE, draw=tissue(SIZE))
    (item,) = scan()
    shown(client, item, (10, 1, 1))
    with path.open("r+b") as file:  # the same inode, and the descriptor stays open
        file.seek(0, os.SEEK_END)
        file.write(b"\0")
    answer = client.get(f"/slides/{item['id']}_files/10/2_1.jpeg")
    assert answer.status_code == 410


def test_a_tile_with_a_broken_head_is_left_to_the_reader(client, slide_folder: Path, scan):
    path = make_jpeg_slide(slide_folder / "a.tif", SIZE, level_factors=(1,), draw=tissue(SIZE))
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages[0].dataoffsets[0]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(bytes(40))
    (item,) = scan()
    tile = f"/slides/{item['id']}_files/10/{{}}.jpeg"
    assert client.get(tile.format("0_0")).status_code == 422
    assert client.get(tile.format("1_0")).status_code == 200


def test_files_that_are_closed_give_their_descriptor_back(app, client, slide_folder: Path, scan):
    make_jpeg_slide(slide_folder / "a.tif", SIZE)
    (item,) = scan()
    images = app.extensions[EXTENSION].images

    def files() -> int:
        links = [Path("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
        return sum(link.is_symlink() and "a.tif" in os.readlink(link) for link in links)

    if not Path("/proc/self/fd").exists():
        pytest.skip("this system does not list open files")
    shown(client, item, (10, 1, 1))
    assert files() >= 1
    images.pool.close()
    assert files() == 0
