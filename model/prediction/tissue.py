"""Where a slide holds tissue: what is worth scoring. In doubt, something is tissue.

Glass has no colour, stained tissue has: Otsu's threshold (1979) on the saturation of HSV tells them
apart, kept within limits so that an all-glass slide has no tissue and pale tissue stays tissue.
Pen marks and black padding are told by hue and darkness. Everything is measured in µm.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.filters import threshold_otsu
from skimage.morphology import (
    dilation,
    disk,
    remove_small_holes,
    remove_small_objects,
)

from model.prediction.heatmap_geometry import HeatmapGeometry
from model.prediction.slide import Mpp, Pixels, Wsi
from model.prediction.wsi import read_scaled

Mask = NDArray[np.bool_]

PIXEL_UM = 8.0
# Slides that would have more pixels than this are looked at in pixels of twice the size: on 1,250
# mm² that takes a second instead of four, and nobody sees a heat map before.
MOST_FINE_PIXELS = 6_000_000
BAND_ROWS = 256
# Saturation, 0–1. Below the floor lies glass and its noise; above the ceiling everything is tissue,
# even where dense tissue draws Otsu's threshold up past fat and pale stroma.
SATURATION_FLOOR, SATURATION_CEILING = 0.05, 0.08
TISSUE_ABOVE_GLASS = 0.03
GLASS_MIN_VALUE, GLASS_MAX_SATURATION, GLASS_MIN_SHARE = 0.85, 0.12, 0.01
SPECK_UM2 = 2_000.0  # dust: smaller than a cluster of a dozen cells
HOLE_UM2 = 40_000.0  # fat cells, vessels
RIM_UM = 16.0  # kept around tissue
INK_UM2 = 40_000.0  # smaller dark or blue spots are tissue: pigment, nuclei
INK_RIM_UM = 24.0


@dataclass(frozen=True)
class TissueMask:
    """Tissue (True) in pixels of `step_l0` (x, y) level-0 pixels from the slide's corner on."""

    mask: Mask
    step_l0: tuple[float, float]

    @property
    def is_empty(self) -> bool:
        """Whether there is no tissue at all."""
        return not self.mask.any()

    def share(self, geometry: HeatmapGeometry) -> NDArray[np.float32]:
        """Share of tissue, 0–1, in each cell (rows, columns)."""
        g, (step_x, step_y) = geometry, self.step_l0
        rows = (g.origin_l0_y_px + np.arange(g.rows + 1) * g.step_l0_y_px) / step_y
        columns = (g.origin_l0_x_px + np.arange(g.columns + 1) * g.step_l0_x_px) / step_x
        down = _sums_between(self.mask.astype(np.float32), rows)
        area = _sums_between(down.T, columns).T
        return area * np.float32(step_x * step_y / (g.step_l0_x_px * g.step_l0_y_px))


def _sums_between(
    values: NDArray[np.float32], edges: NDArray[np.floating[Any]]
) -> NDArray[np.float32]:
    """Sums of rows between neighbouring edges, which may cut rows or lie outside the array."""
    # Whole numbers up to the height: exact in float32.
    sums = np.pad(np.cumsum(values, axis=0, dtype=np.float32), ((1, 1), (0, 0)), mode="edge")
    sums[0] = 0
    inside = np.clip(edges, 0, len(values))
    whole = inside.astype(int)
    part = (inside - whole).astype(np.float32)[:, None]
    return np.diff(sums[whole] * (1 - part) + sums[whole + 1] * part, axis=0)


