"""PNG, fast: the tiles whose pixels must be exact are made while somebody waits for them.

Each byte is stored as its difference from the pixel to the left (filter "Sub"), compressed by
libdeflate: three times as fast as Pillow for the same size. After the PNG specification (ISO/IEC
15948).
"""

from binascii import crc32

import numpy as np

# By its name, so that the codec is loaded now: the package loads each at its first use.
from imagecodecs import deflate_encode
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SUB = 1
_COLOUR_TYPES = {1: 0, 3: 2}  # samples a pixel: grey, RGB
_EFFORT = 1
_PROFILE_EFFORT = 6


def png(pixels: NDArray[np.uint8], icc_profile: bytes | None = None) -> bytes:
    """A PNG of grey (h, w) or RGB (h, w, 3) pixels, with a colour profile if one is given."""
    height_px, width_px = pixels.shape[:2]
    samples = pixels.size // (height_px * width_px)
    rows = np.ascontiguousarray(pixels).reshape(height_px, width_px * samples)
    filtered = np.empty((height_px, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = _SUB
    filtered[:, 1 : 1 + samples] = rows[:, :samples]
    np.subtract(rows[:, samples:], rows[:, :-samples], out=filtered[:, 1 + samples :])
    header = b"".join(size.to_bytes(4, "big") for size in (width_px, height_px))
    chunks = [_chunk(b"IHDR", header + bytes((8, _COLOUR_TYPES[samples], 0, 0, 0)))]
    if icc_profile:
        chunks.append(_chunk(b"iCCP", b"icc\0\0" + _zlib(icc_profile, _PROFILE_EFFORT)))
    chunks += [_chunk(b"IDAT", _zlib(filtered.tobytes(), _EFFORT)), _chunk(b"IEND", b"")]
    return _SIGNATURE + b"".join(chunks)


def _zlib(data: bytes, effort: int) -> bytes:
    return bytes(deflate_encode(data, effort, raw=False))


def _chunk(name: bytes, body: bytes) -> bytes:
    return b"".join(
        (len(body).to_bytes(4, "big"), name, body, crc32(name + body).to_bytes(4, "big"))
    )
