"""One net that learns what several know together (distillation, Hinton et al. 2015).

What is taught of a patch is the mean of the teachers' logits over its eight symmetries: the best
answer there is to it. It stands for every random view of the patch, so the net learns to answer
turned, restained and resized views alike (Beyer et al. 2022), in one pass instead of dozens.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from model.evaluation.calibration import Calibration, ScoredPatches, calibrate
from model.evaluation.patches import PatchesInvalid
from model.extraction.files import whole_file
from model.prediction.engine_torch import load_network
from model.prediction.models import Model, load_model, sha256_of
from model.training.checked import LEFT_OUT
from model.training.config import TrainingConfig
from model.training.patches import Labels, PatchSet, Targets
from model.training.run import run
from model.training.symmetries import symmetric_logits

TAUGHT = "taught.npz"
Logits = NDArray[np.float32]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class LeftOut:
    """A fold that neither teachers nor pupil may see: fold (n,) and block (n,) of each patch."""

    fold: int
    folds: NDArray[np.intp]
    blocks: NDArray[np.int64]

    @property
    def rows(self) -> NDArray[np.bool_]:
        """Which patches (n,) are left out."""
        left_out: NDArray[np.bool_] = self.folds == self.fold
        return left_out


def read_left_out(path: Path, names: Sequence[str], fold: int) -> LeftOut:
    """Folds from a file of `crossvalidate`; raises PatchesInvalid if it is of other patches."""
    try:
        with np.load(path, allow_pickle=False) as file:
            same, folds, blocks = list(file["names"]) == list(names), file["folds"], file["blocks"]
    except (OSError, ValueError, KeyError) as error:
        raise PatchesInvalid(
            f"'{path.name}' holds no folds.", "Name the out_of_fold.npz of `crossvalidate`."
        ) from error
    if not same or not (folds == fold).any():
        raise PatchesInvalid(
            f"'{path.name}' is of other patches, or has no fold {fold}.",
            "Name the patches that were cross-validated, and one of their folds.",
        )
    return LeftOut(fold, folds, blocks)


def taught_logits(
    teachers: Sequence[Model], pixels: NDArray[np.uint8], out: Path, tell: Tell = lambda _: None
) -> Logits:
    """Mean logits (n,) over teachers and symmetries; kept in `out`, a column for each teacher."""
    hashes = [sha256_of(teacher.weights_path) for teacher in teachers]
    kept = _kept(out / TAUGHT, len(pixels))
    for teacher, name in zip(teachers, hashes, strict=True):
        if name not in kept:
            kept[name] = symmetric_logits(load_network(teacher), pixels).mean(1)
            with whole_file(out / TAUGHT) as file:
                np.savez(file, allow_pickle=False, **kept)
            tell(f"{teacher.folder.name} has told what it thinks of {len(pixels)} patches.")
    mean: Logits = np.mean([kept[name] for name in hashes], axis=0, dtype=np.float32)
    return mean


def soft_targets(labels: Labels, logits: Logits, hard_share: float) -> Targets:
    """Probabilities (n,) to learn: the labels for `hard_share`, what is taught for the rest."""
    targets: Targets = (hard_share * labels + (1 - hard_share) * expit(logits)).astype(np.float32)
    return targets


def distill(
    config: TrainingConfig,
    patches: PatchSet,
    validation: PatchSet,
    logits: Logits,
    out: Path,
    left_out: LeftOut | None = None,
    again: bool = False,
) -> tuple[Model, Calibration | None]:
    """Train a model folder on what is taught.

    With a fold left out the net is validated on it, and temperature and threshold are found there:
    they hold for nets of this recipe. Raises PatchesInvalid, TrainingConfigInvalid, WriteFailed.
    """
    targets = soft_targets(patches.all_labels, logits, config.distillation.hard_share)
    taught = PatchSet(patches.all_pixels, patches.all_labels, all_targets=targets)
    if left_out is not None:
        validation = patches.some(left_out.rows)
        taught = taught.some(~left_out.rows)
    model = run(config, (taught, validation), out, again)
    assert model is not None  # one process
    return model, _check(model, validation, left_out) if left_out else None


def _check(model: Model, unseen: PatchSet, left_out: LeftOut) -> Calibration:
    logits = symmetric_logits(load_network(model), unseen.all_pixels)
    with whole_file(model.folder / LEFT_OUT) as file:
        np.savez(file, labels=unseen.all_labels, logits=logits, rows=left_out.rows)
    blocks = left_out.blocks[left_out.rows]
    return calibrate(
        ScoredPatches(
            logits[:, 0].astype(np.float64),
            unseen.all_labels,
            blocks,
            "blocks",
            f"fold {left_out.fold}",
        )
    )


def _kept(path: Path, n: int) -> dict[str, Logits]:
    if not path.is_file():
        return {}
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files if len(file[name]) == n}


def read_teachers(folders: Sequence[Path]) -> list[Model]:
    """The models in those folders; raises ModelInvalid."""
    return [load_model(folder) for folder in folders]
