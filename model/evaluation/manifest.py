"""Which patches probably share a slide, from a manifest: the blocks of the bootstrap."""

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.evaluation.patches import PatchesInvalid

BLOCK_PATCHES = 50
ORDER = re.compile(r"^([A-Za-z]*)(\d+)$")
HINT = "Expected a CSV with the columns id and slide_order (letters, then a number)."


def slide_blocks(manifest: Path, names: Sequence[str]) -> NDArray[np.int64]:
    """A block number (n,) for each patch name: runs of about BLOCK_PATCHES in slide order.

    Patches without a known place in the order are a block each. Raises PatchesInvalid where the
    manifest is unreadable or places none of the patches.
    """
    places = _places(manifest)
    runs = defaultdict(list)
    for index, name in enumerate(names):
        if name in places:
            letters, position = places[name]
            runs[letters].append((position, index))
    if not runs:
        raise PatchesInvalid(f"'{manifest.name}' gives none of these patches a slide order.", HINT)
    return _numbered(list(runs.values()), len(names))


def slide_order(manifest: Path, names: Sequence[str]) -> NDArray[np.int64]:
    """The place (n,) of each patch name in the order of the slides, −1 where it is not known.

    Raises PatchesInvalid where the manifest is unreadable.
    """
    places = _places(manifest)
    in_order = sorted((name for name in names if name in places), key=lambda name: places[name])
    ranks = {name: rank for rank, name in enumerate(in_order)}
    return np.array([ranks.get(name, -1) for name in names], dtype=np.int64)


def _numbered(runs: list[list[tuple[int, int]]], n: int) -> NDArray[np.int64]:
    fresh = count()
    blocks = np.full(n, -1)
    for run in runs:
        in_order = np.array([index for _, index in sorted(run)])
        for part in np.array_split(in_order, max(1, round(len(run) / BLOCK_PATCHES))):
            blocks[part] = next(fresh)
    for index in np.flatnonzero(blocks < 0):
        blocks[index] = next(fresh)
    return blocks


def _places(manifest: Path) -> dict[str, tuple[str, int]]:
    return {
        name: (place[1], int(place[2]))
        for name, order in _rows(manifest)
        if (place := ORDER.match(order))
    }


def _rows(manifest: Path) -> Iterator[tuple[str, str]]:
    try:
        with manifest.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                yield row["id"], row["slide_order"] or ""
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PatchesInvalid(f"'{manifest.name}' cannot be read as a CSV.", HINT) from error
    except KeyError as error:
        raise PatchesInvalid(f"'{manifest.name}' has no column {error}.", HINT) from error
