"""Pictures for the report: a slide with its lesions and its heat map, and close-ups.

Pictures are data URIs; outlines and marks stay shapes (SVG paths) in the picture's own pixels.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.measure import approximate_polygon, find_contours

from model.evaluation.colours import heat_png, pooled
from model.evaluation.detections import Detection
from model.evaluation.hotspots import Grid
from model.evaluation.lesions import Lesion, LesionMap, Mask
from model.prediction.wsi import Mpp, Wsi, read_scaled

OVERVIEW_PX = 460
CLOSE_UP_PX = 220
CLOSE_UP_UM = 250.0  # field of view, at least
MARGIN = 1.4  # of a lesion's longest side, in its close-up


@dataclass(frozen=True)
class Shape:
    """A closed outline as SVG path data."""

    path: str
    itc: bool


@dataclass(frozen=True)
class Mark:
    """A detection in the picture's pixels; `hit` when it lies in a lesion (or in ITC)."""

    x_px: float
    y_px: float
    hit: bool
    probability: float


@dataclass(frozen=True)
class ScaleBar:
    """A round length and how many pixels of the picture it takes."""

    width_px: float
    label: str


@dataclass(frozen=True)
class Picture:
    """Part of a slide as a JPEG, and what lies over it."""

    width_px: int
    height_px: int
    uri: str
    bar: ScaleBar
    lesions: tuple[Shape, ...] = ()
    heat_uri: str = ""
    heat_box_px: tuple[float, float, float, float] = (0, 0, 0, 0)  # left, top, width, height
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class View:
    """A window of level 0: its corner, level-0 px per picture pixel (x, y), and its size."""

    x_l0_px: float
    y_l0_px: float
    step_l0_px: tuple[float, float]
    width_px: int
    height_px: int

    def place(self, x_l0_px: float, y_l0_px: float) -> tuple[float, float]:
        """A point of level 0 in the picture's pixels."""
        return (
            (x_l0_px - self.x_l0_px) / self.step_l0_px[0],
            (y_l0_px - self.y_l0_px) / self.step_l0_px[1],
        )

    def picture(self, wsi: Wsi) -> str:
        """What the slide shows there, as a data URI."""
        size = self.width_px, self.height_px
        pixels = read_scaled(wsi, self.x_l0_px, self.y_l0_px, self.step_l0_px, *size)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=82, optimize=True)
        return data_uri("image/jpeg", buffer.getvalue())


def overview(size_l0_px: tuple[int, int], mpp: Mpp) -> View:
    """The whole slide with square pixels in µm, its longer side OVERVIEW_PX."""
    width_um, height_um = size_l0_px[0] * mpp.x, size_l0_px[1] * mpp.y
    um_px = max(width_um, height_um) / OVERVIEW_PX
    size = max(1, round(width_um / um_px)), max(1, round(height_um / um_px))
    return View(0, 0, (um_px / mpp.x, um_px / mpp.y), *size)


def close_up(x_l0_px: float, y_l0_px: float, mpp: Mpp, field_um: float = CLOSE_UP_UM) -> View:
    """A square of `field_um` around a point."""
    step = field_um / CLOSE_UP_PX / mpp.x, field_um / CLOSE_UP_PX / mpp.y
    corner = x_l0_px - step[0] * CLOSE_UP_PX / 2, y_l0_px - step[1] * CLOSE_UP_PX / 2
    return View(*corner, step, CLOSE_UP_PX, CLOSE_UP_PX)


def around(lesion: Lesion, mpp: Mpp) -> View:
    """A square that holds the whole lesion."""
    left, top, right, bottom = lesion.box_l0_px
    longest_um = max((right - left) * mpp.x, (bottom - top) * mpp.y)
    centre = (left + right) / 2, (top + bottom) / 2
    return close_up(*centre, mpp, max(CLOSE_UP_UM, longest_um * MARGIN))


def draw_overview(
    wsi: Wsi,
    mpp: Mpp,
    tumour: Mask,
    lesions: LesionMap,
    probabilities: NDArray[np.float32],
    grid: Grid,
    judged: Sequence[tuple[Detection, bool]],
) -> Picture:
    """The slide, its lesions, its heat map and (detection, is a hit) marks, for one slide."""
    view = overview(wsi.size_l0_px, mpp)
    rows, columns = probabilities.shape
    left, top = view.place(grid.origin_l0_x_px, grid.origin_l0_y_px)
    right, bottom = view.place(
        grid.origin_l0_x_px + columns * grid.step_l0_x_px,
        grid.origin_l0_y_px + rows * grid.step_l0_y_px,
    )
    return Picture(
        width_px=view.width_px,
        height_px=view.height_px,
        uri=view.picture(wsi),
        bar=scale_bar(view, mpp),
        lesions=shapes(tumour, lesions, view),
        heat_uri=data_uri("image/png", heat_png(pooled(probabilities, 2 * OVERVIEW_PX))),
        heat_box_px=(left, top, right - left, bottom - top),
        marks=tuple(_mark(detection, hit, view) for detection, hit in judged),
    )


def draw_close_up(
    wsi: Wsi, mpp: Mpp, view: View, lesions: tuple[Shape, ...] = (), marks: tuple[Mark, ...] = ()
) -> Picture:
    """A window of the slide with a scale bar."""
    return Picture(
        view.width_px, view.height_px, view.picture(wsi), scale_bar(view, mpp), lesions, marks=marks
    )


def shapes(tumour: Mask, lesions: LesionMap, view: View) -> tuple[Shape, ...]:
    """Outlines of the tumour as it was marked, simplified to less than half a picture pixel."""
    itc = {lesion.label for lesion in lesions.itcs}
    step_x, step_y = lesions.step_l0_px
    tolerance = 0.4 * min(view.step_l0_px) / max(step_x, step_y)
    found = []
    for contour in find_contours(np.pad(tumour, 1).astype(np.float32), 0.5):
        points = approximate_polygon(contour, tolerance) - 0.5  # pixel centres, padded by one
        row, column = np.clip(contour[0].astype(int) - 1, 0, np.array(tumour.shape) - 1)
        places = [view.place(x * step_x, y * step_y) for y, x in points.tolist()]
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places) + "Z"
        found.append(Shape(path, int(lesions.labels[row, column]) in itc))
    return tuple(found)


def scale_bar(view: View, mpp: Mpp) -> ScaleBar:
    """The longest of 1, 2, 5, 10 … µm that takes no more than a third of the width."""
    um_px = view.step_l0_px[0] * mpp.x
    lengths = [n * 10**power for power in range(6) for n in (1, 2, 5)]
    longest = max(
        (each for each in lengths if each <= view.width_px * um_px / 3), default=lengths[0]
    )
    label = f"{longest / 1000:g} mm" if longest >= 1000 else f"{longest} µm"
    return ScaleBar(longest / um_px, label)


def data_uri(kind: str, content: bytes) -> str:
    """The content as a URI, so that a page needs no file beside it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _mark(detection: Detection, hit: bool, view: View) -> Mark:
    x_px, y_px = view.place(detection.x_l0_px, detection.y_l0_px)
    return Mark(x_px, y_px, hit, detection.probability)
