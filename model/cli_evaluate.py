"""`python -m model evaluate`: how good is a model on labelled patches?"""

import json
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from model.evaluation.evaluate import Evaluation, evaluate
from model.evaluation.patches import PatchFolder
from model.prediction.engine import CHOICES, TORCH, Engine, choose_engine, load_engine
from model.prediction.models import DEFAULT_MODEL, load_model


@click.command("evaluate")
@click.option(
    "--patches",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder or zip of <0|1>/<name>.<webp|png|tif>, 96 × 96 px at the model's resolution.",
)
@click.option(
    "--model",
    "model_folder",
    type=click.Path(path_type=Path),
    default=DEFAULT_MODEL,
    help="Model folder; the shipped model unless given.",
)
@click.option(
    "--manifest",
    type=click.Path(path_type=Path),
    help="CSV with id and slide_order, for an interval that knows which patches share slides.",
)
@click.option(
    "--engine",
    "choice",
    type=click.Choice(CHOICES),
    help="What computes.  [default: SENTINODE_ENGINE, else auto]",
)
@click.option(
    "--reference",
    is_flag=True,
    help="Instead: PyTorch in float32.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def command(
    patches: Path,
    model_folder: Path,
    manifest: Path | None,
    choice: str | None,
    reference: bool,
    as_json: bool,
) -> None:
    """Score labelled patches and print ROC-AUC, PR-AUC, F1 and calibration."""
    if reference:
        engine = Engine(load_model(model_folder), TORCH)
    else:
        engine = load_engine(model_folder, choose_engine(choice))
    click.echo(f"Engine: {engine.how}", err=True)
    with PatchFolder(patches) as folder, Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("Scoring patches", total=len(folder.patches))
        evaluation = evaluate(
            engine, folder, manifest, lambda done, _: bar.update(task, completed=done)
        )
    if as_json:
        click.echo(json.dumps(evaluation.to_json(), ensure_ascii=False, indent=2))
    else:
        Console().print(_table(evaluation))


def _table(evaluation: Evaluation) -> Table:
    table = Table(title="Research use only. Not for diagnostic procedures.", show_header=False)
    for key, value in evaluation.to_json().items():
        table.add_row(key, _shown(value))
    return table


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, dict):
        return "\n".join(f"{key} {part}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value)) or "–"
    return "–" if value is None else str(value)
