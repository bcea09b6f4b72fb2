"""The plain rule of earlier pipelines: what is not bright is tissue, pen marks and padding too."""

from math import ceil

import numpy as np
from PIL import Image

from model.prediction.tissue import BAND_ROWS, PIXEL_UM, TissueMask
from model.prediction.wsi import Mpp, Wsi, read_scaled

MAX_GREY = 0.8  # of white


def grey_mask(wsi: Wsi, mpp: Mpp) -> TissueMask:
    """Pixels whose luma is at most 0.8, at the resolution of `tissue_mask`."""
    step_l0 = max(PIXEL_UM / mpp.x, 1.0), max(PIXEL_UM / mpp.y, 1.0)
    width, height = ceil(wsi.size_l0_px[0] / step_l0[0]), ceil(wsi.size_l0_px[1] / step_l0[1])
    mask = np.empty((height, width), np.bool_)
    for row in range(0, height, BAND_ROWS):
        rows = min(BAND_ROWS, height - row)
        band = read_scaled(wsi, 0.0, row * step_l0[1], step_l0, width, rows)
        mask[row : row + rows] = np.asarray(Image.fromarray(band).convert("L")) <= 255 * MAX_GREY
    return TissueMask(mask, step_l0)
