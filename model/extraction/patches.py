"""Which patches of a slide count, and what they are labelled. No pixel of a patch is read here."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from model.extraction.errors import StudyInvalid
from model.extraction.manifest import make_table
from model.extraction.masks import ANY_SHARE, LesionMask
from model.extraction.study import StudySlide
from model.extraction.windows import Bools, Floats, Pair, Windows, filled_share
from model.prediction.errors import ResolutionUnknown
from model.prediction.scoring import pixel_size
from model.prediction.tissue import TissueMask
from model.prediction.wsi import Mpp, Wsi

BAND_WINDOWS = 1 << 18  # windows looked at together
Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class PatchSettings:
    """How patches are cut and labelled. A manifest holds these values.

    The patch is `size_px` wide at `mpp` µm/px, or at `level` of each slide's own pyramid. Label 1
    means, by `label_rule`: "any" tumour pixel in the patch; any in its "centre", the middle
    `centre_share` of its side (PatchCamelyon: 32 of 96 px); or a "share" of at least
    `min_tumour_share`.
    """

    size_px: int = 96
    stride_px: int = 96
    mpp: float | None = 0.97
    level: int | None = None
    min_tissue_share: float = 0.10
    label_rule: Literal["any", "centre", "share"] = "any"
    centre_share: float = 1 / 3
    min_tumour_share: float = 0.5
    max_per_class: int | None = None  # of each slide, chosen at random
    seed: int = 0

    def to_json(self) -> dict[str, Any]:
        """The values by name."""
        return asdict(self)


def patch_windows(wsi: Wsi, mpp: Mpp | None, settings: PatchSettings) -> tuple[Windows, Pair]:
    """Every place of the sliding window wholly within the slide, and level-0 px a patch pixel.

    µm/px are met as prediction meets them. Raises ResolutionUnknown or ResolutionUnsuitable where a
    slide cannot give them, StudyInvalid for a level it lacks or a slide smaller than a patch.
    """
    level, step = _pixels(wsi, mpp, settings)
    origin = wsi.level_origins_l0_px[level] if level is not None else (0.0, 0.0)
    # A level may begin up to a pixel before the slide's bounds.
    origin = origin[0] + step[0] * (origin[0] < 0), origin[1] + step[1] * (origin[1] < 0)
    size = settings.size_px * step[0], settings.size_px * step[1]
    stride = settings.stride_px * step[0], settings.stride_px * step[1]
    columns, rows = (
        int((wsi.size_l0_px[axis] - origin[axis] - size[axis]) / stride[axis] + 1e-6) + 1
        if wsi.size_l0_px[axis] - origin[axis] >= size[axis] - 1e-6
        else 0
        for axis in (0, 1)
    )
    if columns * rows == 0:
        raise StudyInvalid(
            f"The slide ({wsi.size_l0_px[0]} × {wsi.size_l0_px[1]} px) is smaller than one patch.",
            "Choose a smaller --size-px or a finer resolution.",
        )
    return Windows(columns, rows, origin, size, stride), step


def _pixels(wsi: Wsi, mpp: Mpp | None, settings: PatchSettings) -> tuple[int | None, Pair]:
    """The level patches are read from as it is (None: resampled), and level-0 px a patch pixel."""
    if settings.level is None:
        assert settings.mpp is not None
        if mpp is None:
            raise ResolutionUnknown(
                "The slide does not say how many µm a pixel covers.",
                "Give it with --slide-mpp, or choose --level instead of --mpp.",
            )
        return pixel_size(wsi, mpp, settings.mpp)
    if settings.level >= len(wsi.level_downsamples):
        raise StudyInvalid(
            f"The slide has no level {settings.level}, its last is"
            f" {len(wsi.level_downsamples) - 1}.",
            "Choose --mpp instead of --level.",
        )
    return settings.level, wsi.level_downsamples[settings.level]


def find_patches(
    slide: StudySlide,
    windows: Windows,
    step_l0: Pair,
    tissue: TissueMask,
    lesions: LesionMask,
    settings: PatchSettings,
    advance: Callable[[int], None] = lambda windows: None,
) -> pa.Table:
    """The manifest's rows of one slide, in reading order; `advance` hears of windows looked at."""
    bands = []
    for band in _bands(windows):
        found = _patches_of(band, step_l0, tissue, lesions, settings)
        bands.append(_without_negatives(found) if slide.partly_annotated else found)
        advance(band.rows * band.columns)
    columns = {name: np.concatenate([band[name] for band in bands]) for name in bands[0]}
    kept = _choose(columns["label"], slide.name, settings)
    return make_table(
        {
            **{name: values[kept] for name, values in columns.items()},
            "slide": slide.name,
            "patient": slide.patient,
            "step_l0_x_px": step_l0[0],
            "step_l0_y_px": step_l0[1],
            "size_px": settings.size_px,
            "hard": False,
            "seed": settings.seed,
        },
        len(kept),
    )


def _bands(windows: Windows) -> Iterator[Windows]:
    rows = max(1, BAND_WINDOWS // windows.columns)
    for row in range(0, windows.rows, rows):
        yield windows.part(slice(0, windows.columns), slice(row, row + rows))


def _patches_of(
    band: Windows,
    step_l0: Pair,
    tissue: TissueMask,
    lesions: LesionMask,
    settings: PatchSettings,
) -> Columns:
    """Columns of the windows with enough tissue."""
    tissue_share = filled_share(tissue.mask, (0.0, 0.0), tissue.step_l0, band)
    # 10 % means 10 %, whatever the last digit of a sum says.
    wanted = tissue_share >= settings.min_tissue_share - 1e-9
    tumour_share = lesions.tumour_share(band, step_l0, wanted)
    label = _label(band, step_l0, tumour_share, wanted, lesions, settings)
    row, column = np.nonzero(wanted)
    return {
        "x_l0_px": band.x_l0_px[column],
        "y_l0_px": band.y_l0_px[row],
        "tissue_share": np.clip(tissue_share[wanted], 0, 1).astype(np.float32),
        "tumour_share": np.clip(tumour_share[wanted], 0, 1).astype(np.float32),
        "label": label[wanted].astype(np.int8),
        "border": ((tumour_share > ANY_SHARE) & (tumour_share < 1 - ANY_SHARE))[wanted],
    }


def _label(
    band: Windows,
    step_l0: Pair,
    tumour_share: Floats,
    wanted: Bools,
    lesions: LesionMask,
    settings: PatchSettings,
) -> Bools:
    if settings.label_rule == "share":
        return tumour_share >= max(settings.min_tumour_share - 1e-9, ANY_SHARE)
    if settings.label_rule == "any":
        return tumour_share > ANY_SHARE
    near = wanted & (tumour_share > ANY_SHARE)  # where the whole holds none, its centre does not
    if not near.any():
        return near
    return lesions.tumour_share(band.centre(settings.centre_share), step_l0, near) > ANY_SHARE


def _without_negatives(columns: Columns) -> Columns:
    positive = columns["label"] == 1
    return {name: values[positive] for name, values in columns.items()}


def _choose(label: NDArray[np.int8], name: str, settings: PatchSettings) -> NDArray[np.intp]:
    """Rows to keep: all, or at most `max_per_class` of each label, drawn by seed and slide."""
    if settings.max_per_class is None:
        return np.arange(len(label))
    # The slide's name seeds the draw too: adding a slide changes no other slide's patches.
    random = np.random.default_rng([settings.seed, *name.encode()])
    kept = [
        random.permutation(np.flatnonzero(label == value))[: settings.max_per_class]
        for value in (0, 1)
    ]
    return np.sort(np.concatenate(kept))
