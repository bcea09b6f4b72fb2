"""`python -m model calibrate`: a copy of a model whose probabilities can be taken as such."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

import click

from model.prediction.models import DEFAULT_MODEL

if TYPE_CHECKING:
    from model.evaluation.calibration import Calibration, ScoredPatches
    from model.prediction.engine import Engine
    from model.prediction.models import Model

PATH = click.Path(exists=True, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OPTIONS = (
    click.option("--model", "model_folder", type=PATH, default=DEFAULT_MODEL,
                 help="Model folder; the shipped model unless given."),
    click.option("--out", required=True, type=click.Path(path_type=Path),
                 help="Folder for the calibrated copy; must not exist yet."),
    click.option("--manifest", type=FILE, help="Manifest of `patches`, with --split."),
    click.option("--split", "split_file", type=FILE, help="Its split."),
    click.option("--part", default="validation", show_default=True,
                 type=click.Choice(["train", "validation", "test"]),
                 help="The part to fit to: one the model has not learnt from."),
    click.option("--patches", type=PATH,
                 help="Instead: folder or zip of <0|1>/<name>.<webp|png|tif>."),
    click.option("--order", type=FILE,
                 help="CSV with id and slide_order, to tell which of --patches share slides."),
    click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON."),
)  # fmt: skip


class Options(TypedDict):
    """Values of OPTIONS."""

    model_folder: Path
    out: Path
    manifest: Path | None
    split_file: Path | None
    part: Literal["train", "validation", "test"]
    patches: Path | None
    order: Path | None
    as_json: bool


@click.command("calibrate")
def command(**options: Unpack[Options]) -> None:
    """Fit a temperature to validation patches and write a copy of the model that holds it."""
    _check(options)
    # torch takes a second to import: not before the arguments are known to be right
    from model.evaluation.calibrated_folder import check_free, write_calibrated
    from model.evaluation.calibration import calibrate
    from model.prediction.engine import load_engine

    check_free(options["out"])
    engine = load_engine(options["model_folder"])
    calibration = calibrate(_scored(engine, options))
    model = write_calibrated(engine.model, calibration, options["out"])
    if options["as_json"]:
        figures = {"model": {"id": model.id, "version": model.version}, **asdict(calibration)}
        click.echo(json.dumps(figures, ensure_ascii=False, indent=2))
    else:
        click.echo(_said(model, calibration))


for _option in reversed(OPTIONS):
    command = _option(command)


def _check(options: Options) -> None:
    if (options["manifest"] is None) == (options["patches"] is None):
        raise click.UsageError("Give --manifest with --split, or --patches.")
    if (options["manifest"] is None) != (options["split_file"] is None):
        raise click.UsageError("--manifest and --split go together.")


def _scored(engine: "Engine", options: Options) -> "ScoredPatches":
    from model.evaluation.scored import scored_folder, scored_manifest
    from model.extraction.progress import bars, counting

    with bars() as progress:

        def begin(patches: int) -> Callable[[int], None]:
            return counting(progress, "Scoring patches", patches)

        if options["manifest"] and options["split_file"]:
            return scored_manifest(
                engine, options["manifest"], options["split_file"], options["part"], begin
            )
        assert options["patches"] is not None
        return scored_folder(engine, options["patches"], options["order"], begin)


def _said(model: "Model", calibration: "Calibration") -> str:
    lines = [
        f"Wrote {model.id} {model.version}: temperature {calibration.temperature:.3f}, threshold"
        f" {model.threshold:.3f}, from {calibration.n} patches.",
        f"By cross-validation over {calibration.groups} {calibration.checked_over}: ECE"
        f" {calibration.ece_before:.4f} before, {calibration.ece_after:.4f} after.",
    ]
    if not calibration.holds_elsewhere:
        lines.append(
            "Which patches share slides is not known (--order), so the check is too kind, and the"
            " model still counts as uncalibrated."
        )
    return "\n".join(lines)
