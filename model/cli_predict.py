"""`python -m model predict`: the heat map of a slide, without the viewer."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from model.prediction.engine import CHOICES
from model.prediction.errors import ResolutionUnknown
from model.prediction.models import DEFAULT_MODEL
from model.prediction.predict import Prediction, predict_slide
from model.prediction.slide import SANE_MPP, Mpp, as_number, sane_mpp

SHOWN_SPOTS = 20


class _PredictCommand(click.Command):
    """Lets `--mpp` take one value or two, which click's options cannot."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        for place, word in enumerate(args[:-2]):
            if word == "--mpp" and all(as_number(value) for value in args[place + 1 : place + 3]):
                joined = f"{args[place + 1]},{args[place + 2]}"
                args = [*args[: place + 1], joined, *args[place + 3 :]]
                break
        return super().parse_args(ctx, args)


class _MppType(click.ParamType[Mpp]):
    name = "X [Y]"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Mpp:
        """One number or two, in µm per pixel of the slide's finest level."""
        numbers = [as_number(text) for text in value.split(",")]
        mpp = sane_mpp(numbers[0], numbers[-1]) if len(numbers) <= 2 else None
        if mpp is None:
            self.fail(f"give one or two numbers of µm from {SANE_MPP[0]} to {SANE_MPP[1]:g}.")
        return mpp


@click.command("predict", cls=_PredictCommand)
@click.argument("slide", type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder for <name>.zarr (the heat map) and <name>.json. What is there is gone on with.",
)
@click.option(
    "--model",
    "model_folder",
    type=click.Path(path_type=Path),
    default=DEFAULT_MODEL,
    help="Model folder; the shipped model unless given.",
)
@click.option(
    "--mpp",
    type=_MppType(),
    help="µm per pixel of the finest level, for slides that do not state it; Y if not square.",
)
@click.option(
    "--engine",
    "choice",
    type=click.Choice(CHOICES),
    help="What computes.  [default: SENTINODE_ENGINE, else auto]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def command(
    slide: Path,
    out: Path,
    model_folder: Path,
    mpp: Mpp | None,
    choice: str | None,
    as_json: bool,
) -> None:
    """Compute the heat map of a slide."""
    try:
        prediction = _predict(slide, out, model_folder, mpp, choice)
    except ResolutionUnknown as error:
        raise ResolutionUnknown(
            error.reason, "Look it up in the scanner's settings and give it: --mpp X [Y]."
        ) from error
    if as_json:
        click.echo(json.dumps(prediction.record, ensure_ascii=False, indent=2))
        return
    click.echo(prediction.record["notice"])
    click.echo(f"{slide.name}: {prediction.record['result']}")
    for line in _findings(prediction.record):
        click.echo(line)
    click.echo(f"Heat map: {prediction.heatmap_path} (computed with {prediction.engine})")


def _findings(record: dict[str, Any]) -> Iterator[str]:
    if record["score"] is not None:
        yield f"Slide score {record['score']:.3f} ({record['score_rule']})."
    spots = record["hotspots"]
    if spots["count"]:
        yield f"Hot spots: {spots['count']}; {spots['ranking']}. Sizes are measured on the map;"
        yield "macro, micro and itc name a length (above 2 mm, above 0.2 mm, less), no diagnosis."
        yield " rank  peak  mean   area mm²  longest µm  size   x, y (level-0 px)"
    for spot in spots["items"][:SHOWN_SPOTS]:
        yield (
            f"{spot['rank']:>5}  {spot['peak_probability']:.2f}  {spot['mean_probability']:.2f}"
            f"  {spot['area_mm2']:>9.3f}  {spot['longest_um']:>10.0f}  {spot['size_class']:<5}"
            f"  {spot['x_l0_px']:.0f}, {spot['y_l0_px']:.0f}"
        )
    if spots["count"] > SHOWN_SPOTS:
        yield f"  … and {spots['count'] - SHOWN_SPOTS} more in the record."
    for warning in record["warnings"]:
        yield f"Warning: {warning['text']} {warning['hint']}"


def _predict(
    slide: Path, out: Path, model_folder: Path, mpp: Mpp | None, choice: str | None
) -> Prediction:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("Finding tissue", total=None)

        def show(done: int, planned: int) -> None:
            bar.update(task, description="Scoring", completed=done, total=planned)

        return predict_slide(slide, out, model_folder, mpp, show, choice)
