"""`python -m model phantom`: draw phantom slides."""

import json
import time
from pathlib import Path

import click

SMALLEST_PX = 1024
LARGEST_PX = 100_000


@click.command("phantom")
@click.option(
    "--out", "folder", required=True, type=click.Path(file_okay=False, path_type=Path),
    help="Folder for slides/, masks/ and phantoms.json.",
)  # fmt: skip
@click.option(
    "--count", default=2, show_default=True, type=click.IntRange(1, 100),
    help="How many phantoms; every third one is free of lesions.",
)  # fmt: skip
@click.option(
    "--seed", default=7, show_default=True, type=click.IntRange(0),
    help="The same seed draws the same slides.",
)  # fmt: skip
@click.option(
    "--size-px", default=24_000, show_default=True,
    type=click.IntRange(SMALLEST_PX, LARGEST_PX), help="Width and height of each phantom.",
)  # fmt: skip
@click.option(
    "--outlines", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Zip of CAMELYON16 lesion outlines as JSON; without it outlines are drawn.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the record as JSON.")
def command(
    folder: Path, count: int, seed: int, size_px: int, outlines: Path | None, as_json: bool
) -> None:
    """Draw phantom slides (drawings, not real tissue) with lesions of known outline."""
    from model.extraction.phantom import make_phantoms
    from model.extraction.phantom_outlines import OutlinesError

    started_s = time.monotonic()
    try:
        made = make_phantoms(folder, count, seed, size_px, outlines)
    except OutlinesError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(
            f"The phantoms cannot be written: {error.strerror or error}. Choose another --out."
        ) from error
    if as_json:
        click.echo(json.dumps(made))
        return
    click.echo(made["statement"])
    for phantom in made["phantoms"]:
        sizes = ", ".join(
            f"{lesion['kind']} {lesion['longest_diameter_um'] / 1000:.2f} mm"
            for lesion in phantom["lesions"]
        )
        click.echo(f"{phantom['slide']}: {sizes or 'no lesion'}")
    click.echo(f"{time.monotonic() - started_s:.0f} s")
