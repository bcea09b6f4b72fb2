"""Random fields of the phantoms: value noise over a plane or around a torus."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

FloatField: TypeAlias = NDArray[np.float32]
FINENESS, BLUR, BORDER = 3, 1.1, 3  # grid cells a period, blur and margin in grid cells


def resize_field(field: FloatField, shape: tuple[int, int]) -> FloatField:
    """Bicubic resize of a 2-D field to ``shape`` (rows, columns)."""
    image = Image.fromarray(np.ascontiguousarray(field, dtype=np.float32))
    resized = image.resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(resized, dtype=np.float32)


def value_noise(
    rng: np.random.Generator, shape: tuple[int, int], period: float, octaves: int = 1
) -> FloatField:
    """Smooth noise of ``shape`` with features of about ``period`` samples, mean 0, SD about 1."""
    total = np.zeros(shape, dtype=np.float32)
    power = 0.0
    for octave in range(octaves):
        step, gain = max(period / 2**octave / FINENESS, 1.0), 0.5**octave
        rows, columns = (int(np.ceil(n / step)) + 2 * BORDER for n in shape)
        grid = rng.standard_normal((rows, columns), dtype=np.float32)
        # Blurred noise looks alike in all directions; a bare grid would show its axes.
        grid = gaussian_filter(grid, BLUR, truncate=2.5) * np.float32(2.0 * np.sqrt(np.pi) * BLUR)
        # The grid is cut so that one of its cells is exactly `step` samples, whatever the shape.
        box = (BORDER, BORDER, BORDER + shape[1] / step, BORDER + shape[0] / step)
        image = Image.fromarray(grid).resize(
            (shape[1], shape[0]), Image.Resampling.BICUBIC, box=box
        )
        total += gain * np.asarray(image, dtype=np.float32)
        power += gain**2
    return total / np.float32(np.sqrt(power))


def torus_noise(
    rng: np.random.Generator,
    side: int,
    period: tuple[float, float],
    octaves: int = 1,
    gain: float = 0.5,
) -> FloatField:
    """Noise that joins itself at the edges; ``period`` (rows, columns) in samples, unit SD."""
    total = np.zeros((side, side), dtype=np.float32)
    for octave in range(octaves):
        rows, columns = (max(round(side * 2**octave / p), 2) for p in period)
        rows, columns = min(rows, side), min(columns, side)
        grid = np.pad(rng.standard_normal((rows, columns), dtype=np.float32), 2, mode="wrap")
        image = Image.fromarray(grid).resize(
            (side, side), Image.Resampling.BICUBIC, box=(2.0, 2.0, 2.0 + columns, 2.0 + rows)
        )
        total += np.float32(gain**octave) * np.asarray(image, dtype=np.float32)
    return total / np.float32(total.std() + 1e-6)


def smoothstep(values: FloatField, low: float, high: float) -> FloatField:
    """0 below ``low``, 1 above ``high``, a smooth ramp between."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), dtype=np.float32)
