"""The net: EfficientNet-Lite0 (Tan & Le 2019, "Lite" variant: ReLU6, no squeeze-excite), one logit.

Module order follows the data flow, so that any checkpoint listing its tensors in that order, such
as the ImageNet one, can be loaded position by position (`model/training/pretrained.py`).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.prediction.lite0 import (
    ARCHITECTURE,
    HEAD_CHANNELS,
    NORM_EPSILON,
    STAGES,
    STEM_CHANNELS,
    same_padding,
)

__all__ = [
    "ARCHITECTURE",
    "HEAD_CHANNELS",
    "STAGES",
    "ConvNorm",
    "EfficientNetLite0",
    "InvertedResidual",
    "SameConv2d",
    "fold_batch_norm",
    "same_padding",
    "use_channels_last",
]


class SameConv2d(nn.Conv2d):
    """A convolution without bias, padded by TensorFlow's "SAME" rule; square kernel and stride."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, ⌈h/stride⌉, ⌈w/stride⌉)."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        top, bottom = same_padding(x.shape[2], kernel, stride)
        left, right = same_padding(x.shape[3], kernel, stride)
        if (top, left) == (bottom, right):  # the convolution can pad by itself, without a copy
            return functional.conv2d(
                x, self.weight, self.bias, stride, (top, left), groups=self.groups
            )
        padded = functional.pad(x, (left, right, top, bottom))
        return functional.conv2d(padded, self.weight, self.bias, stride, groups=self.groups)


class ConvNorm(nn.Module):
    """Convolution, batch norm and, unless `linear`, ReLU6."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.conv = SameConv2d(inputs, outputs, kernel, stride, groups)
        self.norm: nn.Module = nn.BatchNorm2d(outputs, eps=NORM_EPSILON)
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, ⌈h/stride⌉, ⌈w/stride⌉)."""
        x = self.norm(self.conv(x))
        return x if self.linear else functional.relu6(x)


class InvertedResidual(nn.Module):
    """MobileNetV2's block: widen, filter each channel, narrow; a shortcut where shapes allow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inputs * expansion
        self.layers = nn.Sequential()
        if expansion > 1:
            self.layers.append(ConvNorm(inputs, width))
        self.layers.append(ConvNorm(width, width, kernel, stride, groups=width))
        self.layers.append(ConvNorm(width, outputs, linear=True))
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, ⌈h/stride⌉, ⌈w/stride⌉)."""
        y: Tensor = self.layers(x)
        return x + y if self.shortcut else y


class EfficientNetLite0(nn.Module):
    """The whole net: patches (n, 3, h, w), scaled as the model's transform says, to logits (n,)."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.stem = ConvNorm(3, STEM_CHANNELS, kernel=3, stride=2)
        self.blocks = nn.Sequential(*_blocks())
        self.last = ConvNorm(STAGES[-1][3], HEAD_CHANNELS)
        self.dropout = nn.Dropout(dropout)
        self.logit = nn.Linear(HEAD_CHANNELS, 1)

    def features(self, x: Tensor) -> Tensor:
        """Pooled features (n, HEAD_CHANNELS) of patches (n, 3, h, w)."""
        maps: Tensor = self.last(self.blocks(self.stem(x)))
        return maps.mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n,) of patches (n, 3, h, w)."""
        logits: Tensor = self.logit(self.dropout(self.features(x)))
        return logits[:, 0]


def _blocks() -> list[InvertedResidual]:
    blocks = []
    inputs = STEM_CHANNELS
    for kernel, first_stride, expansion, outputs, count in STAGES:
        for index in range(count):
            stride = first_stride if index == 0 else 1
            blocks.append(InvertedResidual(inputs, outputs, kernel, stride, expansion))
            inputs = outputs
    return blocks


@torch.no_grad()
def fold_batch_norm(net: nn.Module) -> None:
    """Put every batch norm of `net` into the convolution before it (same function, less work)."""
    for layer in net.modules():
        if isinstance(layer, ConvNorm) and isinstance(layer.norm, nn.BatchNorm2d):
            weight, bias = _folded(layer.conv.weight, layer.norm)
            layer.conv.weight = nn.Parameter(weight)
            layer.conv.bias = nn.Parameter(bias)
            layer.norm = nn.Identity()


def _folded(weight: Tensor, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    # In float64, so that folding costs no more accuracy than storing the result in float32 does.
    scale = norm.weight.double() / torch.sqrt(variance.double() + norm.eps)
    bias = norm.bias.double() - mean.double() * scale
    return (weight.double() * scale[:, None, None, None]).to(weight.dtype), bias.to(weight.dtype)


@torch.no_grad()
def use_channels_last(net: nn.Module) -> None:
    """Store the kernels of `net` channels last: the layout patches come in and CPUs are fast at."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)
