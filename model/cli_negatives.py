"""`python -m model negatives`: glass, pen, padding, bubbles and blur must not be called tumour."""

import json
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from model.prediction.models import DEFAULT_MODEL

HEADINGS = ("kind", "cells", "analysed", "called tumour", "highest probability")


@click.command("negatives")
@click.option(
    "--patches",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder or zip of <0|1>/<name>.<webp|png|tif>; the normal ones are drawn on.",
)
@click.option(
    "--model",
    "model_folder",
    type=click.Path(path_type=Path),
    default=DEFAULT_MODEL,
    help="Model folder; the shipped model unless given.",
)
@click.option("--seed", default=0, show_default=True, help="Of everything drawn at random.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def command(patches: Path, model_folder: Path, seed: int, as_json: bool) -> None:
    """Draw what is not tumour and count how much of it is called so; the tissue rule goes first."""
    # torch takes a second to import: not before the arguments are known to be right
    import numpy as np

    from model.evaluation.negatives import kinds, score_negatives
    from model.evaluation.patches import PatchesInvalid, PatchFolder
    from model.prediction.engine import load_engine

    engine = load_engine(model_folder)
    side_px = engine.model.patch_size_px
    with PatchFolder(patches) as folder:
        normal = [folder.read(patch, side_px) for patch in folder.patches if patch.label == 0]
    if not normal:
        raise PatchesInvalid(f"No normal patches in '{patches.name}'.", "Add some below 0/.")
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("Drawing what is not tumour", total=len(kinds()))
        found = score_negatives(engine, np.stack(normal), seed, lambda _: bar.advance(task))
    if as_json:
        model = engine.model
        about = {"model": {"id": model.id, "version": model.version}, "threshold": model.threshold}
        click.echo(json.dumps(about | {"kinds": [each.to_json() for each in found]}, indent=2))
        return
    shown = Table(*HEADINGS, title="Research use only. Not for diagnostic procedures.")
    for each in found:
        highest = "–" if each.highest is None else f"{each.highest:.3f}"
        called = f"{each.called} ({each.share_called:.1%})"
        shown.add_row(each.name, str(each.cells), str(each.analysed), called, highest)
    Console().print(shown)
