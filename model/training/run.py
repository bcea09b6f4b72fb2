"""A whole training run: patches in, model folder out. Goes on where a killed one stopped."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from model.evaluation.metrics import threshold_for_sensitivity
from model.evaluation.patches import PatchesInvalid
from model.extraction.errors import ManifestInvalid
from model.extraction.manifest import Manifest, read_manifest
from model.extraction.patch_reader import PatchReader
from model.extraction.runs import claim_folder
from model.extraction.sampling import Balance
from model.extraction.splits import check_split, read_split
from model.prediction.engine import Engine
from model.prediction.models import Model, load_model
from model.training.checkpoint import Checkpoint
from model.training.config import TrainingConfig, TrainingConfigInvalid
from model.training.export import SPACING_UM_PX, export, set_threshold
from model.training.log import EVENTS_FOLDER, Log
from model.training.patches import (
    PATCH_SIDE_PX,
    Labels,
    ManifestPatches,
    PatchSet,
    Source,
    read_patches,
)
from model.training.processes import ALONE, Processes
from model.training.soup import average_nets
from model.training.stain import STAIN_FILE, normalised_sources
from model.training.train import READ_AT_ONCE, train

CHECKPOINTS = "checkpoints"
PACKS = "pixels"  # beside the manifest, where `patches --pack` puts them
Sources = tuple[Source, Source]  # to learn from, and to validate on


def from_files(patches: Path, validation: Path) -> Sources:
    """Labelled images in folders or zips; raises PatchesInvalid."""
    return read_patches(patches), read_patches(validation)


def from_manifest(
    config: TrainingConfig, manifest_path: Path, split_path: Path, study: Path | None = None
) -> Sources:
    """Training and validation part of a manifest, balanced as the configuration says.

    Slides lie in `study`, else where the manifest says. Raises ManifestInvalid, SplitInvalid.
    """
    manifest, split = read_manifest(manifest_path), read_split(split_path)
    check_manifest(manifest)
    patients = {name: slide["patient"] for name, slide in manifest.slides.items()}
    check_split(split, patients, np.unique(manifest.column("slide").astype(str)).tolist())
    packs = manifest_path.parent / PACKS
    reader = PatchReader(manifest, manifest.slide_files(study), packs if packs.is_dir() else None)
    balance = Balance(**config.balance.model_dump())
    return (
        ManifestPatches(manifest, split, "train", reader, balance),
        ManifestPatches(manifest, split, "validation", reader, balance),
    )


def run(
    config: TrainingConfig,
    sources: Sources,
    out: Path,
    again: bool = False,
    processes: Processes = ALONE,
) -> Model | None:
    """Train, write the model folder `out` with metrics.jsonl, and give the model back.

    Goes on from the checkpoints in `out`, whose settings and patches must be the same, unless
    `again`. With several processes the first one writes and gives the model; others give None.
    """
    torch.set_num_threads(config.threads)
    check_batches(config, sources[0], processes)
    if processes.first:
        prepare_folder(out, config, sources, again)
    processes.wait()
    (patches, validation), stain = normalised_sources(config, sources, out, processes)
    folder = out / CHECKPOINTS
    checkpoints = [
        Checkpoint(folder / f"seed-{seed}.safetensors", processes.first) for seed in config.seeds
    ]
    kept = max((each.log_bytes() or 0 for each in checkpoints), default=0)
    nets = []
    with Log(out if processes.first else None, kept) as log:
        for seed, checkpoint in zip(config.seeds, checkpoints, strict=True):
            nets.append(train(config, seed, patches, validation, log, checkpoint, processes))
    if not processes.first:
        return None
    net = average_nets(nets, patches, config) if len(nets) > 1 else nets[0]
    export(net.cpu(), config, summary(config, patches), out, stain)
    # By the engine: the threshold belongs to the very probabilities the viewer will show.
    labels, probabilities = score(Engine(load_model(out)), validation)
    set_threshold(out, threshold_for_sensitivity(labels, probabilities, config.sensitivity))
    return load_model(out)


def prepare_folder(out: Path, config: TrainingConfig, sources: Sources, again: bool) -> None:
    """Claim `out` for these settings and patches; raise ManifestInvalid if it is for others."""
    # What changes nothing of the result may change from one call to the next.
    free = {"loader_processes", "checkpoint_every_steps"}
    settings: dict[str, Any] = config.model_dump(mode="json", exclude=free)
    for name, source in zip(("patches", "validation"), sources, strict=True):
        settings[name] = source.fingerprint()
    out.mkdir(parents=True, exist_ok=True)
    claim_folder(out, settings, again)
    if again or not (out / CHECKPOINTS).is_dir():
        for folder in (CHECKPOINTS, EVENTS_FOLDER):
            shutil.rmtree(out / folder, ignore_errors=True)
        (out / STAIN_FILE).unlink(missing_ok=True)


def check_batches(config: TrainingConfig, patches: Source, processes: Processes) -> None:
    """Raise TrainingConfigInvalid or PatchesInvalid if no batch can be made."""
    if config.batch_patches % processes.world:
        raise TrainingConfigInvalid(
            f"A batch of {config.batch_patches} patches cannot be shared by {processes.world}"
            " processes.",
            "Let batch_patches be a multiple of their number.",
        )
    if config.balance.method != "none" and isinstance(patches, PatchSet):
        raise TrainingConfigInvalid(
            "Only patches of a manifest can be balanced.",
            "Train with --manifest, or drop [balance].",
        )
    count = len(patches.epoch(config.seeds[0], 0))
    if count < config.batch_patches:
        raise PatchesInvalid(
            f"There are fewer patches than a batch holds ({count}, {config.batch_patches}).",
            "Add patches or lower batch_patches.",
        )


def check_manifest(manifest: Manifest) -> None:
    """Raise ManifestInvalid unless patches have the model's size and resolution."""
    sizes = set(np.unique(manifest.column("size_px")).tolist())
    mpp = manifest.metadata["settings"].get("mpp")
    if sizes != {PATCH_SIDE_PX} or mpp is None or abs(mpp / SPACING_UM_PX - 1) > 0.1:
        raise ManifestInvalid(
            f"Patches of '{manifest.path.name}' are not {PATCH_SIDE_PX} pixels of {SPACING_UM_PX}"
            " µm wide, as the model's are.",
            f"Run `patches` with --size-px {PATCH_SIDE_PX} --mpp {SPACING_UM_PX}.",
        )


def summary(config: TrainingConfig, patches: Source) -> str:
    """A line on what the net was trained on."""
    labels = patches.labels(patches.items)
    limit = f", at most {config.max_steps} steps" if config.max_steps else ""
    return f"{len(labels)} patches ({labels.sum()} tumour), {config.epochs} epochs{limit}"


def score(engine: Engine, source: Source) -> tuple[Labels, NDArray[np.float32]]:
    """Labels (n,) and probabilities (n,) of all patches."""
    parts = np.array_split(source.items, len(source.items) // READ_AT_ONCE + 1)
    probabilities = [engine.probabilities(source.pixels(items)) for items in parts]
    return source.labels(source.items), np.concatenate(probabilities)
