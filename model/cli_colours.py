"""`python -m model colours`: notes the colours of its training slides in a model's side file."""

from pathlib import Path

import click

from model.prediction.models import DEFAULT_MODEL, load_model

PATH = click.Path(exists=True, path_type=Path)


@click.command("colours")
@click.option(
    "--model",
    "model_folder",
    type=PATH,
    default=DEFAULT_MODEL,
    help="Model folder, whose sentinode.json is changed; the shipped model unless given.",
)
@click.option(
    "--patches",
    required=True,
    type=PATH,
    help="The training patches: folder or zip of <0|1>/<name>.<webp|png|tif>.",
)
@click.option(
    "--order",
    required=True,
    type=PATH,
    help="CSV with id and slide_order, to tell which of --patches share slides.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def command(model_folder: Path, patches: Path, order: Path, as_json: bool) -> None:
    """Note the colours of a model's training slides, so that unusual ones can be warned of."""
    from model.evaluation.training_colours import training_colours, write_colours

    colours = training_colours(patches, order, load_model(model_folder).patch_size_px)
    write_colours(model_folder, colours)
    if as_json:
        click.echo(colours.model_dump_json(indent=2))
        return
    click.echo(
        f"Noted the colours of {colours.blocks} runs of neighbouring patches ({colours.patches} in"
        f" all); slides further than {colours.bound:.2f} from their mean will be warned of."
    )
