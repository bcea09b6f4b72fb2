"""Measures screenshots."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page


def screenshot(page: Page, clip: tuple[int, int, int, int] | None = None) -> NDArray[np.int16]:
    """Pixels (h, w, 3) of the page, or of the part (x, y, width, height)."""
    area = dict(zip(("x", "y", "width", "height"), clip, strict=True)) if clip else None
    png = page.screenshot(clip=area, animations="allow", caret="hide")  # type: ignore[arg-type]
    return np.asarray(Image.open(BytesIO(png)).convert("RGB"), dtype=np.int16)
