"""Lesion masks as (pyramidal) TIFFs of the slide's own size, read a window at a time."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

from model.extraction.errors import MaskInvalid
from model.extraction.mask_values import AUTO, MaskValues, counted
from model.extraction.masks import LesionMask, Raster
from model.extraction.windows import Pair
from model.prediction.slide import Mpp, level_factors, sane_mpp

LEVEL_TOLERANCE = 1.01  # a level 1 % coarser than asked for still counts as that level
READ_ERRORS = (tifffile.TiffFileError, OSError, ValueError, RuntimeError, KeyError, IndexError)


class _Level(NamedTuple):
    pixels: zarr.Array[Any]  # (height, width)
    downsample: Pair


class TiffMask(LesionMask):
    """A mask file; `values` says what its values stand for (see MaskValues)."""

    def __init__(
        self,
        path: Path,
        slide_size_l0_px: tuple[int, int],
        slide_mpp: Mpp | None,
        values: str = AUTO,
    ) -> None:
        self._name = path.name
        self._values = MaskValues(values)
        self.size_l0_px = slide_size_l0_px
        # tifffile leaves a damaged file open: the file is ours to close.
        with ExitStack() as closing:
            try:
                file = closing.enter_context(path.open("rb"))
                pages = _pages(closing.enter_context(tifffile.TiffFile(file)))
            except READ_ERRORS as error:
                raise self._unreadable(error) from error
            self._check(pages, slide_mpp, path.stat().st_size)
            self._levels = [_Level(_array(page), _downsample(pages[0], page)) for page in pages]
            self._closing = closing.pop_all()

    @property
    def value_counts(self) -> dict[int, int]:  # type: ignore[override] # counted while reading
        """Pixels of each value read so far."""
        return counted(self._values.counts)

    def close(self) -> None:
        """Close the file."""
        self._closing.close()

    def raster_step_l0(self, step_l0: Pair) -> Pair:
        """Pixel size of the level used for `step_l0`: the coarsest not coarser than it."""
        return self._level(step_l0).downsample

    def raster(self, start_l0_px: Pair, end_l0_px: Pair, step_l0: Pair) -> Raster:
        """All pixels of the level that the window touches; raise MaskInvalid."""
        level = self._level(step_l0)
        height, width = level.pixels.shape[:2]
        left, right = _span(start_l0_px[0], end_l0_px[0], level.downsample[0], width)
        top, bottom = _span(start_l0_px[1], end_l0_px[1], level.downsample[1], height)
        try:
            pixels = np.asarray(level.pixels[top:bottom, left:right])
        except READ_ERRORS as error:
            raise self._unreadable(error) from error
        tumour = self._values.tumour(_bytes(pixels, self._name), self._name)
        return Raster(
            tumour, (left * level.downsample[0], top * level.downsample[1]), level.downsample
        )

    def _level(self, step_l0: Pair) -> _Level:
        wanted = min(step_l0) * LEVEL_TOLERANCE
        fine_enough = [level for level in self._levels if max(level.downsample) <= wanted]
        return max(fine_enough or self._levels[:1], key=lambda level: level.downsample)

    def _check(
        self, pages: list[tifffile.TiffPage], slide_mpp: Mpp | None, size_bytes: int
    ) -> None:
        page = pages[0]
        if (
            page.samplesperpixel != 1
            or page.ndim != 2
            or page.dtype is None
            or (page.dtype.kind not in "biu")
        ):
            raise MaskInvalid(
                f"Mask '{self._name}' is a picture with {page.samplesperpixel} channels of"
                f" {page.dtype}.",
                "A mask has one channel of whole numbers.",
            )
        self._check_size((page.imagewidth, page.imagelength))
        self._check_resolution(page, slide_mpp)
        if any(_end(page) > size_bytes for page in pages):
            raise MaskInvalid(f"Mask '{self._name}' is truncated.", "Copy the file again.")

    def _check_size(self, size_px: tuple[int, int]) -> None:
        if size_px == self.size_l0_px:
            return
        ratios = [slide / mask for slide, mask in zip(self.size_l0_px, size_px, strict=True)]
        scaled = abs(ratios[0] / ratios[1] - 1) < 0.01
        cause = (
            f"It looks shifted in resolution by {ratios[0]:.3g}: made from another level or"
            " another scan. Make it again at the slide's full resolution."
            if scaled
            else "It belongs to another slide: check the names."
        )
        raise MaskInvalid(
            f"Mask '{self._name}' has {size_px[0]} × {size_px[1]} pixels, its slide"
            f" {self.size_l0_px[0]} × {self.size_l0_px[1]}.",
            cause,
        )

    def _check_resolution(self, page: tifffile.TiffPage, slide_mpp: Mpp | None) -> None:
        stated = _mpp(page)
        if slide_mpp is None or stated is None:
            return
        ratios = stated.x / slide_mpp.x, stated.y / slide_mpp.y
        if max(abs(ratio - 1) for ratio in ratios) > 0.02:
            raise MaskInvalid(
                f"Mask '{self._name}' says {stated.x:.3g} × {stated.y:.3g} µm per pixel, its"
                f" slide {slide_mpp.x:.3g} × {slide_mpp.y:.3g}.",
                "It was drawn on another scan, or one of the two states a wrong resolution.",
            )

    def _unreadable(self, error: BaseException) -> MaskInvalid:
        return MaskInvalid(
            f"Mask '{self._name}' could not be read ({type(error).__name__}).",
            "It is damaged or not a TIFF; copy or make it again.",
        )


def _pages(tiff: tifffile.TiffFile) -> list[tifffile.TiffPage]:
    """Level 0 and the smaller pictures of the same shape, largest first."""
    first = tiff.pages.first
    below = [page.aspage() for page in (first.pages or ())]
    candidates = [first, *(page.aspage() for page in tiff.pages[1:]), *below]
    shape = first.imagewidth / first.imagelength
    levels = [
        page
        for page in candidates
        # Rounding moves the shape of a small level by up to a pixel.
        if abs(page.imagewidth - page.imagelength * shape) <= max(1.0, shape) + 1
        and page.samplesperpixel == first.samplesperpixel
        and page.dtype == first.dtype
    ]
    return sorted(levels, key=lambda page: page.imagewidth, reverse=True)


def _array(page: tifffile.TiffPage) -> zarr.Array[Any]:
    return zarr.open_array(store=page.aszarr(), mode="r", zarr_format=2)


def _downsample(first: tifffile.TiffPage, page: tifffile.TiffPage) -> Pair:
    return level_factors((first.imagewidth, first.imagelength), (page.imagewidth, page.imagelength))


def _span(start_l0: float, end_l0: float, downsample: float, length_px: int) -> tuple[int, int]:
    """Pixels of a level that [start, end) touches, within the level."""
    first = int(np.floor(start_l0 / downsample + 1e-6))
    last = int(np.ceil(end_l0 / downsample - 1e-6))
    return min(max(first, 0), length_px), min(max(last, 0), length_px)


def _bytes(pixels: NDArray[Any], name: str) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.size and (pixels.min() < 0 or pixels.max() > 255):
        raise MaskInvalid(
            f"Mask '{name}' holds values outside 0–255, such as {pixels.max()}.",
            "It is not a lesion mask with 0/1, 0/255 or 0/1/2.",
        )
    return pixels.astype(np.uint8)


def _end(page: tifffile.TiffPage) -> int:
    """Where in the file the page's last pixel ends."""
    ends = (
        start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)
    )
    return max(ends, default=0)


def _mpp(page: tifffile.TiffPage) -> Mpp | None:
    """µm per pixel that the resolution tags state, None where they state nothing sane."""
    if page.tags.get("XResolution") is None or page.resolutionunit not in (2, 3):
        return None
    x_per_um, y_per_um = page.get_resolution(tifffile.RESUNIT.MICROMETER)
    if min(x_per_um, y_per_um) <= 0:
        return None
    return sane_mpp(1 / x_per_um, 1 / y_per_um)
