"""What the commands that walk over slides have in common."""

from collections.abc import Callable, Mapping
from pathlib import Path

import click

from model.prediction.errors import PredictionError

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
OUT = click.Path(file_okay=False, path_type=Path)
SHARE = click.FloatRange(0, 1)


def slide_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options on how slides are judged."""
    for option in (
        click.option(
            "--slide-mpp", type=click.FloatRange(0.05, 20),
            help="µm per pixel of slides that do not state it; others keep their own.",
        ),
        click.option(
            "--tissue", "tissue_method", default="saturation", show_default=True,
            type=click.Choice(["saturation", "grey"]),
            help="Saturation by Otsu's threshold without pen marks and padding, or grey up to 0.8.",
        ),
        click.option(
            "--min-slide-tissue", default=0.005, show_default=True, type=SHARE,
            help="Slides with a smaller share of tissue are left out.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def said(problems: Mapping[str, PredictionError]) -> dict[str, dict[str, str]]:
    """Problems by slide, as they stand in JSON."""
    return {name: {"reason": error.reason, "hint": error.hint} for name, error in problems.items()}


def fail_if(problems: Mapping[str, PredictionError]) -> None:
    """End the command with exit code 1 if there are problems, naming every slide."""
    if problems:
        listed = "\n".join(f"  {name}: {error}" for name, error in problems.items())
        count = f"{len(problems)} slide" + ("s" if len(problems) > 1 else "")
        raise click.ClickException(f"{count} could not be used:\n{listed}")
