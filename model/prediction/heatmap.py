"""The heat map of a slide: one probability a cell, stored while it is computed and read meanwhile.

On disk it is a Zarr v3 group, readable by any Zarr library:

    zarr.json            attributes: the geometry
    tissue/              uint8 (rows, columns): share of tissue in each cell, 0–255
    probability/c/R/C    float32, NaN = not analysed: one file, written at once, for each chunk of
                         work (R, C). What is finished is what lies there; nothing else records it.

Chunks are not compressed, so that a reader can follow them file by file without Zarr's machinery:
a value tile costs well under a millisecond, and a look for news a few.
"""

import errno
import json
import os
import shutil
import uuid
from math import ceil, log2
from pathlib import Path
from threading import Lock
from typing import Any, Self

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.errors import BaseZarrError

from model.prediction.errors import HeatmapInvalid, unwritable
from model.prediction.heatmap_geometry import HeatmapGeometry
from model.prediction.heatmap_values import ValuePyramid, to_values

__all__ = ["TILE_CELLS", "Chunk", "Heatmap", "HeatmapGeometry"]

Chunk = tuple[int, int]  # row and column among the chunks
TILE_CELLS = 256
LAYOUT = 1
# A revision is a time in ns, shifted by these bits, and the number of stored chunks: chunks that
# appear within one tick of the file system's clock still change it.
COUNT_BITS = 24
# Chunks this much older than a revision are told again, for clocks of several machines differ.
CLOCK_SLACK_NS = 2_000_000_000


