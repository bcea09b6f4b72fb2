"""Pyramids are laid out as CAMELYON16's, and are whole or not there."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile

from model.extraction.pyramid import (
    TILE_PX,
    Pixels,
    TiffTags,
    level_sizes_px,
    padded_px,
    write_mask,
    write_slide,
)

TAGS = TiffTags(mpp=0.243, description="phantom under test", software="phantom tests")
SIZE_PX = (1301, 1100)  # no multiple of the tile, and odd


def picture() -> Pixels:
    """A smooth picture, so that JPEG keeps it, padded to whole tiles."""
    height, width = padded_px(SIZE_PX[1]), padded_px(SIZE_PX[0])
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([x * 255 // width, y * 255 // height, (x + y) * 127 // width], axis=-1)
    return np.concatenate([pixels, np.full((height, width, 1), 255)], axis=-1).astype(np.uint8)


def bands(pixels: Pixels) -> Iterator[Pixels]:
    for y in range(0, pixels.shape[0], TILE_PX):
        yield pixels[y : y + TILE_PX]


def test_openslide_reads_levels_resolution_and_pixels(tmp_path: Path) -> None:
    path, pixels = tmp_path / "slide.tif", picture()
    write_slide(path, SIZE_PX, bands(pixels), TAGS)
    with openslide.OpenSlide(path) as slide:
        assert slide.properties["openslide.vendor"] == "generic-tiff"
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(0.243)
        assert float(slide.properties["openslide.mpp-y"]) == pytest.approx(0.243)
        assert slide.level_dimensions == ((1301, 1100), (651, 550), (326, 275))
        assert slide.properties["openslide.level[1].tile-width"] == "512"
        for level, (width, height) in enumerate(slide.level_dimensions):
            read = np.asarray(slide.read_region((0, 0), level, (width, height)))[..., :3]
            step = 2**level
            wanted = pixels[: height * step, : width * step, :3].astype(float)
            wanted = wanted.reshape(height, step, width, step, 3).mean(axis=(1, 3))
            assert np.abs(read - wanted)[: height - 1, : width - 1].max() < 8


def test_file_is_a_tiled_ycbcr_bigtiff(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    write_slide(path, SIZE_PX, bands(picture()), TAGS)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_bigtiff
        assert [page.is_reduced for page in tiff.pages] == [False, True, True]
        for page in tiff.pages:
            assert page.compression.name == "JPEG"
            assert page.photometric.name == "YCBCR"
            assert page.tags["YCbCrSubSampling"].value == (2, 2)
            assert (page.tilewidth, page.tilelength) == (TILE_PX, TILE_PX)
        assert tiff.pages[0].tags["Software"].value == "phantom tests"
        assert tiff.pages[0].tags["ImageDescription"].value == "phantom under test"


def test_mask_is_lossless_at_every_level(tmp_path: Path) -> None:
    path = tmp_path / "mask.tif"
    mask = np.zeros((padded_px(SIZE_PX[1]), padded_px(SIZE_PX[0])), dtype=np.uint8)
    mask[100:700, 333:1200] = np.random.default_rng(1).integers(0, 2, (600, 867))
    write_mask(path, SIZE_PX, bands(mask), TAGS)
    with tifffile.TiffFile(path) as tiff:
        for level, page in enumerate(tiff.pages):
            wanted = mask[:: 2**level, :: 2**level][: page.imagelength, : page.imagewidth]
            np.testing.assert_array_equal(page.asarray(), wanted)
            assert page.compression.name == "ADOBE_DEFLATE"


@pytest.mark.parametrize("length_px", [512, 513, 1024, 1025, 20_000, 24_001])
def test_every_level_gets_the_tiles_it_needs(tmp_path: Path, length_px: int) -> None:
    height, size = 600, (length_px, 600)
    plain = np.full((padded_px(height), padded_px(length_px), 4), 200, dtype=np.uint8)
    write_slide(tmp_path / "slide.tif", size, bands(plain), TAGS)
    with openslide.OpenSlide(tmp_path / "slide.tif") as slide:
        assert list(slide.level_dimensions) == level_sizes_px(*size)
        for level, (width, rows) in enumerate(slide.level_dimensions):
            scale = slide.level_downsamples[level]
            corner = (int(max(width - 40, 0) * scale), int(max(rows - 40, 0) * scale))
            read = np.asarray(slide.read_region(corner, level, (30, min(30, rows - 4))))
            assert (read[..., 3] == 255).all()
            assert np.abs(read[..., :3].astype(int) - 200).max() <= 2


def test_name_appears_only_when_the_file_is_whole(tmp_path: Path) -> None:
    path, pixels = tmp_path / "slide.tif", picture()

    def watched() -> Iterator[Pixels]:
        for band in bands(pixels):
            assert not path.exists()
            yield band

    write_slide(path, SIZE_PX, watched(), TAGS)
    assert [entry.name for entry in tmp_path.iterdir()] == ["slide.tif"]


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[Pixels]:
        yield picture()[:TILE_PX]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_slide(tmp_path / "slide.tif", SIZE_PX, broken(), TAGS)
    assert list(tmp_path.iterdir()) == []


def test_failure_keeps_the_former_file(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    path.write_bytes(b"former")
    with pytest.raises(StopIteration):
        write_slide(path, SIZE_PX, iter([picture()[:TILE_PX]]), TAGS)
    assert path.read_bytes() == b"former"


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from model.extraction.pyramid import TiffTags, write_slide

def bands():
    yield np.full((512, 1024, 4), 90, dtype=np.uint8)
    os.kill(os.getpid(), signal.SIGKILL)

write_slide(Path(sys.argv[1]), (1024, 1024), bands(), TiffTags(0.243, "phantom", "phantom"))
"""


def test_kill_leaves_no_file_under_the_final_name(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not path.exists()
    assert [entry.suffix for entry in tmp_path.iterdir()] == [".partial"]
    write_slide(path, SIZE_PX, bands(picture()), TAGS)
    assert [entry.name for entry in tmp_path.iterdir()] == ["slide.tif"]
