"""Shapes of flags: checked, mended where asked, measured. Level-0 pixels throughout."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, hypot, log2
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from model.prediction.wsi import Mpp
from viewer.flags.errors import GeometryInvalid

Kind = Literal["point", "box", "polygon", "freehand", "ruler"]
Points = NDArray[np.float64]  # (n, 2)

TYPES: Mapping[str, tuple[str, ...]] = {
    "point": ("Point",),
    "box": ("Polygon",),
    "polygon": ("Polygon", "MultiPolygon"),
    "freehand": ("Polygon", "MultiPolygon"),
    "ruler": ("LineString",),
}
DECIMALS = 2  # a hundredth of a pixel; what is stored is what was checked
MOST_VERTICES = 100_000
NEAR_SHARE = 0.1  # of the slide's longer side: so far outside it a vertex may lie
FINEST_GRID = 8  # cells of 2^8 px: more flags than fit there are not seen apart anyway
UM2_PER_MM2 = 1e6
MENDABLE = "Draw it without crossings, or send mend: true to have it taken apart where it crosses."


@dataclass(frozen=True)
class Extent:
    """The size of a slide, (px): flags lie on it, or near it."""

    width_px: int
    height_px: int

    @property
    def margin_px(self) -> float:
        """How far outside a vertex may lie."""
        return NEAR_SHARE * max(self.width_px, self.height_px)


@dataclass(frozen=True)
class Shape:
    """A sound geometry: its GeoJSON, its box (left, top, right, bottom) and its area, if any."""

    kind: Kind
    geojson: str
    bounds: tuple[float, float, float, float]
    area_px2: float | None
    mended: bool = False

    def columns(self) -> dict[str, Any]:
        """What a row stores of it."""
        left, top, right, bottom = self.bounds
        extent = max(right - left, bottom - top)
        x, y = int((left + right) // 2), int((top + bottom) // 2)
        level = grid_level(extent)
        return {
            "kind": self.kind,
            "geometry": self.geojson,
            "min_x_l0_px": left,
            "min_y_l0_px": top,
            "max_x_l0_px": right,
            "max_y_l0_px": bottom,
            "extent_l0_px": extent,
            "center_x_l0_px": x,
            "center_y_l0_px": y,
            "grid_level": level,
            "grid_row": y >> level,
            "grid_column": x >> level,
            "area_px2": self.area_px2,
        }


def grid_level(extent_px: float) -> int:
    """The finest grid whose cells (2^level px) are not smaller than this."""
    return max(FINEST_GRID, ceil(log2(extent_px))) if extent_px > 0 else FINEST_GRID


def shape_of(
    kind: Kind, geometry: Mapping[str, Any], slide: Extent, *, mend: bool = False
) -> Shape:
    """Check a GeoJSON geometry; raises GeometryInvalid. `mend` closes rings, undoes crossings."""
    name = geometry.get("type")
    if name not in TYPES[kind]:
        raise GeometryInvalid(
            f"A {kind} cannot be a '{name}'.", f"It is a {' or a '.join(TYPES[kind])}."
        )
    coordinates = geometry.get("coordinates")
    if name == "Point":
        return _point(coordinates, slide)
    if name == "LineString":
        return _ruler(coordinates, slide)
    polygons = [coordinates] if name == "Polygon" else coordinates
    return _area(kind, polygons, slide, mend)


def kind_of(geometry: Mapping[str, Any]) -> Kind:
    """The kind that fits a foreign geometry: upright rectangles are boxes."""
    match geometry.get("type"):
        case "Point":
            return "point"
        case "LineString":
            return "ruler"
        case "Polygon" if is_box(geometry.get("coordinates")):
            return "box"
    return "polygon"


def is_box(rings: object) -> bool:
    """Whether rings are one upright rectangle of four corners."""
    if not isinstance(rings, Sequence) or len(rings) != 1 or not _is_sized(rings[0], 5):
        return False
    try:
        ring = _points(rings[0])
    except GeometryInvalid:
        return False
    steps = np.diff(ring, axis=0) != 0
    turns = bool((steps[:-1] != steps[1:]).all())
    return turns and bool((steps.sum(axis=1) == 1).all()) and bool((ring[0] == ring[-1]).all())


def area_mm2(area_px2: float | None, mpp: Mpp | None) -> float | None:
    """Holes subtracted; None where there is no area or no resolution."""
    return None if area_px2 is None or mpp is None else area_px2 * mpp.x * mpp.y / UM2_PER_MM2


def length_um(geojson: str, mpp: Mpp | None) -> float | None:
    """Along a ruler; None for anything else and without resolution."""
    if mpp is None or not geojson.startswith('{"type":"LineString"'):
        return None
    points = json.loads(geojson)["coordinates"]
    return sum(
        hypot((x1 - x0) * mpp.x, (y1 - y0) * mpp.y) for (x0, y0), (x1, y1) in pairwise(points)
    )


def _is_sized(value: object, count: int) -> bool:
    return isinstance(value, Sequence) and len(value) == count


def _point(coordinates: object, slide: Extent) -> Shape:
    points = _points([coordinates])
    _check_near(points, slide)
    x, y = points[0].tolist()
    return Shape("point", _geojson("Point", [x, y]), (x, y, x, y), None)


def _ruler(coordinates: object, slide: Extent) -> Shape:
    points = _points(coordinates)
    if len(points) < 2 or bool((points == points[0]).all()):
        raise GeometryInvalid("A ruler needs two different points.", "Place its other end.")
    _check_near(points, slide)
    bounds = (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())
    return Shape("ruler", _geojson("LineString", points.tolist()), bounds, None)


def _area(kind: Kind, polygons: object, slide: Extent, mend: bool) -> Shape:
    if not isinstance(polygons, Sequence) or isinstance(polygons, str) or not polygons:
        raise GeometryInvalid("The area has no outline.", "Send rings of positions.")
    parts = [_rings(polygon, mend) for polygon in polygons]
    rings = [ring for part in parts for ring in part]
    if sum(map(len, rings)) > MOST_VERTICES:
        raise GeometryInvalid(
            f"The outline has more than {MOST_VERTICES} vertices.", "Simplify or split it."
        )
    _check_near(np.concatenate(rings), slide)
    area = shapely.MultiPolygon([(part[0], part[1:]) for part in parts])
    mended = False
    if not area.is_valid or not area.area > 0:
        if not mend:
            what = shapely.is_valid_reason(area).replace("[", " at ").replace("]", "")
            raise GeometryInvalid(f"The outline is not sound: {what}.", MENDABLE)
        area, mended = _mended(area), True
        parts = list(_parts(area))
    if kind == "box" and not (len(parts) == 1 and is_box([p.tolist() for p in parts[0]])):
        raise GeometryInvalid(
            "A box is an upright rectangle of four corners.", "Send it as a polygon."
        )
    lists = [[ring.tolist() for ring in part] for part in parts]
    text = _geojson("Polygon", lists[0]) if len(lists) == 1 else _geojson("MultiPolygon", lists)
    left, top, right, bottom = (round(value, DECIMALS) for value in area.bounds)
    return Shape(kind, text, (left, top, right, bottom), float(area.area), mended)


def _mended(area: shapely.MultiPolygon) -> shapely.MultiPolygon:
    """The same region without crossings, on the grid of stored coordinates."""
    sound = shapely.make_valid(area, method="structure", keep_collapsed=False)
    sound = shapely.set_precision(sound, 10**-DECIMALS)
    polygons = [part for part in shapely.get_parts(sound) if isinstance(part, shapely.Polygon)]
    polygons = [part for part in polygons if part.area > 0]
    if not polygons:
        raise GeometryInvalid("The outline encloses no area.", "Draw it anew.")
    return shapely.MultiPolygon(polygons)


def _parts(area: shapely.MultiPolygon) -> Iterator[list[Points]]:
    for part in area.geoms:
        rings = [part.exterior, *part.interiors]
        yield [np.round(np.asarray(ring.coords)[:, :2], DECIMALS) for ring in rings]


def _rings(polygon: object, mend: bool) -> list[Points]:
    if not isinstance(polygon, Sequence) or isinstance(polygon, str) or not polygon:
        raise GeometryInvalid("A polygon has no rings.", "Send rings of positions.")
    return [_ring(ring, mend) for ring in polygon]


def _ring(ring: object, mend: bool) -> Points:
    points = _points(ring)
    closed = bool((points[0] == points[-1]).all())
    if not closed and not mend:
        raise GeometryInvalid(
            "A ring is not closed.", "Repeat its first position at its end, as GeoJSON wants it."
        )
    if not closed:
        points = np.concatenate([points, points[:1]])
    if len(points) < 4:
        raise GeometryInvalid("A ring needs three different vertices.", "Add vertices.")
    return points


def _points(positions: object) -> Points:
    """(n, 2), rounded; n ≥ 1. A third coordinate is dropped, as GeoJSON allows."""
    try:
        points = np.asarray(positions)
    except ValueError:
        points = np.empty(0)
    if points.ndim != 2 or points.shape[0] < 1 or points.shape[1] not in (2, 3):
        raise GeometryInvalid("Positions are not pairs of numbers.", "Send [[x, y], …].")
    if points.dtype.kind not in "iuf" or not np.isfinite(points).all():
        raise GeometryInvalid("A coordinate is not a finite number.", "Send [[x, y], …].")
    exact: Points = points[:, :2].astype(np.float64)
    return exact.round(DECIMALS)


def _check_near(points: Points, slide: Extent) -> None:
    margin = slide.margin_px
    low, high = points.min(axis=0), points.max(axis=0)
    size = np.array((slide.width_px, slide.height_px))
    inside = (low >= -margin).all() and (high <= size + margin).all()
    if not inside:
        raise GeometryInvalid(
            "It lies outside the slide.",
            "Coordinates are level-0 pixels from the top-left corner of the slide's bounds.",
        )


def _geojson(name: str, coordinates: list[Any]) -> str:
    return json.dumps({"type": name, "coordinates": coordinates}, separators=(",", ":"))
