"""Lesion outlines of the phantoms: drawn ones, real ones from CAMELYON16 JSON, and their sizes."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from model.extraction.phantom_cells import PHANTOM_MPP

Outline: TypeAlias = NDArray[np.float64]  # (n, 2) vertices x, y; closed, first not repeated

ITC_LIMIT_UM = 200.0
MICRO_LIMIT_UM = 2000.0
DIAMETERS_UM = {"itc": (60.0, 180.0), "micro": (300.0, 1500.0), "macro": (2200.0, 2900.0)}


class OutlinesError(Exception):
    """The file given for real outlines cannot be used; says why and what to give."""


@dataclass(frozen=True)
class Lesion:
    """One lesion of known outline; vertices in level-0 pixels."""

    outline_l0_px: Outline

    @property
    def longest_diameter_um(self) -> float:
        """Largest distance between two points of the outline."""
        return longest_diameter(self.outline_l0_px) * PHANTOM_MPP

    @property
    def area_um2(self) -> float:
        """Area inside the outline."""
        return polygon_area(self.outline_l0_px) * PHANTOM_MPP**2

    @property
    def kind(self) -> str:
        """Size class after the TNM limits: itc, micro or macro."""
        diameter = self.longest_diameter_um
        if diameter <= ITC_LIMIT_UM:
            return "itc"
        return "micro" if diameter <= MICRO_LIMIT_UM else "macro"


def longest_diameter(outline: Outline) -> float:
    """Largest distance between two vertices, in the outline's own units."""
    corners = outline[ConvexHull(outline).vertices]
    return float(np.linalg.norm(corners[:, None] - corners[None], axis=-1).max())


def polygon_area(outline: Outline) -> float:
    """Area of a simple polygon, in squared units of its vertices."""
    x, y = outline[:, 0], outline[:, 1]
    return float(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2.0)


def draw_outline(rng: np.random.Generator, diameter_px: float) -> Outline:
    """A lobed closed curve about the origin with exactly this longest diameter."""
    count = int(np.clip(diameter_px * 3.0 / 40.0, 40, 500))
    theta = np.linspace(0.0, 2.0 * np.pi, count, endpoint=False)
    radius = np.ones(count)
    for harmonic in range(2, 16):
        swing = rng.normal(0.0, 0.15 / harmonic**0.95)
        radius += swing * np.cos(harmonic * theta + rng.uniform(0.0, 2.0 * np.pi))
    radius = np.clip(radius, 0.45, None)
    stretch = rng.uniform(0.62, 1.0)
    shape = np.stack([radius * np.cos(theta), stretch * radius * np.sin(theta)], axis=1)
    turn = rng.uniform(0.0, 2.0 * np.pi)
    turned = shape @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return np.asarray(turned * (diameter_px / longest_diameter(turned)))


def read_outlines(path: Path) -> list[Outline]:
    """All positive polygons of a zip of CAMELYON16 JSON files, each centred on the origin.

    Raises OutlinesError when the file is no such zip.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(name for name in archive.namelist() if name.endswith(".json"))
            records = [json.loads(archive.read(name)) for name in names]
        polygons = [p["vertices"] for record in records for p in record.get("positive", [])]
        outlines = [np.asarray(p, dtype=np.float64) for p in polygons if len(p) >= 8]
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError) as error:
        raise OutlinesError(
            "The outlines cannot be read. Give the zip of CAMELYON16 lesion outlines as JSON "
            "(keys positive[].vertices)."
        ) from error
    if not outlines:
        raise OutlinesError("The outlines hold no lesion. Give a zip that has positive polygons.")
    return [outline - (outline.min(0) + outline.max(0)) / 2.0 for outline in outlines]


class OutlineSource:
    """Gives outlines of a wanted size class: drawn, or picked from real ones."""

    def __init__(self, real: list[Outline] | None = None) -> None:
        self._by_kind: dict[str, list[Outline]] = {}
        for outline in real or []:
            if polygon_area(outline) > 0.0:
                self._by_kind.setdefault(Lesion(outline).kind, []).append(outline)
        self._is_real = real is not None

    def outline(self, rng: np.random.Generator, kind: str) -> Outline:
        """An outline of this class about the origin, in level-0 pixels."""
        pool = self._by_kind.get(kind)
        if self._is_real and pool:
            return pool[int(rng.integers(len(pool)))]
        return draw_outline(rng, rng.uniform(*DIAMETERS_UM[kind]) / PHANTOM_MPP)
