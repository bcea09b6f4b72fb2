"""ASAP's XML (its XmlRepository). ASAP knows no holes: they travel as annotations of their own.

A polygon of several rings is written as "<name> (part 1 of flag 12)", its holes as "<name> (hole 1
of flag 12)" in the group Exclusion; read back, they are one region again. Coordinates count from
the corner of the whole scan: the caller shifts them by the slide's bounds.
"""

import json
import re
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import pairwise
from typing import Any
from xml.etree.ElementTree import Element, ParseError  # types alone: defusedxml does the parsing
from xml.sax.saxutils import quoteattr

import defusedxml.ElementTree
import shapely
from defusedxml import DefusedXmlException

from viewer.flags.errors import ImportRefused
from viewer.flags.exchange import NOTICE, Entry, Found, plain
from viewer.flags.geojson import called, is_called
from viewer.flags.labels import UNKNOWN_COLOUR, LabelSet
from viewer.flags.records import Flag

MEDIA_TYPE = "application/xml"
HOLES = "Exclusion"
HOLE_COLOUR = "#808080"
NO_GROUP = "None"
KINDS = {"Polygon": "polygon", "Spline": "polygon", "Rectangle": None, "Measurement": "ruler"}
POINTS = ("Dot", "PointSet")
PIECE = re.compile(r"^(?P<name>.*) \((?P<what>part|hole) (?P<n>\d+) of flag (?P<flag>\d+)\)$")

Position = list[float]


def write(
    flags: Iterable[Flag], labels: LabelSet, used: Iterable[str], offset_px: tuple[float, float]
) -> Iterator[str]:
    """The file, a flag at a time. `used` are the labels among the flags: each is declared, since
    ASAP discards a file whole when one annotation names an undeclared group.
    """
    yield f'<?xml version="1.0"?>\n<!-- {NOTICE} -->\n<ASAP_Annotations>\n<Annotations>\n'
    colours = {label.name: label.colour.upper() for label in labels.labels}
    for flag in flags:
        yield from _annotations(flag, colours, offset_px)
    yield "</Annotations>\n<AnnotationGroups>\n"
    groups = {name: colours.get(name, UNKNOWN_COLOUR) for name in used}
    for name, colour in {**groups, HOLES: HOLE_COLOUR}.items():
        attributes = f'Name={_quoted(name)} PartOfGroup="{NO_GROUP}" Color="{colour}"'
        yield f"<Group {attributes}><Attributes /></Group>\n"
    yield "</AnnotationGroups>\n</ASAP_Annotations>\n"


def _annotations(
    flag: Flag, colours: dict[str, str], offset_px: tuple[float, float]
) -> Iterator[str]:
    geometry = json.loads(flag.geometry)
    coordinates = geometry["coordinates"]
    name, group = flag.name or called(flag), flag.label or NO_GROUP
    colour = colours.get(group, UNKNOWN_COLOUR)

    def one(title: str, kind: str, points: list[Position], where: str = group) -> str:
        shade = HOLE_COLOUR if where == HOLES else colour
        return _annotation(title, kind, where, shade, points, offset_px)

    match geometry["type"]:
        case "Point":
            yield one(name, "Dot", [coordinates])
        case "LineString":
            for start, end in pairwise(coordinates):
                yield one(name, "Measurement", [start, end])
        case "Polygon" if len(coordinates) == 1:
            kind = "Rectangle" if flag.kind == "box" else "Polygon"
            yield one(name, kind, coordinates[0][:-1])
        case _:
            polygons = coordinates if geometry["type"] == "MultiPolygon" else [coordinates]
            holes = 0
            for n, (outline, *inside) in enumerate(polygons, start=1):
                title = f"{name} (part {n} of flag {flag.number})"
                yield one(title, "Polygon", outline[:-1])
                for hole in inside:
                    holes += 1
                    title = f"{name} (hole {holes} of flag {flag.number})"
                    yield one(title, "Polygon", hole[:-1], HOLES)


def _annotation(
    name: str,
    kind: str,
    group: str,
    colour: str,
    points: list[Position],
    offset_px: tuple[float, float],
) -> str:
    dx, dy = offset_px
    lines = "".join(
        f'<Coordinate Order="{n}" X="{x + dx:.10g}" Y="{y + dy:.10g}" />\n'
        for n, (x, y) in enumerate(points)
    )
    attributes = f'Name={_quoted(name)} Type="{kind}" PartOfGroup={_quoted(group)}'
    head = f'<Annotation {attributes} Color="{colour}">'
    return f"{head}\n<Coordinates>\n{lines}</Coordinates>\n</Annotation>\n"


def _quoted(text: str) -> str:
    return quoteattr(plain(text, 300))


