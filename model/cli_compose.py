"""`python -m model compose`: semi-real slides of labelled patches, with known lesions."""

import json
from pathlib import Path

import click

LARGEST_PX = 8192


@click.command("compose")
@click.option(
    "--patches", required=True, type=click.Path(exists=True, path_type=Path),
    help="Folder or zip of <0|1>/<name>.<webp|png|tif>, 96 × 96 px at 0.97 µm/px.",
)  # fmt: skip
@click.option(
    "--outlines", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Zip of CAMELYON16 lesion outlines as JSON; without it outlines are drawn.",
)  # fmt: skip
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path),
    help="Folder for slides/, masks/ and compose.json.",
)  # fmt: skip
@click.option("--count", default=8, show_default=True, type=click.IntRange(1, 200),
              help="How many slides; every second one is free of lesions.")  # fmt: skip
@click.option("--size-px", default=2304, show_default=True,
              type=click.IntRange(960, LARGEST_PX), help="Width and height.")  # fmt: skip
@click.option("--seed", default=7, show_default=True, type=click.IntRange(0),
              help="The same seed composes the same slides.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the record as JSON.")
def command(
    patches: Path,
    outlines: Path | None,
    out: Path,
    count: int,
    size_px: int,
    seed: int,
    as_json: bool,
) -> None:
    """Compose slides of real patches: normal ones as tissue, tumour ones inside lesion outlines.

    They have seams and repeat patches: less than slides, more than drawings. docs/study.md.
    """
    from model.extraction.compose import ComposeSettings, compose
    from model.extraction.phantom_outlines import OutlinesError

    settings = ComposeSettings(count=count, size_px=size_px, seed=seed)
    try:
        record = compose(patches, outlines, out, settings)
    except OutlinesError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(
            f"The slides cannot be written: {error.strerror or error}. Choose another --out."
        ) from error
    if as_json:
        click.echo(json.dumps(record))
        return
    click.echo(record["statement"])
    for slide in record["slides"]:
        lengths = ", ".join(f"{length:g} µm" for length in slide["lesions_longest_um"])
        click.echo(f"{slide['name']}: {lengths or 'no lesion'}")
