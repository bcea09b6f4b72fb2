"""One net from several runs: the mean of their weights ("model soup", Wortsman et al. 2022).

It works because the runs start from the same weights and so end in one valley of the loss.
"""

import copy
from collections.abc import Sequence

import torch
from torch import nn

from model.prediction.network import EfficientNetLite0
from model.training.batches import Batches
from model.training.config import TrainingConfig
from model.training.patches import Source, scaled


@torch.no_grad()
def average_nets(
    nets: Sequence[EfficientNetLite0], patches: Source, config: TrainingConfig
) -> EfficientNetLite0:
    """The net with the mean weights, its norm statistics measured anew on `patches`."""
    mean = copy.deepcopy(nets[0])
    states = [net.state_dict() for net in nets]
    for name, value in mean.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.stack([state[name] for state in states]).mean(0))
    measure_norms(mean, patches, config)
    return mean.eval()


@torch.no_grad()
def measure_norms(net: EfficientNetLite0, patches: Source, config: TrainingConfig) -> None:
    """Set the norms' statistics to those of views of the patches.

    The mean of several nets' statistics is not that of the mean net's activations.
    """
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None  # a plain mean over all batches
    net.train()
    device = next(net.parameters()).device
    for views, _ in Batches(patches, config, config.seeds[0]).load(range(config.norm_batches)):
        net(scaled(views.to(device)))
    net.eval()
