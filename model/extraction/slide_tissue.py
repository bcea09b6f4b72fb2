"""How much tissue a slide holds, and whether that is enough to use it."""

from dataclasses import dataclass
from typing import Any, Literal

from model.extraction.grey_tissue import grey_mask
from model.extraction.windows import filled_share, whole
from model.prediction.errors import ResolutionUnknown
from model.prediction.tissue import TissueMask, tissue_mask
from model.prediction.wsi import Mpp, Wsi, sane_mpp


@dataclass(frozen=True)
class TissueSettings:
    """How tissue is found, when a slide is left out, and µm/px of slides that do not state them."""

    tissue_method: Literal["saturation", "grey"] = "saturation"
    min_slide_tissue_share: float = 0.005
    slide_mpp: float | None = None


@dataclass(frozen=True)
class SlideTissue:
    """The tissue of a slide; `left_out` says why the slide is not used, None if it is."""

    mask: TissueMask
    mpp: Mpp
    share: float  # of the slide's area
    area_mm2: float
    left_out: str | None

    def to_json(self) -> dict[str, Any]:
        """The figures by name."""
        return {
            "mpp_x": self.mpp.x,
            "mpp_y": self.mpp.y,
            "tissue_share": self.share,
            "tissue_mm2": self.area_mm2,
            "left_out": self.left_out,
        }


def find_tissue(wsi: Wsi, settings: TissueSettings, mpp: Mpp | None = None) -> SlideTissue:
    """Find the tissue; raise ResolutionUnknown where neither slide nor settings give µm/px.

    `mpp` goes before both: what a person said of this slide.
    """
    given = sane_mpp(settings.slide_mpp, settings.slide_mpp)
    mpp = mpp or wsi.mpp or given
    if mpp is None:
        raise ResolutionUnknown(
            "The slide does not say how many µm a pixel covers.",
            "Give it with --slide-mpp (0.05 to 20).",
        )
    mask = (tissue_mask if settings.tissue_method == "saturation" else grey_mask)(wsi, mpp)
    share = float(filled_share(mask.mask, (0, 0), mask.step_l0, whole(wsi.size_l0_px))[0, 0])
    width, height = wsi.size_l0_px
    area_mm2 = share * width * mpp.x * height * mpp.y / 1e6
    enough = share >= settings.min_slide_tissue_share
    why = f"only {share:.2%} of it is tissue" if share else "no tissue was found"
    return SlideTissue(mask, mpp, share, area_mm2, None if enough else why)
