"""What speaks against taking a result at its word: said with the result, wherever it is shown."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from model.prediction.colour_range import ColourRange
from model.prediction.heatmap import Heatmap
from model.prediction.slide import Wsi
from model.prediction.slide_colours import pixel_l0_px, slide_features

# A level this near to the model's resolution is read as it is; robustness was measured so far.
RESOLUTION_TOLERANCE = 0.10
ROUNDING = 1e-3
NEARLY_ALL = 0.9
LEAST_CELLS = 50  # of fewer, any share may be positive


@dataclass(frozen=True)
class Caution:
    """A warning: a name for programs, what is the matter, and what to do."""

    code: str
    text: str
    hint: str

    def to_json(self) -> dict[str, str]:
        """Names and values."""
        return asdict(self)


def cautions(
    heatmap: Heatmap,
    summary: Mapping[str, Any],
    wsi: Wsi | None,
    colours: ColourRange | None,
) -> list[Caution]:
    """Warnings about a finished heat map, the gravest first.

    `summary` is that of the heat map. Without the slide or the model's colours the stain is not
    judged. Raises SlideUnreadable.
    """
    found = [_no_tissue(summary), _nearly_all(summary)]
    if wsi is not None:
        found += [_resolution(wsi, heatmap), _stain(wsi, heatmap, colours)]
    found += [_nothing(summary, heatmap.geometry.threshold), _calibration(heatmap)]
    return [each for each in found if each is not None]


def _no_tissue(summary: Mapping[str, Any]) -> Caution | None:
    if summary["cells_analysed"]:
        return None
    return Caution(
        "no_tissue",
        "No tissue was found, so nothing was analysed.",
        "That is no negative result. Look at the slide: pale or blurred tissue may have been"
        " taken for glass.",
    )


def _nearly_all(summary: Mapping[str, Any]) -> Caution | None:
    analysed, positive = summary["cells_analysed"], summary["cells_positive"]
    if analysed < LEAST_CELLS or positive < NEARLY_ALL * analysed:
        return None
    return Caution(
        "nearly_all_positive",
        f"{int(100 * positive / analysed)} % of the tissue lies at or above the threshold.",
        "Stain, focus or the kind of tissue are a more frequent cause than tumour: look at the"
        " slide before you trust this.",
    )


def _nothing(summary: Mapping[str, Any], threshold: float) -> Caution | None:
    if not summary["cells_analysed"] or summary["cells_positive"]:
        return None
    return Caution(
        "nothing_positive",
        f"No cell reaches the threshold of {threshold:.2f}.",
        "This is no proof of absence: small groups of tumour cells can be missed.",
    )


def _resolution(wsi: Wsi, heatmap: Heatmap) -> Caution | None:
    geometry = heatmap.geometry
    step_x, step_y = pixel_l0_px(wsi, heatmap)
    # What was enlarged holds no more detail than the scan.
    seen = [
        max(step * mpp, mpp) for step, mpp in ((step_x, geometry.mpp_x), (step_y, geometry.mpp_y))
    ]
    most = RESOLUTION_TOLERANCE + ROUNDING
    worst = max(seen, key=lambda mpp: abs(mpp / geometry.model_mpp - 1))
    if abs(worst / geometry.model_mpp - 1) <= most:
        return None
    return Caution(
        "resolution_outside_training",
        f"The model saw this slide at {worst:.2f} µm/px; it was trained at"
        f" {geometry.model_mpp:.2f} µm/px, give or take 10 %.",
        "Its probabilities may be wrong here. Scan at 10× or more, or check the resolution.",
    )


def _stain(wsi: Wsi, heatmap: Heatmap, colours: ColourRange | None) -> Caution | None:
    features = slide_features(wsi, heatmap) if colours is not None else None
    if colours is None or features is None:
        return None
    distance = colours.distance(features)
    if distance <= colours.bound:
        return None
    return Caution(
        "stain_unusual",
        f"The colours of this tissue are unlike those the model was trained on (distance"
        f" {distance:.1f}; {colours.bound:.1f} at most among the training slides).",
        "Another stain, scanner or organ: compare high values with the tissue before you trust"
        " them, and do not take low ones for an all-clear.",
    )


def _calibration(heatmap: Heatmap) -> Caution | None:
    if heatmap.geometry.calibrated:
        return None
    return Caution(
        "model_not_calibrated",
        "The model is not calibrated: its values rank cells, they are not frequencies.",
        "Compare them with each other; do not read 0.8 as eight in ten.",
    )
