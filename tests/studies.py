"""A small study with heat maps: slides, masks and probabilities drawn by hand."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tifffile

from model.prediction.heatmap import Heatmap, HeatmapGeometry
from tests import heatmaps
from tests.slides import DARK, EOSIN, GLASS, Square, make_slide

SIZE_PX = (3200, 2400)
MPP = 1.0
CELL_PX = 32
TISSUE = Square(200, 200, 3000, 2200)
GEOMETRY = replace(
    heatmaps.GEOMETRY,
    columns=100,
    rows=75,
    origin_l0_x_px=0,
    origin_l0_y_px=0,
    step_l0_x_px=CELL_PX,
    step_l0_y_px=CELL_PX,
    chunk_cells=64,
    mpp_x=MPP,
    mpp_y=MPP,
    model_id="test-model",
    model_version="1.0.0",
    weights_sha256="ab" * 32,
    threshold=0.5,
)


@dataclass(frozen=True)
class Drawn:
    """One slide: its lesions, and what the model says: (square, probability) over a low ground."""

    name: str
    lesions: tuple[Square, ...] = ()
    heat: tuple[tuple[Square, float], ...] = ()
    ground: float = 0.02


def make_study(folder: Path, slides: list[Drawn], tumour_value: int = 1) -> Path:
    """Write slides/, masks/ (none for normal slides) and heatmaps/ for names such as normal_1."""
    for part in ("slides", "masks", "heatmaps"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for slide in slides:
        make_slide(
            folder / "slides" / f"{slide.name}.tif",
            SIZE_PX,
            level_factors=(1, 2, 4, 8),
            mpp=MPP,
            draw=_picture(slide.lesions),
        )
        if slide.lesions:
            write_mask(folder / "masks" / f"{slide.name}_mask.tif", slide.lesions, tumour_value)
        write_heatmap(folder / "heatmaps" / f"{slide.name}.zarr", slide)
    return folder


def write_mask(path: Path, lesions: tuple[Square, ...], value: int = 1) -> None:
    """A mask of the slides' size with levels."""
    mask = np.zeros((SIZE_PX[1], SIZE_PX[0]), np.uint8)
    for square in lesions:
        mask[square.top : square.bottom, square.left : square.right] = value
    with tifffile.TiffWriter(path) as tiff:
        for factor in (1, 2, 4, 8):
            tiff.write(
                mask[::factor, ::factor],
                tile=(256, 256),
                compression="deflate",
                subfiletype=int(factor > 1),
                metadata=None,
            )


def write_heatmap(
    path: Path, slide: Drawn, geometry: HeatmapGeometry = GEOMETRY, chunks: int | None = None
) -> None:
    """A finished heat map, or one with its first `chunks` chunks only."""
    probabilities = np.full((geometry.rows, geometry.columns), slide.ground, np.float32)
    for square, probability in slide.heat:
        probabilities[_cells(square)] = probability
    tissue = np.zeros_like(probabilities)
    tissue[_cells(TISSUE)] = 1
    probabilities[tissue == 0] = np.nan
    heatmap = Heatmap.create(path, geometry, tissue)
    for chunk in heatmap.planned_chunks()[:chunks]:
        top, bottom, left, right = geometry.chunk_cells_range(chunk)
        heatmap.write_chunk(chunk, probabilities[top:bottom, left:right])


def other_model(path: Path, slide: Drawn) -> None:
    """A heat map of the same slide by another version of the model."""
    write_heatmap(path, slide, replace(GEOMETRY, model_version="2.0.0", weights_sha256="cd" * 32))


def _cells(square: Square) -> tuple[slice, slice]:
    left, top, right, bottom = (round(edge / CELL_PX) for edge in square)
    return slice(top, bottom), slice(left, right)


def _picture(lesions: tuple[Square, ...]) -> np.ndarray:
    picture = np.full((SIZE_PX[1], SIZE_PX[0], 3), GLASS, np.uint8)
    for square, colour in ((TISSUE, EOSIN), *((lesion, DARK) for lesion in lesions)):
        picture[square.top : square.bottom, square.left : square.right] = colour
    return picture
