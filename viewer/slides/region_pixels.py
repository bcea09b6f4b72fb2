"""A rectangle of a slide as one small picture, put together from Deep Zoom tiles.

Tiles, so that what the viewer has shown is decoded once, and so that no region costs more than its
own picture and the tiles it lies in, however large it is.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

from viewer.slides.tile_pixels import Pixels, Remember, TileSource

BACKGROUND = 255  # beside the slide

Rectangle = tuple[float, float, float, float]  # left, top, right, bottom


class Box(NamedTuple):
    """A rectangle of level 0, in pixels; it may reach beyond the slide."""

    x_l0_px: float
    y_l0_px: float
    width_l0_px: float
    height_l0_px: float


def region_size_px(box: Box, longest_px: int) -> tuple[int, int]:
    """Width and height of the picture of a region whose longer side is `longest_px`."""
    scale = longest_px / max(box.width_l0_px, box.height_l0_px)
    return max(1, round(box.width_l0_px * scale)), max(1, round(box.height_l0_px * scale))


def region_pixels(source: TileSource, remember: Remember, box: Box, longest_px: int) -> Pixels:
    """Colours of a region, uint8 (h, w, 3), shrunk from the next finer level; white elsewhere."""
    width_px, height_px = region_size_px(box, longest_px)
    picture = Image.new("RGB", (width_px, height_px), (BACKGROUND,) * 3)
    zoom = source.zoom
    inside = _inside(box, zoom.width_l0_px, zoom.height_l0_px)
    if inside is not None:
        scale = longest_px / max(box.width_l0_px, box.height_l0_px)
        left, top, right, bottom = (
            round((at - corner) * scale)
            for at, corner in zip(inside, (box.x_l0_px, box.y_l0_px) * 2, strict=True)
        )
        size_px = max(1, right - left), max(1, bottom - top)
        picture.paste(_shrunk(source, remember, inside, 1 / scale, size_px), (left, top))
    return np.asarray(picture)


def _inside(box: Box, width_l0_px: int, height_l0_px: int) -> Rectangle | None:
    """The part of a region that lies on the slide: left, top, right, bottom."""
    left, top = max(0.0, box.x_l0_px), max(0.0, box.y_l0_px)
    right = min(float(width_l0_px), box.x_l0_px + box.width_l0_px)
    bottom = min(float(height_l0_px), box.y_l0_px + box.height_l0_px)
    return (left, top, right, bottom) if left < right and top < bottom else None


def _shrunk(
    source: TileSource,
    remember: Remember,
    part: Rectangle,
    step_l0_px: float,
    size_px: tuple[int, int],
) -> Image.Image:
    """A part of the slide, shrunk from the coarsest level that is fine enough for the step."""
    zoom = source.zoom
    level = zoom.level_count - 1
    while level > 0 and zoom.step_l0_px(level - 1) <= step_l0_px:
        level -= 1
    step = zoom.step_l0_px(level)
    left, top, right, bottom = (at / step for at in part)
    x0, y0 = int(np.floor(left)), int(np.floor(top))
    shape = int(np.ceil(bottom)) - y0, int(np.ceil(right)) - x0, 3
    canvas = np.full(shape, BACKGROUND, np.uint8)
    _paste_tiles(source, remember, level, (x0, y0), canvas)
    inner = (left - x0, top - y0, right - x0, bottom - y0)
    return Image.fromarray(canvas).resize(size_px, Image.Resampling.BILINEAR, box=inner)


def _paste_tiles(
    source: TileSource, remember: Remember, level: int, corner: tuple[int, int], canvas: Pixels
) -> None:
    """Put what the level has into a canvas whose upper left pixel lies at `corner` of it."""
    zoom, side = source.zoom, source.zoom.tile_size_px
    columns, rows = zoom.grid(level)
    height, width = canvas.shape[:2]
    x0, y0 = corner
    for row in range(max(0, y0 // side), min(rows, -(-(y0 + height) // side))):
        for column in range(max(0, x0 // side), min(columns, -(-(x0 + width) // side))):
            tile = source.pixels((level, column, row), remember)
            x, y = column * side - x0, row * side - y0
            from_x, from_y = max(0, -x), max(0, -y)
            part = tile[from_y : height - y, from_x : width - x]
            to_y, to_x = y + from_y, x + from_x
            canvas[to_y : to_y + part.shape[0], to_x : to_x + part.shape[1]] = part
