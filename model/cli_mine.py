"""`python -m model mine`: false positives on training slides become hard rows of a manifest."""

import json
from pathlib import Path
from typing import Literal

import click

from model.cli_slides import FOLDER, SHARE

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OPTIONS = (
    click.option("--heatmaps", required=True, type=FOLDER,
                 help="Folder of heat maps of the training slides, from `predict`."),
    click.option("--study", "study_folder", required=True, type=FOLDER,
                 help="The study: slides/, masks/ or annotations/."),
    click.option("--split", "split_file", required=True, type=FILE,
                 help="Only its training slides are looked at."),
    click.option("--manifest", "manifest_file", required=True, type=FILE,
                 help="The manifest the model was trained with."),
    click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path),
                 help="The next manifest."),
    click.option("--threshold", type=SHARE,
                 help="Probability from which a cell is a false positive.  [default: the model's]"),
    click.option("--max-per-slide", default=1000, show_default=True, type=click.IntRange(1),
                 help="Cells of a slide at most, the highest first."),
    click.option("--normal", "normal_names", multiple=True, default=("normal*",),
                 show_default=True, help="Names of slides without tumour."),
    click.option("--lesions", "source", type=click.Choice(["masks", "annotations"]),
                 help="Which to use where a slide has both."),
    click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON."),
)  # fmt: skip


@click.command("mine")
def command(
    heatmaps: Path,
    study_folder: Path,
    split_file: Path,
    manifest_file: Path,
    out: Path,
    threshold: float | None,
    max_per_slide: int,
    normal_names: tuple[str, ...],
    source: Literal["masks", "annotations"] | None,
    as_json: bool,
) -> None:
    """Mark false positives on training slides as hard patches in the next manifest.

    Normal tissue alone counts; validation and test slides are never looked at. Train with it and
    [balance] hard_share, predict, and mine again.
    """
    from model.extraction.manifest import read_manifest
    from model.extraction.splits import read_split
    from model.extraction.study import open_study
    from model.training.mining import MiningSettings, mine, write_mined

    study = open_study(study_folder, normal_names, source)
    manifest, settings = read_manifest(manifest_file), MiningSettings(threshold, max_per_slide)
    found = mine(manifest, read_split(split_file), study, heatmaps, settings)
    record = write_mined(manifest, found, study, settings, out)
    click.echo(
        json.dumps(record)
        if as_json
        else f"{record['added']} hard patches added, {record['marked']} marked, on"
        f" {record['slides']} training slides (threshold {record['threshold']:g})."
    )


for _option in reversed(OPTIONS):
    command = _option(command)
