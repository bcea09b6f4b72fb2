"""From a tumour mask to the lesions that CAMELYON16 counts.

After the challenge's evaluation script: tumour closer than 75 µm to other tumour is one lesion,
holes belong to it, pixels that touch at a corner are joined, and a lesion whose major axis is
under 275 µm (200 µm and the 75 µm of the joining) is isolated tumour cells (ITC): no target.
The script works at level 5 of slides of 0.243 µm/px; here every length is in µm, so that other
resolutions give the same lesions.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import measure

from model.evaluation.errors import EvaluationInvalid
from model.prediction.wsi import Mpp

EVALUATION_MPP = 0.243 * 2**5  # µm per pixel of the evaluation mask: level 5 of CAMELYON16
JOIN_UM = 75.0
ITC_UM = 275.0

Labels = NDArray[np.int32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Lesion:
    """One label of the evaluation mask; sizes are those of the joined shape."""

    label: int
    major_axis_um: float
    area_mm2: float
    centre_l0_px: tuple[float, float]
    box_l0_px: tuple[float, float, float, float]  # left, top, right, bottom

    @property
    def is_itc(self) -> bool:
        """Isolated tumour cells: neither a target nor a false positive when hit."""
        return self.major_axis_um < ITC_UM


@dataclass(frozen=True)
class LesionMap:
    """The evaluation mask of one slide: (rows, columns) of labels, 0 = outside any lesion."""

    labels: Labels
    step_l0_px: tuple[float, float]  # level-0 px per mask pixel, (x, y)
    size_l0_px: tuple[int, int]  # of the slide, (width, height)
    lesions: tuple[Lesion, ...]

    @property
    def targets(self) -> tuple[Lesion, ...]:
        """The lesions to be found."""
        return tuple(lesion for lesion in self.lesions if not lesion.is_itc)

    @property
    def itcs(self) -> tuple[Lesion, ...]:
        """The lesions too small to be asked for."""
        return tuple(lesion for lesion in self.lesions if lesion.is_itc)

    def label_at(self, x_l0_px: float, y_l0_px: float) -> int:
        """Label of the lesion at a point of level 0, 0 if none; refuse a point off the slide."""
        width_px, height_px = self.size_l0_px
        if not (0 <= x_l0_px < width_px and 0 <= y_l0_px < height_px):
            raise EvaluationInvalid(
                f"A detection lies at ({x_l0_px:g}, {y_l0_px:g}), "
                f"outside the slide of {width_px} × {height_px} px.",
                "Give level-0 pixels of the same slide, measured from its top-left corner.",
            )
        # The last row and column of a level may be cut off by whole-number division.
        row = min(int(y_l0_px / self.step_l0_px[1]), self.labels.shape[0] - 1)
        column = min(int(x_l0_px / self.step_l0_px[0]), self.labels.shape[1] - 1)
        return int(self.labels[row, column])


def evaluation_mask(tumour: Mask, pixel_um: tuple[float, float]) -> Labels:
    """Labels 1… of the lesions in `tumour` (rows, columns), whose pixels are (x, y) µm wide."""
    labels = np.zeros(tumour.shape, np.int32)
    window = _window(tumour, pixel_um)
    if window is None:
        return labels
    distance_um = ndimage.distance_transform_edt(~tumour[window], sampling=pixel_um[::-1])
    joined = ndimage.binary_fill_holes(distance_um < JOIN_UM / 2)
    labels[window] = measure.label(joined, connectivity=2)
    return labels


def evaluation_step_l0_px(mpp: Mpp) -> tuple[float, float]:
    """Level-0 px per pixel of the evaluation mask: the power of two nearest to 7.776 µm.

    Powers of two are levels that masks have; at 0.243 µm/px this is CAMELYON16's level 5.
    """
    x, y = (2.0 ** max(0, round(math.log2(EVALUATION_MPP / each))) for each in (mpp.x, mpp.y))
    return x, y


def find_lesions(
    tumour: Mask, step_l0_px: tuple[float, float], size_l0_px: tuple[int, int], mpp: Mpp
) -> LesionMap:
    """Lesions and ITCs of a tumour mask (rows, columns) with `step_l0_px` level-0 px a pixel."""
    if tumour.size == 0:
        raise EvaluationInvalid("The mask holds no pixel.", "Make it anew.")
    pixel_um = (step_l0_px[0] * mpp.x, step_l0_px[1] * mpp.y)
    labels = evaluation_mask(tumour, pixel_um)
    regions = measure.regionprops(labels, spacing=pixel_um[::-1])
    lesions = tuple(
        Lesion(
            label=int(region.label),
            major_axis_um=float(region.axis_major_length),
            area_mm2=float(region.area) / 1e6,
            centre_l0_px=(float(region.centroid[1]) / mpp.x, float(region.centroid[0]) / mpp.y),
            box_l0_px=_box_l0_px(region.bbox, step_l0_px),
        )
        for region in regions
    )
    return LesionMap(labels, step_l0_px, size_l0_px, lesions)


def _window(tumour: Mask, pixel_um: tuple[float, float]) -> tuple[slice, slice] | None:
    """The tumour's bounding box with room for joining: most of a slide needs no distance."""
    rows, columns = np.flatnonzero(tumour.any(axis=1)), np.flatnonzero(tumour.any(axis=0))
    if not rows.size:
        return None
    room = [int(JOIN_UM / 2 / each) + 2 for each in pixel_um]
    return (
        slice(max(int(rows[0]) - room[1], 0), int(rows[-1]) + room[1] + 1),
        slice(max(int(columns[0]) - room[0], 0), int(columns[-1]) + room[0] + 1),
    )


def _box_l0_px(
    bbox: tuple[int, int, int, int], step_l0_px: tuple[float, float]
) -> tuple[float, float, float, float]:
    top, left, bottom, right = bbox
    step_x, step_y = step_l0_px
    return left * step_x, top * step_y, right * step_x, bottom * step_y
