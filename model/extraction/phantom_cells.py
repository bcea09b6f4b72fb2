"""Single cells of the phantoms: nucleus sprites (amounts of haematoxylin) and where cells lie."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from model.extraction.phantom_noise import smoothstep, torus_noise
from model.extraction.phantom_stain import UNIT_AMOUNT

PHANTOM_MPP = 0.243
Sprite: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.bool_]]  # amounts, and the body's extent
Range: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class NucleusKind:
    """How nuclei of one cell type are drawn; lengths in µm, amounts relative to a lymphocyte's."""

    diameter_um: Range
    elongation: Range
    fill: Range
    rim: float
    chromatin: float
    chromatin_um: float
    nucleoli: int = 0
    roughness: float = 0.05
    softness_um: float = 0.5


KINDS = {
    "lymphocyte": NucleusKind((5.4, 7.4), (1.0, 1.35), (0.75, 1.35), 0.12, 0.34, 1.5, 0, 0.07),
    "plasma": NucleusKind((6.0, 7.6), (1.0, 1.25), (0.75, 1.2), 0.16, 0.36, 1.6, 0, 0.04),
    "centrocyte": NucleusKind((6.0, 8.2), (1.0, 1.5), (0.50, 0.95), 0.18, 0.34, 1.6, 1, 0.09),
    "histiocyte": NucleusKind((5.6, 7.6), (1.1, 1.7), (0.40, 0.75), 0.14, 0.25, 1.5, 0, 0.07),
    "spindle": NucleusKind((4.8, 7.5), (2.2, 4.8), (0.65, 1.15), 0.10, 0.25, 1.5, 0, 0.07),
    "tumour": NucleusKind((9.0, 16.0), (1.0, 1.6), (0.30, 0.72), 0.34, 0.36, 1.9, 3, 0.07, 0.7),
    "dark_tumour": NucleusKind((8.0, 14.0), (1.0, 2.0), (0.75, 1.15), 0.1, 0.35, 2.0, 0, 0.08),
    "apoptotic": NucleusKind((3.0, 5.0), (1.0, 1.2), (1.15, 1.45), 0.0, 0.05, 1.0, 0, 0.05),
}
ANGLES = 16


def draw_nucleus(
    rng: np.random.Generator, kind: NucleusKind, angle: float, noise: NDArray[np.float32]
) -> Sprite:
    """One nucleus seen at level 0: square, of odd side, zero at its border."""
    diameter = rng.uniform(*kind.diameter_um) / PHANTOM_MPP
    elongation = rng.uniform(*kind.elongation)
    long_px, short_px = 0.5 * diameter * elongation**0.5, 0.5 * diameter / elongation**0.5
    half = int(np.ceil(long_px * 1.3)) + 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    along = (x * np.cos(angle) + y * np.sin(angle)) / long_px
    across = (y * np.cos(angle) - x * np.sin(angle)) / short_px
    theta = np.arctan2(across, along)
    radius = np.ones_like(theta)
    for harmonic in (2, 3, 4, 5, 7):
        swing = rng.normal(0.0, kind.roughness / harmonic**0.5)
        radius += swing * np.cos(harmonic * theta + rng.uniform(0.0, 2.0 * np.pi))
    rho = np.hypot(along, across) / radius
    soft = kind.softness_um / PHANTOM_MPP / short_px
    inside = 1.0 - smoothstep(rho, 1.0 - 0.9 * soft, 1.0 + 0.9 * soft)
    amount = rng.uniform(*kind.fill) * (1.0 + _window(rng, noise, rho.shape) * kind.chromatin)
    amount += rng.uniform(0.3, 1.0) * kind.rim * np.exp(-(((rho - 0.9) / 0.13) ** 2))
    for _ in range(rng.integers(0, kind.nucleoli + 1)):
        amount += _nucleolus(rng, x, y, short_px)
    return np.clip(amount * inside * UNIT_AMOUNT, 0, 220).astype(np.uint8), rho < 0.94


def _window(
    rng: np.random.Generator, noise: NDArray[np.float32], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """A random window of a wrapped noise field."""
    rows, columns = (
        (rng.integers(0, noise.shape[0]) + np.arange(n)) % noise.shape[0] for n in shape
    )
    return noise[np.ix_(rows, columns)]


def _nucleolus(
    rng: np.random.Generator, x: NDArray[np.float32], y: NDArray[np.float32], radius: float
) -> NDArray[np.float32]:
    """A small dark round body off the nucleus' centre."""
    cx, cy = rng.normal(0.0, 0.28 * radius, 2)
    sigma = rng.uniform(0.45, 0.85) / PHANTOM_MPP
    strength = rng.uniform(0.25, 0.7)
    blob = strength * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2.0 * sigma**2))
    return np.asarray(blob, dtype=np.float32)


def draw_mitosis(rng: np.random.Generator, noise: NDArray[np.float32]) -> Sprite:
    """A metaphase plate, side on: a dark ragged bar."""
    bar = NucleusKind((7.5, 9.5), (2.0, 3.2), (1.3, 1.6), 0.0, 0.25, 0.9, 0, 0.1, 0.4)
    return draw_nucleus(rng, bar, rng.uniform(0.0, np.pi), noise)


def sprite_set(rng: np.random.Generator, name: str, count: int) -> list[Sprite]:
    """``count`` nuclei of one kind; number i lies at angle (i mod ANGLES)·π/ANGLES."""
    kind = KINDS["lymphocyte" if name == "mitosis" else name]
    grain = kind.chromatin_um / PHANTOM_MPP
    noise = torus_noise(rng, 256, (grain, grain), octaves=2)
    if name == "mitosis":
        return [draw_mitosis(rng, noise) for _ in range(count)]
    return [draw_nucleus(rng, kind, (i % ANGLES) * np.pi / ANGLES, noise) for i in range(count)]


def spread_points(
    rng: np.random.Generator, side_px: int, spacing_px: float, rounds: int = 10
) -> NDArray[np.float32]:
    """Points (x, y) on a torus of ``side_px``, about ``spacing_px`` apart, never clumped."""
    count = max(int(side_px**2 / (0.866 * spacing_px**2)), 1)
    points = rng.uniform(0.0, side_px, (count, 2))
    for _ in range(rounds):
        tree = cKDTree(points, boxsize=side_px)
        distance, index = tree.query(points, k=min(6, count))
        offset = points[:, None] - points[index[:, 1:]]
        offset -= side_px * np.rint(offset / side_px)
        away = np.maximum(distance[:, 1:], 1e-3)[..., None]
        push = (offset / away * np.maximum(spacing_px - away, 0.0)).sum(axis=1)
        points = np.mod(points + 0.35 * push, side_px)
        points[points >= side_px] = 0.0  # np.mod may round up to the period itself
    return points.astype(np.float32)