class Heatmap:
    """An open heat map. Keep it open: it reads each stored chunk once. Threads may share it."""

    def __init__(self, path: Path, geometry: HeatmapGeometry, tissue: NDArray[np.uint8]) -> None:
        self.path = path
        self.geometry = geometry
        self.tissue_shares = tissue.astype(np.float32) / 255
        self.to_analyse: NDArray[np.bool_] = tissue >= max(
            1, round(geometry.min_tissue_share * 255)
        )
        self._chunks_folder = path / "probability" / "c"
        self._values = ValuePyramid(geometry, self.level_count)
        self._seen: dict[Chunk, int] = {}
        self._lock = Lock()

    @classmethod
    def create(
        cls, path: Path, geometry: HeatmapGeometry, tissue_share: NDArray[np.float32]
    ) -> Self:
        """Make an empty heat map from the share of tissue (rows, columns), 0–1, in each cell.

        It is built beside `path` and moved there in whole. Raises FileExistsError if another is
        there already, HeatmapUnwritable if the disk is full.
        """
        # Rounded up, so that a little tissue stays some.
        tissue = np.ceil(np.clip(tissue_share, 0, 1) * 255).astype(np.uint8)
        part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
        try:
            _write_group(part, geometry, tissue)
            part.rename(path)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                raise FileExistsError(errno.EEXIST, "a heat map is there already") from None
            raise unwritable(error) from error
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return cls(path, geometry, tissue)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a heat map to read or to go on; raises HeatmapInvalid if none is whole."""
        try:
            attributes: dict[str, Any] = json.loads((path / "zarr.json").read_bytes())["attributes"]
            geometry = HeatmapGeometry.from_json(attributes["geometry"])
            tissue = np.asarray(zarr.open_array(path / "tissue", mode="r")[:], dtype=np.uint8)
            (path / "probability" / "zarr.json").stat()
        except FileNotFoundError as error:
            raise HeatmapInvalid("There is no heat map.", "Analyse the slide.") from error
        except (OSError, ValueError, KeyError, TypeError, BaseZarrError) as error:
            raise HeatmapInvalid("The heat map is damaged.", "Analyse the slide again.") from error
        if attributes.get("layout") != LAYOUT or tissue.shape != (geometry.rows, geometry.columns):
            raise HeatmapInvalid(
                "The heat map has the layout of another version.", "Analyse the slide again."
            )
        return cls(path, geometry, tissue)

    # ---- work: what is to be done, what is done ------------------------------------------------

    def planned_chunks(self) -> list[Chunk]:
        """Chunks with at least one cell to analyse, row by row."""
        side = self.geometry.chunk_cells
        rows, columns = np.nonzero(self.to_analyse)
        return sorted(set(zip((rows // side).tolist(), (columns // side).tolist(), strict=True)))

    def stored_chunks(self) -> dict[Chunk, int]:
        """Chunks that are stored in whole, with the time (ns) at which each appeared."""
        found: dict[Chunk, int] = {}
        for row in _numbered(self._chunks_folder):
            for entry in _numbered(Path(row.path)):
                # The time of the change, not of writing: that is when the file got its final name.
                found[int(row.name), int(entry.name)] = entry.stat().st_ctime_ns
        return found

    def is_stored(self, chunk: Chunk) -> bool:
        """Whether a chunk is stored in whole."""
        return (self._chunks_folder / f"{chunk[0]}" / f"{chunk[1]}").exists()

    def write_chunk(self, chunk: Chunk, probabilities: NDArray[np.float32]) -> None:
        """Store a chunk's probabilities (its rows, its columns), NaN where not analysed; at once.

        Raises HeatmapUnwritable if the disk is full; nothing half-written is left then.
        """
        top, bottom, left, right = self.geometry.chunk_cells_range(chunk)
        if probabilities.shape != (bottom - top, right - left):
            raise ValueError(f"chunk {chunk} has {bottom - top} × {right - left} cells")
        try:
            with zarr.config.set({"array.write_empty_chunks": True}):
                array = zarr.open_array(self.path / "probability", mode="r+")
                array[top:bottom, left:right] = probabilities
        except OSError as error:
            raise unwritable(error) from error

    # ---- values --------------------------------------------------------------------------------

    def probabilities(
        self, first_row: int, last_row: int, first_column: int, last_column: int
    ) -> NDArray[np.float32]:
        """Probabilities of a range of cells (last ones excluded), NaN where not analysed (yet)."""
        result = np.full((last_row - first_row, last_column - first_column), np.nan, np.float32)
        side = self.geometry.chunk_cells
        for row in range(first_row // side, ceil(last_row / side)):
            for column in range(first_column // side, ceil(last_column / side)):
                top, bottom, left, right = self.geometry.chunk_cells_range((row, column))
                y0, y1 = max(top, first_row), min(bottom, last_row)
                x0, x1 = max(left, first_column), min(right, last_column)
                if (block := self._read_chunk((row, column))) is not None:
                    result[
                        y0 - first_row : y1 - first_row, x0 - first_column : x1 - first_column
                    ] = block[y0 - top : y1 - top, x0 - left : x1 - left]
        return result

    def summary(self) -> dict[str, float | int | None]:
        """Figures over all cells analysed so far; positive = probability at or above threshold."""
        grid = self.probabilities(0, self.geometry.rows, 0, self.geometry.columns)
        analysed = grid[~np.isnan(grid)]
        positive = int((analysed >= self.geometry.threshold).sum())
        return {
            "peak_probability": float(analysed.max()) if analysed.size else None,
            "cells_analysed": analysed.size,
            "cells_positive": positive,
            "analysed_area_mm2": analysed.size * self.geometry.cell_area_mm2,
            "positive_area_mm2": positive * self.geometry.cell_area_mm2,
        }

    # ---- tiles to look at ----------------------------------------------------------------------

    @property
    def level_count(self) -> int:
        """Levels of value tiles, until one tile holds them all."""
        longest = max(self.geometry.rows, self.geometry.columns)
        return 1 + max(0, ceil(log2(longest / TILE_CELLS)))

    def value_tile(self, level: int, column: int, row: int, look: bool = True) -> NDArray[np.uint8]:
        """Up to 256 × 256 values: 0 = not analysed, else 1 + round(254 p).

        At level 0 a value is a cell; at level k it is the highest of 2^k × 2^k cells, so that a
        small lesion is seen from afar. Raises IndexError for a tile outside the grid. With `look`
        False only what was read before counts: for maps that are known to be finished.
        """
        if look:
            self._refresh()
        tile = self._values.tile(level, column, row, TILE_CELLS)
        if tile is None:
            raise IndexError(f"no value tile at level {level}, column {column}, row {row}")
        return tile

    def revision(self) -> int:
        """A number that grows with every stored chunk; 0 before the first."""
        return _revision(self.stored_chunks())

    def tiles_changed_since(self, revision: int) -> list[tuple[int, int, int]]:
        """(level, column, row) of the value tiles that changed since that revision, or more."""
        stored = self.stored_chunks()
        if _revision(stored) == revision:
            return []
        since_ns = (revision >> COUNT_BITS) - CLOCK_SLACK_NS
        tiles: set[tuple[int, int, int]] = set()
        for chunk, time_ns in stored.items():
            if time_ns >= since_ns:
                tiles |= self._tiles_of(chunk)
        return sorted(tiles)

    def _tiles_of(self, chunk: Chunk) -> set[tuple[int, int, int]]:
        top, bottom, left, right = self.geometry.chunk_cells_range(chunk)
        tiles = set()
        for level in range(self.level_count):
            side = TILE_CELLS << level
            for row in range(top // side, (bottom - 1) // side + 1):
                for column in range(left // side, (right - 1) // side + 1):
                    tiles.add((level, column, row))
        return tiles

    def _refresh(self) -> None:
        """Read the chunks stored since the last look."""
        with self._lock:
            stored = self.stored_chunks()
            news = [chunk for chunk, time_ns in stored.items() if self._seen.get(chunk) != time_ns]
            for chunk in news:
                if (block := self._read_chunk(chunk)) is not None:
                    top, bottom, left, right = self.geometry.chunk_cells_range(chunk)
                    self._values.put(top, left, to_values(block[: bottom - top, : right - left]))
            if news:
                self._values.build()
            self._seen = stored

    def _read_chunk(self, chunk: Chunk) -> NDArray[np.float32] | None:
        """A stored chunk in full size (edge chunks are padded with NaN), or None."""
        side = self.geometry.chunk_cells
        try:
            cells = np.fromfile(self._chunks_folder / f"{chunk[0]}" / f"{chunk[1]}", "<f4")
        except FileNotFoundError:
            return None
        if cells.size != side * side:
            raise HeatmapInvalid(
                "A part of the heat map is damaged.", "Delete the analysis and start it again."
            )
        return cells.reshape(side, side)


def _write_group(path: Path, geometry: HeatmapGeometry, tissue: NDArray[np.uint8]) -> None:
    attributes = {"layout": LAYOUT, "geometry": geometry.to_json()}
    group = zarr.create_group(path, zarr_format=3, attributes=attributes)
    group.create_array("tissue", data=tissue, chunks=tissue.shape)
    side = geometry.chunk_cells
    group.create_array(
        "probability",
        shape=(geometry.rows, geometry.columns),
        chunks=(side, side),
        dtype="float32",
        fill_value=float("nan"),
        compressors=None,
        dimension_names=["row", "column"],
    )


def _numbered(folder: Path) -> list["os.DirEntry[str]"]:
    """What in a folder has a number for a name: whole chunks, not those still being written."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if entry.name.isdecimal()]
    except FileNotFoundError:
        return []


def _revision(stored: dict[Chunk, int]) -> int:
    return max(stored.values(), default=0) << COUNT_BITS | len(stored)
