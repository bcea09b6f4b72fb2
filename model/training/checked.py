"""Temperature and threshold of a model, from a run of its recipe that left a fold out.

A model that learnt from every training patch cannot be calibrated on them, and validation patches
that fitted a temperature can no longer check it. A twin that never saw one fold can: what holds for
its answers on that fold is taken over, and the validation patches stay free to judge it.
"""

import json
from pathlib import Path

import numpy as np
from scipy.special import expit

from model.evaluation.calibration import fit_temperature
from model.evaluation.metrics import threshold_for_sensitivity
from model.evaluation.patches import PatchesInvalid
from model.extraction.files import write_text
from model.prediction.models import SIDE_FILE, Model, load_model

LEFT_OUT = "left_out.npz"


def take_over(folder: Path, twin: Path, sensitivity: float) -> Model:
    """Write the twin's temperature and threshold into the model in `folder`.

    The model counts as uncalibrated until somebody checked it on slides that fitted nothing. Raises
    PatchesInvalid if the twin left nothing out.
    """
    try:
        with np.load(twin / LEFT_OUT, allow_pickle=False) as file:
            labels, logits = file["labels"], file["logits"][:, 0].astype(np.float64)
    except (OSError, ValueError, KeyError) as error:
        raise PatchesInvalid(
            f"'{twin.name}' does not say what its model answered on a fold left out.",
            "Make it with `python -m model distill --leave-out FOLD`.",
        ) from error
    temperature = round(fit_temperature(logits, labels), 4)
    probabilities = expit(logits / temperature).astype(np.float32)
    threshold = threshold_for_sensitivity(labels, probabilities, sensitivity)
    side = json.loads((folder / SIDE_FILE).read_text(encoding="utf-8"))
    side |= {
        "temperature": temperature,
        # Rounded down: a patch at the threshold must still be called tumour.
        "threshold": int(threshold * 1e4) / 1e4,
        "calibrated": False,
        "calibration": {
            "temperature": temperature,
            "data": f"the fold that a run of the same recipe left out ({twin.name})",
            "n": len(labels),
            "n_tumour": int(labels.sum()),
            "threshold_for_sensitivity": sensitivity,
        },
    }
    write_text(folder / SIDE_FILE, json.dumps(side, indent=2, ensure_ascii=False) + "\n")
    return load_model(folder)
