"""`python -m model robustness`: what stain, scanner and file format do to a model's answers."""

import json
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from model.prediction.models import DEFAULT_MODEL

HEADINGS = ("change", "ROC-AUC", "drop", "mean move", "largest move", "called tumour")


@click.command("robustness")
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
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def command(patches: Path, model_folder: Path, as_json: bool) -> None:
    """Change labelled patches as laboratories and scanners do and tell how the figures move."""
    # torch takes a second to import: not before the arguments are known to be right
    import numpy as np

    from model.evaluation.patches import PatchFolder
    from model.evaluation.robustness import changes, measure, table
    from model.prediction.engine import load_engine

    engine = load_engine(model_folder)
    with PatchFolder(patches) as folder:
        pixels = np.concatenate(list(folder.batches(engine.model.patch_size_px, 256)))
        labels = folder.labels
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("Changing patches", total=len(changes()))
        result = measure(
            engine,
            pixels,
            labels,
            engine.model.threshold,
            engine.model.stain,
            lambda _: bar.advance(task),
        )
    if as_json:
        click.echo(json.dumps(result.to_json(), ensure_ascii=False, indent=2))
        return
    shown = Table(*HEADINGS, title="Research use only. Not for diagnostic procedures.")
    for row in table(result):
        shown.add_row(*row)
    Console().print(shown)
    click.echo(
        f"Probabilities over the four quarter turns differ by {result.turns_spread_mean:.3f} on"
        f" average; 95 % of patches by at most {result.turns_spread_p95:.3f}."
    )
