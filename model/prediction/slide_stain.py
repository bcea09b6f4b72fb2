"""The stain of a whole slide, from a bounded sample of its tissue: the same for every chunk."""

from dataclasses import replace

import numpy as np

from model.prediction.heatmap_geometry import HeatmapGeometry
from model.prediction.resample import read_scaled
from model.prediction.slide import Pixels, Wsi
from model.prediction.stain import Stain, source_for
from model.prediction.tissue import TissueMask

BLOCKS, BLOCK_PX = 40, 96  # 370,000 pixels, of the model's size


def slide_stain(
    wsi: Wsi, tissue: TissueMask, pixel_l0: tuple[float, float], target: Stain | None
) -> Stain | None:
    """The slide's stain, as `target` is to be met from it; None where its colours stay.

    `pixel_l0` is a pixel of the model in level-0 pixels. Raises SlideUnreadable.
    """
    if target is None or tissue.is_empty:
        return None
    return source_for(target, tissue_sample(wsi, tissue, pixel_l0))


def with_slide_stain(
    geometry: HeatmapGeometry, wsi: Wsi, tissue: TissueMask, cell_px: int
) -> HeatmapGeometry:
    """The geometry, knowing the slide's stain if the model wants it."""
    pixel_l0 = geometry.step_l0_x_px / cell_px, geometry.step_l0_y_px / cell_px
    return replace(geometry, slide_stain=slide_stain(wsi, tissue, pixel_l0, geometry.stain))


def tissue_sample(wsi: Wsi, tissue: TissueMask, pixel_l0: tuple[float, float]) -> Pixels:
    """Pixels (n, side, side, 3) around places of tissue drawn at random, always the same ones."""
    rows, columns = np.nonzero(tissue.mask)
    drawn = np.random.default_rng(0).integers(0, len(rows), BLOCKS)
    x_l0 = (columns[drawn] + 0.5) * tissue.step_l0[0] - BLOCK_PX / 2 * pixel_l0[0]
    y_l0 = (rows[drawn] + 0.5) * tissue.step_l0[1] - BLOCK_PX / 2 * pixel_l0[1]
    places = zip(x_l0.tolist(), y_l0.tolist(), strict=True)
    # On the pixels of a level, where one fits: resampled ones are paler than what is scored.
    return np.stack(
        [
            read_scaled(wsi, *_on_grid((x, y), pixel_l0), pixel_l0, BLOCK_PX, BLOCK_PX)
            for x, y in places
        ]
    )


def _on_grid(corner_l0: tuple[float, float], pixel_l0: tuple[float, float]) -> tuple[float, float]:
    x, y = (round(at / side) * side for at, side in zip(corner_l0, pixel_l0, strict=True))
    return x, y
