"""Studies that tests make: slides with a square of tissue, and lesions in it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile

from tests.slides import EOSIN, GLASS, Square, make_slide

SIZE_PX = (1536, 1152)
MPP = 1.0
TISSUE = Square(200, 200, 1160, 968)
LESION = Square(400, 400, 592, 496)


def tissue_on_glass(tissue: Square | None = TISSUE):
    pixels = np.full((*SIZE_PX[::-1], 3), GLASS, np.uint8)
    if tissue is not None:
        pixels[tissue.top : tissue.bottom, tissue.left : tissue.right] = EOSIN
    return pixels


def write_slide(folder: Path, name: str, tissue: Square | None = TISSUE, **options) -> Path:
    (folder / "slides").mkdir(parents=True, exist_ok=True)
    path = folder / "slides" / f"{name}.tif"
    return make_slide(path, SIZE_PX, **{"mpp": MPP, "draw": tissue_on_glass(tissue)} | options)


def write_mask(
    folder: Path, name: str, lesions: Sequence[Square] = (LESION,), size_px=SIZE_PX, mpp=MPP
) -> Path:
    (folder / "masks").mkdir(parents=True, exist_ok=True)
    path = folder / "masks" / f"{name}_mask.tif"
    mask = np.zeros(size_px[::-1], np.uint8)
    for lesion in lesions:
        mask[lesion.top : lesion.bottom, lesion.left : lesion.right] = 1
    with tifffile.TiffWriter(path) as tiff:
        for factor in (1, 2, 4):
            per_cm = 1e4 / mpp / factor
            tiff.write(
                mask[::factor, ::factor],
                tile=(256, 256),
                compression="deflate",
                resolution=(per_cm, per_cm),
                resolutionunit="CENTIMETER",
                metadata=None,
            )
    return path


def write_annotation(folder: Path, name: str, box: Sequence[float] = LESION) -> Path:
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    left, top, right, bottom = box
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    vertices = "".join(
        f'<Coordinate Order="{order}" X="{x}" Y="{y}" />' for order, (x, y) in enumerate(corners)
    )
    path = folder / "annotations" / f"{name}.xml"
    path.write_text(
        '<ASAP_Annotations><Annotations><Annotation Name="A" Type="Polygon" PartOfGroup="Tumor">'
        f"<Coordinates>{vertices}</Coordinates></Annotation></Annotations></ASAP_Annotations>"
    )
    return path


def write_study(folder: Path, tumours: Sequence[str] = ("tumor_1",), normals=("normal_1",)) -> Path:
    for name in tumours:
        write_slide(folder, name)
        write_mask(folder, name)
    for name in normals:
        write_slide(folder, name)
    return folder
