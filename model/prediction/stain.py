"""Stain normalisation: colours of one laboratory as another's (Macenko 2009, Reinhard 2001).

A stain is fitted to many pixels, of a slide or of training patches, and never to a lone patch: one
full of nuclei would be taken for tissue stained too blue. Both maps can be undone, and leave alone
what lets the light through.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from skimage.color import lab2rgb, rgb2lab

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]
TISSUE_DENSITY = 0.15  # optical density (natural logarithm) of every colour: Macenko's β
MIN_TISSUE_PX = 200
OUTER_PERCENT = 1.0  # of angles and densities on each side, taken for noise
MIN_ANGLE = np.deg2rad(5)  # between haematoxylin and eosin: nearer ones are one stain


@dataclass(frozen=True)
class Macenko:
    """Directions of haematoxylin and eosin in optical density, and their strongest densities."""

    directions: tuple[tuple[float, ...], ...]  # 2 × 3, unit length
    strengths: tuple[float, ...]  # 2

    @classmethod
    def fit(cls, pixels: Pixels) -> Self | None:
        """The stain of pixels (…, 3); None where there is too little tissue or one colour only."""
        density = _density(pixels.reshape(-1, 3))
        tissue = density[(density >= TISSUE_DENSITY).all(1)]
        if len(tissue) < MIN_TISSUE_PX:
            return None
        plane = np.linalg.eigh(np.cov(tissue.T))[1][:, :0:-1]  # the two widest directions
        plane *= np.sign(plane.sum(0)) + (plane.sum(0) == 0)
        on_plane = tissue @ plane
        angles = np.arctan2(on_plane[:, 1], on_plane[:, 0])
        outer = np.percentile(angles, (OUTER_PERCENT, 100 - OUTER_PERCENT))
        if outer[1] - outer[0] < MIN_ANGLE:
            return None
        pair = [plane @ (np.cos(angle), np.sin(angle)) for angle in outer]
        # Haematoxylin takes more of the red.
        pair.sort(key=lambda direction: -direction[0])
        amounts = tissue @ np.linalg.inv(_basis(np.array(pair)))
        strengths = np.percentile(amounts[:, :2], 100 - OUTER_PERCENT, axis=0)
        if strengths.min() <= 0:
            return None
        return cls(tuple(tuple(map(float, each)) for each in pair), tuple(map(float, strengths)))

    def normalise(self, pixels: Pixels, target: Self) -> Pixels:
        """Pixels (…, 3) of this stain as `target` would show them."""
        scale = np.append(np.divide(target.strengths, self.strengths), 1.0)
        there = np.linalg.inv(_basis(np.array(self.directions))) * scale
        mapped = _density(pixels) @ (there @ _basis(np.array(target.directions)))
        return _rounded(255 * np.exp(-mapped))


@dataclass(frozen=True)
class Reinhard:
    """Mean and spread of tissue in CIELAB."""

    mean: tuple[float, ...]
    spread: tuple[float, ...]

    @classmethod
    def fit(cls, pixels: Pixels) -> Self | None:
        """The stain of pixels (…, 3); None where there is too little tissue or one colour only."""
        flat = pixels.reshape(-1, 3)
        tissue = flat[_tissue_weight(flat)[:, 0] == 1]
        if len(tissue) < MIN_TISSUE_PX:
            return None
        lab = rgb2lab(tissue)
        spread = lab.std(0)
        if spread.min() < 1e-3:
            return None
        return cls(tuple(map(float, lab.mean(0))), tuple(map(float, spread)))

    def normalise(self, pixels: Pixels, target: Self) -> Pixels:
        """Pixels (…, 3) of this stain as `target` would show them; glass stays as it is."""
        scale = np.divide(target.spread, self.spread)
        mapped = (rgb2lab(pixels) - self.mean) * scale + target.mean
        weight = _tissue_weight(pixels)
        return _rounded(weight * 255 * lab2rgb(mapped) + (1 - weight) * pixels)


def _basis(pair: Floats) -> Floats:
    """Two stains and what is neither (3, 3): it can be inverted, so nothing of a colour is lost."""
    third = np.cross(pair[0], pair[1])
    return np.vstack([pair, third / np.linalg.norm(third)])


def _density(pixels: Pixels) -> Floats:
    """Optical density; black counts as 1, as it would be infinite."""
    return np.asarray(-np.log(np.maximum(pixels, 1) / 255))


def _tissue_weight(pixels: Pixels) -> Floats:
    """From 0 (glass) to 1 (tissue), (…, 1)."""
    return np.asarray(np.clip(_density(pixels).mean(-1, keepdims=True) / TISSUE_DENSITY, 0, 1))


def _rounded(values: Floats) -> Pixels:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
