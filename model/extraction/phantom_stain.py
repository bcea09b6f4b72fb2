"""Stains of the phantoms: amounts of haematoxylin and eosin turned into colour as absorbance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Amounts are stored in bytes: UNIT_AMOUNT is the haematoxylin of an average lymphocyte nucleus,
# or the eosin of dense collagen.
UNIT_AMOUNT = 100


@dataclass(frozen=True)
class Stain:
    """One laboratory's stain and scanner: optical densities of unit amounts and the bare glass."""

    name: str
    haematoxylin_od: tuple[float, float, float]
    eosin_od: tuple[float, float, float]
    glass_rgb: tuple[int, int, int]
    haematoxylin_gain: float = 1.0
    eosin_gain: float = 1.0


BROWN_ROSE = Stain("brown-rose", (1.12, 1.74, 1.18), (0.12, 0.62, 0.36), (250, 248, 249))
VIOLET = Stain("violet", (1.40, 2.00, 0.95), (0.18, 0.78, 0.27), (246, 244, 247))
STAINS = (BROWN_ROSE, VIOLET)


def colour_table(stain: Stain) -> NDArray[np.uint32]:
    """Colours for every pair of amounts: 65,536 packed RGBX words, index haematoxylin·256+eosin."""
    amount = np.arange(256, dtype=np.float64) / UNIT_AMOUNT
    haematoxylin = (amount * stain.haematoxylin_gain)[:, None, None]
    eosin = (amount * stain.eosin_gain)[None, :, None]
    # Nuclei push the eosinophilic plasm aside, so eosin counts for less where they are.
    eosin = eosin * (1.0 - 0.55 * np.clip(haematoxylin, 0.0, 1.0))
    density = haematoxylin * np.array(stain.haematoxylin_od) + eosin * np.array(stain.eosin_od)
    # Very dense eosin (red cells) turns from pink to red: it takes blue, not red.
    density[..., 2] += 0.45 * np.clip(eosin[..., 0] - 1.15, 0.0, None)
    glass = np.array(stain.glass_rgb, dtype=np.float64)
    floor = np.array([14.0, 3.0, 18.0])  # stray light: the darkest pixel of a scan is not black
    rgb = floor + (glass - floor) * np.exp(-density)
    packed = np.zeros((256, 256, 4), dtype=np.uint8)
    packed[..., :3] = np.clip(np.rint(rgb), 0, 255)
    packed[..., 3] = 255
    return packed.reshape(-1, 4).view(np.uint32).reshape(-1)
