"""`python -m model distill`: one net that learns what several know together."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from model.cli_slides import FOLDER, OUT

if TYPE_CHECKING:
    from model.evaluation.calibration import Calibration
    from model.prediction.models import Model

PATH = click.Path(exists=True, path_type=Path)
OPTIONS = (
    click.option("--patches", required=True, type=PATH,
                 help="Folder or zip of <0|1>/<name>.webp to learn from."),
    click.option("--validate", "validation", required=True, type=PATH,
                 help="The same of other slides."),
    click.option("--teacher", "teachers", required=True, multiple=True, type=FOLDER,
                 help="Model folder to learn from; give it several times."),
    click.option("--start", type=FOLDER, help="Model folder whose weights it begins with."),
    click.option("--out", required=True, type=OUT, help="Folder for model and metrics."),
    click.option("--config", "config_path", type=click.Path(path_type=Path), help="TOML file."),
    click.option("--folds", type=PATH, help="out_of_fold.npz of `crossvalidate`."),
    click.option("--leave-out", type=int, help="Fold to keep from the net and judge it on. The"
                 " teachers must not have seen it either."),
    click.option("--twin", type=FOLDER, help="Run of the same recipe with --leave-out: its"
                 " temperature and threshold are taken over, with --folds from all folds."),
    click.option("--threshold-only", is_flag=True, help="Take no temperature over: for when slides"
                 " disagree about it."),
    click.option("--again", is_flag=True, help="Begin anew, also with other settings."),
    click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON."),
)  # fmt: skip


class Options(TypedDict):
    """Values of OPTIONS."""

    patches: Path
    validation: Path
    teachers: tuple[Path, ...]
    start: Path | None
    out: Path
    config_path: Path | None
    folds: Path | None
    leave_out: int | None
    twin: Path | None
    threshold_only: bool
    again: bool
    as_json: bool


@click.command("distill")
def command(**options: Unpack[Options]) -> None:
    """Teach one net what several models answer, averaged over the eight symmetries of a patch.

    With --leave-out, which needs --folds, temperature and threshold are found on that fold.
    """
    if options["leave_out"] is not None and options["folds"] is None:
        raise click.UsageError("--leave-out needs --folds.")
    if options["folds"] and options["leave_out"] is None and options["twin"] is None:
        raise click.UsageError("--folds needs --leave-out or --twin.")
    # torch takes a second to import: not before the arguments are known to be right
    import torch

    from model.training.checked import take_over, unseen_by
    from model.training.config import TrainingConfig, read_config
    from model.training.distill import distill, read_left_out, read_teachers, taught_logits
    from model.training.patches import read_named_patches, read_patches

    config = read_config(options["config_path"]) if options["config_path"] else TrainingConfig()
    if options["start"]:
        config = config.model_copy(update={"start": str(options["start"])})
    torch.set_num_threads(config.threads)
    teachers = read_teachers(options["teachers"])
    patches, names = read_named_patches(options["patches"])
    left_out = None
    if options["folds"] is not None and options["leave_out"] is not None:
        left_out = read_left_out(options["folds"], names, options["leave_out"])
    validation = read_patches(options["validation"])
    out = options["out"]
    out.mkdir(parents=True, exist_ok=True)
    logits = taught_logits(
        teachers, patches.all_pixels, out, lambda line: click.echo(line, err=True)
    )
    model, calibration = distill(
        config, patches, validation, logits, out, left_out, options["again"]
    )
    if options["twin"] is not None:
        unseen = unseen_by(options["twin"], options["folds"])
        model = take_over(out, unseen, config.sensitivity, not options["threshold_only"])
    click.echo(_figures(model, calibration) if options["as_json"] else _said(model, calibration))


for _option in reversed(OPTIONS):
    command = _option(command)


def _figures(model: "Model", calibration: "Calibration | None") -> str:
    return json.dumps(
        {
            "model": model.id,
            "version": model.version,
            "threshold": model.threshold,
            "weights_sha256": model.weights_sha256,
            "calibration": asdict(calibration) if calibration else None,
        },
        indent=2,
    )


def _said(model: "Model", calibration: "Calibration | None") -> str:
    said = f"Wrote {model.folder}. Threshold {model.threshold:.3f}."
    if calibration is None:
        return said
    return (
        f"{said} On the fold left out ({calibration.n} patches): temperature"
        f" {calibration.temperature:.3f}, ECE {calibration.ece_before:.3f} before and"
        f" {calibration.ece_after:.3f} after, checked over {calibration.groups} blocks."
    )
