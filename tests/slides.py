"""Small slides that tests make for themselves: every layout Sentinode must show correctly.

Pictures are drawn in level-0 pixels. A level of an integer factor f has ⌈size/f⌉ pixels, each the
mean of the f × f pixels it covers; a level of another factor is the whole picture, resized.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
# Colours (h, w, 3) at pixel centres: x_l0 of shape (1, w), y_l0 of shape (h, 1).
Draw = Callable[[NDArray[np.floating[Any]], NDArray[np.floating[Any]]], NDArray[Any]]

Maker = Callable[..., Path]

GLASS = (244, 243, 245)
EOSIN = (214, 130, 178)
DARK = (52, 24, 92)
LABEL_RED = (255, 0, 0)
MACRO_GREEN = (0, 255, 0)


class Square(NamedTuple):
    """A square of level-0 pixels: left, top, right, bottom (right and bottom just outside)."""

    left: int
    top: int
    right: int
    bottom: int


# Off every tile's and every level's grid.
KNOWN_SQUARE = Square(521, 305, 934, 718)


def draw_pixels(draw: Draw | Pixels, size_px: tuple[int, int]) -> Pixels:
    """Level 0, (height, width, 3) uint8."""
    if not callable(draw):
        return draw
    width, height = size_px
    colours = draw(np.arange(width)[None, :] + 0.5, np.arange(height)[:, None] + 0.5)
    return np.clip(np.rint(colours), 0, 255).astype(np.uint8)


def square_on_glass(square: Square, colour: Sequence[int] = DARK) -> Draw:
    """Glass with one dark square; no other edge anywhere."""

    def draw(x: NDArray[np.floating[Any]], y: NDArray[np.floating[Any]]) -> NDArray[Any]:
        inside_x = (x > square.left) & (x < square.right)
        inside_y = (y > square.top) & (y < square.bottom)
        return np.where((inside_x & inside_y)[..., None], colour, GLASS)

    return draw


def ramp(size_px: tuple[int, int]) -> Draw:
    """Red rises with x, green with y, by 200 grey values over the slide; blue stays."""
    width, height = size_px

    def draw(x: NDArray[np.floating[Any]], y: NDArray[np.floating[Any]]) -> NDArray[Any]:
        red, green = 20 + 200 * x / width, 20 + 200 * y / height
        return np.stack(np.broadcast_arrays(red, green, np.full((1, 1), 90.0)), axis=-1)

    return draw


def shrink(pixels: Pixels, factor: float) -> Pixels:
    """The level of that factor, as the module's docstring says."""
    height, width = pixels.shape[:2]
    if factor == 1:
        return pixels
    if factor != int(factor):
        size = round(width / factor), round(height / factor)
        return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))
    n = int(factor)
    padded = np.pad(pixels, ((0, -height % n), (0, -width % n), (0, 0)), mode="edge")
    return np.asarray(Image.fromarray(padded).reduce(n))


def make_slide(
    path: Path,
    size_px: tuple[int, int] = (1500, 1100),
    *,
    level_factors: Sequence[float] = (1, 2, 4),
    tile_px: int = 256,
    mpp: float | tuple[float, float] | None = 0.25,
    compression: str = "deflate",
    bigtiff: bool = False,
    icc: bytes | None = None,
    draw: Draw | Pixels | None = None,
) -> Path:
    """Write a pyramidal tiled TIFF (OpenSlide: "generic-tiff"), as CAMELYON16's are.

    `compression` is "deflate" (exact pixels) or "jpeg" (quality 95); `mpp` None leaves the
    resolution tags at TIFF's empty "1 × 1 without unit".
    """
    pixels = draw_pixels(draw if draw is not None else ramp(size_px), size_px)
    with tifffile.TiffWriter(path, bigtiff=bigtiff) as tiff:
        for factor in level_factors:
            _write_level(tiff, shrink(pixels, factor), factor, tile_px, mpp, compression, icc=icc)
    return path


def known_square_slide(
    path: Path,
    square: Square = KNOWN_SQUARE,
    size_px: tuple[int, int] = (1500, 1100),
    make: Maker | None = None,
    **layout: Any,
) -> Path:
    """Write a slide of glass with one dark square, by `make_slide` or another maker here."""
    return (make or make_slide)(path, size_px, draw=square_on_glass(square), **layout)


