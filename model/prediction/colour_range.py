"""Whether a slide's colours lie within those a model was trained on.

A slide is described by mean and spread of its tissue in CIELAB, averaged over patches, and compared
with the slides of the training patches by Mahalanobis distance. The bound is the largest distance
of any of those from all the others (`python -m model colours`), so that a slide like them passes.
"""

from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator
from skimage.color import rgb2lab

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

TISSUE_DENSITY = 0.15  # mean optical density (natural logarithm) of a pixel, as in stain.py
LEAST_TISSUE = 0.1  # of a patch, for its colours to count
FEATURES = 6

Row = Annotated[tuple[FiniteFloat, ...], Field(min_length=FEATURES, max_length=FEATURES)]


class ColourRange(BaseModel):
    """Colours of the training slides: what lies within `bound` is like them."""

    model_config = ConfigDict(frozen=True)

    mean: Row  # L*, a*, b* of tissue, then their standard deviations
    inverse_covariance: Annotated[tuple[Row, ...], Field(min_length=FEATURES, max_length=FEATURES)]
    bound: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    blocks: int  # runs of neighbours in slide order, which stand for slides
    patches: int

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if np.linalg.eigvalsh(np.array(self.inverse_covariance)).min() <= 0:
            raise ValueError("inverse_covariance must be positive definite")
        return self

    def distance(self, features: Floats) -> float:
        """Mahalanobis distance of features (6) from the training slides' mean."""
        off = features - np.array(self.mean)
        return float(np.sqrt(off @ np.array(self.inverse_covariance) @ off))


def patch_features(patch: Pixels) -> Floats | None:
    """Mean and spread (6) of the tissue of a patch (h, w, 3); None where there is too little."""
    pixels = patch.reshape(-1, 3)
    density = -np.log(np.maximum(pixels, 1) / 255).mean(axis=1)
    tissue = pixels[density >= TISSUE_DENSITY]
    if len(tissue) < LEAST_TISSUE * len(pixels):
        return None
    lab = rgb2lab(tissue)
    return np.concatenate([lab.mean(axis=0), lab.std(axis=0)])
