"""JPEG streams as TIFF files hold them, and what makes them whole. Bytes only: nothing is decoded.

A tile of a TIFF is an "abbreviated" stream: its tables are often kept once for all tiles, and what
its three components mean stands in a TIFF tag, not in the stream (TIFF Technical Note 2).
"""

from dataclasses import dataclass

SOI = b"\xff\xd8"
EOI = b"\xff\xd9"
_START_OF_SCAN = 0xDA
_FRAMES = (0xC0, 0xC1)  # baseline and extended sequential: what every browser decodes
_APPLICATION = range(0xE0, 0xF0)
# Adobe's marker; its last byte says what the components are: 0 RGB, 1 YCbCr.
_ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"
_YCC_COMPONENTS = b"\x01\x02\x03"  # numbered so, every decoder takes them for YCbCr
_ICC = b"ICC_PROFILE\0"
_ICC_PART_BYTES = 65_519  # what one segment holds beside its length, name and numbers


@dataclass(frozen=True)
class Head:
    """Everything before the entropy-coded part of a tile: `length` bytes of it in the file."""

    length: int
    width_px: int
    height_px: int
    component_ids: bytes
    segments: bytes  # without application segments, which could contradict the TIFF's tags


def read_head(stream: bytes) -> Head | None:
    """The head of a stream of three components of 8 bits, or None if it is anything else."""
    if not stream.startswith(SOI):
        return None
    place, kept, frame = 2, bytearray(), b""
    while place + 4 <= len(stream) and stream[place] == 0xFF:
        marker = stream[place + 1]
        end = place + 2 + int.from_bytes(stream[place + 2 : place + 4], "big")
        if marker in _FRAMES:
            frame = stream[place + 4 : end]
        if marker not in _APPLICATION:
            kept += stream[place:end]
        place = end
        if marker == _START_OF_SCAN:
            return _head(place, frame, bytes(kept))
    return None


def _head(length: int, frame: bytes, segments: bytes) -> Head | None:
    # Precision, height, width, count of components, then three bytes for each.
    if len(frame) != 15 or frame[0] != 8 or frame[5] != 3:
        return None
    height_px, width_px = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    return Head(length, width_px, height_px, frame[6:15:3], segments)


def is_complete(stream: bytes) -> bool:
    """Whether a stream ends as JPEGs do; writers may pad it by one byte to an even length."""
    return stream.endswith(EOI) or stream.endswith(EOI, 0, -1)


def opening(head: Head, tables: bytes | None, is_rgb: bool, icc_profile: bytes | None) -> bytes:
    """What to put before the entropy-coded part, so that a tile is a picture of its own.

    `tables` is the TIFF's JPEGTables tag; the profile becomes APP2 segments (ICC.1, annex B.4).
    """
    parts = [SOI]
    if is_rgb or head.component_ids != _YCC_COMPONENTS:
        parts.append(_ADOBE + (b"\x00" if is_rgb else b"\x01"))
    parts += [icc_segments(icc_profile), table_segments(tables), head.segments]
    return b"".join(parts)


def table_segments(tables: bytes | None) -> bytes:
    """The tables of a JPEGTables tag, without its start and end and without other segments."""
    if not tables or not tables.startswith(SOI):
        return b""
    place, kept = 2, bytearray()
    while place + 4 <= len(tables) and tables[place] == 0xFF and tables[place + 1] != EOI[1]:
        end = place + 2 + int.from_bytes(tables[place + 2 : place + 4], "big")
        if tables[place + 1] not in _APPLICATION:
            kept += tables[place:end]
        place = end
    return bytes(kept)


def icc_segments(icc_profile: bytes | None) -> bytes:
    """A colour profile as JPEG segments; nothing without one."""
    if not icc_profile:
        return b""
    parts = [
        icc_profile[start : start + _ICC_PART_BYTES]
        for start in range(0, len(icc_profile), _ICC_PART_BYTES)
    ]
    segments = bytearray()
    for number, part in enumerate(parts, 1):
        body = _ICC + bytes((number, len(parts))) + part
        segments += b"\xff\xe2" + (len(body) + 2).to_bytes(2, "big") + body
    return bytes(segments)


def with_profile(jpeg: bytes, icc_profile: bytes | None) -> bytes:
    """A whole JPEG with a colour profile put into it."""
    return SOI + icc_segments(icc_profile) + jpeg[2:] if icc_profile else jpeg
