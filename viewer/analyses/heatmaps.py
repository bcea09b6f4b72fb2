"""Open heat maps, for as long as they are looked at."""

from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from cachetools import LRUCache, cached

from model.prediction.heatmap import Chunk, Heatmap

# A few MB each: the values of all its cells.
MOST_OPEN = 32


@dataclass(frozen=True)
class OpenHeatmap:
    """A heat map, and the chunks it is to have, which are found once."""

    heatmap: Heatmap
    planned: frozenset[Chunk]

    def stored(self) -> dict[Chunk, int]:
        """What it has of them now, with the time (ns) at which each appeared."""
        found = self.heatmap.stored_chunks()
        return {chunk: found[chunk] for chunk in self.planned & found.keys()}


def open_heatmap(path: Path) -> OpenHeatmap | None:
    """The heat map, or None before there is one; raise HeatmapInvalid if it is damaged."""
    try:
        status = path.stat()
        return _open(path, (status.st_ino, status.st_mtime_ns))
    except FileNotFoundError:
        return None


@cached(LRUCache(maxsize=MOST_OPEN), lock=Lock())
def _open(path: Path, made: tuple[int, int]) -> OpenHeatmap:
    # Inode and time make a heat map that took the place of another one a different key; chunks are
    # stored further below and change neither. An inode alone may be given out again.
    heatmap = Heatmap.open(path)
    return OpenHeatmap(heatmap, frozenset(heatmap.planned_chunks()))
