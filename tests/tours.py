"""Finished analyses that tests draw instead of computing, for what is made of them."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session, sessionmaker

from model.prediction.heatmap import Heatmap
from tests.heatmaps import make_heatmap
from viewer.analyses.job import heatmap_path
from viewer.db import utc_now, writing
from viewer.records import Analysis
from viewer.settings import Settings

STEP_PX = 32


def draw_map(path: Path, grid: NDArray[np.float32], **geometry: Any) -> Heatmap:
    """A whole heat map of these probabilities (NaN: not analysed), cells of 32 level-0 px."""
    rows, columns = grid.shape
    steps = {"step_l0_x_px": STEP_PX, "step_l0_y_px": STEP_PX, "chunk_cells": 8}
    path.parent.mkdir(parents=True, exist_ok=True)
    tissue = (~np.isnan(grid)).astype(np.float32)
    heatmap = make_heatmap(path, tissue, rows=rows, columns=columns, **steps | geometry)
    for chunk in heatmap.planned_chunks():
        top, bottom, left, right = heatmap.geometry.chunk_cells_range(chunk)
        heatmap.write_chunk(chunk, grid[top:bottom, left:right])
    return heatmap


def draw_analysis(
    sessions: sessionmaker[Session],
    settings: Settings,
    slide: dict[str, Any],
    grid: NDArray[np.float32],
    *,
    state: str = "done",
    number: int = 0,
    **geometry: Any,
) -> str:
    """Record an analysis that ended before hot spots were looked for; its id."""
    analysis_id = f"{slide['id']}{number:012x}"
    heatmap = draw_map(heatmap_path(settings, analysis_id), grid, **geometry)
    extent = {"chunks": len(heatmap.planned_chunks()), "revision": str(heatmap.revision())}
    analysis = Analysis(
        id=analysis_id,
        slide_id=slide["id"],
        model_id=heatmap.geometry.model_id,
        model_version=heatmap.geometry.model_version,
        mpp_x=slide["mpp_x"],
        mpp_y=slide["mpp_y"],
        state=state,
        created_at=utc_now(),
        summary=heatmap.summary() | extent if state == "done" else None,
    )
    with writing(sessions) as session:
        session.merge(analysis)
    return analysis_id
