"""The lesion mask of a slide of a study, whichever file it comes from."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from model.extraction.annotations import CAMELYON_GROUPS, Meaning, read_annotations
from model.extraction.mask_tiff import TiffMask
from model.extraction.mask_values import AUTO
from model.extraction.masks import LesionMask, OutlineMask, no_lesions
from model.extraction.study import ANNOTATION_ENDINGS, StudySlide
from model.prediction.wsi import Mpp, Wsi


@contextmanager
def open_lesions(
    slide: StudySlide,
    wsi: Wsi,
    mpp: Mpp | None,
    mask_values: str = AUTO,
    groups: Mapping[str, Meaning] = CAMELYON_GROUPS,
) -> Iterator[LesionMask]:
    """The mask of `slide`, closed afterwards; raise MaskInvalid if it does not fit the slide."""
    if slide.lesions is None:
        yield no_lesions(wsi.size_l0_px)
    elif slide.lesions.suffix.lower() in ANNOTATION_ENDINGS:
        # ASAP counts from the corner of the scan, we from the corner of what was scanned.
        offset_x, offset_y = wsi.bounds_offset_l0_px
        annotations = read_annotations(slide.lesions, groups).shifted(-offset_x, -offset_y)
        yield OutlineMask(annotations, wsi.size_l0_px, slide.lesions.name)
    else:
        mask = TiffMask(slide.lesions, wsi.size_l0_px, mpp, mask_values)
        try:
            yield mask
        finally:
            mask.close()
