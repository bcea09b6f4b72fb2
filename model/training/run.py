"""A whole training run: patches in, model folder out."""

from pathlib import Path

import torch

from model.evaluation.metrics import threshold_for_sensitivity
from model.evaluation.patches import PatchesInvalid
from model.prediction.engine import Engine
from model.prediction.models import Model, load_model
from model.training.config import TrainingConfig
from model.training.export import export, set_threshold
from model.training.patches import PatchSet, read_patches
from model.training.soup import average_nets
from model.training.train import train


def run(config: TrainingConfig, patches: Path, validation: Path, out: Path) -> Model:
    """Train, write the model folder `out` with metrics.jsonl, and give the model back."""
    torch.set_num_threads(config.threads)
    learnt_from, validated_on = read_both_classes(patches), read_both_classes(validation)
    if len(learnt_from.labels) < config.batch_patches:
        raise PatchesInvalid(
            f"'{patches.name}' has fewer patches than a batch ({config.batch_patches}).",
            "Add patches or lower batch_patches.",
        )
    out.mkdir(parents=True, exist_ok=True)
    with (out / "metrics.jsonl").open("w", encoding="utf-8") as log:
        nets = [train(config, seed, learnt_from, validated_on, log) for seed in config.seeds]
    net = average_nets(nets, learnt_from, config) if len(nets) > 1 else nets[0]
    n, tumour = len(learnt_from.labels), int(learnt_from.labels.sum())
    export(net, config, f"{n} patches ({tumour} tumour), {config.epochs} epochs", out)
    # By the engine: the threshold belongs to the very probabilities the viewer will show.
    probabilities = Engine(load_model(out)).probabilities(validated_on.pixels)
    wanted = config.sensitivity
    set_threshold(out, threshold_for_sensitivity(validated_on.labels, probabilities, wanted))
    return load_model(out)


def read_both_classes(path: Path) -> PatchSet:
    """The patches of a folder or zip; raises PatchesInvalid unless both classes are there."""
    patches = read_patches(path)
    if patches.labels.min() == patches.labels.max():
        raise PatchesInvalid(
            f"All patches of '{path.name}' have the label {patches.labels[0]}.",
            "Training and validation need normal (0) and tumour (1) patches.",
        )
    return patches
