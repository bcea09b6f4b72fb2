"""Folds of cross-validation that keep the patches of a slide together, as far as slides are known.

Patches whose place in the slide order is known are cut into contiguous blocks of that order. The
others are grouped by stain: patches of one slide share its colours, so most of them fall together,
though by no means all.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

from model.training.patches import Pixels

Folds = NDArray[np.intp]
STAIN_GROUPS_PER_FOLD = 10
SAMPLED_PIXELS = 3  # every third pixel is enough for colour statistics
QUANTILES = (2, 10, 25, 50, 75, 90, 98)


def make_folds(pixels: Pixels, order: NDArray[np.int64], count: int) -> Folds:
    """Fold (n,) of each patch; `order` (n,) is its place in slide order, negative if unknown."""
    folds = np.full(len(order), -1, dtype=np.intp)
    known = np.flatnonzero(order >= 0)
    ranks = np.empty(len(known), dtype=np.intp)
    ranks[np.argsort(order[known], kind="stable")] = np.arange(len(known))
    folds[known] = ranks * count // max(len(known), 1)
    unknown = np.flatnonzero(order < 0)
    if len(unknown):
        folds[unknown] = _by_stain(stain_statistics(pixels[unknown]), count)
    return folds


def stain_statistics(pixels: Pixels) -> NDArray[np.float64]:
    """Colour statistics (n, k) of patches, each scaled to unit variance over the patches."""
    thinned = pixels.reshape(len(pixels), -1, 3)[:, ::SAMPLED_PIXELS].astype(np.float32)
    density = -np.log(np.clip(thinned, 1, 255) / 255)
    mean = density.mean(1)
    quantiles = np.percentile(density, QUANTILES, axis=1)
    parts = [mean, density.std(1), np.concatenate(list(quantiles), axis=1)]
    # The mix of the three channels tells stains apart whatever the amount of tissue.
    parts.append(mean / mean.sum(1, keepdims=True).clip(1e-6))
    statistics = np.concatenate(parts, axis=1).astype(np.float64)
    scaled: NDArray[np.float64] = (statistics - statistics.mean(0)) / statistics.std(0).clip(1e-6)
    return scaled


def _by_stain(statistics: NDArray[np.float64], count: int) -> Folds:
    groups = min(count * STAIN_GROUPS_PER_FOLD, len(statistics))
    _, group = kmeans2(statistics, groups, minit="++", rng=0)
    sizes = np.bincount(group, minlength=groups)
    fold_of = np.zeros(groups, dtype=np.intp)
    filled = np.zeros(count, dtype=np.int64)
    for largest in np.argsort(-sizes, kind="stable"):  # each into the fold that is emptiest yet
        fold_of[largest] = np.argmin(filled)
        filled[fold_of[largest]] += sizes[largest]
    folds: Folds = fold_of[group]
    return folds
