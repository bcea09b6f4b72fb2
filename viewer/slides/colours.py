"""Colours for display: from the scanner's ICC profile to sRGB. The model never sees these."""

from functools import lru_cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from model.prediction.wsi import Wsi

Pixels = NDArray[np.uint8]

PROFILE_UNUSABLE = (
    "The colour profile of this slide cannot be used, so its colours are shown uncorrected."
)


class ToSrgb:
    """The way from a slide's colours to sRGB; built once a slide, used by many threads."""

    def __init__(self, icc_profile: bytes | None) -> None:
        self._transform = _transform(icc_profile) if icc_profile else None
        self.failed = icc_profile is not None and self._transform is None

    def __call__(self, pixels: Pixels) -> Image.Image:
        """An sRGB picture of raw pixels, uint8 (h, w, 3)."""
        picture = Image.fromarray(pixels)
        if self._transform is not None:
            ImageCms.applyTransform(picture, self._transform, inPlace=True)
        return picture


def warnings(wsi: Wsi) -> list[str]:
    """What a user must know about the colours shown."""
    return [PROFILE_UNUSABLE] if ToSrgb(wsi.icc_profile).failed else []


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
