"""Stain normalisation: colours of one laboratory as another's (Macenko 2009, Reinhard 2001).

A model may hold a target, fitted to what it was trained on. The source is fitted to a sample of a
slide's tissue (slide_stain.py); loose patches, of which no slide is known, are each their own
source, which is worse: a patch full of nuclei is taken for tissue stained too blue. A source that
cannot be told, or that is too far from the target to be tissue of that kind, stays as it is.

The maps act on single pixels, can be undone, and leave alone what lets the light through.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat, TypeAdapter

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]
Triple = tuple[FiniteFloat, FiniteFloat, FiniteFloat]
TISSUE_DENSITY = 0.15  # optical density (natural logarithm) of every colour: Macenko's β
MIN_TISSUE_PX = 200
OUTER_PERCENT = 1.0  # of angles and densities on each side, taken for noise
MIN_ANGLE = np.deg2rad(5)  # between haematoxylin and eosin: nearer ones are one stain
# A stain further from its target than this is another stain, or one that is not there: the two
# are some 40° apart.
MAX_TURN = np.deg2rad(25)
MAX_RATIO = 4.0  # of strengths or spreads: more would paint noise as tissue
# Black counts as 1, as its density would be infinite.
DENSITY_OF = -np.log(np.maximum(np.arange(256), 1) / 255)


@dataclass(frozen=True)
class Macenko:
    """Directions of haematoxylin and eosin in optical density, and their strongest densities."""

    directions: tuple[Triple, Triple]  # unit length
    strengths: tuple[FiniteFloat, FiniteFloat]
    method: Literal["macenko"] = "macenko"

    def __post_init__(self) -> None:
        """Raise ValueError unless these are two stains that can be undone."""
        pair = np.array(self.directions)
        if np.abs(np.linalg.norm(pair, axis=1) - 1).max() > 1e-3 or min(self.strengths) <= 0:
            raise ValueError("directions must have length 1 and strengths be above 0")
        if _angle(pair[0], pair[1]) < MIN_ANGLE:
            raise ValueError("the two directions are one")

    @classmethod
    def fit(cls, pixels: Pixels) -> Self | None:
        """The stain of pixels (…, 3); None where there is too little tissue or one colour only."""
        density = DENSITY_OF[pixels.reshape(-1, 3)]
        tissue = density[(density >= TISSUE_DENSITY).all(1)]
        if len(tissue) < MIN_TISSUE_PX:
            return None
        plane = np.linalg.eigh(np.cov(tissue.T))[1][:, :0:-1]  # the two widest directions
        plane *= np.sign(plane.sum(0)) + (plane.sum(0) == 0)
        on_plane = tissue @ plane
        angles = np.arctan2(on_plane[:, 1], on_plane[:, 0])
        outer = np.percentile(angles, (OUTER_PERCENT, 100 - OUTER_PERCENT))
        if not MIN_ANGLE <= outer[1] - outer[0] <= np.pi / 2:
            return None
        pair = [plane @ (np.cos(angle), np.sin(angle)) for angle in outer]
        # Haematoxylin takes more of the red.
        pair.sort(key=lambda direction: -direction[0])
        amounts = tissue @ np.linalg.inv(_basis(np.array(pair)))
        strengths = np.percentile(amounts[:, :2], 100 - OUTER_PERCENT, axis=0)
        if strengths.min() <= 0:
            return None
        haematoxylin, eosin = ((float(r), float(g), float(b)) for r, g, b in pair)
        return cls((haematoxylin, eosin), (float(strengths[0]), float(strengths[1])))

    def near(self, target: Self) -> bool:
        """Whether this can be the same two stains, of another laboratory."""
        pairs = zip(self.directions, target.directions, strict=True)
        turns = [_angle(np.array(mine), np.array(other)) for mine, other in pairs]
        return max(turns) <= MAX_TURN and _alike(self.strengths, target.strengths)

    def normalise(self, pixels: Pixels, target: Self) -> Pixels:
        """Pixels (…, 3) of this stain as `target` would show them."""
        scale = np.append(np.divide(target.strengths, self.strengths), 1.0)
        there = np.linalg.inv(_basis(np.array(self.directions))) * scale
        turn = (there @ _basis(np.array(target.directions))).astype(np.float32)
        mapped = DENSITY_OF.astype(np.float32)[pixels] @ turn
        return _rounded(255 * np.exp(-mapped))


@dataclass(frozen=True)
class Reinhard:
    """Mean and spread of tissue in CIELAB."""

    mean: Triple
    spread: Triple
    method: Literal["reinhard"] = "reinhard"

    def __post_init__(self) -> None:
        """Raise ValueError unless the spread can be divided by."""
        if min(self.spread) <= 0:
            raise ValueError("every spread must be above 0")

    @classmethod
    def fit(cls, pixels: Pixels) -> Self | None:
        """The stain of pixels (…, 3); None where there is too little tissue or one colour only."""
        flat = pixels.reshape(-1, 3)
        tissue = flat[_tissue_weight(flat)[:, 0] == 1]
        if len(tissue) < MIN_TISSUE_PX:
            return None
        from skimage.color import rgb2lab  # takes a while, and the viewer reads maps without it

        lab = rgb2lab(tissue)
        if lab.std(0).min() < 1e-3:
            return None
        mean, spread = ((float(a), float(b), float(c)) for a, b, c in (lab.mean(0), lab.std(0)))
        return cls(mean, spread)

    def near(self, target: Self) -> bool:
        """Whether this can be tissue of the same kind, of another laboratory."""
        return _alike(self.spread, target.spread)

    def normalise(self, pixels: Pixels, target: Self) -> Pixels:
        """Pixels (…, 3) of this stain as `target` would show them; glass stays as it is."""
        from skimage.color import lab2rgb, rgb2lab  # see above

        scale = np.divide(target.spread, self.spread)
        mapped = (rgb2lab(pixels) - self.mean) * scale + target.mean
        weight = _tissue_weight(pixels)
        return _rounded(weight * 255 * lab2rgb(mapped) + (1 - weight) * pixels)


Stain = Annotated[Macenko | Reinhard, Field(discriminator="method")]
KINDS: dict[str, type[Macenko] | type[Reinhard]] = {"macenko": Macenko, "reinhard": Reinhard}
_STAIN: TypeAdapter[Macenko | Reinhard | None] = TypeAdapter(Stain | None)


def stain_from_json(values: object) -> Macenko | Reinhard | None:
    """The stain whose fields those are; raises pydantic's ValidationError, a ValueError."""
    return _STAIN.validate_python(values)


