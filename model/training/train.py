"""The training loop. Same seed, patches and configuration: the same net, also after a kill."""

import copy
import math
import time

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.evaluation.metrics import roc_auc
from model.prediction.network import EfficientNetLite0
from model.training.batches import Batches, seed_of
from model.training.checkpoint import Checkpoint, State
from model.training.config import TrainingConfig
from model.training.log import Log
from model.training.patches import Source, scaled
from model.training.processes import ALONE, Processes
from model.training.start import start_net

READ_AT_ONCE = 256  # patches, when validating


def train(
    config: TrainingConfig,
    seed: int,
    patches: Source,
    validation: Source | None,
    log: Log,
    checkpoint: Checkpoint = Checkpoint(None),  # noqa: B008 -- frozen
    processes: Processes = ALONE,
) -> EfficientNetLite0:
    """A trained net. Goes on from `checkpoint` if there is one; tells `log` of steps as it goes."""
    batches = Batches(patches, config, seed, processes)
    steps = step_count(config, batches.steps_per_epoch)
    validate_every = config.validate_every_steps or batches.steps_per_epoch
    state = begin(config, seed, processes)
    checkpoint.restore(state)
    if state.finished:
        return state.average
    net = processes.wrap(state.net)
    started = time.monotonic() - state.seconds
    weights = torch.tensor(patches.class_weights)

    for views, targets in batches.load(range(state.step, steps)):
        if out_of_patience(state, config):
            break
        torch.manual_seed(seed_of(seed, state.step, processes.rank))  # of dropout
        set_rates(state.optimizer, config, state.step / steps)
        with half_precision(config, processes.device):
            loss = step_loss(net, views, targets, weights, config, processes.device)
        descend(state, loss, config)
        # The mean starts short, so that the first steps' weights are soon forgotten.
        step = state.step
        follow(state.average, state.net, min(config.averaging_decay, (1 + step) / (10 + step)))
        state.step += 1
        state.seconds = time.monotonic() - started

        last = state.step == steps
        if state.step % config.log_every_steps == 0 or last:
            figures = {"loss": processes.mean(loss), "seconds": round(state.seconds, 1)}
            log.write(seed, state.step, steps=steps, **figures)
        validates = state.step % validate_every == 0 or last
        if validation and validates:
            scores = validate(state.average, validation, processes)
            log.write(seed, state.step, **scores)
            remember_best(state, scores, config)
        if validates or state.step % config.checkpoint_every_steps == 0:
            checkpoint.save(state, log.bytes)

    finish(state, config)
    checkpoint.save(state, log.bytes)
    return state.average


def begin(config: TrainingConfig, seed: int, processes: Processes) -> State:
    """The state before the first step."""
    torch.manual_seed(seed)  # of random start weights
    net = start_net(config).to(processes.device)
    scales = half_type(config, processes.device) is torch.float16
    scaler = torch.amp.GradScaler(processes.device.type, enabled=scales)
    return State(net, copy.deepcopy(net).eval(), make_optimizer(net, config), scaler)


def step_count(config: TrainingConfig, steps_per_epoch: int) -> int:
    """Steps of the whole run."""
    steps = max(1, round(config.epochs * steps_per_epoch))
    return min(steps, config.max_steps or steps)


def make_optimizer(net: EfficientNetLite0, config: TrainingConfig) -> torch.optim.AdamW:
    """AdamW: no decay on norms and biases, a higher rate for the new last layer."""
    head = set(net.logit.parameters())
    body = [p for p in net.parameters() if p.requires_grad and p not in head]
    groups = [
        {"params": [p for p in body if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in body if p.ndim <= 1], "weight_decay": 0.0},
        {"params": list(head), "weight_decay": 0.0, "factor": config.head_rate_factor},
    ]
    filled = [{"factor": 1.0} | group for group in groups if group["params"]]
    return torch.optim.AdamW(filled, lr=config.learning_rate)


