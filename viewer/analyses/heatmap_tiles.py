"""The value tiles of finished heat maps, encoded once."""

import json
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from model.prediction.heatmap import Heatmap
from viewer.analyses.heatmaps import open_heatmap
from viewer.analyses.job import heatmap_path
from viewer.settings import Settings
from viewer.slides.once import OnceCache
from viewer.slides.png import png

MB = 1024 * 1024
# PNG of values takes a few kB: thousands of tiles.
CACHE_MB = 16

Tile = tuple[int, int, int]  # level, column, row


def heatmap_version(heatmap: Heatmap) -> str:
    """16 hex digits that change with the map and with every chunk that is stored."""
    text = json.dumps([heatmap.geometry.to_json(), heatmap.revision()], sort_keys=True)
    return blake2b(text.encode(), digest_size=8).hexdigest()


class HeatmapTiles:
    """PNGs of value tiles, as long as the map has the version asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pngs: OnceCache[tuple[str, str, Tile], bytes] = OnceCache(CACHE_MB * MB, len)
        # The version of each map that is open, and which open map that was.
        self._versions: dict[str, tuple[Heatmap, str]] = {}

    def png(self, analysis_id: str, version: str, tile: Tile) -> bytes | None:
        """A tile, or None if the map is gone or another one, or the tile outside its grid."""
        opened = open_heatmap(heatmap_path(self._settings, analysis_id))
        if opened is None or self._version(analysis_id, opened.heatmap, version) != version:
            return None
        heatmap = opened.heatmap
        try:
            return self._pngs.get(
                (analysis_id, version, tile),
                lambda: png(_values(heatmap, tile)),
            )
        except IndexError:
            return None

    def _version(self, analysis_id: str, heatmap: Heatmap, wanted: str) -> str:
        """Counted once for an open map that has the version asked for: finished ones stay so."""
        known = self._versions.get(analysis_id)
        if known is not None and known == (heatmap, wanted):
            return wanted
        version = heatmap_version(heatmap)
        if version == wanted:
            heatmap.value_tile(heatmap.level_count - 1, 0, 0)  # reads what was stored
            self._versions[analysis_id] = heatmap, version
        return version


def _values(heatmap: Heatmap, tile: Tile) -> NDArray[np.uint8]:
    return heatmap.value_tile(*tile, look=False)
