"""`python -m model train`: a model folder from a manifest of patches, or from patches as images."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from model.cli_slides import FOLDER, OUT

if TYPE_CHECKING:
    from model.prediction.models import Model
    from model.training.config import TrainingConfig
    from model.training.run import Sources

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
EXISTING = click.Path(exists=True, path_type=Path)
OPTIONS = (
    click.option("--manifest", type=FILE, help="manifest.parquet of `patches`."),
    click.option("--split", type=FILE, help="Which slides to learn from, and to validate on."
                 "  [default: split.json beside the manifest]"),
    click.option("--study", type=FOLDER, help="Where slides/ lies, if it was moved since."),
    click.option("--patches", type=EXISTING, help="Instead of a manifest: folder or zip of"
                 " <0|1>/<name>.<webp|png|tif> to learn from, 96 × 96 px."),
    click.option("--validate", "validation", type=EXISTING,
                 help="The same of other slides; the operating threshold is chosen on it."),
    click.option("--out", required=True, type=OUT, help="Folder for model, metrics, checkpoints."),
    click.option("--config", "config_path", type=click.Path(path_type=Path),
                 help="TOML file; the default recipe unless given."),
    click.option("--again", is_flag=True, help="Begin anew, also with other settings."),
    click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON."),
)  # fmt: skip


class Options(TypedDict):
    """Values of OPTIONS."""

    manifest: Path | None
    split: Path | None
    study: Path | None
    patches: Path | None
    validation: Path | None
    out: Path
    config_path: Path | None
    again: bool
    as_json: bool


@click.command("train")
def command(**options: Unpack[Options]) -> None:
    """Train a model; writes a model folder and metrics.jsonl, a line at a time.

    A run that was killed goes on from its last checkpoint when the same command is given again.
    With several GPUs or machines: torchrun --nproc-per-node N -m model train …
    """
    check_inputs(options)
    # torch takes a second to import: not before the arguments are known to be right
    from model.training.config import TrainingConfig, read_config
    from model.training.processes import joined
    from model.training.run import run

    config = read_config(options["config_path"]) if options["config_path"] else TrainingConfig()
    with joined() as processes:
        sources = _sources(options, config)
        model = run(config, sources, options["out"], options["again"], processes)
    if model is not None:
        click.echo(_figures(model) if options["as_json"] else _summary(model, config))


for _option in reversed(OPTIONS):
    command = _option(command)


def check_inputs(options: Options) -> None:
    """Raise UsageError unless there is either a manifest or patches with validation patches."""
    if (options["manifest"] is None) == (options["patches"] is None):
        raise click.UsageError("Give either --manifest or --patches.")
    if (options["patches"] is None) != (options["validation"] is None):
        raise click.UsageError("--patches and --validate belong together.")
    if options["manifest"] is None and (options["split"] or options["study"]):
        raise click.UsageError("--split and --study belong to --manifest.")


def _sources(options: Options, config: "TrainingConfig") -> "Sources":
    from model.training.run import from_files, from_manifest

    manifest = options["manifest"]
    if manifest is not None:
        split = options["split"] or manifest.parent / "split.json"
        return from_manifest(config, manifest, split, options["study"])
    assert options["patches"] is not None
    assert options["validation"] is not None
    return from_files(options["patches"], options["validation"])


def _figures(model: "Model") -> str:
    return json.dumps(
        {
            "model": model.id,
            "version": model.version,
            "threshold": model.threshold,
            "weights_sha256": model.weights_sha256,
            "training_summary": model.training_summary,
        }
    )


def _summary(model: "Model", config: "TrainingConfig") -> str:
    return (
        f"Wrote {model.folder}. Threshold {model.threshold:.3f} (sensitivity {config.sensitivity}"
        " on the validation patches). Now write its README.md, the model card."
    )