def set_rates(optimizer: torch.optim.Optimizer, config: TrainingConfig, progress: float) -> None:
    """Linear warm-up, then the schedule; progress runs from 0 to 1."""
    if progress < config.warmup_share:
        share = (progress + 1e-3) / (config.warmup_share + 1e-3)
    elif config.schedule == "cosine":
        share = (1 + math.cos(math.pi * progress)) / 2
    else:
        share = 1 - progress if config.schedule == "linear" else 1.0
    for group in optimizer.param_groups:
        group["lr"] = config.learning_rate * share * group["factor"]


def half_type(config: TrainingConfig, device: torch.device) -> torch.dtype:
    """The type that convolutions compute in."""
    if config.precision != "auto":
        types = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
        return types[config.precision]
    if device.type != "cuda":
        return torch.float32  # halves were slower on the CPU (docs/model.md)
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def half_precision(config: TrainingConfig, device: torch.device) -> torch.autocast:
    """Within it, what may be computed in half precision is, if the settings say so."""
    kind = half_type(config, device)
    return torch.autocast(device.type, kind, enabled=kind is not torch.float32)


def step_loss(
    net: nn.Module,
    views: Tensor,
    targets: Tensor,
    weights: Tensor,
    config: TrainingConfig,
    device: torch.device,
) -> Tensor:
    """Cross-entropy of views (n, h, w, 3) in 0–1 against softened targets (n,), by class weight."""
    softened = targets * (1 - config.label_smoothing) + config.label_smoothing / 2
    logits = net(scaled(views.to(device, non_blocking=True)))
    return functional.binary_cross_entropy_with_logits(
        logits.float(), softened.to(device), weights[targets.round().long()].to(device)
    )


def descend(state: State, loss: Tensor, config: TrainingConfig) -> None:
    """One step of the optimizer down the loss."""
    state.optimizer.zero_grad()
    state.scaler.scale(loss).backward()
    state.scaler.unscale_(state.optimizer)
    nn.utils.clip_grad_norm_(state.net.parameters(), config.gradient_clip)
    state.scaler.step(state.optimizer)
    state.scaler.update()


@torch.no_grad()
def follow(average: nn.Module, net: nn.Module, decay: float) -> None:
    """Move the moving mean of weights and norm statistics a little towards `net`."""
    current = net.state_dict()
    for name, mean in average.state_dict().items():
        if mean.is_floating_point():
            mean.lerp_(current[name], 1 - decay)


@torch.no_grad()
def validate(
    net: EfficientNetLite0, patches: Source, processes: Processes = ALONE
) -> dict[str, float | None]:
    """ROC-AUC and cross-entropy of `net` (in evaluation mode) on whole, unchanged patches."""
    own = patches.items[processes.rank :: processes.world]
    logits, labels = [torch.empty(0)], [torch.empty(0, dtype=torch.int64)]
    for items in np.array_split(own, math.ceil(len(own) / READ_AT_ONCE) or 1):
        pixels = torch.from_numpy(patches.pixels(items))
        for part in pixels.split(64):
            logits.append(net(scaled(part.float().to(processes.device) / 255)).float().cpu())
        labels.append(torch.from_numpy(patches.labels(items)))
    every, truth = processes.gather(torch.cat(logits)), processes.gather(torch.cat(labels))
    loss = functional.binary_cross_entropy_with_logits(every, truth.float())
    auc = roc_auc(truth.numpy(), torch.sigmoid(every).numpy())
    return {"val_loss": loss.item(), "val_roc_auc": auc}


def remember_best(state: State, scores: dict[str, float | None], config: TrainingConfig) -> None:
    """Keep the weights if they are the best so far, else count; only if a run may end early."""
    score = scores[config.stop_metric]
    if config.patience is None or score is None:
        return
    gain = -score if config.stop_metric == "val_loss" else score
    state.stale += 1
    if state.best_score is None or gain > state.best_score:
        state.best_score, state.stale = gain, 0
        state.best = {name: value.clone() for name, value in state.average.state_dict().items()}


def out_of_patience(state: State, config: TrainingConfig) -> bool:
    """Whether too many validations in a row brought nothing better."""
    return config.patience is not None and state.stale >= config.patience


def finish(state: State, config: TrainingConfig) -> None:
    """The net that the run gives is in `state.average`."""
    if state.best is not None:
        state.average.load_state_dict(state.best)
    state.best, state.finished = None, True