def make_svs(
    path: Path,
    size_px: tuple[int, int] = (1500, 1100),
    *,
    level_factors: Sequence[float] = (1, 4),
    tile_px: int = 240,
    mpp: float | None = 0.499,
    objective_power: int | None = 20,
    compression: str = "jpeg",
    icc: bytes | None = None,
    draw: Draw | Pixels | None = None,
) -> Path:
    """Write an Aperio file, with a thumbnail, and with a label and a macro nobody may serve."""
    pixels = draw_pixels(draw if draw is not None else ramp(size_px), size_px)
    fields = [f"AppMag = {objective_power}"] if objective_power else []
    fields += [f"MPP = {mpp}"] if mpp else []
    head = f"Aperio Image Library v11.2.1\r\n{size_px[0]}x{size_px[1]}"
    about = "|".join([f"{head} [0,0] ({tile_px}x{tile_px}) JPEG/RGB Q=95", *fields])
    with tifffile.TiffWriter(path) as tiff:
        for index, factor in enumerate(level_factors):
            level = shrink(pixels, factor)
            _write_level(tiff, level, 1, tile_px, None, compression, icc=icc, description=about)
            if index == 0:
                _write_strip(tiff, shrink(pixels, 8), f"{head} -> thumbnail")
        for kind, size, colour in ((1, (120, 100), LABEL_RED), (9, (90, 260), MACRO_GREEN)):
            _write_strip(tiff, np.full((*size, 3), colour, np.uint8), head, kind)
    return path


def make_scn(
    path: Path,
    size_px: tuple[int, int] = (1200, 900),
    *,
    offset_l0_px: tuple[int, int] = (700, 333),
    level_factors: Sequence[float] = (1, 4),
    mpp: float = 0.5,
    draw: Draw | Pixels | None = None,
) -> Path:
    """Write a Leica SCN file whose picture lies at `offset_l0_px` of a larger glass slide.

    OpenSlide reports it with openslide.bounds-x and -y. `draw` uses the picture's own coordinates.
    """
    pixels = draw_pixels(draw if draw is not None else ramp(size_px), size_px)
    levels = [shrink(pixels, factor) for factor in level_factors]
    about = _scn_xml(levels, offset_l0_px, round(mpp * 1000))
    with tifffile.TiffWriter(path, bigtiff=True) as tiff:
        for index, (level, factor) in enumerate(zip(levels, level_factors, strict=True)):
            description = about if index == 0 else None
            _write_level(tiff, level, factor, 256, mpp, "deflate", description=description)
    return path


def _scn_xml(levels: list[Pixels], offset_l0_px: tuple[int, int], nm_per_px: int) -> str:
    height, width = levels[0].shape[:2]
    left_nm, top_nm = (offset * nm_per_px for offset in offset_l0_px)
    width_nm, height_nm = width * nm_per_px, height * nm_per_px
    dimensions = "".join(
        f'<dimension sizeX="{level.shape[1]}" sizeY="{level.shape[0]}" r="{n}" ifd="{n}"/>'
        for n, level in enumerate(levels)
    )
    return (
        '<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01">'
        f'<collection name="test" sizeX="{left_nm * 2 + width_nm}" sizeY="{top_nm + height_nm}">'
        f'<image name="main"><view sizeX="{width_nm}" sizeY="{height_nm}" '
        f'offsetX="{left_nm}" offsetY="{top_nm}" spacingZ="0"/>'
        f'<pixels sizeX="{width}" sizeY="{height}">{dimensions}</pixels>'
        "<scanSettings><objectiveSettings><objective>20</objective></objectiveSettings>"
        "<illuminationSettings><illuminationSource>brightfield</illuminationSource>"
        "<numericalAperture>0.4</numericalAperture></illuminationSettings></scanSettings>"
        "</image></collection></scn>"
    )


