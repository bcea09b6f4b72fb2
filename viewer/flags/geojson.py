"""GeoJSON as QuPath writes and reads it (its QuPathTypeAdapters and GsonTools)."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from viewer.db import iso_utc
from viewer.flags.errors import ImportRefused
from viewer.flags.exchange import NOTICE, Entry, Found, moved, plain, prose
from viewer.flags.geometry import TYPES
from viewer.flags.labels import UNKNOWN_COLOUR, LabelSet
from viewer.flags.records import STATES, Flag

MEDIA_TYPE = "application/geo+json"
# Objects of QuPath that are no regions somebody drew.
NOT_REGIONS = {"tile": "a tile of a heat map", "root": "the whole slide", "tmaCore": "a TMA core"}
SPLIT = {"MultiPoint": "Point", "MultiLineString": "LineString"}


def write(
    flags: Iterable[Flag],
    labels: LabelSet,
    slide_name: str,
    offset_px: tuple[float, float] = (0, 0),
) -> Iterator[str]:
    """A FeatureCollection, a feature at a time, shifted by where the bounds begin in its plane."""
    about = json.dumps({"slide": slide_name, "notice": NOTICE}, ensure_ascii=False)
    yield f'{{"type":"FeatureCollection","sentinode":{about},"features":['
    for n, flag in enumerate(flags):
        yield f"{',' if n else ''}\n{feature(flag, labels, offset_px)}"
    yield "\n]}\n"


def feature(flag: Flag, labels: LabelSet, offset_px: tuple[float, float] = (0, 0)) -> str:
    """A flag as an annotation of QuPath; its geometry is put in as it is stored."""
    geometry = flag.geometry
    if offset_px != (0, 0):
        geometry = json.dumps(moved(json.loads(geometry), *offset_px), separators=(",", ":"))
    properties: dict[str, Any] = {"objectType": "annotation", "name": flag.name or called(flag)}
    if flag.label is not None:
        # With a name and without a colour QuPath refuses the whole file.
        label = labels.find(flag.label)
        rgb = label.rgb if label else tuple(bytes.fromhex(UNKNOWN_COLOUR[1:]))
        properties["classification"] = {"name": flag.label, "color": list(rgb)}
    if flag.state == "resolved":
        properties["isLocked"] = True
    properties["metadata"] = _metadata(flag)
    head = f'{{"type":"Feature","id":"{UUID(flag.id)}","geometry":{geometry}'
    return f'{head},"properties":{json.dumps(properties, ensure_ascii=False)}}}'


def called(flag: Flag) -> str:
    """What a flag without a name is called."""
    return f"Flag {flag.number}"


def is_called(name: str) -> bool:
    """Whether a name is one that `called` gave."""
    return name.startswith("Flag ") and name[5:].isdecimal()


def _metadata(flag: Flag) -> dict[str, str]:
    """Strings alone: QuPath knows no other metadata."""
    values = {
        "kind": flag.kind,
        "state": flag.state,
        "reason": flag.reason,
        "assignee": flag.assignee,
        "version": flag.version,
        "created_by": flag.created_by,
        "created_at": iso_utc(flag.created_at),
        "changed_by": flag.changed_by,
        "changed_at": iso_utc(flag.changed_at),
    }
    return {name: str(value) for name, value in values.items() if value not in (None, "")}


def read(content: bytes) -> Found:
    """The regions of a FeatureCollection, a list of features or one feature."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        what = type(error).__name__ if isinstance(error, RecursionError) else str(error)
        raise ImportRefused(f"The file is no JSON: {what}.", "Export it again.") from None
    found = Found()
    for n, part in enumerate(_features(document), start=1):
        _read_feature(part, f"feature {n}", found)
    return found


def _features(document: Any) -> list[Any]:  # noqa: ANN401 - whatever the file holds
    if isinstance(document, list):
        return document
    if isinstance(document, Mapping):
        if isinstance(features := document.get("features"), list):
            return features
        if document.get("type") == "Feature":
            return [document]
    raise ImportRefused(
        "The JSON is no GeoJSON with features.", "In QuPath: File, Export objects as GeoJSON."
    )


def _read_feature(part: object, place: str, found: Found) -> None:
    if not isinstance(part, Mapping) or not isinstance(part.get("geometry"), Mapping):
        found.refuse(place, "it is no feature with a geometry")
        return
    given = part.get("properties")
    properties: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    what = properties.get("objectType", properties.get("object_type", properties.get("type")))
    if isinstance(what, str) and what in NOT_REGIONS:
        found.refuse(place, f"it is {NOT_REGIONS[what]}, not a region")
        return
    _note_losses(part, properties, found)
    geometry: Mapping[str, Any] = part["geometry"]
    words = _words(part, properties)
    if (single := SPLIT.get(str(geometry.get("type")))) is None:
        found.entries.append(_entry(place, geometry, words))
        return
    coordinates = geometry.get("coordinates")
    pieces = coordinates if isinstance(coordinates, list) else []
    if not pieces:
        found.refuse(place, "it has no coordinates")
    found.notes[f"a {geometry['type']} became a flag for each of its parts"] += 1
    for n, piece in enumerate(pieces, start=1):
        whole = {**words, "flag_id": words["flag_id"] if len(pieces) == 1 else None}
        found.entries.append(
            _entry(f"{place}, part {n}", {"type": single, "coordinates": piece}, whole)
        )


def _entry(place: str, geometry: Mapping[str, Any], words: dict[str, Any]) -> Entry:
    kind = words["kind"] if geometry.get("type") in TYPES.get(words["kind"], ()) else None
    return Entry(place, geometry, **{**words, "kind": kind})


def _words(part: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of a feature, as fields of an Entry."""
    given = properties.get("metadata")
    metadata: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    state = metadata.get("state")
    if state not in STATES:
        state = "resolved" if properties.get("isLocked") is True else "open"
    name = plain(properties.get("name"), 200)
    version = str(metadata.get("version", ""))
    return {
        "kind": str(metadata.get("kind", "")),
        "label": _class_name(properties.get("classification")),
        "name": None if not name or is_called(name) else name,
        "reason": prose(metadata.get("reason"), 2000),
        "state": state,
        "assignee": plain(metadata.get("assignee"), 100) or None,
        "flag_id": _hex_id(part.get("id")),
        "version": int(version) if version.isdecimal() and len(version) < 10 else None,
    }


def _class_name(classification: object) -> str | None:
    """QuPath writes an object with name or names; older files and other programs a string."""
    if isinstance(classification, Mapping):
        names = classification.get("names")
        if isinstance(names, list):
            return ": ".join(plain(name, 100) for name in names)[:100] or None
        classification = classification.get("name")
    return plain(classification, 100) or None


def _hex_id(given: object) -> str | None:
    try:
        return UUID(str(given)).hex
    except ValueError:
        return None


def _note_losses(part: Mapping[str, Any], properties: Mapping[str, Any], found: Found) -> None:
    if properties.get("measurements"):
        found.notes["measurements were left out"] += 1
    if part.get("nucleusGeometry"):
        found.notes["the nucleus of a cell was left out"] += 1
    if properties.get("childObjects"):
        found.notes["objects inside another object were left out: export them flat"] += 1
