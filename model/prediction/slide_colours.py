"""The colours of an analysed slide, from a bounded sample of its tissue."""

import numpy as np

from model.prediction.colour_range import Floats, patch_features
from model.prediction.errors import HeatmapInvalid
from model.prediction.heatmap import Heatmap
from model.prediction.resample import read_scaled
from model.prediction.slide import Pixels, Wsi

SAMPLED_CELLS = 64
LEAST_PATCHES = 5
PATCH_PX = 96


def slide_features(wsi: Wsi, heatmap: Heatmap) -> Floats | None:
    """Features (6) of a slide from cells spread evenly over what was analysed.

    None where too few of them hold tissue. Raises SlideUnreadable, HeatmapInvalid.
    """
    features = [patch_features(patch) for patch in _sample(wsi, heatmap)]
    known = [each for each in features if each is not None]
    return np.mean(known, axis=0) if len(known) >= LEAST_PATCHES else None


def _sample(wsi: Wsi, heatmap: Heatmap) -> list[Pixels]:
    geometry = heatmap.geometry
    rows, columns = np.nonzero(heatmap.to_analyse)
    chosen = np.unique(np.linspace(0, len(rows) - 1, SAMPLED_CELLS).round().astype(int))
    pixel_l0 = pixel_l0_px(wsi, heatmap)
    return [
        read_scaled(
            wsi,
            geometry.origin_l0_x_px + columns[at] * geometry.step_l0_x_px,
            geometry.origin_l0_y_px + rows[at] * geometry.step_l0_y_px,
            pixel_l0,
            PATCH_PX,
            PATCH_PX,
        )
        for at in (chosen if len(rows) else [])
    ]


def pixel_l0_px(wsi: Wsi, heatmap: Heatmap) -> tuple[float, float]:
    """Level-0 px per pixel that the model saw; raises HeatmapInvalid for another slide's map."""
    geometry = heatmap.geometry
    if geometry.level is not None and geometry.level >= len(wsi.level_downsamples):
        raise HeatmapInvalid(
            f"The heat map was computed from level {geometry.level}, which this slide lacks.",
            "Analyse the slide again.",
        )
    if geometry.level is not None:
        return wsi.level_downsamples[geometry.level]
    return geometry.model_mpp / geometry.mpp_x, geometry.model_mpp / geometry.mpp_y
