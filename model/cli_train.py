"""`python -m model train`: a model folder from labelled patches."""

from pathlib import Path

import click


@click.command("train")
@click.option(
    "--patches",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder or zip of <0|1>/<name>.<webp|png|tif> to learn from, 96 × 96 px.",
)
@click.option(
    "--validate",
    "validation",
    required=True,
    type=click.Path(path_type=Path),
    help="The same of other slides; the operating threshold is chosen on it.",
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder for model and metrics."
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help="TOML file; the default recipe unless given.",
)
def command(patches: Path, validation: Path, out: Path, config_path: Path | None) -> None:
    """Train a model; writes a model folder and metrics.jsonl, a line at a time."""
    # torch takes a second to import: not before the arguments are known to be right
    from model.training.config import TrainingConfig, read_config
    from model.training.run import run

    config = read_config(config_path) if config_path else TrainingConfig()
    model = run(config, patches, validation, out)
    click.echo(
        f"Wrote {out}. Threshold {model.threshold:.3f} (sensitivity {config.sensitivity}"
        " on the validation patches). Now write its README.md, the model card."
    )