def make_ome(
    path: Path,
    size_px: tuple[int, int] = (1500, 1100),
    *,
    level_factors: Sequence[float] = (1, 2, 4),
    mpp: float | None = 0.5,
    draw: Draw | Pixels | None = None,
) -> Path:
    """Write an OME-TIFF whose levels lie in SubIFDs: OpenSlide would see the first level alone."""
    pixels = draw_pixels(draw if draw is not None else ramp(size_px), size_px)
    size_um: dict[str, Any] = {}
    if mpp:
        size_um = {"PhysicalSizeX": mpp, "PhysicalSizeXUnit": "µm"}
        size_um |= {"PhysicalSizeY": mpp, "PhysicalSizeYUnit": "µm"}
    tiling: dict[str, Any] = {"tile": (256, 256), "photometric": "rgb", "compression": "deflate"}
    with tifffile.TiffWriter(path, bigtiff=True, ome=True) as tiff:
        count = len(level_factors) - 1
        tiff.write(pixels, subifds=count, metadata={"axes": "YXS", **size_um}, **tiling)
        for factor in level_factors[1:]:
            tiff.write(shrink(pixels, factor), subfiletype=1, **tiling)
    return path


def make_flat(
    path: Path,
    size_px: tuple[int, int] = (1500, 1100),
    *,
    mpp: float | None = 0.5,
    icc: bytes | None = None,
    draw: Draw | Pixels | None = None,
) -> Path:
    """Write a TIFF in strips, without tiles or levels: OpenSlide refuses it."""
    pixels = draw_pixels(draw if draw is not None else ramp(size_px), size_px)
    with tifffile.TiffWriter(path) as tiff:
        strips: dict[str, Any] = {"rowsperstrip": 64, "photometric": "rgb", "metadata": None}
        tiff.write(pixels, compression="deflate", iccprofile=icc, **strips, **_resolution(mpp, 1))
    return path


def bad_slides(folder: Path) -> dict[str, Path]:
    """Files that look like slides by name and that nobody can open, by what is wrong with them."""
    whole = make_slide(folder / "whole.tif", (900, 700)).read_bytes()
    contents = {
        "empty": b"",
        "text": b"Dear colleague, the slides are on the other drive.\n" * 40,
        "truncated": whole[: len(whole) // 3],
        "header-only": whole[:8],
        "zero-size": _zero_size_tiff(),
    }
    (folder / "whole.tif").unlink()
    paths = {name: folder / f"{name}.svs" for name in contents}
    for name, path in paths.items():
        path.write_bytes(contents[name])
    (folder / "folder.svs").mkdir()
    return paths | {"folder": folder / "folder.svs", "missing": folder / "missing.svs"}


def _zero_size_tiff() -> bytes:
    """One directory of a classic little-endian TIFF that says 0 × 0 pixels, in 256-pixel tiles."""
    tags = [(256, 0), (257, 0), (258, 8), (259, 1), (262, 2), (277, 3), (322, 256), (323, 256)]
    tags += [(324, 8), (325, 0)]
    entries = b"".join(
        tag.to_bytes(2, "little") + b"\x03\x00\x01\x00\x00\x00" + value.to_bytes(4, "little")
        for tag, value in tags
    )
    return b"II*\x00\x08\x00\x00\x00" + len(tags).to_bytes(2, "little") + entries + bytes(4)


def _write_level(
    tiff: tifffile.TiffWriter,
    pixels: Pixels,
    factor: float,
    tile_px: int,
    mpp: float | tuple[float, float] | None,
    compression: str,
    icc: bytes | None = None,
    description: str | None = None,
) -> None:
    tiff.write(
        pixels,
        tile=(tile_px, tile_px),
        photometric="rgb",
        compression=compression,
        compressionargs={"level": 95} if compression == "jpeg" else {},
        subfiletype=0 if factor == 1 else 1,
        description=description,
        iccprofile=icc,
        metadata=None,
        software=False,
        **_resolution(mpp, factor),
    )


def _write_strip(
    tiff: tifffile.TiffWriter, pixels: Pixels, description: str, subfiletype: int = 0
) -> None:
    tiff.write(
        pixels,
        photometric="rgb",
        compression="jpeg",
        description=description,
        subfiletype=subfiletype,
        metadata=None,
    )


def _resolution(mpp: float | tuple[float, float] | None, factor: float) -> dict[str, Any]:
    if mpp is None:
        return {"resolution": (1, 1), "resolutionunit": "NONE"}
    x, y = mpp if isinstance(mpp, tuple) else (mpp, mpp)
    return {"resolution": (1e4 / x / factor, 1e4 / y / factor), "resolutionunit": "CENTIMETER"}
