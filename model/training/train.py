"""The training loop. One process, CPU, seeded: the same patches and configuration, the same net."""

import copy
import json
import math
import time
from collections.abc import Iterator
from typing import IO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from model.evaluation.metrics import roc_auc
from model.prediction.network import EfficientNetLite0, use_channels_last
from model.training.augment import augment
from model.training.config import TrainingConfig
from model.training.patches import PatchSet, scaled
from model.training.pretrained import load_imagenet


def train(
    config: TrainingConfig,
    seed: int,
    patches: PatchSet,
    validation: PatchSet | None,
    log: IO[str],
) -> EfficientNetLite0:
    """A trained net; writes one JSON object a line to `log` as it goes."""
    torch.manual_seed(seed)
    chance = torch.Generator().manual_seed(seed)
    net = start_net(config)
    average = copy.deepcopy(net)
    optimizer = make_optimizer(net, config)
    steps_per_epoch = len(patches.labels) // config.batch_patches
    steps = max(1, round(config.epochs * steps_per_epoch))
    started = time.monotonic()

    for step, chosen in zip(range(steps), batches(patches, config, chance), strict=False):
        set_rates(optimizer, config, step / steps)
        inputs = augment(torch.from_numpy(patches.pixels[chosen]), config.augmentation, chance)
        loss = step_loss(net, inputs, torch.from_numpy(patches.labels[chosen]), config)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), config.gradient_clip)
        optimizer.step()
        # The mean starts short, so that the first steps' weights are soon forgotten.
        follow(average, net, min(config.averaging_decay, (1 + step) / (10 + step)))

        if (step + 1) % config.log_every_steps == 0 or step + 1 == steps:
            seconds = round(time.monotonic() - started, 1)
            write(log, seed=seed, step=step + 1, steps=steps, loss=loss.item(), seconds=seconds)
        epoch_ends = (step + 1) % steps_per_epoch == 0 or step + 1 == steps
        if validation and epoch_ends:
            write(log, seed=seed, step=step + 1, **validate(average, validation))
    return average.eval()


def start_net(config: TrainingConfig) -> EfficientNetLite0:
    """The net before the first step."""
    net = EfficientNetLite0(dropout=config.dropout)
    if config.start == "imagenet":
        load_imagenet(net)
    # Zero rather than random: runs of different seeds start from one point, so their weights can
    # be averaged.
    nn.init.zeros_(net.logit.weight)
    nn.init.zeros_(net.logit.bias)
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = config.norm_momentum
    use_channels_last(net)
    return net.train()


def make_optimizer(net: EfficientNetLite0, config: TrainingConfig) -> torch.optim.AdamW:
    """AdamW: no decay on norms and biases, a higher rate for the new last layer."""
    head = set(net.logit.parameters())
    kernels = [p for p in net.parameters() if p.ndim > 1 and p not in head]
    others = [p for p in net.parameters() if p.ndim <= 1 and p not in head]
    groups = [
        {"params": kernels, "weight_decay": config.weight_decay, "factor": 1.0},
        {"params": others, "weight_decay": 0.0, "factor": 1.0},
        {"params": list(head), "weight_decay": 0.0, "factor": config.head_rate_factor},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate)


def set_rates(optimizer: torch.optim.Optimizer, config: TrainingConfig, progress: float) -> None:
    """Linear warm-up, then half a cosine down to zero; progress runs from 0 to 1."""
    if progress < config.warmup_share:
        share = (progress + 1e-3) / (config.warmup_share + 1e-3)
    else:
        share = (1 + math.cos(math.pi * progress)) / 2
    for group in optimizer.param_groups:
        group["lr"] = config.learning_rate * share * group["factor"]


def batches(
    patches: PatchSet, config: TrainingConfig, chance: torch.Generator
) -> Iterator[NDArray[np.int64]]:
    """Indices of one batch after another, for ever; each epoch in a new order, its rest dropped."""
    size = config.batch_patches
    while True:
        order = torch.randperm(len(patches.labels), generator=chance).numpy()
        for start in range(0, len(order) - size + 1, size):
            yield order[start : start + size]


def step_loss(
    net: EfficientNetLite0, views: Tensor, labels: Tensor, config: TrainingConfig
) -> Tensor:
    """Cross-entropy of views (n, h, w, 3) in 0–1 against softened labels (n,)."""
    softened = labels * (1 - config.label_smoothing) + config.label_smoothing / 2
    logits = net(scaled(views))
    return functional.binary_cross_entropy_with_logits(logits, softened)


@torch.no_grad()
def follow(average: nn.Module, net: nn.Module, decay: float) -> None:
    """Move the moving mean of weights and norm statistics a little towards `net`."""
    current = net.state_dict()
    for name, mean in average.state_dict().items():
        if mean.is_floating_point():
            mean.lerp_(current[name], 1 - decay)


@torch.no_grad()
def validate(net: EfficientNetLite0, patches: PatchSet) -> dict[str, float | None]:
    """ROC-AUC and cross-entropy of `net` on whole, unchanged patches."""
    net.eval()
    scored = [
        net(scaled(torch.from_numpy(part).float() / 255))
        for part in np.array_split(patches.pixels, math.ceil(len(patches.pixels) / 64))
    ]
    net.train()
    logits = torch.cat(scored)
    loss = functional.binary_cross_entropy_with_logits(
        logits, torch.from_numpy(patches.labels).float()
    )
    probabilities = torch.sigmoid(logits).numpy()
    return {"val_loss": loss.item(), "val_roc_auc": roc_auc(patches.labels, probabilities)}


def write(log: IO[str], **values: float | int | None) -> None:
    """One line of metrics.jsonl, readable at once by whoever watches."""
    log.write(json.dumps(values) + "\n")
    log.flush()