def source_for(target: Stain, pixels: Pixels) -> Stain | None:
    """The stain of pixels (…, 3), None where they are to stay as they are (see above)."""
    if isinstance(target, Macenko):
        stains = Macenko.fit(pixels)
        return stains if stains is not None and stains.near(target) else None
    colours = Reinhard.fit(pixels)
    return colours if colours is not None and colours.near(target) else None


def normalised(pixels: Pixels, source: Stain | None, target: Stain | None) -> Pixels:
    """Pixels (…, 3) of `source` in the colours of `target`; unchanged where either is None."""
    if isinstance(source, Macenko) and isinstance(target, Macenko):
        return source.normalise(pixels, target)
    if isinstance(source, Reinhard) and isinstance(target, Reinhard):
        return source.normalise(pixels, target)
    return pixels


def each_normalised(patches: Pixels, target: Stain | None) -> Pixels:
    """Loose patches (n, h, w, 3), each by its own pixels alone; unchanged without a target."""
    if target is None or not len(patches):
        return patches
    return np.stack([normalised(each, source_for(target, each), target) for each in patches])


def _basis(pair: Floats) -> Floats:
    """Two stains and what is neither (3, 3): it can be inverted, so nothing of a colour is lost."""
    third = np.cross(pair[0], pair[1])
    return np.vstack([pair, third / np.linalg.norm(third)])


def _angle(first: Floats, second: Floats) -> float:
    return float(np.arccos(np.clip(first @ second, -1, 1)))


def _alike(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    return bool(np.abs(np.log(np.divide(first, second))).max() <= np.log(MAX_RATIO))


def _tissue_weight(pixels: Pixels) -> Floats:
    """From 0 (glass) to 1 (tissue), (…, 1)."""
    density = DENSITY_OF[pixels].mean(-1, keepdims=True)
    return np.asarray(np.clip(density / TISSUE_DENSITY, 0, 1))


def _rounded(values: NDArray[np.floating[Any]]) -> Pixels:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
