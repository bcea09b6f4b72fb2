"""What a net says of the eight mirrored and turned views of a patch."""

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.prediction.network import EfficientNetLite0, fold_batch_norm, use_channels_last
from model.training.patches import Pixels, scaled

SYMMETRIES = 8
BATCH_PATCHES = 32


def symmetry(planes: Tensor, which: int) -> Tensor:
    """One of the eight symmetries of a square, of planes (n, c, h, w); 0 changes nothing.

    0 to 3 are quarter turns, 4 to 7 the same, mirrored.
    """
    turned = torch.rot90(planes, which % 4, (2, 3))
    return turned.flip(3) if which >= 4 else turned


@torch.inference_mode()
def symmetric_logits(net: EfficientNetLite0, pixels: Pixels) -> NDArray[np.float32]:
    """Logits (n, 8) of uint8 patches (n, h, w, 3) in each symmetry; column 0 is the patch itself.

    The net stays as it is.
    """
    folded = copy.deepcopy(net).cpu().eval()
    fold_batch_norm(folded)
    use_channels_last(folded)
    logits = np.empty((len(pixels), SYMMETRIES), np.float32)
    for start in range(0, len(pixels), BATCH_PATCHES):
        part = torch.from_numpy(pixels[start : start + BATCH_PATCHES]).float() / 255
        planes = scaled(part)
        for which in range(SYMMETRIES):
            view = symmetry(planes, which).contiguous(memory_format=torch.channels_last)
            logits[start : start + len(part), which] = folded(view).numpy()
    return logits
