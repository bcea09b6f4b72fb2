"""The net before the first step: where its weights come from, and which of them will learn."""

from pathlib import Path

from torch import nn

from model.prediction.engine_torch import load_network
from model.prediction.lite0 import DENSE_ARCHITECTURE
from model.prediction.models import load_model
from model.prediction.network import STAGES, EfficientNetLite0, use_channels_last
from model.prediction.network_dense import DenseLite0
from model.training.config import TrainingConfig
from model.training.pretrained import load_imagenet

LAST_STAGE_BLOCKS = STAGES[-1][-1]
EARLY_BLOCKS = sum(stage[-1] for stage in STAGES[:2])


def start_net(config: TrainingConfig) -> EfficientNetLite0:
    """The net that a run begins with; raises ModelInvalid for start weights nobody can use."""
    dense = config.architecture == DENSE_ARCHITECTURE
    net = DenseLite0(config.dropout) if dense else EfficientNetLite0(config.dropout)
    if config.start in ("imagenet", "random"):
        if config.start == "imagenet":
            load_imagenet(net)
        # Zero rather than random: runs of different seeds start from one point, so their weights
        # can be averaged.
        nn.init.zeros_(net.logit.weight)
        nn.init.zeros_(net.logit.bias)
    else:
        net.load_state_dict(load_network(load_model(Path(config.start))).state_dict())
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = config.norm_momentum
    for layer in frozen_layers(net, config):
        layer.requires_grad_(False)
    use_channels_last(net)
    return learning_mode(net, config)


def learning_mode(net: EfficientNetLite0, config: TrainingConfig) -> EfficientNetLite0:
    """The net ready to learn: what is frozen keeps its norms' statistics, too."""
    net.train()
    for layer in frozen_layers(net, config):
        layer.eval()
    return net


def frozen_layers(net: EfficientNetLite0, config: TrainingConfig) -> list[nn.Module]:
    """What stays as it starts."""
    body: list[nn.Module] = [net.stem, *list(net.blocks)[:-LAST_STAGE_BLOCKS]]
    early: list[nn.Module] = [net.stem, *list(net.blocks)[:EARLY_BLOCKS]]
    last: list[nn.Module] = [*list(net.blocks)[-LAST_STAGE_BLOCKS:], net.last]
    return {"nothing": [], "early": early, "body": body, "all_but_head": body + last}[config.freeze]
