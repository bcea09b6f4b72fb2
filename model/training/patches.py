"""Labelled patches in memory, and how the net wants them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from model.evaluation.patches import PatchFolder

PATCH_SIDE_PX = 96
# What the ImageNet start weights were trained with: (x − 127) / 128 for x in 0–255.
MEAN, STD = 127 / 255, 128 / 255


@dataclass(frozen=True)
class PatchSet:
    """Patches in memory: uint8 (n, side, side, 3) with labels (n,)."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]


def read_patches(path: Path) -> PatchSet:
    """All labelled patches of a folder or zip; raises PatchesInvalid."""
    with PatchFolder(path) as folder:
        pixels = np.concatenate(list(folder.batches(PATCH_SIDE_PX, 256)))
        return PatchSet(pixels, folder.labels)


def scaled(views: Tensor) -> Tensor:
    """The net's input (n, 3, h, w) from views (n, h, w, 3) in 0–1."""
    return ((views - MEAN) / STD).permute(0, 3, 1, 2)
