"""`python -m model adopt`: let Sentinode use a WSInfer folder whose weights are TorchScript."""

import re
from pathlib import Path

import click

from model.prediction.errors import ModelInvalid
from model.prediction.models import SCRIPT_FILE, SIDE_FILE


@click.command("adopt")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--tumour-class", help="Which of the model's classes is tumour; needed if several.")
@click.option(
    "--threshold", default=0.5, show_default=True, type=click.FloatRange(0, 1),
    help="Probability from which a cell is called tumour.",
)  # fmt: skip
@click.option(
    "--cell-size-px", type=click.IntRange(1),
    help="Side of the central cell a patch is scored for.  [default: the patch]",
)  # fmt: skip
@click.option("--id", "model_id", help="Lower-case letters, digits, hyphens.  [default: FOLDER]")
def command(
    folder: Path,
    tumour_class: str | None,
    threshold: float,
    cell_size_px: int | None,
    model_id: str | None,
) -> None:
    """Write the side file of FOLDER (config.json, torchscript_model.pt), so that it can be used.

    TorchScript is a program, and it will run with your rights: adopt only what you trust.
    """
    import json

    from model.extraction.files import write_text
    from model.prediction.models import load_model, read_config, sha256_of

    if (folder / SIDE_FILE).exists():
        raise click.ClickException(f"'{folder.name}' has a {SIDE_FILE} already; edit that.")
    if not (folder / SCRIPT_FILE).is_file():
        raise click.ClickException(f"'{folder.name}' holds no {SCRIPT_FILE}.")
    config = read_config(folder, SCRIPT_FILE)
    side = {
        "id": model_id or re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-"),
        "version": "1.0.0",
        "name": folder.resolve().name,
        "cell_size_px": cell_size_px or config.patch_size_pixels,
        "threshold": threshold,
        "temperature": None,
        "calibrated": False,
        "min_tissue_share": 0.05,
        "weights_sha256": sha256_of(folder / SCRIPT_FILE),
        "training_summary": "adopted from a WSInfer folder; see its own description",
        "tumour_class": tumour_class,
    }
    write_text(folder / SIDE_FILE, json.dumps(side, indent=2, ensure_ascii=False) + "\n")
    try:
        model = load_model(folder)
    except ModelInvalid:  # such as a tumour class it does not have
        (folder / SIDE_FILE).unlink()
        raise
    click.echo(f"{model.id}: {SCRIPT_FILE} with SHA-256 {model.weights_sha256} may run from now.")
