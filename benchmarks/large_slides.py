"""Slides of any size for benchmarks: a pyramid of repeated tissue, smooth ellipses of it on glass.

The file is small and quickly made, because equal tiles are stored once. Tissue comes from patches
(`<0|1>/<name>.webp` in a folder or zip), laid side by side with seams; without patches it is drawn.
Only the levels that prediction reads hold it: that of 0.97 µm and those from 7.8 µm on. The finer
ones are plain, so nothing but their size is true of them; on wish they hold the same, magnified.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
Places = NDArray[np.object_]  # (rows, columns) of (offset, size) of a tile in the file
MAGNIFY = Image.Resampling.BICUBIC
TILE_PX = 512
MPP = 0.243
NET_LEVEL = 2  # 0.972 µm
COARSE_LEVELS = (5, 6, 7, 8)
TILE_MM = TILE_PX * MPP * 2**NET_LEVEL / 1000
GLASS = (243, 242, 244)
JPEG_QUALITY = 80
KINDS = 48  # different tiles of tissue


@dataclass(frozen=True)
class Layout:
    """Tissue on a slide: ellipses (centre x, y, half width, half height) in mm."""

    width_mm: float
    height_mm: float
    ellipses: tuple[tuple[float, float, float, float], ...]

    @property
    def tissue_mm2(self) -> float:
        """Area of all ellipses; they do not touch."""
        return float(sum(np.pi * a * b for _, _, a, b in self.ellipses))


def lay_out(slide_mm2: float, tissue_share: float, pieces: int = 3) -> Layout:
    """A slide twice as high as wide with `pieces` equal ellipses one above the other."""
    width = (slide_mm2 / 2) ** 0.5
    height = 2 * width
    room = height / pieces
    half_height = 0.46 * room
    half_width = slide_mm2 * tissue_share / pieces / np.pi / half_height
    if half_width > 0.48 * width:
        half_width = 0.48 * width
        half_height = slide_mm2 * tissue_share / pieces / np.pi / half_width
    middles = [(index + 0.5) * room for index in range(pieces)]
    return Layout(
        width, height, tuple((width / 2, y, half_width, float(half_height)) for y in middles)
    )


def drawn_tiles() -> list[Pixels]:
    """Tissue-like noise: purple blobs of the size of nuclei on pink."""
    chance = np.random.default_rng(0)
    tiles = []
    for _ in range(KINDS):
        noise = chance.random((TILE_PX // 8, TILE_PX // 8)).astype(np.float32)
        smooth = Image.fromarray(noise).resize((TILE_PX, TILE_PX), Image.Resampling.BICUBIC)
        nuclei = np.clip((np.asarray(smooth) - 0.55) * 6, 0, 1)[..., None]
        grain = chance.normal(0, 6, (TILE_PX, TILE_PX, 1))
        colour = (1 - nuclei) * np.array([225, 170, 205]) + nuclei * np.array([110, 70, 150])
        tiles.append(np.clip(colour + grain, 0, 255).astype(np.uint8))
    return tiles


def tiles_of_patches(patches: Pixels) -> list[Pixels]:
    """Mosaics of random patches (n, 96, 96, 3)."""
    chance = np.random.default_rng(0)
    side = -(-TILE_PX // patches.shape[1])
    tiles = []
    for _ in range(KINDS):
        chosen = patches[chance.integers(0, len(patches), side * side)]
        rows = [
            np.concatenate(list(row), 1) for row in chosen.reshape(side, side, *chosen.shape[1:])
        ]
        tiles.append(np.concatenate(rows, 0)[:TILE_PX, :TILE_PX])
    return tiles


def write_slide(
    path: Path, layout: Layout, tissue: Sequence[Pixels], finer_levels: bool = False
) -> None:
    """Write the slide as a BigTIFF that every reader takes for a plain pyramid.

    With `finer_levels` the levels finer than 0.97 µm hold the tissue too, for who reads those.
    """
    columns, rows = (int(np.ceil(mm / TILE_MM)) for mm in (layout.width_mm, layout.height_mm))
    chance = np.random.default_rng(1)
    kinds = chance.integers(0, len(tissue), (rows, columns))
    with path.open("wb") as file:
        writer = _Writer(file)
        glass = np.full((TILE_PX, TILE_PX, 3), GLASS, np.uint8)
        plain = writer.tile(glass)
        whole = [writer.tile(tile) for tile in tissue]
        shrunk = [tile.reshape(64, 8, 64, 8, 3).mean((1, 3)) for tile in tissue]
        coarse = np.empty((rows * 64, columns * 64, 3), np.uint8)
        places = np.empty((rows, columns), object)
        magnified = [_finer(writer, tile) for tile in tissue] if finer_levels else []
        finer_places: dict[tuple[int, int], list[Places]] = {}
        for row in range(rows):
            for column in range(columns):
                kind = kinds[row, column]
                inside = _inside(layout, row, column)
                block = coarse[row * 64 : row * 64 + 64, column * 64 : column * 64 + 64]
                small = inside[4::8, 4::8, None]
                block[:] = np.where(small, shrunk[kind], np.array(GLASS))
                if inside.all():
                    places[row, column] = whole[kind]
                    if finer_levels:
                        finer_places[row, column] = magnified[kind]
                elif not inside.any():
                    places[row, column] = plain
                else:
                    edge = np.where(inside[..., None], tissue[kind], np.array(GLASS, np.uint8))
                    places[row, column] = writer.tile(edge.astype(np.uint8))
                    if finer_levels:
                        finer_places[row, column] = _finer(writer, edge.astype(np.uint8))
        for level in range(NET_LEVEL):
            factor = 2 ** (NET_LEVEL - level)
            finer = np.empty((rows * factor, columns * factor), object)
            finer[:] = [[plain] * finer.shape[1]] * finer.shape[0]
            for (row, column), levels in finer_places.items():
                top, left = row * factor, column * factor
                finer[top : top + factor, left : left + factor] = levels[level]
            writer.level(finer, level)
        writer.level(places, NET_LEVEL)
        for level in COARSE_LEVELS:
            writer.level(writer.tiles(coarse), level, (coarse.shape[1], coarse.shape[0]))
            even = coarse[: len(coarse) // 2 * 2, : coarse.shape[1] // 2 * 2].astype(np.uint16)
            means = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
            coarse = (means // 4).astype(np.uint8)
        writer.finish()


def _finer(writer: "_Writer", tile: Pixels) -> "list[Places]":
    """Where the tiles of each finer level lie that show one tile of the net's level, magnified."""
    image, levels = Image.fromarray(tile), []
    for level in range(NET_LEVEL):
        side = TILE_PX * 2 ** (NET_LEVEL - level)
        levels.append(writer.tiles(np.asarray(image.resize((side, side), MAGNIFY))))
    return levels


