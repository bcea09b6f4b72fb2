"""Slides that OpenSlide reads: every scanner format it knows, and tiled TIFF."""

from collections.abc import Mapping
from math import ceil, floor
from pathlib import Path

import numpy as np
import openslide
from PIL import ImageCms

from model.prediction.errors import SlideUnreadable
from model.prediction.slide import (
    Pixels,
    Wsi,
    as_number,
    level_factors,
    resolution_from_tags,
    sane_mpp,
)

WHITE = (255, 255, 255)
# How large a piece a level is read in where OpenSlide cannot address its pixels exactly.
BLOCK_PX = 256

_AxisPair = tuple[int, int]


class OpenSlideWsi(Wsi):
    """One OpenSlide handle. Its tile cache is `cache`, or one of its own."""

    reader = "openslide"

    def __init__(self, path: Path, cache: openslide.OpenSlideCache | None = None) -> None:
        self._slide = openslide.OpenSlide(path)
        if cache is not None:
            self._slide.set_cache(cache)
        properties = self._slide.properties
        self._read_properties(properties)
        self._find_bounds(properties)
        self._lay_out_levels()
        # An OME-TIFF keeps its smaller levels where OpenSlide, taking it for a plain TIFF, does not
        # look; large-image does.
        about = properties.get("tiff.ImageDescription", "")
        self.has_hidden_levels = self.vendor == "generic-tiff" and "<OME" in about
        self.icc_profile = self._find_profile()

    def _find_profile(self) -> bytes | None:
        try:
            profile = self._slide.color_profile
        except ImageCms.PyCMSError:
            return b""  # there is one, but it is damaged: nobody can use it
        return profile.tobytes() if profile is not None else None

    def _read_properties(self, properties: Mapping[str, str]) -> None:
        self.vendor = properties.get("openslide.vendor", "unknown")
        self.mpp = sane_mpp(
            as_number(properties.get("openslide.mpp-x")),
            as_number(properties.get("openslide.mpp-y")),
        ) or resolution_from_tags(properties)
        self.objective_power = as_number(properties.get("openslide.objective-power"))
        self.series_uid = properties.get("dicom.SeriesInstanceUID")
        colour = properties.get("openslide.background-color")
        red, green, blue = bytes.fromhex(colour) if colour else WHITE
        self.background_rgb = (red, green, blue)
        width = properties.get("openslide.level[0].tile-width")
        height = properties.get("openslide.level[0].tile-height")
        self.tile_size_px = int(width) if width is not None and width == height else None

    def _find_bounds(self, properties: Mapping[str, str]) -> None:
        width, height = self._slide.dimensions
        left = int(properties.get("openslide.bounds-x", 0))
        top = int(properties.get("openslide.bounds-y", 0))
        self.bounds_offset_l0_px = (left, top)
        self.size_l0_px = (
            int(properties.get("openslide.bounds-width", width - left)),
            int(properties.get("openslide.bounds-height", height - top)),
        )

    def _lay_out_levels(self) -> None:
        sizes, factors, origins, self._corners_px = [], [], [], list[_AxisPair]()
        for size_px in self._slide.level_dimensions:
            factor = level_factors(self._slide.dimensions, size_px)
            corner_px, origin_l0 = self._corner(factor)
            self._corners_px.append(corner_px)
            factors.append(factor)
            origins.append(origin_l0)
            sizes.append(
                (
                    _covering(
                        size_px[0], corner_px[0], self.size_l0_px[0], origin_l0[0], factor[0]
                    ),
                    _covering(
                        size_px[1], corner_px[1], self.size_l0_px[1], origin_l0[1], factor[1]
                    ),
                )
            )
        self.level_sizes_px = tuple(sizes)
        self.level_downsamples = tuple(factors)
        self.level_origins_l0_px = tuple(origins)

    def _corner(self, factor: tuple[float, float]) -> tuple[_AxisPair, tuple[float, float]]:
        """The pixel of a level that holds the bounds' corner, and how far before it that begins."""
        left, top = self.bounds_offset_l0_px
        column, row = floor(left / factor[0]), floor(top / factor[1])
        if self.vendor == "leica":
            # This driver puts a level's picture at that whole pixel, moving it by the rest.
            return (column, row), (0.0, 0.0)
        return (column, row), (column * factor[0] - left, row * factor[1] - top)

    def read_level(self, level: int, x_px: int, y_px: int, width_px: int, height_px: int) -> Pixels:
        """See Wsi.read_level."""
        left, top = self._corners_px[level]
        if self._is_exact(level):
            return self._read(level, left + x_px, top + y_px, width_px, height_px)
        return self._read_in_blocks(level, left + x_px, top + y_px, width_px, height_px)

    def _is_exact(self, level: int) -> bool:
        """Whether every pixel of the level begins at a whole pixel of OpenSlide's level 0."""
        return self._slide.level_downsamples[level].is_integer()

    def _read_in_blocks(
        self, level: int, x_px: int, y_px: int, width_px: int, height_px: int
    ) -> Pixels:
        """Read a level whose pixels lie between whole pixels of OpenSlide's level 0.

        OpenSlide rounds the corner of each read to a pixel of level 0, and shifts the picture by
        the rest (at most half of that pixel). Blocks of a fixed grid are shifted alike whoever asks
        for them, so that neighbouring reads fit each other.
        """
        result = np.empty((height_px, width_px, 3), np.uint8)
        for row in range(y_px // BLOCK_PX, ceil((y_px + height_px) / BLOCK_PX)):
            for column in range(x_px // BLOCK_PX, ceil((x_px + width_px) / BLOCK_PX)):
                left, top = column * BLOCK_PX, row * BLOCK_PX
                right = min(left + BLOCK_PX, x_px + width_px)
                bottom = min(top + BLOCK_PX, y_px + height_px)
                block = self._read(level, left, top, right - left, bottom - top)
                first_x, first_y = max(left, x_px), max(top, y_px)
                result[first_y - y_px : bottom - y_px, first_x - x_px : right - x_px] = block[
                    first_y - top :, first_x - left :
                ]
        return result

    def _read(self, level: int, x_px: int, y_px: int, width_px: int, height_px: int) -> Pixels:
        """Pixels at a pixel of the level as OpenSlide counts it, without regard to bounds."""
        downsample = self._slide.level_downsamples[level]
        # Leica's driver cuts a position down to a whole pixel of the level; others round it.
        to_whole = ceil if self.vendor == "leica" else round
        corner_l0 = to_whole(x_px * downsample), to_whole(y_px * downsample)
        try:
            region = self._slide.read_region(corner_l0, level, (width_px, height_px))
        except openslide.OpenSlideError as error:
            raise SlideUnreadable(
                "A part of the slide is damaged and cannot be decoded.",
                "Copy the file again from where it was scanned.",
            ) from error
        if region.getchannel("A").getextrema() == (255, 255):
            return np.array(region.convert("RGB"))
        rgba = np.asarray(region)
        # Where OpenSlide moved pixels by a fraction, those at the edge are half transparent.
        return np.where(
            rgba[..., 3:] >= 128, rgba[..., :3], np.array(self.background_rgb, np.uint8)
        )

    def close(self) -> None:
        """See Wsi.close."""
        self._slide.close()


def _covering(
    level_px: int, corner_px: int, size_l0_px: int, origin_l0: float, factor: float
) -> int:
    """How many pixels of a level, from the bounds' corner on, cover the bounds along an axis."""
    return max(1, min(level_px - corner_px, ceil((size_l0_px - origin_l0) / factor)))
