"""Slides that OpenSlide cannot read and large-image can: OME-TIFF, strips, odd compressions."""

import gc
import logging
from pathlib import Path
from threading import Lock
from typing import Any

import cachetools
import large_image
import numpy as np
from large_image.exceptions import TileSourceError

from model.prediction.errors import SlideUnreadable
from model.prediction.slide import Pixels, Wsi, on_background, sane_mpp

# Decoded tiles kept of each open slide, for neighbouring reads share tiles.
CACHE_BYTES = 32 * 1024 * 1024

# These libraries name whole paths in their messages; what matters of them becomes SlideUnreadable.
for _name in ("large_image", "tifffile"):
    logging.getLogger(_name).propagate = False
    logging.getLogger(_name).addHandler(logging.NullHandler())


class LargeImageWsi(Wsi):
    """One large-image source. Its levels are those whole powers of two that the file really has."""

    reader = "large-image"

    def __init__(self, path: Path) -> None:
        # No source is shared, so that a file replaced by another is never read through the old one.
        self._source: Any = large_image.open(path, noCache=True, style={"icc": False})
        about = self._source.getMetadata()
        self.vendor = str(self._source.name)
        self.size_l0_px = (int(about["sizeX"]), int(about["sizeY"]))
        self.mpp = sane_mpp(_um(about.get("mm_x")), _um(about.get("mm_y")))
        self.objective_power = None  # large-image derives it from the resolution: not a fact
        self._tile_px = (int(about["tileWidth"]), int(about["tileHeight"]))
        self.tile_size_px = self._tile_px[0] if self._tile_px[0] == self._tile_px[1] else None
        self.bounds_offset_l0_px = (0, 0)
        profiles = getattr(self._source, "_iccprofiles", [])
        self.icc_profile = profiles[0] if profiles else None
        self.background_rgb = (255, 255, 255)
        self.series_uid = None
        self._lay_out_levels(int(about["levels"]))
        self._tiles: cachetools.LRUCache[tuple[int, int, int], Pixels] = cachetools.LRUCache(
            CACHE_BYTES, getsizeof=lambda tile: tile.nbytes
        )
        self._tiles_lock = Lock()

    def _lay_out_levels(self, count: int) -> None:
        # No public name tells stored levels from those composed on demand by picking pixels.
        stored = self._source._nonemptyLevelsList()  # noqa: SLF001 -- see above
        self._zs = [z for z in reversed(range(count)) if stored[z] is not None]
        factors = [2 ** (count - 1 - z) for z in self._zs]
        width, height = self.size_l0_px
        self.level_downsamples = tuple((float(factor), float(factor)) for factor in factors)
        # Some writers round sizes up, others down; the last pixel is sure only when rounding down.
        self.level_sizes_px = tuple((max(1, width // f), max(1, height // f)) for f in factors)
        self.level_origins_l0_px = ((0.0, 0.0),) * len(factors)

    def read_level(self, level: int, x_px: int, y_px: int, width_px: int, height_px: int) -> Pixels:
        """See Wsi.read_level."""
        result = self.blank(width_px, height_px)
        level_width_px, level_height_px = self.level_sizes_px[level]
        right, bottom = min(x_px + width_px, level_width_px), min(y_px + height_px, level_height_px)
        tile_width, tile_height = self._tile_px
        for row in range(max(y_px, 0) // tile_height, -(-bottom // tile_height)):
            for column in range(max(x_px, 0) // tile_width, -(-right // tile_width)):
                left, top = column * tile_width, row * tile_height
                first_x, first_y = max(left, x_px), max(top, y_px)
                last_x, last_y = min(left + tile_width, right), min(top + tile_height, bottom)
                result[first_y - y_px : last_y - y_px, first_x - x_px : last_x - x_px] = self._tile(
                    level, column, row
                )[first_y - top : last_y - top, first_x - left : last_x - left]
        return result

    def _tile(self, level: int, column: int, row: int) -> Pixels:
        key = (level, column, row)
        with self._tiles_lock:
            tile = self._tiles.get(key)
        if tile is None:
            tile = self._decode(self._zs[level], column, row)
            with self._tiles_lock:
                if tile.nbytes <= CACHE_BYTES:
                    self._tiles[key] = tile
        return tile

    def _decode(self, z: int, column: int, row: int) -> Pixels:
        try:
            tile = self._source.getTile(column, row, z, numpyAllowed="always")
        except (TileSourceError, OSError, ValueError, RuntimeError) as error:
            raise SlideUnreadable(
                "A part of the slide is damaged and cannot be decoded.",
                "Copy the file again from where it was scanned.",
            ) from error
        return _as_rgb(tile, self.background_rgb)

    def close(self) -> None:
        """See Wsi.close."""
        with self._tiles_lock:
            self._tiles.clear()
        handle = getattr(self._source, "_tf", None)
        if handle is not None:
            handle.close()
        self._source = None
        # large-image keeps the file in circles of references, which nothing else breaks.
        gc.collect()


def _um(millimetres: float | None) -> float | None:
    return millimetres * 1000 if millimetres else None


def _as_rgb(tile: np.ndarray[Any, Any], background_rgb: tuple[int, int, int]) -> Pixels:
    """Colours (h, w, 3) uint8 of a decoded tile of 1 to 4 bands, 8 or 16 bits each."""
    if tile.dtype == np.uint16:
        tile = (tile >> 8).astype(np.uint8)
    if tile.dtype != np.uint8:
        raise SlideUnreadable(
            f"The slide's pixels are {tile.dtype}, not colours of 8 or 16 bits.",
            "Export it as an RGB image.",
        )
    tile = tile if tile.ndim == 3 else tile[..., None]
    bands = tile.shape[2]
    if bands in (2, 4):
        colours = tile[..., :-1] if bands == 4 else np.repeat(tile[..., :1], 3, axis=2)
        return on_background(np.concatenate([colours, tile[..., -1:]], axis=2), background_rgb)
    return tile if bands == 3 else np.repeat(tile[..., :1], 3, axis=2)
