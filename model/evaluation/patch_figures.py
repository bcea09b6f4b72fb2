"""Patch-level figures from `python -m model evaluate --json`, to stand in a report."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from model.evaluation.errors import EvaluationInvalid
from model.evaluation.figures import Figure


class PatchFigures(BaseModel):
    """The part a report shows; whatever else the file holds is kept."""

    model_config = ConfigDict(extra="allow")

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

    def figure(self) -> Figure:
        """The ROC-AUC as a figure of the report."""
        return Figure(
            self.roc_auc,
            self.roc_auc_ci95,
            {"patches": self.n, "tumour_patches": self.n_tumour, "normal_patches": self.n_normal},
            f"area under the ROC curve over labelled patches; {self.ci_method}",
            None if self.roc_auc is not None else "The patches are of one class only.",
        )


def read_patch_figures(path: Path, weights_sha256: str) -> PatchFigures:
    """Read the file; refuse one of another layout, or of another model than the heat maps'."""
    try:
        figures = PatchFigures.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise EvaluationInvalid(
            f"'{path.name}' does not hold patch-level figures.",
            "Make it with `python -m model evaluate --patches … --json > FILE`.",
        ) from error
    if figures.model.get("weights_sha256") != weights_sha256:
        raise EvaluationInvalid(
            f"The figures in '{path.name}' are of another model than the heat maps.",
            "Evaluate the patches with the model that made the heat maps.",
        )
    return figures
