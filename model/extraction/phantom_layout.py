"""Which tissue lies where on a phantom: nodes, follicles, sinuses, fat and lesions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import distance_transform_edt, gaussian_filter

from model.extraction.phantom_cells import PHANTOM_MPP
from model.extraction.phantom_noise import FloatField, resize_field, value_noise
from model.extraction.phantom_outlines import Lesion, Outline, OutlineSource
from model.extraction.phantom_texture import Tissue

GRID_PX = 8  # one label covers 8 × 8 level-0 pixels, about 2 µm
NODE_PX = 32  # shapes of whole nodes are found on a coarser grid
LABEL_UM = GRID_PX * PHANTOM_MPP
SMALLEST_LESION_PX = 160.0
Labels: TypeAlias = NDArray[np.uint8]
Mask: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class Layout:
    """A whole slide on the label grid, and its lesions."""

    size_px: int
    labels: Labels
    fibre_px: FloatField  # grows across collagen fibres, by one per pixel
    stain_gain: FloatField
    sparsity: FloatField  # chance that a cell is missing
    lesions: tuple[Lesion, ...]


class _Canvas:
    """Fields that the painting steps share, all on the label grid unless said otherwise."""

    def __init__(self, rng: np.random.Generator, size_px: int) -> None:
        self.rng = rng
        self.size_px = size_px
        side = -(-size_px // GRID_PX)
        self.shape = (side, side)
        self.labels = np.full(self.shape, Tissue.GLASS, dtype=np.uint8)
        self.node_depth_px = _node_depth(rng, size_px)  # on the coarse grid
        self.depth_um = resize_field(self.node_depth_px, self.shape) * PHANTOM_MPP
        self.fine = self.noise(14.0, 2)
        self.depth_um += 2.5 * self.fine
        self.waves_um = 11.0 * self.noise(170.0, 2) + 2.5 * self.noise(45.0)
        self.fibre_px = (self.depth_um + self.waves_um) / np.float32(PHANTOM_MPP)

    def noise(self, period_um: float, octaves: int = 1) -> FloatField:
        """Unit noise on the label grid."""
        return value_noise(self.rng, self.shape, period_um / LABEL_UM, octaves)

    def paint(self, where: Mask, tissue: Tissue) -> None:
        """Set the labels of a region."""
        self.labels[where] = tissue


def make_layout(
    seed: tuple[int, ...], size_px: int, kinds: Sequence[str], source: OutlineSource
) -> Layout:
    """Lay out one slide of ``size_px``² with a lesion of each class in ``kinds`` where it fits."""
    rng = np.random.default_rng((*seed, 1))
    canvas = _Canvas(rng, size_px)
    _paint_surroundings(canvas)
    _paint_node(canvas)
    _paint_follicles(canvas)
    _paint_vessels(canvas)
    lesions = _place_lesions(canvas, kinds, source)
    _paint_lesions(canvas, lesions)
    _paint_clefts(canvas)
    gain = 1.0 + 0.07 * canvas.noise(900.0, 2) + 0.045 * canvas.noise(110.0, 2)
    sparsity = np.clip(0.05 + 0.10 * canvas.noise(130.0, 2), 0.0, 0.5)
    return Layout(size_px, canvas.labels, canvas.fibre_px, gain, sparsity, tuple(lesions))


def _node_depth(rng: np.random.Generator, size_px: int) -> FloatField:
    """Signed distance to the capsule (px, inside positive) on the coarse grid."""
    side = -(-size_px // NODE_PX)
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    level = np.full((side, side), -9.0, dtype=np.float32)
    nodes = [(0.44, 0.42, 0.355, 0.262), (0.77, 0.83, 0.15, 0.098), (0.17, 0.85, 0.09, 0.066)]
    for cx, cy, a, b in nodes:
        turn, hilum = rng.normal(0.0, 0.2) - 0.3 * (a > 0.2), rng.uniform(0.0, 2.0 * np.pi)
        dx, dy = x - cx - rng.normal(0.0, 0.008), y - cy - rng.normal(0.0, 0.008)
        along, across = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
        noise = value_noise(rng, (side, side), a * side * 0.9, 4)
        shape = 1.0 - np.hypot(along / a, across / b) + 0.055 * noise
        hx, hy = along / a - np.cos(hilum), across / b - np.sin(hilum)
        level = np.maximum(level, shape - 0.35 * np.exp(-(hx**2 + hy**2) / 0.06))
    if rng.random() < 0.5:
        level = level[:, ::-1]
    if rng.random() < 0.5:
        level = level.T
    inside = level > 0.0
    depth = distance_transform_edt(inside) - distance_transform_edt(~inside)
    smooth = gaussian_filter(np.asarray(depth * NODE_PX, dtype=np.float32), 1.0)
    return np.asarray(smooth, dtype=np.float32)


def _paint_surroundings(canvas: _Canvas) -> None:
    """Fat around the nodes with septa, and a loose coat of fibres."""
    outside = -canvas.depth_um
    reach = 250.0 + 190.0 * canvas.noise(900.0, 4)
    canvas.paint(outside < reach, Tissue.FAT)
    septa = np.abs(canvas.noise(420.0, 3)) < 0.035
    canvas.paint(septa & (outside < reach), Tissue.STROMA)
    canvas.paint(outside < 14.0 + 22.0 * canvas.noise(260.0, 3), Tissue.STROMA)


def _paint_node(canvas: _Canvas) -> None:
    """Capsule, subcapsular sinus, cortex, and the cords and sinuses of the medulla."""
    depth = canvas.depth_um
    capsule = 26.0 + 10.0 * canvas.noise(300.0, 2)
    canvas.paint(depth > 0.0, Tissue.STROMA)
    inner = depth > capsule
    canvas.paint(inner, Tissue.CORTEX)
    medulla = depth > 620.0 + 260.0 * canvas.noise(700.0, 2)
    canvas.paint(inner & medulla, Tissue.CORD)
    ridge = np.abs(canvas.noise(230.0, 3) + 0.1 * canvas.fine)
    canvas.paint(inner & medulla & (ridge < 0.24), Tissue.SINUS)
    canvas.paint(inner & ~medulla & (ridge < 0.035), Tissue.SINUS)
    subcapsular = 12.0 + 11.0 * canvas.noise(160.0, 2)
    canvas.paint(inner & (depth < capsule + subcapsular), Tissue.SINUS)
    trabeculae = np.abs(canvas.noise(1000.0, 3)) < 0.028
    canvas.paint(inner & trabeculae & (depth < 520.0), Tissue.STROMA)


def _window(canvas: _Canvas, x_px: float, y_px: float, radius_um: float) -> tuple[slice, slice]:
    """Label-grid window that holds a disc."""
    reach = int(radius_um / LABEL_UM) + 2
    row, column = int(y_px / GRID_PX), int(x_px / GRID_PX)
    return (
        slice(max(row - reach, 0), min(row + reach, canvas.shape[0])),
        slice(max(column - reach, 0), min(column + reach, canvas.shape[1])),
    )


def _radial_um(window: tuple[slice, slice], x_px: float, y_px: float, squash: float) -> FloatField:
    """Distance (µm) of each label of a window to a centre, squashed along y."""
    rows, columns = window
    y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] * GRID_PX - np.float32(y_px)
    x = np.arange(columns.start, columns.stop, dtype=np.float32)[None] * GRID_PX - np.float32(x_px)
    return np.asarray(np.hypot(x, y * np.float32(squash)) * PHANTOM_MPP, dtype=np.float32)


def _pick(canvas: _Canvas, low_um: float, high_um: float, tries: int) -> NDArray[np.float64]:
    """Random centres (x, y px) whose depth in a node lies between two limits."""
    depth_um = canvas.node_depth_px * PHANTOM_MPP
    rows, columns = np.nonzero((depth_um > low_um) & (depth_um < high_um))
    if not len(rows):
        return np.empty((0, 2))
    chosen = canvas.rng.integers(0, len(rows), tries)
    centres = np.stack([columns[chosen], rows[chosen]], axis=1).astype(np.float64)
    return centres * NODE_PX


def _paint_follicles(canvas: _Canvas) -> None:
    """Follicles under the capsule: a dark mantle, most with a pale germinal centre."""
    rng, placed = canvas.rng, np.empty((0, 3))
    for x, y in _pick(canvas, 190.0, 480.0, 400):
        radius = rng.uniform(120.0, 240.0)
        gap = np.hypot(placed[:, 0] - x, placed[:, 1] - y) * PHANTOM_MPP - placed[:, 2]
        if len(placed) >= 60 or (gap < radius + 60.0).any():
            continue
        placed = np.vstack([placed, (x, y, radius)])
        window = _window(canvas, x, y, radius * 1.5)
        labels = canvas.labels[window]
        reach = _radial_um(window, x, y, rng.uniform(0.8, 1.25)) + 5.0 * canvas.fine[window]
        free = np.isin(labels, (Tissue.CORTEX, Tissue.CORD, Tissue.SINUS))
        free &= canvas.depth_um[window] > 60.0
        labels[free & (reach < radius)] = Tissue.MANTLE
        if rng.random() < 0.75:
            labels[free & (reach < radius * rng.uniform(0.5, 0.72))] = Tissue.GERMINAL


def _paint_vessels(canvas: _Canvas) -> None:
    """Blood vessels: a fibrous wall around red cells or an empty lumen."""
    rng = canvas.rng
    per_slide = max(int(120 * (canvas.size_px / 24000) ** 2), 2)
    for x, y in _pick(canvas, -260.0, 1200.0, per_slide):
        radius = rng.uniform(5.0, 20.0) * (2.2 if rng.random() < 0.15 else 1.0)
        wall = rng.uniform(3.0, 6.0) + 0.2 * radius
        window = _window(canvas, x, y, 2.2 * (radius + wall))
        labels = canvas.labels[window]
        if (labels == Tissue.GLASS).any():
            continue
        reach = _radial_um(window, x, y, rng.uniform(0.5, 1.9)) + 1.1 * canvas.fine[window]
        coat = reach < radius + wall
        labels[coat] = Tissue.STROMA
        canvas.fibre_px[window][coat] = reach[coat] / PHANTOM_MPP
        labels[reach < radius] = Tissue.BLOOD if rng.random() < 0.8 else Tissue.GLASS


def _place_lesions(canvas: _Canvas, kinds: Sequence[str], source: OutlineSource) -> list[Lesion]:
    """Put one outline of each class inside the nodes, apart from each other; shrink to fit."""
    lesions: list[Lesion] = []
    order = {"macro": 0, "micro": 1, "itc": 2}
    for kind in sorted(kinds, key=order.__getitem__):
        outline = source.outline(canvas.rng, kind)
        while np.ptp(outline, axis=0).max() > SMALLEST_LESION_PX:
            placed = _try_places(canvas, outline, lesions)
            if placed is not None:
                lesions.append(Lesion(placed))
                break
            outline = outline * 0.85
    return lesions


def _try_places(canvas: _Canvas, outline: Outline, others: list[Lesion]) -> Outline | None:
    """The outline moved to a free place inside a node, or None."""
    half_um = float(np.ptp(outline, axis=0).min()) * PHANTOM_MPP / 2.0
    taken = np.zeros_like(canvas.node_depth_px, dtype=bool)
    for other in others:
        taken |= _raster(other.outline_l0_px, taken.shape, NODE_PX)
    clear_um = distance_transform_edt(~taken) * NODE_PX * PHANTOM_MPP
    for x, y in _pick(canvas, min(half_um * 0.85, 600.0) + 30.0, 5000.0, 60):
        moved: Outline = np.round(outline + np.array([x, y]), 1)
        cells = (moved / NODE_PX).astype(int)
        if cells.min() < 0 or cells.max() >= taken.shape[0]:
            continue
        depth_um = canvas.node_depth_px[cells[:, 1], cells[:, 0]] * PHANTOM_MPP
        if depth_um.min() > 35.0 and clear_um[cells[:, 1], cells[:, 0]].min() > 120.0:
            return moved
    return None


def _raster(outline: Outline, shape: tuple[int, ...], cell_px: int) -> Mask:
    """The outline filled on a grid of ``cell_px``."""
    image = Image.new("1", (shape[1], shape[0]))
    ImageDraw.Draw(image).polygon([tuple(p) for p in outline / cell_px], fill=1)
    return np.asarray(image, dtype=bool)


def _paint_lesions(canvas: _Canvas, lesions: list[Lesion]) -> None:
    """Tumour nests with strands of stroma between, glands with lumina in some lesions."""
    if not lesions:
        return
    nests, septa, lumina = canvas.noise(120.0, 3), canvas.noise(190.0, 3), canvas.noise(46.0, 2)
    for lesion in lesions:
        mask = gaussian_filter(_raster(lesion.outline_l0_px, canvas.shape, GRID_PX) * 1.0, 1.5)
        inside = (mask + 0.12 * canvas.fine > 0.5) & (mask > 0.1)
        solid = -3.0 if lesion.kind == "itc" else canvas.rng.uniform(-1.25, -0.7)
        nest = inside & (nests + 0.08 * canvas.fine > solid)
        if lesion.kind != "itc":
            nest &= np.abs(septa) > canvas.rng.uniform(0.02, 0.07)
        canvas.paint(inside, Tissue.TUMOUR_STROMA)
        canvas.paint(nest, Tissue.TUMOUR)
        across_um = 70.0 * septa[inside] + 1.6 * canvas.waves_um[inside]
        canvas.fibre_px[inside] = across_um / PHANTOM_MPP
        if lesion.kind != "itc" and canvas.rng.random() < 0.5:
            canvas.paint(nest & (lumina > 1.75) & (nests > solid + 0.4), Tissue.GLASS)


def _paint_clefts(canvas: _Canvas) -> None:
    """Thin cracks, as cutting and drying leave them."""
    crack = np.abs(canvas.noise(1300.0, 4)) < 0.007
    where = canvas.noise(2200.0) > 0.75
    canvas.paint(crack & where & (canvas.labels != Tissue.FAT), Tissue.GLASS)
