"""Score labelled patches with the viewer's own engine and say how good the scores are."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.evaluation import metrics
from model.evaluation.intervals import REPLICATES
from model.evaluation.manifest import BLOCK_PATCHES, slide_blocks
from model.evaluation.patches import PatchFolder
from model.prediction.engine import BATCH_PATCHES, Engine
from model.prediction.models import Model
from model.prediction.stain import each_normalised


@dataclass(frozen=True)
class Evaluation:
    """Figures of one model on one set of patches; None where a figure has no meaning."""

    n: int
    n_tumour: int
    n_normal: int
    roc_auc: float | None
    roc_auc_ci95: tuple[float, float] | None
    ci_method: str
    pr_auc: float | None
    f1: float | None
    threshold: float
    sensitivity: float | None
    specificity: float | None
    ece: float
    model: dict[str, str]
    remarks: list[str]

    def to_json(self) -> dict[str, object]:
        """As JSON types; keys are those of the class."""
        return asdict(self)


Progress = Callable[[int, int], None]  # patches done, patches in all


def evaluate(
    engine: Engine, folder: PatchFolder, manifest: Path | None, progress: Progress
) -> Evaluation:
    """Score every patch of `folder`; raises PatchesInvalid for a bad patch or manifest."""
    names = [patch.name for patch in folder.patches]
    # Before scoring: a manifest that does not fit should not cost minutes.
    blocks = np.arange(len(names)) if manifest is None else slide_blocks(manifest, names)
    probabilities = np.concatenate(list(_scored(engine, folder, progress)))
    return summarize(folder.labels, probabilities, blocks, ci_method(manifest), engine.model)


def summarize(
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    blocks: NDArray[np.int64],
    method: str,
    model: Model,
) -> Evaluation:
    """The figures of probabilities (n,) against labels (n,), at the model's threshold."""
    threshold = model.threshold
    tumour = int(labels.sum())
    return Evaluation(
        n=len(labels),
        n_tumour=tumour,
        n_normal=len(labels) - tumour,
        roc_auc=metrics.roc_auc(labels, probabilities),
        roc_auc_ci95=metrics.roc_auc_interval(labels, probabilities, blocks).ci95,
        ci_method=method,
        pr_auc=metrics.pr_auc(labels, probabilities),
        f1=metrics.f1(labels, probabilities, threshold),
        threshold=threshold,
        sensitivity=metrics.sensitivity(labels, probabilities, threshold),
        specificity=metrics.specificity(labels, probabilities, threshold),
        ece=metrics.ece(labels, probabilities),
        model={"id": model.id, "version": model.version, "weights_sha256": model.weights_sha256},
        remarks=_remarks(tumour, len(labels)),
    )


def ci_method(manifest: Path | None) -> str:
    """How the interval was drawn, in words."""
    drawn = f"{REPLICATES} resamples, percentiles 2.5 and 97.5"
    if manifest is None:
        return (
            f"bootstrap over single patches, {drawn}; too narrow where patches share slides"
            " (--manifest draws blocks in slide order)"
        )
    return f"bootstrap over blocks of about {BLOCK_PATCHES} patches in slide order, {drawn}"


def _remarks(tumour: int, n: int) -> list[str]:
    if 0 < tumour < n:
        return []
    missing = "tumour (1)" if tumour == 0 else "normal (0)"
    return [f"roc_auc, its interval and pr_auc are null: there is no {missing} patch."]


def _scored(
    engine: Engine, folder: PatchFolder, progress: Progress
) -> Iterator[NDArray[np.float32]]:
    done = 0
    for batch in folder.batches(engine.model.patch_size_px, BATCH_PATCHES):
        yield engine.probabilities(each_normalised(batch, engine.model.stain))
        done += len(batch)
        progress(done, len(folder.patches))
