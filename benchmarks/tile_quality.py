"""How close tiles made by scaled decoding come to a filter over whole pixels.

    python -m benchmarks.tile_quality SLIDE

SLIDE must hold JPEG tiles. Prints PSNR in dB, over the whole tiles of level 0, of the levels shrunk
by 2, 4 and 8: against the mean of the pixels each covers, and against Pillow's Lanczos; beside it,
what these two filters differ by.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.prediction.wsi import open_wsi
from viewer.slides.deepzoom import DeepZoom
from viewer.slides.files import SlideFile, signature_of
from viewer.slides.jpeg_tiles import open_jpeg_tiles
from viewer.slides.tile_pixels import TileSource


def main(path: Path) -> None:
    """Compare them."""
    with open_wsi(path) as wsi:
        assert wsi.tile_size_px is not None, "the slide has no square tiles"
        side = wsi.tile_size_px
        file = SlideFile("slide", path, signature_of(path), *wsi.size_l0_px, side)
        zoom = DeepZoom.of_slide(*wsi.size_l0_px, side)
        jpegs = open_jpeg_tiles(file, wsi, zoom.tile_size_px, None)
        assert jpegs is not None, "the slide holds no JPEG tiles"
        source = TileSource(wsi, zoom, jpegs)
        width, height = (px // (8 * side) * 8 * side for px in wsi.size_l0_px)
        whole = Image.fromarray(wsi.read_level(0, 0, 0, width, height))
        print(f"{path.name}: {width} × {height} px of level 0")
        for shrink in (2, 4, 8):
            size = width // shrink, height // shrink
            level = zoom.level_count - shrink.bit_length()
            made = source.level(level, lambda _, compute: compute())[: size[1], : size[0]]
            mean = np.asarray(whole.reduce(shrink))
            lanczos = np.asarray(whole.resize(size, Image.Resampling.LANCZOS))
            print(
                f"1/{shrink}: {_psnr_db(made, mean):.1f} dB against the mean,"
                f" {_psnr_db(made, lanczos):.1f} against Lanczos;"
                f" mean against Lanczos {_psnr_db(mean, lanczos):.1f}"
            )
        jpegs.close()


def _psnr_db(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    error = np.mean((one.astype(np.float64) - other) ** 2)
    return float(10 * np.log10(255**2 / error))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
