"""Colours for display: from the scanner's ICC profile to sRGB. The model never sees these."""

from functools import lru_cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from model.prediction.wsi import Wsi

Pixels = NDArray[np.uint8]

# Beyond this a profile makes tiles much larger than converting them costs (docs/tiles.md).
EMBED_MOST_BYTES = 8192

PROFILE_UNUSABLE = (
    "The colour profile of this slide cannot be used, so its colours are shown uncorrected."
)


class Colours:
    """How a slide's colours become those of a screen; built once a slide, used by many threads.

    A small profile is put into each tile and the browser applies it, so that tiles can be sent as
    the file holds them. Otherwise tiles are converted to sRGB and carry none.
    """

    def __init__(self, icc_profile: bytes | None, embed: bool = True) -> None:
        self._icc_profile = icc_profile
        self._transform = _transform(icc_profile) if icc_profile else None
        self.failed = icc_profile is not None and self._transform is None
        usable = self._transform is not None
        small = icc_profile is not None and len(icc_profile) <= EMBED_MOST_BYTES
        self.embeddable = icc_profile if usable and small and embed else None
        # Whether pixels are converted before tiles are made of them.
        self.converts = usable and self.embeddable is None

    def converting(self) -> "Colours":
        """The same, with all tiles converted: for slides whose tiles must be encoded anyway."""
        return Colours(self._icc_profile, embed=False)

    @property
    def embedded(self) -> bytes | None:
        """The profile that each tile carries."""
        return self.embeddable

    def correct(self, pixels: Pixels) -> Pixels:
        """What tiles are made of, from what the file holds: uint8 (h, w, 3)."""
        return self._convert(pixels) if self.converts else pixels

    def to_srgb(self, pixels: Pixels) -> Pixels:
        """A tile's pixels, as `correct` gave them, in sRGB: uint8 (h, w, 3)."""
        return pixels if self.converts else self._convert(pixels)

    def _convert(self, pixels: Pixels) -> Pixels:
        if self._transform is None:
            return pixels
        picture = Image.fromarray(np.ascontiguousarray(pixels))
        return np.asarray(ImageCms.applyTransform(picture, self._transform))


def warnings(wsi: Wsi) -> list[str]:
    """What a user must know about the colours shown."""
    return [PROFILE_UNUSABLE] if Colours(wsi.icc_profile).failed else []


@lru_cache(maxsize=1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _transform(icc_profile: bytes) -> ImageCms.ImageCmsTransform | None:
    """Relative colorimetric with black point compensation: glass stays white, darks keep detail."""
    try:
        return ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(BytesIO(icc_profile)),
            _srgb(),
            "RGB",
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError):  # OSError: the bytes are no profile at all
        return None
