"""Cross-validation over slides: a net for each fold, and what it says of patches it never saw.

What comes out judges a recipe without the validation patches, gives a temperature and a threshold
that were fitted to other slides than those, and leaves nets that can teach another (distill.py).
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from model.evaluation.calibration import Calibration, ScoredPatches, calibrate
from model.evaluation.intervals import Interval
from model.evaluation.manifest import slide_blocks, slide_order
from model.evaluation.metrics import roc_auc, roc_auc_interval, threshold_for_sensitivity
from model.extraction.files import whole_file
from model.prediction.engine_torch import load_network
from model.prediction.models import load_model
from model.prediction.network import EfficientNetLite0
from model.training.checkpoint import Checkpoint
from model.training.config import TrainingConfig, TrainingConfigInvalid
from model.training.export import export
from model.training.folds import Folds, make_folds
from model.training.log import Log
from model.training.patches import Labels, PatchSet
from model.training.processes import ALONE
from model.training.run import CHECKPOINTS, check_batches, prepare_folder, summary
from model.training.symmetries import symmetric_logits
from model.training.train import train

OUT_OF_FOLD = "out_of_fold.npz"
Logits = NDArray[np.float32]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class OutOfFold:
    """Logits (n, 8) in each symmetry of patches by the net that did not learn from them.

    `blocks` (n,) numbers neighbours in slide order; `known` (n,) tells which have a place there.
    """

    names: list[str]
    labels: Labels
    folds: Folds
    blocks: NDArray[np.int64]
    known: NDArray[np.bool_]
    logits: Logits

    def save(self, path: Path) -> None:
        """Write an .npz; raises WriteFailed."""
        with whole_file(path) as file:
            np.savez_compressed(file, **(asdict(self) | {"names": np.array(self.names)}))


@dataclass(frozen=True)
class FoldFigures:
    """ROC-AUC out of fold, of some of the patches; `single` as the engine does it."""

    n: int
    n_tumour: int
    single: float | None
    single_ci95: tuple[float, float] | None
    single_by_fold: list[float | None]
    eight_symmetries: float | None
    eight_symmetries_ci95: tuple[float, float] | None
    eight_symmetries_by_fold: list[float | None]


@dataclass(frozen=True)
class CrossValidation:
    """What cross-validation found. `known` are the patches whose slide order is known."""

    folds: int
    known: FoldFigures | None
    every: FoldFigures
    calibration: Calibration
    threshold: float  # on probabilities after the temperature, of one view
    sensitivity: float  # that it reaches out of fold


def cross_validate(
    config: TrainingConfig,
    patches: PatchSet,
    names: list[str],
    order: Path,
    folds: int,
    out: Path,
    tell: Tell = lambda _: None,
) -> OutOfFold:
    """Train a net without each fold, write it as `out/fold-<k>`, and score the fold with it.

    A killed run goes on. Raises PatchesInvalid, TrainingConfigInvalid, ManifestInvalid and
    WriteFailed.
    """
    if folds < 2:
        raise TrainingConfigInvalid("One fold leaves nothing to learn from.", "Take at least two.")
    places = slide_order(order, names)
    fold = make_folds(patches.all_pixels, places, folds)
    logits = np.empty((len(names), 8), np.float32)
    for each in range(folds):
        rest = patches.some(fold != each)
        net = _train_without(config, each, rest, out / f"fold-{each}")
        logits[fold == each] = symmetric_logits(net, patches.all_pixels[fold == each])
        tell(f"Fold {each + 1} of {folds} is done.")
    found = OutOfFold(
        names, patches.all_labels, fold, slide_blocks(order, names), places >= 0, logits
    )
    found.save(out / OUT_OF_FOLD)
    return found


def figures(found: OutOfFold, config: TrainingConfig) -> CrossValidation:
    """ROC-AUC, temperature and threshold; raises EvaluationInvalid where a class is missing."""
    single = found.logits[:, 0].astype(np.float64)
    calibration = calibrate(
        ScoredPatches(single, found.labels, found.folds, "blocks", "patches out of fold")
    )
    probabilities = expit(single / calibration.temperature).astype(np.float32)
    return CrossValidation(
        folds=int(found.folds.max()) + 1,
        known=_figures(found, found.known) if found.known.any() else None,
        every=_figures(found, np.ones_like(found.known)),
        calibration=calibration,
        threshold=threshold_for_sensitivity(found.labels, probabilities, config.sensitivity),
        sensitivity=config.sensitivity,
    )


def _train_without(
    config: TrainingConfig, fold: int, rest: PatchSet, out: Path
) -> EfficientNetLite0:
    seeded = config.model_copy(update={"seeds": (config.seeds[0] + fold,)})
    check_batches(seeded, rest, ALONE)
    prepare_folder(out, seeded, (rest, rest), again=False)
    checkpoint = Checkpoint(out / CHECKPOINTS / "net.safetensors")
    with Log(out, checkpoint.log_bytes() or 0) as log:
        net = train(seeded, seeded.seeds[0], rest, None, log, checkpoint)
    export(net.cpu(), seeded, summary(seeded, rest), out)
    return load_network(load_model(out))


def _figures(found: OutOfFold, chosen: NDArray[np.bool_]) -> FoldFigures:
    labels, folds = found.labels[chosen], found.folds[chosen]
    _, blocks = np.unique(found.blocks[chosen], return_inverse=True)
    single, mean = found.logits[chosen, 0], found.logits[chosen].mean(1)

    def by_fold(logits: Logits) -> list[float | None]:
        return [roc_auc(labels[folds == k], logits[folds == k]) for k in np.unique(folds)]

    def interval(logits: Logits) -> Interval:
        return roc_auc_interval(labels, logits, blocks)

    return FoldFigures(
        n=len(labels),
        n_tumour=int(labels.sum()),
        single=roc_auc(labels, single),
        single_ci95=interval(single).ci95,
        single_by_fold=by_fold(single),
        eight_symmetries=roc_auc(labels, mean),
        eight_symmetries_ci95=interval(mean).ci95,
        eight_symmetries_by_fold=by_fold(mean),
    )
