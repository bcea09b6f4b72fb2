"""The one resampler: Deep Zoom tiles and the model's patches both come from here.

An output pixel is a mean of what it covers, weighted by Pillow's cubic window: as sharp as the
levels a scanner writes, and exact for ramps, so that nothing moves (Pillow's Hamming window moves
edges by up to 0.18 pixels). The window looks past the region asked for, so that neighbouring
regions join without a seam, but never past the slide's edge: what lies beyond is background.
"""

from math import ceil, floor

import numpy as np
from PIL import Image

from model.prediction.slide import Pixels, Wsi

FILTER = Image.Resampling.BICUBIC
# Half the window's width, in output pixels.
FILTER_SUPPORT = 2.0
# A level coarser than asked for by up to 1 % is as good as one that is exact.
LEVEL_TOLERANCE = 1.01
# How far from a whole pixel, in pixels, still is that pixel.
EXACT_PX = 1e-3
# Most pixels of a level that are in memory at once: 16 Mpx are about 130 MB while they are decoded.
MAX_READ_PX = 16 * 1024 * 1024


def read_scaled(
    wsi: Wsi,
    x_l0: float,
    y_l0: float,
    step_l0: tuple[float, float],
    width_px: int,
    height_px: int,
) -> Pixels:
    """Colours (height_px, width_px, 3) from (x_l0, y_l0) on, an output pixel covering `step_l0`.

    Memory stays below the result and about 130 MB, however far apart `step_l0` and the slide's
    levels are: a larger region is read in parts. Pixels outside the slide are background. Raises
    SlideUnreadable where the file is damaged.
    """
    right_l0, bottom_l0 = x_l0 + step_l0[0] * width_px, y_l0 + step_l0[1] * height_px
    if x_l0 >= wsi.size_l0_px[0] or y_l0 >= wsi.size_l0_px[1] or right_l0 <= 0 or bottom_l0 <= 0:
        return wsi.blank(width_px, height_px)
    level = level_for(wsi, step_l0)
    factor = wsi.level_downsamples[level]
    scale = step_l0[0] / factor[0], step_l0[1] / factor[1]
    if width_px * scale[0] * height_px * scale[1] > MAX_READ_PX and width_px * height_px > 1:
        return _read_halves(wsi, x_l0, y_l0, step_l0, width_px, height_px)
    origin = wsi.level_origins_l0_px[level]
    spans = (
        _Span((x_l0 - origin[0]) / factor[0], scale[0], width_px),
        _Span((y_l0 - origin[1]) / factor[1], scale[1], height_px),
    )
    result = _resample(wsi, level, *spans)
    _blank_outside(result, wsi, x_l0, y_l0, step_l0)
    return result


def level_for(wsi: Wsi, step_l0: tuple[float, float]) -> int:
    """The coarsest level that is no coarser than `step_l0` (level-0 pixels per output pixel)."""
    fine_enough = [
        level
        for level, (x, y) in enumerate(wsi.level_downsamples)
        if x <= step_l0[0] * LEVEL_TOLERANCE and y <= step_l0[1] * LEVEL_TOLERANCE
    ]
    return max(fine_enough, key=lambda level: wsi.level_downsamples[level][0], default=0)


class _Span:
    """A stretch of one axis of a level: `count` output pixels of `scale` from `start` on."""

    def __init__(self, start: float, scale: float, count: int) -> None:
        self.count = count
        end = start + scale * count
        self.exact = abs(scale * count - count) < EXACT_PX and abs(start - round(start)) < EXACT_PX
        margin = 0 if self.exact else ceil(FILTER_SUPPORT * max(scale, 1.0)) + 1
        self.first_px = round(start) if self.exact else floor(start) - margin
        self.last_px = round(start) + count if self.exact else ceil(end) + margin
        self.box = start - self.first_px, end - self.first_px


def _resample(wsi: Wsi, level: int, across: _Span, down: _Span) -> Pixels:
    source = _read_edged(wsi, level, across, down)
    if across.exact and down.exact:
        return source
    box = (across.box[0], down.box[0], across.box[1], down.box[1])
    resized = Image.fromarray(source).resize((across.count, down.count), FILTER, box)
    return np.array(resized)


def _read_edged(wsi: Wsi, level: int, across: _Span, down: _Span) -> Pixels:
    """Read a stretch of a level; what lies beyond the level repeats its last row or column."""
    width, height = wsi.level_sizes_px[level]
    left, right = _inside(across, width)
    top, bottom = _inside(down, height)
    pixels = wsi.read_level(level, left, top, right - left, bottom - top)
    if (left, right, top, bottom) == (across.first_px, across.last_px, down.first_px, down.last_px):
        return pixels
    columns = np.clip(np.arange(across.first_px, across.last_px), left, right - 1) - left
    rows = np.clip(np.arange(down.first_px, down.last_px), top, bottom - 1) - top
    return pixels[rows[:, None], columns]


def _inside(span: _Span, size_px: int) -> tuple[int, int]:
    """The part of a span within a level of `size_px` pixels; one pixel if there is none."""
    first = min(max(span.first_px, 0), size_px - 1)
    return first, min(max(span.last_px, first + 1), size_px)


def _blank_outside(
    result: Pixels, wsi: Wsi, x_l0: float, y_l0: float, step_l0: tuple[float, float]
) -> None:
    """Give the background's colour to output pixels that lie wholly outside the slide."""
    height_px, width_px = result.shape[:2]
    for axis, start, step, count, size in (
        (1, x_l0, step_l0[0], width_px, wsi.size_l0_px[0]),
        (0, y_l0, step_l0[1], height_px, wsi.size_l0_px[1]),
    ):
        first = min(max(floor(-start / step + 1e-6), 0), count)
        last = min(max(ceil((size - start) / step - 1e-6), 0), count)
        along = np.moveaxis(result, axis, 0)
        along[:first] = wsi.background_rgb
        along[last:] = wsi.background_rgb


def _read_halves(
    wsi: Wsi,
    x_l0: float,
    y_l0: float,
    step_l0: tuple[float, float],
    width_px: int,
    height_px: int,
) -> Pixels:
    step_x, step_y = step_l0
    if height_px == 1 or (width_px > 1 and width_px * step_x >= height_px * step_y):
        half = width_px // 2
        left = read_scaled(wsi, x_l0, y_l0, step_l0, half, height_px)
        right_l0 = x_l0 + half * step_x
        right = read_scaled(wsi, right_l0, y_l0, step_l0, width_px - half, height_px)
        return np.concatenate([left, right], axis=1)
    half = height_px // 2
    upper = read_scaled(wsi, x_l0, y_l0, step_l0, width_px, half)
    lower = read_scaled(wsi, x_l0, y_l0 + half * step_y, step_l0, width_px, height_px - half)
    return np.concatenate([upper, lower], axis=0)
