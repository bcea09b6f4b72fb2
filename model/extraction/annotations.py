"""Lesion outlines: ASAP XML after CAMELYON's conventions, and the JSON of baidu-research/NCRF.

CAMELYON16 puts tumour in the groups Tumor, _0 and _1, and what is not tumour inside it in _2 or
Exclusion; CAMELYON17 names its groups metastases and normal. Coordinates are level-0 pixels.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from xml.etree.ElementTree import Element, ParseError  # types alone: defusedxml does the parsing

import defusedxml.ElementTree
import numpy as np
from defusedxml import DefusedXmlException

from model.extraction.errors import MaskInvalid
from model.extraction.outlines import Outline

Meaning = Literal["tumour", "normal", "ignored"]
CAMELYON_GROUPS: Mapping[str, Meaning] = {
    "Tumor": "tumour",
    "_0": "tumour",
    "_1": "tumour",
    "metastases": "tumour",
    "_2": "normal",
    "Exclusion": "normal",
    "normal": "normal",
}
AREAS = {"Polygon", "Spline", "Rectangle"}  # splines are joined by straight lines
NOT_AREAS = {"None", "Dot", "PointSet", "Measurement"}


@dataclass(frozen=True)
class Annotations:
    """Outlines of tumour, and of what is not tumour inside them; `skipped` counts the rest."""

    tumour: list[Outline] = field(default_factory=list)
    normal: list[Outline] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)

    def shifted(self, x_l0_px: float, y_l0_px: float) -> "Annotations":
        """The same outlines, moved."""
        move = np.array((x_l0_px, y_l0_px))
        tumour = [outline + move for outline in self.tumour]
        return Annotations(tumour, [outline + move for outline in self.normal], self.skipped)


def read_annotations(path: Path, groups: Mapping[str, Meaning] = CAMELYON_GROUPS) -> Annotations:
    """Outlines of an ASAP XML or an NCRF JSON file, by its ending; raise MaskInvalid."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MaskInvalid(
            f"Annotation '{path.name}' could not be read: {error.strerror}.",
            "Check the file and its permissions.",
        ) from error
    return (
        _from_json(content, path.name)
        if path.suffix == ".json"
        else _from_xml(content, path.name, groups)
    )


def _from_xml(content: bytes, name: str, groups: Mapping[str, Meaning]) -> Annotations:
    root = _parse(content, name)
    parents = {
        group.get("Name", ""): group.get("PartOfGroup", "None")
        for group in root.iterfind("AnnotationGroups/Group")
    }
    found = Annotations()
    for annotation in root.iterfind("Annotations/Annotation"):
        kind, title = annotation.get("Type", ""), annotation.get("Name", "")
        meaning = _meaning(annotation.get("PartOfGroup", "None"), parents, groups, name, title)
        if kind not in AREAS | NOT_AREAS:
            raise MaskInvalid(
                f"Annotation '{title}' in '{name}' is of the unknown type '{kind}'.",
                f"ASAP's areas are {', '.join(sorted(AREAS))}.",
            )
        outline = _outline(annotation, name, title) if kind in AREAS else None
        _sort_in(found, outline, meaning, kind)
    return found


def _parse(content: bytes, name: str) -> Element:
    try:
        root = defusedxml.ElementTree.fromstring(content)
    except (ParseError, DefusedXmlException, LookupError, ValueError) as error:
        raise MaskInvalid(
            f"Annotation '{name}' is not safe, well-formed XML ({type(error).__name__}: {error}).",
            "Save it again with ASAP.",
        ) from error
    if root.tag != "ASAP_Annotations":
        raise MaskInvalid(
            f"Annotation '{name}' is XML, but not of ASAP (it begins with <{root.tag}>).",
            "Export the outlines from ASAP.",
        )
    assert isinstance(root, Element)
    return root


def _meaning(
    group: str,
    parents: Mapping[str, str],
    groups: Mapping[str, Meaning],
    name: str,
    title: str,
) -> Meaning:
    """What `group` stands for, or the nearest group it is part of."""
    seen: list[str] = []
    while group not in seen:
        if group in groups:
            return groups[group]
        seen.append(group)
        group = parents.get(group, "None")
    raise MaskInvalid(
        f"Annotation '{title}' in '{name}' belongs to the group '{seen[0]}', and nobody said"
        " whether that is tumour.",
        f"Say so with --group '{seen[0]}=tumour', '=normal' or '=ignored'.",
    )


def _outline(annotation: Element, name: str, title: str) -> Outline:
    """Vertices in the order ASAP numbers them, (n, 2)."""
    vertices: dict[int, tuple[float, float]] = {}
    for coordinate in annotation.iterfind("Coordinates/Coordinate"):
        try:
            order = int(float(coordinate.attrib["Order"]))
            vertices[order] = float(coordinate.attrib["X"]), float(coordinate.attrib["Y"])
        except (KeyError, ValueError, OverflowError) as error:
            raise _bad_vertices(name, title) from error
    outline = np.array([vertices[order] for order in sorted(vertices)], np.float64).reshape(-1, 2)
    count = len(annotation.findall("Coordinates/Coordinate"))
    if sorted(vertices) != list(range(count)) or not np.isfinite(outline).all():
        raise _bad_vertices(name, title)
    return outline


def _bad_vertices(name: str, title: str) -> MaskInvalid:
    return MaskInvalid(
        f"Annotation '{title}' in '{name}' has vertices that are not numbered 0, 1, 2 … or are not"
        " numbers.",
        "Save it again with ASAP.",
    )


def _sort_in(found: Annotations, outline: Outline | None, meaning: Meaning, kind: str) -> None:
    if meaning == "ignored":
        reason = "ignored group"
    elif outline is None:
        reason = f"{kind}, not an area"
    elif len(outline) < 3:
        reason = "fewer than three vertices"
    else:
        (found.tumour if meaning == "tumour" else found.normal).append(outline)
        return
    found.skipped[reason] = found.skipped.get(reason, 0) + 1


def _from_json(content: bytes, name: str) -> Annotations:
    found = Annotations()
    try:
        document: dict[str, list[dict[str, Any]]] = json.loads(content)
        for outline in _vertices(document["positive"]):
            _sort_in(found, outline, "tumour", "Polygon")
        for outline in _vertices(document["negative"]):
            _sort_in(found, outline, "normal", "Polygon")
    except (ValueError, KeyError, TypeError) as error:
        raise MaskInvalid(
            f"Annotation '{name}' is not JSON with the lists 'positive' and 'negative', each entry"
            " with its 'vertices' [[x, y], …].",
            "Use ASAP XML, or the JSON of baidu-research/NCRF.",
        ) from error
    return found


def _vertices(entries: Iterable[dict[str, Any]]) -> Iterable[Outline]:
    for entry in entries:
        outline = np.array(entry["vertices"], np.float64).reshape(-1, 2)
        if not np.isfinite(outline).all():
            raise ValueError("a vertex is not finite")
        yield outline
