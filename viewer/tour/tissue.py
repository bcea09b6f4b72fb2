"""Where the tissue of a slide lies, as the first step of its analyses found it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from model.prediction.errors import HeatmapInvalid
from viewer.analyses.heatmaps import open_heatmap
from viewer.analyses.job import heatmap_path
from viewer.records import Analysis
from viewer.settings import Settings

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Tissue:
    """Tissue (True) in cells (rows, columns) of `step` from `origin` on, in level-0 pixels."""

    mask: Mask
    origin_l0_px: tuple[float, float]
    step_l0_px: tuple[float, float]

    def middles_l0_px(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """x and y of the middles of the cells with tissue."""
        rows, columns = np.nonzero(self.mask)
        (x0, y0), (step_x, step_y) = self.origin_l0_px, self.step_l0_px
        x = x0 + (columns.astype(np.float64) + 0.5) * step_x
        return x, y0 + (rows.astype(np.float64) + 0.5) * step_y


def tissue_of(session: Session, settings: Settings, slide_id: str) -> Tissue | None:
    """The tissue by the newest analysis that got so far; None where none did.

    It is no result of a model: who may not see the heat map yet may know it.
    """
    newest_first = select(Analysis.id).where(Analysis.slide_id == slide_id)
    for analysis_id in session.scalars(newest_first.order_by(Analysis.created_at.desc())):
        try:
            opened = open_heatmap(heatmap_path(settings, analysis_id))
        except HeatmapInvalid:
            continue
        if opened is not None:
            heatmap = opened.heatmap
            g = heatmap.geometry
            return Tissue(
                heatmap.to_analyse,
                (g.origin_l0_x_px, g.origin_l0_y_px),
                (g.step_l0_x_px, g.step_l0_y_px),
            )
    return None