def _inside(layout: Layout, row: int, column: int) -> NDArray[np.bool_]:
    """Which pixels of a tile of the net's level are tissue."""
    pixel_mm = TILE_MM / TILE_PX
    corners = [(row + dy, column + dx) for dy in (0, 1) for dx in (0, 1)]
    if not any(
        (max(abs((column + 0.5) * TILE_MM - x) - TILE_MM, 0) / a) ** 2
        + (max(abs((row + 0.5) * TILE_MM - y) - TILE_MM, 0) / b) ** 2
        <= 1
        for x, y, a, b in layout.ellipses
    ):
        return np.zeros((TILE_PX, TILE_PX), np.bool_)
    for x, y, a, b in layout.ellipses:  # they are convex
        if all(
            ((j * TILE_MM - x) / a) ** 2 + ((i * TILE_MM - y) / b) ** 2 <= 1 for i, j in corners
        ):
            return np.ones((TILE_PX, TILE_PX), np.bool_)
    down = (row * TILE_PX + np.arange(TILE_PX)[:, None]) * pixel_mm
    across = (column * TILE_PX + np.arange(TILE_PX)[None]) * pixel_mm
    inside = np.zeros((TILE_PX, TILE_PX), np.bool_)
    for centre_x, centre_y, a, b in layout.ellipses:
        inside |= ((across - centre_x) / a) ** 2 + ((down - centre_y) / b) ** 2 <= 1
    return inside


