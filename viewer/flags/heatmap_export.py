"""The heat map for other programs: tiles as GeoJSON after WSInfer's form, and a pyramidal TIFF."""

import json
from collections.abc import Iterator
from math import ceil, floor, log2
from typing import IO

import numpy as np
import tifffile
from numpy.typing import NDArray

from model.prediction.heatmap import Heatmap, HeatmapGeometry
from model.prediction.heatmap_values import Values, halve, to_values
from viewer.flags.exchange import NOTICE
from viewer.flags.geometry import Extent

CLASS_NAME = "Tumor"  # as in WSInfer's models of breast tumours
TIFF_TILE_PX = 256
SMALLEST_LEVEL_PX = 256
UM_PER_CM = 1e4


def geojson_tiles(heatmap: Heatmap, slide_name: str, minimum: float) -> Iterator[str]:
    """A FeatureCollection with a tile for each analysed cell of at least that probability."""
    geometry = heatmap.geometry
    about = {
        "slide": slide_name,
        "model": geometry.model_id,
        "model_version": geometry.model_version,
        "threshold": geometry.threshold,
        "notice": NOTICE,
    }
    yield f'{{"type":"FeatureCollection","sentinode":{json.dumps(about)},"features":['
    first = True
    for top in range(0, geometry.rows, geometry.chunk_cells):
        bottom = min(top + geometry.chunk_cells, geometry.rows)
        values = heatmap.probabilities(top, bottom, 0, geometry.columns)
        rows, columns = np.nonzero(values >= minimum)  # NaN, not analysed, never is
        lines = [
            _tile(geometry, top + row, column, values[row, column])
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        ]
        if lines:
            yield f"{'' if first else ','}\n" + ",\n".join(lines)
            first = False
    yield "\n]}\n"


def _tile(geometry: HeatmapGeometry, row: int, column: int, p: float) -> str:
    x0 = round(geometry.origin_l0_x_px + column * geometry.step_l0_x_px, 2)
    y0 = round(geometry.origin_l0_y_px + row * geometry.step_l0_y_px, 2)
    x1 = round(geometry.origin_l0_x_px + (column + 1) * geometry.step_l0_x_px, 2)
    y1 = round(geometry.origin_l0_y_px + (row + 1) * geometry.step_l0_y_px, 2)
    ring = f"[{x0},{y0}],[{x1},{y0}],[{x1},{y1}],[{x0},{y1}],[{x0},{y0}]"
    return (
        f'{{"type":"Feature","geometry":{{"type":"Polygon","coordinates":[[{ring}]]}},'
        '"properties":{"objectType":"tile","isLocked":true,'
        f'"measurements":{{"prob_{CLASS_NAME}":{p:.4f}}}}}}}'
    )


def write_tiff(
    file: IO[bytes], heatmap: Heatmap, slide: Extent, offset_px: tuple[int, int] = (0, 0)
) -> None:
    """A tiled 8-bit TIFF over the whole slide: 0 = not analysed, else 1 + round(254 p).

    A pixel is 2^k level-0 pixels wide, never wider than a cell, so that levels and the slide's own
    keep ratios of 2 (ASAP wants that). Coarser levels hold the highest of 2 × 2. `slide` and
    `offset_px` (of the bounds) are those of the plane wanted.
    """
    geometry = heatmap.geometry
    shift = max(0, floor(log2(min(geometry.step_l0_x_px, geometry.step_l0_y_px))))
    values = in_slide_plane(heatmap, slide, offset_px, 1 << shift)
    about = (
        f"Sentinode heat map. 0 = not analysed, 1-255 = probability (v - 1) / 254. "
        f"Model {geometry.model_id} {geometry.model_version}, threshold {geometry.threshold:.4f}, "
        f"1 pixel = {1 << shift} level-0 pixels. {NOTICE}"
    )
    with tifffile.TiffWriter(file) as tiff:
        for n, level in enumerate(_levels(values)):
            side = float(1 << (shift + n))
            per_cm = UM_PER_CM / (geometry.mpp_x * side), UM_PER_CM / (geometry.mpp_y * side)
            tiff.write(
                level,
                tile=(TIFF_TILE_PX, TIFF_TILE_PX),
                photometric="minisblack",
                compression="adobe_deflate",
                predictor=False,
                subfiletype=1 if n else 0,
                resolution=per_cm,
                resolutionunit="CENTIMETER",
                description=about if n == 0 else None,
                metadata=None,
                software="Sentinode",
            )


def in_slide_plane(
    heatmap: Heatmap, slide: Extent, offset_px: tuple[int, int], pixel_l0_px: int
) -> Values:
    """Values (rows, columns) on a grid over the whole slide: each pixel that of the cell its centre
    lies in, 0 outside the heat map.
    """
    geometry = heatmap.geometry
    grid = np.zeros((geometry.rows + 1, geometry.columns + 1), np.uint8)  # the last ones: outside
    grid[:-1, :-1] = to_values(heatmap.probabilities(0, geometry.rows, 0, geometry.columns))
    rows = _cells_of(
        ceil(slide.height_px / pixel_l0_px),
        pixel_l0_px,
        geometry.origin_l0_y_px + offset_px[1],
        geometry.step_l0_y_px,
        geometry.rows,
    )
    columns = _cells_of(
        ceil(slide.width_px / pixel_l0_px),
        pixel_l0_px,
        geometry.origin_l0_x_px + offset_px[0],
        geometry.step_l0_x_px,
        geometry.columns,
    )
    return grid[rows[:, None], columns[None, :]]


def _cells_of(
    pixels: int, pixel_l0_px: int, origin_l0_px: float, step_l0_px: float, count: int
) -> NDArray[np.intp]:
    """For each pixel along a side the cell its centre lies in; `count` for none."""
    centres = (np.arange(pixels) + 0.5) * pixel_l0_px
    cells = np.floor((centres - origin_l0_px) / step_l0_px).astype(np.intp)
    return np.where((cells >= 0) & (cells < count), cells, count)


def _levels(values: Values) -> Iterator[Values]:
    yield values
    while max(values.shape) > SMALLEST_LEVEL_PX:
        values = halve(values)
        yield values
