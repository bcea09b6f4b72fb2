"""A copy of a model folder that holds a temperature; the folder it was made from stays as it is."""

import json
import os
import shutil
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model.evaluation.calibration import Calibration, moved_threshold
from model.evaluation.errors import EvaluationInvalid
from model.extraction.errors import WriteFailed
from model.prediction.models import CONFIG_FILE, SIDE_FILE, Model, load_model

CARD_FILE = "README.md"


def write_calibrated(model: Model, calibration: Calibration, out: Path) -> Model:
    """Write the folder `out` in whole, under the model's next version; it must not exist yet.

    Raises EvaluationInvalid, and WriteFailed for a full disk or a folder closed to us.
    """
    check_free(out)
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        partial.mkdir(parents=True)
        for name in (CONFIG_FILE, model.weights_path.name):
            shutil.copyfile(model.folder / name, partial / name)
        _write_side(model, calibration, partial)
        _write_card(model, calibration, partial)
        load_model(partial)  # whole and readable, or it never gets its name
        partial.rename(out)
    except OSError as error:
        raise WriteFailed(
            f"Model '{out.name}' could not be written: {error.strerror or error}.",
            "Free some space, or name another folder with --out.",
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return load_model(out)


def check_free(out: Path) -> None:
    """Raise EvaluationInvalid if something has the name `out` already."""
    if out.exists():
        raise EvaluationInvalid(
            f"'{out.name}' is there already, and a model is never changed in place.",
            "Name another folder with --out.",
        )


def _write_side(model: Model, calibration: Calibration, folder: Path) -> None:
    side: dict[str, Any] = json.loads((model.folder / SIDE_FILE).read_text(encoding="utf-8"))
    major, minor, patch = model.version.split(".")
    side |= {
        "version": f"{major}.{minor}.{int(patch) + 1}",
        "threshold": moved_threshold(model.threshold, model.temperature, calibration.temperature),
        "temperature": calibration.temperature,
        "calibrated": calibration.holds_elsewhere,
        "calibration": asdict(calibration),
    }
    text = json.dumps(side, indent=2, ensure_ascii=False) + "\n"
    (folder / SIDE_FILE).write_text(text, encoding="utf-8")


def _write_card(model: Model, calibration: Calibration, folder: Path) -> None:
    """The model's card, if it has one, with what was done to the model since."""
    card = ""
    with suppress(FileNotFoundError):
        card = (model.folder / CARD_FILE).read_text(encoding="utf-8")
    added = (
        f"\n## Temperature\nFrom version {model.version}: the logits are divided by"
        f" {calibration.temperature:.4f}, fitted to {calibration.data} ({calibration.n} patches,"
        f" {calibration.n_tumour} tumour). Expected calibration error"
        f" {calibration.ece_before:.4f} before, {calibration.ece_after:.4f} after, by"
        f" cross-validation over {calibration.groups} {calibration.checked_over}. The threshold was"
        " moved along and calls the same cells.\n"
    )
    (folder / CARD_FILE).write_text(card + added, encoding="utf-8")
