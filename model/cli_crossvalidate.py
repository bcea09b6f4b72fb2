"""`python -m model crossvalidate`: how good is a recipe on slides it did not learn from?"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model.cli_slides import OUT

if TYPE_CHECKING:
    from model.training.crossvalidate import CrossValidation

PATH = click.Path(exists=True, path_type=Path)


@click.command("crossvalidate")
@click.option("--patches", required=True, type=PATH, help="Folder or zip of <0|1>/<name>.webp.")
@click.option("--order", required=True, type=PATH, help="CSV with id and slide_order.")
@click.option("--out", required=True, type=OUT, help="Folder for a net a fold and their answers.")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="TOML file.")
@click.option("--folds", default=4, show_default=True, help="Parts to leave out in turn.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(
    patches: Path, order: Path, out: Path, config_path: Path | None, folds: int, as_json: bool
) -> None:
    """Train without each part of the slides in turn and judge the nets on what they never saw.

    Leaves a model folder for each fold and out_of_fold.npz. A killed run goes on.
    """
    # torch takes a second to import: not before the arguments are known to be right
    import torch

    from model.training.config import TrainingConfig, read_config
    from model.training.crossvalidate import cross_validate, figures
    from model.training.patches import read_named_patches

    config = read_config(config_path) if config_path else TrainingConfig()
    torch.set_num_threads(config.threads)
    labelled, names = read_named_patches(patches)
    found = cross_validate(
        config, labelled, names, order, folds, out, lambda line: click.echo(line, err=True)
    )
    result = figures(found, config)
    click.echo(json.dumps(asdict(result), indent=2) if as_json else _said(result))


def _said(result: "CrossValidation") -> str:
    lines = []
    for name, part in (("known slide order", result.known), ("all", result.every)):
        if part is not None:
            lines.append(
                f"Patches, {name}: {part.n} ({part.n_tumour} tumour). ROC-AUC out of fold"
                f" {_shown(part.single)}, over eight symmetries {_shown(part.eight_symmetries)}."
            )
    lines.append(
        f"Temperature {result.calibration.temperature:.3f}; threshold {result.threshold:.4f} for"
        f" sensitivity {result.sensitivity}."
    )
    return "\n".join(lines)


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