def read(content: bytes) -> Found:
    """The regions of an ASAP file, in its own coordinates."""
    found = Found()
    pieces: dict[str, list[tuple[Entry, str]]] = {}
    groups: dict[str, str] = {}
    try:
        for element in _elements(content):
            if element.tag == "Group":
                groups[element.get("Name", "")] = element.get("PartOfGroup", NO_GROUP)
            else:
                _read_annotation(element, found, pieces)
    except (ParseError, DefusedXmlException, LookupError, ValueError) as error:
        raise ImportRefused(
            f"The file is not safe, well-formed XML ({type(error).__name__}: {error}).",
            "Save it again with ASAP.",
        ) from None
    for parts in pieces.values():
        _join(parts, found)
    undeclared = {entry.label for entry in found.entries if entry.label} - groups.keys()
    for name in sorted(undeclared):
        found.notes[f"the group '{name}' is not declared; ASAP would refuse the file"] += 1
    return found


def _elements(content: bytes) -> Iterator[Element]:
    """Annotations and groups, each forgotten after use: the whole tree takes much memory."""
    stack: list[Element] = []
    for event, element in defusedxml.ElementTree.iterparse(BytesIO(content), ("start", "end")):
        if event == "start":
            if not stack and element.tag != "ASAP_Annotations":
                raise ImportRefused(
                    f"The XML is not of ASAP: it begins with <{element.tag}>.",
                    "Export the outlines from ASAP.",
                )
            stack.append(element)
            continue
        stack.pop()
        if element.tag in ("Annotation", "Group"):
            yield element
            element.clear()
            if stack:
                stack[-1].clear()


def _read_annotation(
    element: Element, found: Found, pieces: dict[str, list[tuple[Entry, str]]]
) -> None:
    title, kind = plain(element.get("Name"), 300), element.get("Type", "")
    place = f"annotation '{title}'"
    points = _points(element)
    if points is None:
        found.refuse(place, "its vertices are not numbered 0, 1, 2 … or are no numbers")
        return
    if kind not in KINDS and kind not in POINTS:
        found.refuse(place, f"its type '{kind}' is no region")
        return
    if kind == "Spline":
        found.notes["a spline was taken with straight lines between its points"] += 1
    group = plain(element.get("PartOfGroup"), 100)
    label = None if group in ("", NO_GROUP) else group
    name = None if not title or is_called(title) else title[:200]
    if kind in POINTS:
        for point in points:
            found.entries.append(Entry(place, _geometry("Point", point), "point", label, name))
        return
    if kind == "Measurement":
        found.entries.append(Entry(place, _geometry("LineString", points), "ruler", label, name))
        return
    entry = Entry(place, _geometry("Polygon", [[*points, *points[:1]]]), KINDS[kind], label, name)
    if piece := PIECE.match(title):
        pieces.setdefault(piece["flag"], []).append((entry, title))
    else:
        found.entries.append(entry)


def _geometry(kind: str, coordinates: list[Any]) -> dict[str, Any]:
    return {"type": kind, "coordinates": coordinates}


def _points(element: Element) -> list[Position] | None:
    """Vertices in the order ASAP numbers them; None where that is not 0 … n − 1."""
    try:
        vertices = {
            int(float(at.attrib["Order"])): [float(at.attrib["X"]), float(at.attrib["Y"])]
            for at in element.iterfind("Coordinates/Coordinate")
        }
    except (KeyError, ValueError, OverflowError):
        return None
    count = len(element.findall("Coordinates/Coordinate"))
    if not count or sorted(vertices) != list(range(count)):
        return None
    return [vertices[n] for n in range(count)]


def _join(parts: list[tuple[Entry, str]], found: Found) -> None:
    """Parts and holes of one region, put together again; each hole goes into the part around it."""
    outlines: list[list[list[Position]]] = []
    holes: list[list[Position]] = []
    first: Entry | None = None
    for entry, title in parts:
        ring = entry.geometry["coordinates"][0]
        piece = PIECE.match(title)
        assert piece is not None, "only such titles are collected"
        if piece["what"] == "part":
            first = first or entry
            outlines.append([ring])
        else:
            holes.append(ring)
    if first is None:
        found.entries.extend(entry for entry, _ in parts)
        return
    for hole in holes:
        around = next((outline for outline in outlines if _holds(outline[0], hole)), None)
        if around is None:
            found.refuse(first.place, "one of its holes lies outside its outline")
            return
        around.append(hole)
    piece = PIECE.match(parts[0][1])
    title = piece["name"] if piece else ""
    name = None if not title or is_called(title) else title[:200]
    geometry = (
        _geometry("Polygon", outlines[0])
        if len(outlines) == 1
        else _geometry("MultiPolygon", list(outlines))
    )
    found.entries.append(Entry(first.place, geometry, "polygon", first.label, name))


def _holds(outline: list[Position], hole: list[Position]) -> bool:
    try:
        around, inside = shapely.Polygon(outline), shapely.Polygon(hole)
        return bool(around.is_valid and inside.is_valid and around.covers(inside))
    except (ValueError, shapely.errors.GEOSException):
        return False