class _Writer:
    """Writes tiles, then directories that name them; a tile may be named any number of times."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._file.write(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0))
        self._levels: list[tuple[int, tuple[int, int], NDArray[np.object_]]] = []

    def tile(self, pixels: Pixels) -> tuple[int, int]:
        stream = BytesIO()
        Image.fromarray(pixels).save(stream, "jpeg", quality=JPEG_QUALITY, subsampling="4:2:0")
        place = self._file.tell(), len(stream.getvalue())
        self._file.write(stream.getvalue())
        return place

    def tiles(self, pixels: Pixels) -> NDArray[np.object_]:
        rows, columns = (-(-size // TILE_PX) for size in pixels.shape[:2])
        padding = ((0, rows * TILE_PX - len(pixels)), (0, columns * TILE_PX - pixels.shape[1]))
        padded = np.pad(pixels, (*padding, (0, 0)), mode="edge")
        places = np.empty((rows, columns), object)
        for row in range(rows):
            for column in range(columns):
                y, x = row * TILE_PX, column * TILE_PX
                places[row, column] = self.tile(padded[y : y + TILE_PX, x : x + TILE_PX])
        return places

    def level(
        self, places: NDArray[np.object_], level: int, size: tuple[int, int] | None = None
    ) -> None:
        rows, columns = places.shape
        self._levels.append((level, size or (columns * TILE_PX, rows * TILE_PX), places))

    def finish(self) -> None:
        link = 8  # where the place of the next directory is to be written
        for level, (width, height), places in self._levels:
            flat = list(places.ravel())
            offsets = self._array(np.array([place for place, _ in flat], "<u8"))
            counts = self._array(np.array([count for _, count in flat], "<u4"))
            per_cm = round(1e4 / (MPP * 2**level) * 1000)
            resolution = struct.unpack("<Q", struct.pack("<II", per_cm, 1000))[0]
            entries = [
                (254, 4, 1, 1 if level else 0),  # a reduced image
                (256, 4, 1, width),
                (257, 4, 1, height),
                (258, 3, 3, 8 | 8 << 16 | 8 << 32),
                (259, 3, 1, 7),  # JPEG
                (262, 3, 1, 6),  # YCbCr
                (277, 3, 1, 3),
                (282, 5, 1, resolution),
                (283, 5, 1, resolution),
                (284, 3, 1, 1),
                (296, 3, 1, 3),  # per cm
                (322, 4, 1, TILE_PX),
                (323, 4, 1, TILE_PX),
                (324, 16, len(flat), offsets if len(flat) > 1 else flat[0][0]),
                (325, 4, len(flat), counts if len(flat) > 2 else _pack4(flat)),
                (530, 3, 2, 2 | 2 << 16),  # subsampling
            ]
            self._file.seek(0, 2)
            here = self._file.tell()
            self._file.write(struct.pack("<Q", len(entries)))
            for tag, kind, count, value in entries:
                self._file.write(struct.pack("<HHQQ", tag, kind, count, value))
            end = self._file.tell()
            self._file.write(struct.pack("<Q", 0))
            self._file.seek(link)
            self._file.write(struct.pack("<Q", here))
            link = end

    def _array(self, values: "NDArray[np.unsignedinteger]") -> int:
        self._file.seek(0, 2)
        place: int = self._file.tell()
        self._file.write(values.tobytes())
        return place


def _pack4(flat: "list[tuple[int, int]]") -> int:
    return sum(count << (32 * index) for index, (_, count) in enumerate(flat))
