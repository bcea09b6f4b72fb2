"""Temperature and threshold of a model, from a run of its recipe that left a fold out.

A model that learnt from every training patch cannot be calibrated on them, and validation patches
that fitted a temperature can no longer check it. A twin that never saw one fold can. One fold holds
few slides, though, so the other folds count as well: on the twin's fold its logits are compared
with those of the net of that fold, and the straight line between the two carries what the nets of
the other folds answered over to the twin's scale.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from model.evaluation.calibration import fit_temperature
from model.evaluation.metrics import threshold_for_sensitivity
from model.evaluation.patches import PatchesInvalid
from model.extraction.files import write_text
from model.prediction.models import SIDE_FILE, Model, load_model

LEFT_OUT = "left_out.npz"
Logits = NDArray[np.float64]


@dataclass(frozen=True)
class Unseen:
    """Logits (n,) of patches by nets that never saw them, labels (n,), and what they are."""

    logits: Logits
    labels: NDArray[np.int64]
    data: str


def unseen_by(twin: Path, folds: Path | None = None) -> Unseen:
    """What the twin answered on its fold; with `folds` (out_of_fold.npz) all patches of known slide
    order, carried over to the twin's scale. Raises PatchesInvalid.
    """
    own = _read(twin / LEFT_OUT, "Make it with `python -m model distill --leave-out FOLD`.")
    logits = own["logits"][:, 0].astype(np.float64)
    if folds is None:
        return Unseen(logits, own["labels"], f"the fold that {twin.name} left out")
    every = _read(folds, "Make it with `python -m model crossvalidate`.")
    by_folds = every["logits"][:, 0].astype(np.float64)
    if own["rows"].shape != every["known"].shape or not every["known"].any():
        raise PatchesInvalid(
            f"'{folds.name}' is not of the patches that '{twin.name}' left a fold of, or their"
            " slide order is not known.",
            "Name the out_of_fold.npz that the fold was taken from.",
        )
    carried = carry_over(by_folds[own["rows"]], logits, by_folds)
    chosen = every["known"]
    data = f"patches of known slide order out of fold, on the scale of {twin.name}"
    return Unseen(carried[chosen], every["labels"][chosen], data)


def carry_over(of_fold: Logits, of_twin: Logits, every: Logits) -> Logits:
    """Logits on the twin's scale: the line that gives `of_fold` the mean and spread of `of_twin`.

    Mean and spread rather than least squares, which would shrink what two nets disagree about.
    """
    slope = of_twin.std() / max(of_fold.std(), 1e-9)
    carried: Logits = of_twin.mean() + (every - of_fold.mean()) * slope
    return carried


def take_over(folder: Path, unseen: Unseen, sensitivity: float, tempered: bool = True) -> Model:
    """Write temperature (if `tempered`) and threshold for `sensitivity` into the model's folder.

    The model counts as uncalibrated until somebody checked it on slides that fitted nothing.
    """
    fitted = round(fit_temperature(unseen.logits, unseen.labels), 4)
    temperature = fitted if tempered else None
    probabilities = expit(unseen.logits / (temperature or 1.0)).astype(np.float32)
    threshold = threshold_for_sensitivity(unseen.labels, probabilities, sensitivity)
    side = json.loads((folder / SIDE_FILE).read_text(encoding="utf-8"))
    side |= {
        "temperature": temperature,
        # Rounded down: a patch at the threshold must still be called tumour.
        "threshold": int(threshold * 1e4) / 1e4,
        "calibrated": False,
        "calibration": {
            "temperature": fitted,
            "data": unseen.data,
            "n": len(unseen.labels),
            "n_tumour": int(unseen.labels.sum()),
            "threshold_for_sensitivity": sensitivity,
        },
    }
    write_text(folder / SIDE_FILE, json.dumps(side, indent=2, ensure_ascii=False) + "\n")
    return load_model(folder)


def _read(path: Path, hint: str) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise PatchesInvalid(
            f"'{path.name}' does not say what a model answered on patches it never saw.", hint
        ) from error
