"""Score a slide chunk by chunk. Both entry points are small to call and safe to call again.

They run in any process that sees the slide, the model folder and the heat map: `prepare` once,
`score_chunk` once for each of `Heatmap.planned_chunks()`.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from math import ceil
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from model.prediction.engine import check_engine, choose_engine, is_automatic, load_engine
from model.prediction.errors import (
    HeatmapInvalid,
    ModelInvalid,
    ResolutionUnknown,
    ResolutionUnsuitable,
)
from model.prediction.heatmap import Chunk, Heatmap, HeatmapGeometry
from model.prediction.models import Model, load_model
from model.prediction.slide import Mpp, Pixels, Wsi
from model.prediction.slide_stain import with_slide_stain
from model.prediction.stain import normalised
from model.prediction.tissue import tissue_mask
from model.prediction.wsi import level_for, open_wsi, read_scaled

# 16 × 16 cells of 31 µm: half a millimetre square, a tenth of a second on one core with the shipped
# model. Long against what a chunk costs beside its cells, short for who waits for it or cancels.
CHUNK_CELLS = 16
# A chunk of a model with larger cells has fewer of them, so that what is read at once stays small.
MOST_READ_PX = 4096
# A level this near to the model's resolution is taken as it is.
LEVEL_TOLERANCE = 0.10
# Resampled pixels are multiples of this part of a level's pixel (at most 0.2 % off the model's
# resolution). Pillow places windows in float32; such places it holds exactly, so that a cell's
# patch has the same colours whichever chunk it is read with.
SCALE_STEP = 1 / 256
# The coarsest pixels that are still enlarged to the model's resolution, as a multiple of it.
COARSEST = 1.5


def prepare(
    slide_path: Path,
    model_folder: Path,
    heatmap_path: Path,
    mpp: Mpp | None,
    engine: str | None = None,
) -> None:
    """Find the tissue and make the empty heat map, unless an equal one is there already.

    `mpp` stands in for the slide's own resolution; `engine` is one of engine.CHOICES. With `auto`
    a map is gone on with by the engine that began it. Raises SlideUnreadable, ModelInvalid,
    EngineUnavailable, ResolutionUnknown, ResolutionUnsuitable, HeatmapUnwritable, and
    HeatmapInvalid if the heat map there is another's.
    """
    with open_wsi(slide_path) as wsi:
        used_mpp = mpp or wsi.mpp
        if used_mpp is None:
            raise ResolutionUnknown(
                "The slide does not say how many µm a pixel covers.",
                "Look it up in the scanner's settings and give it.",
            )
        model = load_model(model_folder)
        geometry = replace(plan_geometry(wsi, used_mpp, model), engine=choose_engine(engine))
        if heatmap_path.exists():
            _check_equal(heatmap_path, geometry, any_engine=is_automatic(engine))
            return
        tissue = tissue_mask(wsi, used_mpp)
        share = tissue.share(geometry)
        geometry = with_slide_stain(geometry, wsi, tissue, model.cell_size_px)
    try:
        Heatmap.create(heatmap_path, geometry, share)
    except FileExistsError:  # another process was faster
        _check_equal(heatmap_path, geometry, any_engine=is_automatic(engine))


def score_chunk(
    slide_path: Path,
    model_folder: Path,
    heatmap_path: Path,
    chunk: Chunk,
    check_slide: Callable[[], None] = lambda: None,
) -> None:
    """Score the cells of one chunk that hold tissue, and store it; also if it is stored already.

    `check_slide` is called once the pixels were read and may raise, so that those of a file that
    was replaced are never stored. Raises SlideUnreadable, ModelInvalid, HeatmapInvalid or
    HeatmapUnwritable.
    """
    heatmap = open_heatmap(heatmap_path)
    check_engine(heatmap.geometry.engine)
    engine = load_engine(model_folder, heatmap.geometry.engine)
    _check_model(engine.model, heatmap.geometry)
    top, bottom, left, right = heatmap.geometry.chunk_cells_range(chunk)
    cells = heatmap.to_analyse[top:bottom, left:right]
    probabilities = np.full(cells.shape, np.nan, np.float32)
    if cells.any():
        region = read_region(
            _open_slide(slide_path), heatmap.geometry, engine.model, chunk, cells.shape
        )
        check_slide()
        probabilities[cells] = engine.score_cells(region, cells)
    heatmap.write_chunk(chunk, probabilities)


def open_heatmap(path: Path) -> Heatmap:
    """A heat map to write chunks to, kept open for the next one; raises HeatmapInvalid."""
    try:
        state = (path / "zarr.json").stat()
    except OSError:
        return Heatmap.open(path)  # says what is wrong
    with _OPENING:
        return _kept_heatmap(path, state.st_ino, state.st_mtime_ns)


def _open_slide(path: Path) -> Wsi:
    """A slide, kept open for the next chunk unless its file changes; raises SlideUnreadable."""
    try:
        state = path.stat()
    except OSError:
        return open_wsi(path)  # says what is wrong
    with _OPENING:
        return _kept_slide(path, state.st_ino, state.st_size, state.st_mtime_ns)


# Opening costs as much as scoring a few cells; chunks of one slide come one after the other.
_OPENING = Lock()


@lru_cache(maxsize=1)
def _kept_heatmap(path: Path, *state: int) -> Heatmap:
    return Heatmap.open(path)


@lru_cache(maxsize=1)
def _kept_slide(path: Path, *state: int) -> Wsi:
    return open_wsi(path)


def plan_geometry(wsi: Wsi, mpp: Mpp, model: Model) -> HeatmapGeometry:
    """Where the model's cells lie on the slide: on a level's own pixels if one is near enough."""
    level, pixel_l0 = pixel_size(wsi, mpp, model.spacing_um_px)
    origin_l0 = wsi.level_origins_l0_px[level_for(wsi, pixel_l0)]
    step_x, step_y = (model.cell_size_px * size for size in pixel_l0)
    return HeatmapGeometry(
        columns=ceil((wsi.size_l0_px[0] - origin_l0[0]) / step_x),
        rows=ceil((wsi.size_l0_px[1] - origin_l0[1]) / step_y),
        origin_l0_x_px=origin_l0[0],
        origin_l0_y_px=origin_l0[1],
        step_l0_x_px=step_x,
        step_l0_y_px=step_y,
        chunk_cells=chunk_cells(model),
        mpp_x=mpp.x,
        mpp_y=mpp.y,
        model_id=model.id,
        model_version=model.version,
        weights_sha256=model.weights_sha256,
        threshold=model.threshold,
        temperature=model.temperature,
        calibrated=model.calibrated,
        model_mpp=model.spacing_um_px,
        min_tissue_share=model.min_tissue_share,
        level=level,
        stain=model.stain,
        sees_surroundings=model.dense,
    )


def chunk_cells(model: Model) -> int:
    """Cells along a side of a chunk: CHUNK_CELLS, halved until one read holds all its patches."""
    cells = CHUNK_CELLS
    while cells > 1 and (cells - 1) * model.cell_size_px + model.seen_px > MOST_READ_PX:
        cells //= 2
    return cells


def read_patches(
    wsi: Wsi,
    geometry: HeatmapGeometry,
    model: Model,
    chunk: Chunk,
    cells: NDArray[np.bool_],
) -> Pixels:
    """What the net sees of the chosen cells of a chunk, (n, side, side, 3), row by row."""
    cell_px, seen_px = model.cell_size_px, model.seen_px
    region = read_region(wsi, geometry, model, chunk, cells.shape)
    windows = sliding_window_view(region, (seen_px, seen_px), axis=(0, 1))
    return np.moveaxis(windows[::cell_px, ::cell_px][cells], 1, -1)


def read_region(
    wsi: Wsi, geometry: HeatmapGeometry, model: Model, chunk: Chunk, cells: tuple[int, ...]
) -> Pixels:
    """The pixels of a chunk's cells (rows, columns), with the margin into which the net sees.

    What lies outside the slide is background.
    """
    cell_px, seen_px = model.cell_size_px, model.seen_px
    # Whole pixels: half a one would blur every patch. Where sides differ by an odd number, patches
    # reach a pixel further to the right and down.
    margin_px = (model.patch_size_px - cell_px) // 2 + model.surroundings_px[0]
    pixel_x, pixel_y = geometry.step_l0_x_px / cell_px, geometry.step_l0_y_px / cell_px
    top, _, left, _ = geometry.chunk_cells_range(chunk)
    rows, columns = cells
    region = read_scaled(
        wsi,
        geometry.origin_l0_x_px + left * geometry.step_l0_x_px - margin_px * pixel_x,
        geometry.origin_l0_y_px + top * geometry.step_l0_y_px - margin_px * pixel_y,
        (pixel_x, pixel_y),
        (columns - 1) * cell_px + seen_px,
        (rows - 1) * cell_px + seen_px,
    )
    return normalised(region, geometry.slide_stain, geometry.stain)


def pixel_size(wsi: Wsi, mpp: Mpp, spacing_um_px: float) -> tuple[int | None, tuple[float, float]]:
    """The level to take as it is, or None, and level-0 pixels per pixel of the model's patches.

    Training patches are cut by the same rule. Raises ResolutionUnsuitable for too coarse a slide.
    """
    level = _level_near(wsi, mpp, spacing_um_px)
    if level is not None:
        return level, wsi.level_downsamples[level]
    finest_um = max(mpp.x, mpp.y)
    if finest_um > spacing_um_px * COARSEST:
        raise ResolutionUnsuitable(
            f"The slide's pixels are {finest_um:g} µm wide; the model needs {spacing_um_px:g} µm"
            " or finer.",
            "Scan the slide at 10× or more, or correct its resolution.",
        )
    wanted_x, wanted_y = spacing_um_px / mpp.x, spacing_um_px / mpp.y
    factor_x, factor_y = wsi.level_downsamples[level_for(wsi, (wanted_x, wanted_y))]
    return None, (_whole_steps(wanted_x, factor_x), _whole_steps(wanted_y, factor_y))


def _whole_steps(pixel_l0: float, downsample: float) -> float:
    """The size nearest to `pixel_l0` that is a multiple of SCALE_STEP pixels of the level."""
    return round(pixel_l0 / downsample / SCALE_STEP) * SCALE_STEP * downsample


def _level_near(wsi: Wsi, mpp: Mpp, spacing_um_px: float) -> int | None:
    """The level nearest to a resolution, if it is within the tolerance along both axes."""

    def distance(level: int) -> float:
        x, y = wsi.level_downsamples[level]
        return max(abs(x * mpp.x / spacing_um_px - 1), abs(y * mpp.y / spacing_um_px - 1))

    nearest = min(range(len(wsi.level_downsamples)), key=distance)
    return nearest if distance(nearest) <= LEVEL_TOLERANCE else None


def _check_model(model: Model, geometry: HeatmapGeometry) -> None:
    """A map must not mix two models: the folder may have been replaced since `prepare`."""
    made_by = geometry.weights_sha256, geometry.temperature, geometry.stain
    sees = geometry.sees_surroundings
    if (model.weights_sha256, model.temperature, model.stain, model.dense) != (*made_by, sees):
        raise ModelInvalid(
            f"Model '{model.id}' was replaced while the slide was being analysed.",
            "Start the analysis again; it begins anew with the model that is there now.",
        )


def _check_equal(heatmap_path: Path, geometry: HeatmapGeometry, any_engine: bool) -> None:
    there = Heatmap.open(heatmap_path).geometry
    if any_engine:
        check_engine(there.engine)
        geometry = replace(geometry, engine=there.engine)
    if there == geometry:
        return
    mine, theirs = geometry.to_json(), there.to_json()
    other = [
        name.replace("_", " ")
        for name in mine
        if mine[name] != theirs[name] and name != "slide_stain"
    ]
    raise HeatmapInvalid(
        f"There is another heat map already; it differs in {', '.join(other)}.",
        "Choose another folder, or delete that heat map first.",
    )
