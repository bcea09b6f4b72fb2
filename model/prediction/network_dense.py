"""EfficientNet-Lite0 for slides: the first blocks without padding, and a first answer after them.

Without padding a feature depends on the pixels it sees and not on the patch they were cut out with,
so neighbouring patches, which overlap by two thirds, share it: the first blocks, most of the net's
work, are computed once for a whole region. Each cell's square of features then goes through the
rest of the net, which pads, as if it had come from a patch. Both ways give the same numbers.

A small head answers right after the first blocks (BranchyNet, Teerapittayanon et al. 2016), from
the shared features as well: cells that it is sure hold no tumour need not go through the rest.
"""

from torch import Tensor, nn
from torch.nn import functional

from model.prediction.lite0 import (
    EXIT_CHANNELS,
    EXIT_KERNELS,
    EXIT_STRIDES,
    NORM_EPSILON,
    SHARED_BLOCKS,
    SHARED_CHANNELS,
)
from model.prediction.network import EfficientNetLite0, InvertedResidual, SameConv2d


class DenseLite0(EfficientNetLite0):
    """Patches (n, 3, 96, 96), scaled as the model's transform says, to logits (n,).

    `shared` and `rest`, one after the other, are the same net; so are `shared` and `first_answer`
    the one of the first answers.
    """

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__(dropout)
        for block in (self.stem, *list(self.blocks)[:SHARED_BLOCKS]):
            remove_padding(block)
        widths = (SHARED_CHANNELS, *EXIT_CHANNELS)
        shapes = zip(widths, EXIT_CHANNELS, EXIT_KERNELS, EXIT_STRIDES, strict=False)
        self.exit = nn.Sequential(*(ExitConv(*shape) for shape in shapes))
        self.exit.append(nn.Conv2d(EXIT_CHANNELS[-1], 1, 1))

    def shared(self, x: Tensor) -> Tensor:
        """Features (n, 40, ⌊h/8⌋−4, ⌊w/8⌋−4) of regions (n, 3, h, w)."""
        maps: Tensor = self.blocks[:SHARED_BLOCKS](self.stem(x))
        return maps

    def first_answer(self, maps: Tensor) -> Tensor:
        """Logits (n, rows, columns) of the cells of features (n, 40, 4·rows + 4, 4·columns + 4)."""
        logits: Tensor = self.exit(maps)
        return logits[:, 0]

    def rest(self, squares: Tensor) -> Tensor:
        """Logits (n,) from the square (n, 40, 8, 8) of each cell's shared features."""
        maps: Tensor = self.last(self.blocks[SHARED_BLOCKS:](squares))
        logits: Tensor = self.logit(self.dropout(maps.mean((2, 3))))
        return logits[:, 0]

    def features(self, x: Tensor) -> Tensor:
        """Pooled features (n, HEAD_CHANNELS) of patches (n, 3, h, w)."""
        maps: Tensor = self.last(self.blocks[SHARED_BLOCKS:](self.shared(x)))
        return maps.mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n,) of patches (n, 3, 96, 96)."""
        return self.rest(self.shared(x))


class ExitConv(nn.Module):
    """A convolution without padding, batch norm and ReLU6."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs, eps=NORM_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, ⌊(h−kernel)/stride⌋+1, …)."""
        return functional.relu6(self.norm(self.conv(x)))


class BareConv2d(SameConv2d):
    """A convolution that adds no pixels."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, ⌊(h−kernel)/stride⌋+1, …)."""
        return functional.conv2d(x, self.weight, self.bias, self.stride, groups=self.groups)


class BareResidual(InvertedResidual):
    """An inverted residual whose shortcut drops what its convolutions do not reach."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, ⌊(h−kernel)/stride⌋+1, …)."""
        y: Tensor = self.layers(x)
        if not self.shortcut:
            return y
        rim = (x.shape[2] - y.shape[2]) // 2
        return x[:, :, rim : rim + y.shape[2], rim : rim + y.shape[3]] + y


def remove_padding(block: nn.Module) -> None:
    """Let every convolution of `block` work on what is there alone, with the same weights."""
    for layer in block.modules():
        if isinstance(layer, SameConv2d):
            layer.__class__ = BareConv2d
        elif isinstance(layer, InvertedResidual):
            layer.__class__ = BareResidual
