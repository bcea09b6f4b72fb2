"""The colours of heat maps on paper: light = unlikely, dark red = likely, nothing = not analysed.

Lightness falls steadily, so the order survives grey print and colour blindness.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

STOPS = (
    (0.0, (0xEC, 0xEA, 0xF2)),
    (0.25, (0xF6, 0xD3, 0xA8)),
    (0.5, (0xF2, 0x9A, 0x4C)),
    (0.75, (0xCB, 0x3A, 0x35)),
    (1.0, (0x5A, 0x0E, 0x3C)),
)


def ramp(probability: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Colours (n, 3) of probabilities (n,)."""
    at = [stop for stop, _ in STOPS]
    channels = [
        np.interp(probability, at, [colour[channel] for _, colour in STOPS]) for channel in range(3)
    ]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def css_gradient() -> str:
    """The ramp as a CSS gradient from left to right."""
    stops = ", ".join(f"#{r:02x}{g:02x}{b:02x} {at:.0%}" for at, (r, g, b) in STOPS)
    return f"linear-gradient(90deg, {stops})"


def heat_png(probabilities: NDArray[np.float32]) -> bytes:
    """PNG of (rows, columns) cells, one pixel each; NaN (not analysed) is transparent."""
    known = ~np.isnan(probabilities)
    values = np.zeros(probabilities.shape, np.uint8)
    values[known] = 1 + np.rint(probabilities[known] * 254).astype(np.uint8)
    image = Image.fromarray(values, "L").convert("P")
    palette = np.concatenate([[[255, 255, 255]], ramp(np.arange(255) / 254)]).astype(np.uint8)
    image.putpalette(palette.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=0, optimize=True)
    return buffer.getvalue()


def pooled(probabilities: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """The highest of each k × k cells, with k such that neither side is longer than `side`."""
    k = -(-max(probabilities.shape) // side)
    if k == 1:
        return probabilities
    rows, columns = (-(-length // k) for length in probabilities.shape)
    padded = np.full((rows * k, columns * k), -1, np.float32)
    padded[: probabilities.shape[0], : probabilities.shape[1]] = np.nan_to_num(
        probabilities, nan=-1
    )
    highest = padded.reshape(rows, k, columns, k).max(axis=(1, 3))
    return np.where(highest < 0, np.float32(np.nan), highest)
