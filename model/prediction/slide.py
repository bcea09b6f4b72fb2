"""A whole-slide image as everything else sees it: levels, resolution and pixels in one plane.

Level-0 coordinates have their origin at the top-left corner of the slide's *bounds* (the part a
scanner filled), as QuPath's have. Only the readers know where the bounds lie in the file.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

# A file outside this range does not say its resolution, whatever its tags hold: the usual culprits
# are 72, 96 and 300 dots per inch, the defaults of picture editors.
SANE_MPP = (0.05, 20.0)
UM_PER_UNIT = {"inch": 25_400.0, "centimeter": 10_000.0}


@dataclass(frozen=True)
class Mpp:
    """µm per level-0 pixel along x and y."""

    x: float
    y: float


def sane_mpp(x: float | None, y: float | None) -> Mpp | None:
    """The resolution if both values are possible for a slide, else None: unknown, never guessed."""
    low, high = SANE_MPP
    if x is None or y is None or not (low <= x <= high and low <= y <= high):
        return None
    return Mpp(x, y)


class Wsi(ABC):
    """An open slide. Reads may come from several threads at once."""

    reader: Literal["openslide", "large-image"]
    vendor: str
    size_l0_px: tuple[int, int]
    mpp: Mpp | None
    # As the file states it; often wrong, so nothing is computed from it.
    objective_power: float | None
    level_sizes_px: tuple[tuple[int, int], ...]
    level_downsamples: tuple[tuple[float, float], ...]
    # Where pixel (0, 0) of each level's plane begins, in level-0 pixels: (0, 0), or up to one pixel
    # of that level before it where the bounds begin within a pixel of that level.
    level_origins_l0_px: tuple[tuple[float, float], ...]
    # Side of level 0's tiles if they are square.
    tile_size_px: int | None
    bounds_offset_l0_px: tuple[int, int]
    icc_profile: bytes | None  # empty if the slide's profile is damaged
    background_rgb: tuple[int, int, int]
    # What tells which files of a folder are one DICOM slide.
    series_uid: str | None

    @abstractmethod
    def read_level(self, level: int, x_px: int, y_px: int, width_px: int, height_px: int) -> Pixels:
        """Raw colours (height_px, width_px, 3) at a pixel of that level's plane.

        Transparent parts and everything outside the slide have the background's colour. Raises
        SlideUnreadable where the file is damaged.
        """

    @abstractmethod
    def close(self) -> None:
        """Free the file; no read may be under way or follow."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def blank(self, width_px: int, height_px: int) -> Pixels:
        """Nothing but background, (height_px, width_px, 3)."""
        return np.full((height_px, width_px, 3), self.background_rgb, np.uint8)


def level_factors(
    size_l0_px: tuple[int, int], level_size_px: tuple[int, int]
) -> tuple[float, float]:
    """Level-0 pixels per pixel of a level, along x and y.

    Pyramids are made by whole factors, rounding sizes up or down to whole pixels. The quotient of
    two sizes is therefore off, by up to one pixel of the level at the far edge; where the sizes
    agree with a whole factor, that one is exact.
    """
    ratios = tuple(full / part for full, part in zip(size_l0_px, level_size_px, strict=True))
    nearest = round(sum(ratios) / 2)
    power = 1 << (nearest.bit_length() - 1)
    for factor in (power, power * 2, nearest):
        if all(
            abs(full / factor - part) < 1
            for full, part in zip(size_l0_px, level_size_px, strict=True)
        ):
            return float(factor), float(factor)
    return ratios[0], ratios[1]


def resolution_from_tags(tags: Mapping[str, str]) -> Mpp | None:
    """The resolution that TIFF tags state per inch or centimetre, if it is one of a slide."""
    um_per_unit = UM_PER_UNIT.get(tags.get("tiff.ResolutionUnit", ""))
    pixels_x = as_number(tags.get("tiff.XResolution"))
    pixels_y = as_number(tags.get("tiff.YResolution"))
    if um_per_unit is None or not pixels_x or not pixels_y:
        return None
    return sane_mpp(um_per_unit / pixels_x, um_per_unit / pixels_y)


def as_number(text: str | None) -> float | None:
    """A number a file states, or None where it states none."""
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None


def on_background(rgba: Pixels, background_rgb: tuple[int, int, int]) -> Pixels:
    """Colours (h, w, 3) of pixels (h, w, 4) laid over the background."""
    alpha = rgba[..., 3:].astype(np.uint16)
    mixed = rgba[..., :3] * alpha + np.array(background_rgb, np.uint16) * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)
