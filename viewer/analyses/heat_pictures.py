"""Heat maps as pictures to lie over tissue, where no browser colours them: thumbnails, reports."""

from math import floor, log2

import numpy as np
from numpy.typing import NDArray

from model.prediction.heatmap import TILE_CELLS, Heatmap

# Viridis' far end, as in the viewer's own colours: it stands out from pink and violet tissue.
YELLOW = (253, 231, 37)
FAINTEST, STRONGEST = 150, 235

BoxL0 = tuple[float, float, float, float]  # x, y, width, height


def hot_cells(
    heatmap: Heatmap, box_l0_px: BoxL0, size_px: tuple[int, int], strongest: int = STRONGEST
) -> NDArray[np.uint8]:
    """The cells of a box at or above the threshold: RGBA (h, w, 4) of this size, the rest clear.

    Each pixel shows the highest cell it touches, so that one hot cell of a large slide stays
    visible. `strongest`: the opacity (0–255) of probability 1.
    """
    geometry = heatmap.geometry
    x, y, width, height = box_l0_px
    left = (x - geometry.origin_l0_x_px) / geometry.step_l0_x_px
    top = (y - geometry.origin_l0_y_px) / geometry.step_l0_y_px
    right = left + width / geometry.step_l0_x_px
    bottom = top + height / geometry.step_l0_y_px
    cells_per_px = min((right - left) / size_px[0], (bottom - top) / size_px[1])
    level = min(heatmap.level_count - 1, max(0, floor(log2(max(cells_per_px, 1)))))
    columns = _touched(size_px[0], left / 2**level, right / 2**level)
    rows = _touched(size_px[1], top / 2**level, bottom / 2**level)
    shown = _highest(heatmap, level, rows, columns)
    probability = (shown.astype(np.float32) - 1) / 254
    hot = (shown > 0) & (probability >= geometry.threshold)
    strength = np.clip((probability - geometry.threshold) / max(1 - geometry.threshold, 1e-6), 0, 1)
    faintest = round(FAINTEST * strongest / STRONGEST)
    alpha = np.where(hot, faintest + (strongest - faintest) * strength, 0)
    colour = np.broadcast_to(np.array(YELLOW, np.uint8), (*alpha.shape, 3))
    return np.dstack([colour, alpha.astype(np.uint8)])


def _touched(size_px: int, first: float, last: float) -> NDArray[np.int64]:
    """For each pixel along an axis the first cell it touches and the one after the last, (n, 2)."""
    edges = np.linspace(first, last, size_px + 1)
    return np.stack([np.floor(edges[:-1]), np.ceil(edges[1:])], axis=1).astype(np.int64)


def _highest(
    heatmap: Heatmap, level: int, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.uint8]:
    values = _values(heatmap, level, (rows[0, 0], rows[-1, 1]), (columns[0, 0], columns[-1, 1]))
    across = np.maximum.reduceat(values, columns[:, 0] - columns[0, 0], axis=1)
    # reduceat ends where the next begins; a pixel's last cell may be the next one's first.
    last = columns[:, 1] - 1 - columns[0, 0]
    across = np.maximum(across, values[:, last])
    down = np.maximum.reduceat(across, rows[:, 0] - rows[0, 0], axis=0)
    found: NDArray[np.uint8] = np.maximum(down, across[rows[:, 1] - 1 - rows[0, 0]])
    return found


def _values(
    heatmap: Heatmap, level: int, rows: tuple[int, int], columns: tuple[int, int]
) -> NDArray[np.uint8]:
    """Value tiles put together; 0 beside the heat map."""
    canvas = np.zeros((rows[1] - rows[0], columns[1] - columns[0]), np.uint8)
    height = -(-heatmap.geometry.rows // 2**level)
    width = -(-heatmap.geometry.columns // 2**level)
    for row in range(max(0, rows[0]) // TILE_CELLS, -(-min(height, rows[1]) // TILE_CELLS)):
        for column in range(
            max(0, columns[0]) // TILE_CELLS, -(-min(width, columns[1]) // TILE_CELLS)
        ):
            tile = heatmap.value_tile(level, column, row)
            y, x = row * TILE_CELLS - rows[0], column * TILE_CELLS - columns[0]
            part = tile[max(0, -y) : canvas.shape[0] - y, max(0, -x) : canvas.shape[1] - x]
            canvas[max(0, y) : max(0, y) + part.shape[0], max(0, x) : max(0, x) + part.shape[1]] = (
                part
            )
    return canvas
