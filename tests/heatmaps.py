"""Heat maps that tests make for themselves."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.prediction.heatmap import Heatmap, HeatmapGeometry

GEOMETRY = HeatmapGeometry(
    columns=70,
    rows=50,
    origin_l0_x_px=0.0,
    origin_l0_y_px=0.0,
    step_l0_x_px=128.0,
    step_l0_y_px=128.0,
    chunk_cells=32,
    mpp_x=0.25,
    mpp_y=0.25,
    model_id="test-model",
    model_version="1.0.0",
    weights_sha256="0" * 64,
    threshold=0.5,
    temperature=None,
    calibrated=False,
    model_mpp=0.97,
    min_tissue_share=0.1,
    level=2,
)


def make_heatmap(
    path: Path, tissue_share: NDArray[np.float32] | float = 1.0, **changes: Any
) -> Heatmap:
    """Create an empty heat map with `changes` to GEOMETRY; one number is the share of all cells."""
    geometry = replace(GEOMETRY, **changes)
    shape = (geometry.rows, geometry.columns)
    share = np.broadcast_to(np.asarray(tissue_share, np.float32), shape)
    return Heatmap.create(path, geometry, share)


def fill(heatmap: Heatmap, seed: int = 0) -> NDArray[np.float32]:
    """Store every planned chunk with random probabilities; returns the whole grid."""
    geometry = heatmap.geometry
    grid = np.random.default_rng(seed).random((geometry.rows, geometry.columns), np.float32)
    grid[~heatmap.to_analyse] = np.nan
    for chunk in heatmap.planned_chunks():
        top, bottom, left, right = geometry.chunk_cells_range(chunk)
        heatmap.write_chunk(chunk, grid[top:bottom, left:right])
    return grid
