"""`python -m model predict`: the heat map of a slide, without the viewer."""

import json
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from model.prediction.errors import ResolutionUnknown
from model.prediction.models import DEFAULT_MODEL
from model.prediction.predict import Prediction, predict_slide
from model.prediction.slide import SANE_MPP, Mpp, as_number, sane_mpp


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
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def command(slide: Path, out: Path, model_folder: Path, mpp: Mpp | None, as_json: bool) -> None:
    """Compute the heat map of a slide."""
    try:
        prediction = _predict(slide, out, model_folder, mpp)
    except ResolutionUnknown as error:
        raise ResolutionUnknown(
            error.reason, "Look it up in the scanner's settings and give it: --mpp X [Y]."
        ) from error
    if as_json:
        click.echo(json.dumps(prediction.record, ensure_ascii=False, indent=2))
        return
    click.echo(prediction.record["notice"])
    click.echo(f"{slide.name}: {prediction.record['result']}")
    click.echo(f"Heat map: {prediction.heatmap_path}")


def _predict(slide: Path, out: Path, model_folder: Path, mpp: Mpp | None) -> Prediction:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("Finding tissue", total=None)

        def show(done: int, planned: int) -> None:
            bar.update(task, description="Scoring", completed=done, total=planned)

        return predict_slide(slide, out, model_folder, mpp, show)