def tissue_mask(wsi: Wsi, mpp: Mpp) -> TissueMask:
    """Find the tissue of a slide, at 8 µm a pixel, or 16 on slides of more than 384 mm².

    A slide's own pixels are taken, if they are larger. Needs about 15 bytes a pixel of the mask,
    75 MB for 25 × 50 mm; the slide itself is read in bands.
    """
    width_um, height_um = wsi.size_l0_px[0] * mpp.x, wsi.size_l0_px[1] * mpp.y
    large = width_um * height_um > MOST_FINE_PIXELS * PIXEL_UM**2
    pixel_um = 2 * PIXEL_UM if large else PIXEL_UM
    step_l0 = max(pixel_um / mpp.x, 1.0), max(pixel_um / mpp.y, 1.0)
    size_px = ceil(wsi.size_l0_px[0] / step_l0[0]), ceil(wsi.size_l0_px[1] / step_l0[1])
    saturation = np.empty((size_px[1], size_px[0]), np.uint8)
    ink = np.empty((size_px[1], size_px[0]), np.bool_)
    bright = np.zeros(256, np.int64)
    for first, band in _bands(wsi, step_l0, size_px):
        hue, sat, value = _hsv(band)
        rows = slice(first, first + len(band))
        saturation[rows], ink[rows] = sat, is_ink(hue, sat, value)
        glass = (value >= 255 * GLASS_MIN_VALUE) & (sat <= 255 * GLASS_MAX_SATURATION)
        bright += np.bincount(sat[glass], minlength=256)
    pixel_um2 = step_l0[0] * mpp.x * step_l0[1] * mpp.y
    ink = _grow(_without_small(ink, INK_UM2, pixel_um2), INK_RIM_UM, pixel_um2)
    threshold = saturation_threshold(np.bincount(saturation[~ink], minlength=256), bright)
    mask = _without_small((saturation > threshold * 255) & ~ink, SPECK_UM2, pixel_um2)
    mask = _grow(mask, RIM_UM, pixel_um2)
    mask = np.asarray(remove_small_holes(mask, max_size=int(HOLE_UM2 / pixel_um2)))
    return TissueMask(mask & ~ink, step_l0)


def is_ink(hue: Pixels, saturation: Pixels, value: Pixels) -> Mask:
    """Pixels of pen marks and black padding; all three 0–255 as Pillow's HSV gives them.

    Haematoxylin and eosin lie between violet and red (240°–10°); pens are green, purely blue,
    gaudily red, or black.
    """
    degrees = hue.astype(np.float32) * (360 / 255)
    s, v = saturation.astype(np.float32) / 255, value.astype(np.float32) / 255
    green = (degrees >= 65) & (degrees < 190) & (s >= 0.25)
    blue = (degrees >= 190) & (degrees < 236) & (s >= 0.5)
    red = ((degrees >= 345) | (degrees <= 15)) & (s >= 0.85) & (v >= 0.5)
    black = (v < 0.2) | ((v < 0.4) & (s < 0.2))
    return green | blue | red | black


def saturation_threshold(histogram: NDArray[np.int64], bright: NDArray[np.int64]) -> float:
    """The saturation, 0–1, above which something is tissue.

    `histogram` counts the saturations (256 bins) of all pixels, `bright` those of what may be glass
    by its brightness.
    """
    floor = SATURATION_FLOOR
    if bright.sum() > GLASS_MIN_SHARE * histogram.sum():
        tint = int(np.searchsorted(bright.cumsum(), bright.sum() / 2)) / 255
        floor = max(floor, tint + TISSUE_ABOVE_GLASS)
    if np.count_nonzero(histogram) < 2:
        return floor
    otsu = float(threshold_otsu(hist=(histogram, np.arange(256)))) / 255
    return max(floor, min(otsu, SATURATION_CEILING))


def _bands(
    wsi: Wsi, step_l0: tuple[float, float], size_px: tuple[int, int]
) -> Iterator[tuple[int, Pixels]]:
    for first in range(0, size_px[1], BAND_ROWS):
        rows = min(BAND_ROWS, size_px[1] - first)
        yield first, read_scaled(wsi, 0.0, first * step_l0[1], step_l0, size_px[0], rows)


def _hsv(pixels: Pixels) -> tuple[Pixels, Pixels, Pixels]:
    hue, saturation, value = Image.fromarray(pixels).convert("HSV").split()
    return np.asarray(hue), np.asarray(saturation), np.asarray(value)


def _without_small(mask: Mask, area_um2: float, pixel_um2: float) -> Mask:
    return np.asarray(remove_small_objects(mask, max_size=int(area_um2 / pixel_um2)))


def _grow(mask: Mask, by_um: float, pixel_um2: float) -> Mask:
    return np.asarray(dilation(mask, disk(round(by_um / pixel_um2**0.5))))
