"""A small picture of a slide: where tissue was found, and which patches were taken."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image, ImageDraw
from scipy.ndimage import binary_erosion

from model.extraction.files import whole_file
from model.prediction.tissue import TissueMask
from model.prediction.wsi import Wsi, read_scaled

LONGER_SIDE_PX = 1024
TISSUE = (0, 114, 178)  # blue and vermilion: told apart by the colour-blind too
TUMOUR = (213, 94, 0, 120)
NORMAL = (0, 114, 178, 50)
GLASS_DIMMED = 0.85


def write_preview(path: Path, wsi: Wsi, tissue: TissueMask, patches: pa.Table | None) -> None:
    """Write a PNG of at most 1024 px: glass dimmed, tissue outlined, patches tinted by label."""
    picture, step_l0 = _thumbnail(wsi, tissue)
    inside = _at_size(tissue, step_l0, picture.shape[1], picture.shape[0])
    picture[~inside] = (picture[~inside] * GLASS_DIMMED).astype(np.uint8)
    picture[inside & ~binary_erosion(inside, iterations=2)] = TISSUE
    image = Image.fromarray(picture)
    if patches is not None:
        _draw_patches(image, patches, step_l0)
    with whole_file(path) as file:
        image.save(file, format="PNG", compress_level=1)


def _thumbnail(
    wsi: Wsi, tissue: TissueMask
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.uint8]], float]:
    """Colours, and level-0 pixels a pixel of them."""
    width, height = wsi.size_l0_px
    # Finer pixels than half the mask's show nothing more of it, and cost most of a small slide.
    step = max(1.0, max(width, height) / LONGER_SIDE_PX, min(tissue.step_l0) / 2)
    size = max(1, round(width / step)), max(1, round(height / step))
    return read_scaled(wsi, 0, 0, (step, step), *size).copy(), step


def _at_size(
    tissue: TissueMask, step_l0: float, width_px: int, height_px: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """The tissue mask at the centres of the picture's pixels."""
    rows = ((np.arange(height_px) + 0.5) * step_l0 / tissue.step_l0[1]).astype(int)
    columns = ((np.arange(width_px) + 0.5) * step_l0 / tissue.step_l0[0]).astype(int)
    last_row, last_column = (length - 1 for length in tissue.mask.shape)
    return np.asarray(
        tissue.mask[np.minimum(rows, last_row)[:, None], np.minimum(columns, last_column)]
    )


def _draw_patches(image: Image.Image, patches: pa.Table, step_l0: float) -> None:
    draw = ImageDraw.Draw(image, "RGBA")
    left, top, step_x, step_y, size_px, label = (
        patches.column(name).to_numpy()
        for name in ("x_l0_px", "y_l0_px", "step_l0_x_px", "step_l0_y_px", "size_px", "label")
    )
    boxes = np.stack([left, top, left + size_px * step_x, top + size_px * step_y], 1) / step_l0
    for box, positive in zip(boxes.tolist(), label == 1, strict=True):
        colour = TUMOUR if positive else NORMAL
        draw.rectangle(box, fill=colour, outline=colour[:3])
