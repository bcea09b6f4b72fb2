"""Packed pixels: a .npy file a slide, each row a patch's place on the slide and its pixels."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.extraction.errors import ManifestInvalid
from model.extraction.files import whole_file

Pixels = NDArray[np.uint8]
Places = NDArray[np.float64]  # (n, 4): corner x, y and step x, y in level-0 pixels


def pack_path(folder: Path, slide: str) -> Path:
    """Where the pack of a slide lies."""
    return folder / f"{slide}.npy"


def write_pack(
    path: Path, count: int, size_px: int, batches: Iterable[tuple[Places, Pixels]]
) -> None:
    """Write `count` patches, whole or not at all; raise WriteFailed."""
    row = np.dtype([("place", "<f8", (4,)), ("pixels", "u1", (size_px, size_px, 3))])
    header = {"descr": np.lib.format.dtype_to_descr(row), "fortran_order": False}
    # Written in order and not through a mapping: a full disk is an error here, a crash there.
    with whole_file(path) as file:
        np.lib.format.write_array_header_2_0(file, header | {"shape": (count,)})
        for places, pixels in batches:
            packed = np.empty(len(places), row)
            packed["place"], packed["pixels"] = places, pixels
            file.write(packed.tobytes())


class Pack:
    """A packed file, mapped; its rows are found by their place on the slide."""

    def __init__(self, path: Path) -> None:
        try:
            self._rows = np.load(path, mmap_mode="r", allow_pickle=False)
            places = np.array([tuple(place) for place in self._rows["place"]])
        except (OSError, ValueError, IndexError) as error:
            raise ManifestInvalid(
                f"Packed file '{path.name}' could not be read.", "Delete it and pack again."
            ) from error
        self._index = {tuple(place): index for index, place in enumerate(places.tolist())}

    def find(self, places: NDArray[np.float64], size_px: int) -> NDArray[np.intp]:
        """Where each place is packed at that size, -1 where it is not."""
        if self._rows.dtype["pixels"].shape[0] != size_px:
            return np.full(len(places), -1, np.intp)
        return np.array([self._index.get(tuple(place), -1) for place in places.tolist()], np.intp)

    def pixels(self, indices: NDArray[np.intp]) -> Pixels:
        """Colours (n, size, size, 3)."""
        return np.asarray(self._rows["pixels"][indices])
