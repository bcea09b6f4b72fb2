"""How far a model's answers move when a patch looks different but shows the same.

Each change is one a laboratory, a scanner or a file format makes; the label stays. Stain in the
space of haematoxylin, eosin and residual (Ruifrok & Johnston 2001), as `model/training/augment.py`
draws it at random.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from skimage.color import hed_from_rgb, hsv2rgb, rgb2hsv, rgb_from_hed

from model.evaluation.metrics import roc_auc
from model.prediction.stain import Stain, each_normalised

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]
Change = Callable[[Pixels], Pixels]  # of one patch (side, side, 3)
REFERENCE = "unchanged"
REALISTIC_DROP = 0.02  # of the ROC-AUC: what a shift within everyday limits may cost


class Scorer(Protocol):
    """What gives probabilities (n,) for uint8 patches (n, side, side, 3)."""

    def probabilities(self, patches: Pixels) -> NDArray[np.float32]:
        """Probabilities (n,)."""


@dataclass(frozen=True)
class Shift:
    """ROC-AUC after one change, and how far the probabilities moved from the unchanged patches."""

    name: str
    roc_auc: float | None
    drop: float | None  # of the ROC-AUC against the unchanged patches; below 0: it rose
    mean_move: float
    largest_move: float
    called: float  # share of patches at or above the threshold


@dataclass(frozen=True)
class Robustness:
    """All changes on one set of patches."""

    n: int
    n_tumour: int
    threshold: float
    shifts: list[Shift]
    turns_spread_mean: float  # highest − lowest probability over the four quarter turns
    turns_spread_p95: float

    @property
    def worst(self) -> Shift:
        """The change that costs the most ROC-AUC."""
        return max(self.shifts, key=lambda shift: shift.drop or 0.0)

    def to_json(self) -> dict[str, object]:
        """As JSON types."""
        return asdict(self) | {"worst": self.worst.name}


def changes() -> dict[str, Change]:
    """Every change by its name; the first one changes nothing."""
    table: dict[str, Change] = {REFERENCE: lambda patch: patch}
    for stain, index in (("haematoxylin", 0), ("eosin", 1)):
        for percent in (-10, 10):
            table[f"{stain} {percent:+d} %"] = _stained({index: 1 + percent / 100})
    for percent in (-10, 10):
        table[f"all stains {percent:+d} %"] = _stained(dict.fromkeys(range(3), 1 + percent / 100))
    for turn in (-0.05, 0.05):
        table[f"hue {turn:+.2f}"] = _hue(turn)
    for quality in (95, 75, 50, 30):
        table[f"JPEG quality {quality}"] = _jpeg(quality)
    for sigma_px in (0.5, 1.0, 1.5):
        table[f"blur, sigma {sigma_px} px"] = _blur(sigma_px)
    for percent in (-15, 15):
        table[f"brightness {percent:+d} %"] = _brightness(1 + percent / 100)
    for percent in (-10, 10):
        table[f"resolution {percent:+d} %"] = _resolution(1 + percent / 100)
    for quarter in (1, 2, 3):
        table[f"turned by {quarter * 90}°"] = _turned(quarter)
    return table


def measure(
    scorer: Scorer,
    patches: Pixels,
    labels: Labels,
    threshold: float,
    stain: Stain | None,
    advance: Callable[[str], None] = lambda _: None,
) -> Robustness:
    """Score uint8 patches (n, side, side, 3) after every change; labels (n,)."""
    scores: dict[str, NDArray[np.float32]] = {}
    for name, change in changes().items():
        changed = np.stack([change(patch) for patch in patches])
        scores[name] = scorer.probabilities(each_normalised(changed, stain))
        advance(name)
    turns = np.stack([scores[REFERENCE], *(scores[f"turned by {k}°"] for k in (90, 180, 270))])
    spread = turns.max(0) - turns.min(0)
    return Robustness(
        n=len(labels),
        n_tumour=int(labels.sum()),
        threshold=threshold,
        shifts=list(_shifts(scores, labels, threshold)),
        turns_spread_mean=float(spread.mean()),
        turns_spread_p95=float(np.percentile(spread, 95)),
    )


def _shifts(
    scores: dict[str, NDArray[np.float32]], labels: Labels, threshold: float
) -> Iterator[Shift]:
    unchanged = scores[REFERENCE]
    before = roc_auc(labels, unchanged)
    for name, score in scores.items():
        after = roc_auc(labels, score)
        move = np.abs(score - unchanged)
        drop = None if before is None or after is None else before - after
        called = float((score >= threshold).mean())
        yield Shift(name, after, drop, float(move.mean()), float(move.max()), called)


def _stained(factors: dict[int, float]) -> Change:
    scale = np.array([factors.get(index, 1.0) for index in range(3)])
    mixed = hed_from_rgb * scale @ rgb_from_hed

    def change(patch: Pixels) -> Pixels:
        density = -np.log(np.maximum(patch, 1) / 255)
        return _bytes(np.exp(-(density @ mixed)))

    return change


def _hue(turn: float) -> Change:
    def change(patch: Pixels) -> Pixels:
        hsv = rgb2hsv(patch)
        hsv[..., 0] = (hsv[..., 0] + turn) % 1
        return _bytes(hsv2rgb(hsv))

    return change


def _jpeg(quality: int) -> Change:
    def change(patch: Pixels) -> Pixels:
        file = io.BytesIO()
        # 4:2:0 as scanners write it.
        Image.fromarray(patch).save(file, "JPEG", quality=quality, subsampling=2)
        return np.asarray(Image.open(file))

    return change


def _blur(sigma_px: float) -> Change:
    return lambda patch: np.asarray(
        Image.fromarray(patch).filter(ImageFilter.GaussianBlur(sigma_px))
    )


def _brightness(factor: float) -> Change:
    return lambda patch: _bytes(patch * (factor / 255))


def _resolution(factor: float) -> Change:
    """Pixels `factor` times as large in µm: more is seen, or less with its edges mirrored."""

    def change(patch: Pixels) -> Pixels:
        side = len(patch)
        resized_px = round(side / factor)
        resized = np.asarray(
            Image.fromarray(patch).resize((resized_px,) * 2, Image.Resampling.LANCZOS)
        )
        if resized_px >= side:
            start = (resized_px - side) // 2
            return resized[start : start + side, start : start + side]
        before = (side - resized_px) // 2
        after = side - resized_px - before
        return np.pad(resized, ((before, after), (before, after), (0, 0)), mode="reflect")

    return change


def _turned(quarters: int) -> Change:
    return lambda patch: np.rot90(patch, quarters)


def _bytes(values: NDArray[np.floating]) -> Pixels:
    rounded: Pixels = np.clip(np.rint(values * 255), 0, 255).astype(np.uint8)
    return rounded


def table(result: Robustness) -> Sequence[tuple[str, ...]]:
    """Rows for people: change, ROC-AUC, its drop, mean and largest move, share called."""
    return [
        (
            shift.name,
            "–" if shift.roc_auc is None else f"{shift.roc_auc:.3f}",
            "–" if shift.drop is None else f"{shift.drop:+.3f}",
            f"{shift.mean_move:.3f}",
            f"{shift.largest_move:.3f}",
            f"{shift.called:.3f}",
        )
        for shift in result.shifts
    ]
