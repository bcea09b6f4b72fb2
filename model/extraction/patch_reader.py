"""Pixels of manifest rows, read from the slides when they are needed, or from packed files.

Neighbouring patches are read together: each block of a slide once, then cut. A pack is one .npy
file for each slide, with the coordinates beside the pixels, so it serves any manifest of those
patches; rows it does not hold are read from the slide.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.extraction.errors import ManifestInvalid
from model.extraction.manifest import Manifest
from model.extraction.packs import Pack, pack_path, write_pack
from model.extraction.stains import SlideStains
from model.prediction.errors import SlideUnreadable
from model.prediction.wsi import Wsi, open_wsi, read_scaled

Pixels = NDArray[np.uint8]
Rows = NDArray[np.integer[Any]]
BLOCK_PX = 1024  # side of what is read at once, in patch pixels
OPEN_SLIDES = 8
READ_COST_PX = 4000  # what a read costs beside its pixels, in pixels decoded meanwhile
READ_AT_ONCE = 2048  # patches, when packing
PLACE = ("x_l0_px", "y_l0_px", "step_l0_x_px", "step_l0_y_px")


def cheapest_groups(offsets_px: Rows, size_px: int) -> list[Rows]:
    """Which patches (places in `offsets_px`, (n, 2) x and y) to read as one rectangle each.

    All of them, or runs of neighbours in each row: what costs fewer pixels, the reads included.
    """
    order: Rows = np.lexsort(offsets_px.T)
    x, y = offsets_px[order].T
    apart = (np.diff(y) != 0) | (np.diff(x) > size_px)
    runs: list[Rows] = np.split(order, np.flatnonzero(apart) + 1)
    lengths = [int(np.ptp(offsets_px[run, 0])) + size_px for run in runs]
    width, height = (int(side) + size_px for side in np.ptp(offsets_px, axis=0))
    in_runs = sum(lengths) * size_px + len(runs) * READ_COST_PX
    return runs if in_runs < width * height + READ_COST_PX else [order]


class PatchReader:
    """Reads patches of one manifest. May be sent to other processes: each opens its own slides.

    `slides` tells where each slide lies, `packs` a folder that `pack` filled. One thread at a
    time.
    """

    def __init__(
        self, manifest: Manifest, slides: Mapping[str, Path], packs: Path | None = None
    ) -> None:
        names, self._slide_of = np.unique(manifest.column("slide").astype(str), return_inverse=True)
        self._names = [str(name) for name in names]
        lost = [name for name in self._names if name not in slides]
        if lost:
            raise ManifestInvalid(
                f"The manifest's slide '{lost[0]}' is not among the slides given.",
                "Name the folder of the study the manifest was made from.",
            )
        self.slides = dict(slides)
        self._packs = packs
        self.places = np.stack([manifest.column(name) for name in PLACE], axis=1)
        self._sizes_px = manifest.column("size_px")
        self._open: OrderedDict[str, Wsi] = OrderedDict()
        self._packed: dict[str, Pack | None] = {}
        self.stains: SlideStains | None = None  # to which colours are brought; packs hold the raw

    def read(self, rows: Rows) -> Pixels:
        """Colours (n, size, size, 3) of `rows`, which are of one size; raise SlideUnreadable."""
        return self._read(rows, self.stains)

    def _read(self, rows: Rows, stains: SlideStains | None) -> Pixels:
        size_px = self._one_size(rows)
        patches = np.empty((len(rows), size_px, size_px, 3), np.uint8)
        for slide in np.unique(self._slide_of[rows]):
            chosen = np.flatnonzero(self._slide_of[rows] == slide)
            self._read_slide(self._names[slide], rows[chosen], chosen, patches)
            if stains is not None:
                patches[chosen] = stains.normalise(self._names[slide], patches[chosen])
        return patches

    def pack(self, folder: Path, advance: Callable[[int], None] = lambda patches: None) -> None:
        """Write the pixels of all rows, a whole file for each slide; whole ones there are kept.

        `advance` hears of patches done. Raises WriteFailed, SlideUnreadable.
        """
        for slide, name in enumerate(self._names):
            rows = np.flatnonzero(self._slide_of == slide)
            size_px, path = self._one_size(rows), pack_path(folder, name)
            if path.is_file() and (Pack(path).find(self.places[rows], size_px) >= 0).all():
                advance(len(rows))
                continue
            # Block after block, so that no part of the slide is read twice.
            ordered = rows[np.concatenate(list(self._blocks(rows, size_px)))]
            batches = self._batches(ordered, advance)
            write_pack(path, len(rows), size_px, batches)

    def _batches(
        self, rows: Rows, advance: Callable[[int], None]
    ) -> Iterator[tuple[NDArray[np.float64], Pixels]]:
        for start in range(0, len(rows), READ_AT_ONCE):
            some = rows[start : start + READ_AT_ONCE]
            yield self.places[some], self._read(some, None)
            advance(len(some))

    def close(self) -> None:
        """Close all slides."""
        while self._open:
            self._open.popitem()[1].close()

    def __getstate__(self) -> dict[str, Any]:
        # Open slides and mapped files stay in their process.
        return self.__dict__ | {"_open": OrderedDict(), "_packed": {}}

    def _one_size(self, rows: Rows) -> int:
        sizes = np.unique(self._sizes_px[rows])
        if len(sizes) > 1:
            raise ManifestInvalid(
                f"Patches of {sizes[0]} and {sizes[-1]} pixels cannot be read together.",
                "Train with one manifest of one patch size.",
            )
        return int(sizes[0]) if len(sizes) else 0

    def _read_slide(self, name: str, rows: Rows, places: Rows, patches: Pixels) -> None:
        """Fill patches[places] with `rows` of one slide."""
        pack = self._pack(name)
        if pack is not None:
            found = pack.find(self.places[rows], patches.shape[1])
            held = found >= 0
            patches[places[held]] = pack.pixels(found[held])
            rows, places = rows[~held], places[~held]
        for block in self._blocks(rows, patches.shape[1]):
            self._read_block(name, rows[block], places[block], patches)

    def _pack(self, name: str) -> Pack | None:
        if name not in self._packed:
            path = pack_path(self._packs, name) if self._packs else None
            self._packed[name] = Pack(path) if path and path.is_file() else None
        return self._packed[name]

    def _blocks(self, rows: Rows, size_px: int) -> Iterator[Rows]:
        """Rows (as places in `rows`) that lie together, in reading order."""
        if not len(rows):
            return
        x, y, step_x, step_y = self.places[rows].T
        across, down = step_x * max(BLOCK_PX, size_px), step_y * max(BLOCK_PX, size_px)
        keys = np.stack([step_x, step_y, np.floor(y / down), np.floor(x / across)], axis=1)
        order = np.lexsort(keys.T[::-1])
        changed = np.any(np.diff(keys[order], axis=0) != 0, axis=1)
        yield from np.split(order, np.flatnonzero(changed) + 1)

    def _read_block(self, name: str, rows: Rows, places: Rows, patches: Pixels) -> None:
        size_px = patches.shape[1]
        step = float(self.places[rows[0], 2]), float(self.places[rows[0], 3])
        corners_px = self.places[rows, :2] / step
        first = corners_px.min(axis=0)
        offsets = np.rint(corners_px - first).astype(np.intp)
        # Only patches on one grid of pixels can be cut from one picture.
        if np.abs(corners_px - first - offsets).max() >= 1e-3:
            for row, place in zip(rows, places, strict=True):
                corner_l0_px = self.places[row, :2]
                patches[place] = self._pixels(name, corner_l0_px, step, size_px, size_px)
            return
        for group in cheapest_groups(offsets, size_px):
            corner = offsets[group].min(axis=0)
            width, height = (int(side) + size_px for side in offsets[group].max(axis=0) - corner)
            region = self._pixels(name, (first + corner) * step, step, width, height)
            for place, (x, y) in zip(places[group], offsets[group] - corner, strict=True):
                patches[place] = region[y : y + size_px, x : x + size_px]

    def _pixels(
        self,
        name: str,
        corner_l0_px: NDArray[np.float64],
        step_l0: tuple[float, float],
        width_px: int,
        height_px: int,
    ) -> Pixels:
        x, y = (float(value) for value in corner_l0_px)
        return read_scaled(self._wsi(name), x, y, step_l0, width_px, height_px)

    def _wsi(self, name: str) -> Wsi:
        if name in self._open:
            self._open.move_to_end(name)
            return self._open[name]
        while len(self._open) >= OPEN_SLIDES:
            self._open.popitem(last=False)[1].close()
        try:
            self._open[name] = open_wsi(self.slides[name])
        except SlideUnreadable as error:
            raise SlideUnreadable(f"Slide '{name}': {error.reason}", error.hint) from error
        return self._open[name]
