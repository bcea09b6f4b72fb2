"""EfficientNet-Lite0 for slides: its first blocks see what lies around a patch, instead of padding.

The plain net pads every patch with zeros, so the features of two patches differ even where they
overlap, and each must be computed by itself. Here the first blocks, most of the net's work, have no
padding. They are given the patch with the pixels around it, and their features, which lie where the
plain net's do, depend on the slide alone: neighbouring patches share them, and they are computed
once for a whole region. Each cell's square of features then goes through the rest of the net, which
pads, as if it had come from a patch. Both ways give the same numbers.

The tensors are those of the plain net: its weights can be used as they are.
"""

from torch import Tensor, nn
from torch.nn import functional

from model.prediction.lite0 import AFTER_PX, BEFORE_PX, PATCH_PX, SHARED_BLOCKS
from model.prediction.network import EfficientNetLite0, InvertedResidual, SameConv2d


class DenseLite0(EfficientNetLite0):
    """Patches (n, 3, 96, 96), scaled as the model's transform says, to logits (n,).

    A patch of which nothing more is known is surrounded by its own mirror image. One with its
    surroundings is (n, 3, 163, 163). `shared` and `rest`, one after the other, are the same net.
    """

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__(dropout)
        for block in (self.stem, *list(self.blocks)[:SHARED_BLOCKS]):
            remove_padding(block)

    def shared(self, x: Tensor) -> Tensor:
        """Features (n, 80, 2·rows + 4, 2·columns + 4) of the cells of regions (n, 3, h, w).

        A region of r × c cells has 32·(r − 1) + 163 by 32·(c − 1) + 163 pixels.
        """
        maps: Tensor = self.blocks[:SHARED_BLOCKS](self.stem(x))
        return maps

    def rest(self, squares: Tensor) -> Tensor:
        """Logits (n,) from the square (n, 80, 6, 6) of each cell's shared features."""
        logits: Tensor = self.logit(self.dropout(self._pooled(squares)))
        return logits[:, 0]

    def features(self, x: Tensor) -> Tensor:
        """Pooled features (n, HEAD_CHANNELS) of patches, with their surroundings or without."""
        return self._pooled(self.shared(with_mirror_image(x)))

    def _pooled(self, squares: Tensor) -> Tensor:
        maps: Tensor = self.last(self.blocks[SHARED_BLOCKS:](squares))
        return maps.mean((2, 3))


def with_mirror_image(x: Tensor) -> Tensor:
    """Bare patches (n, 3, 96, 96) with the surroundings that they lack; any others as they are."""
    if x.shape[2:] != (PATCH_PX, PATCH_PX):
        return x
    return functional.pad(x, (BEFORE_PX, AFTER_PX, BEFORE_PX, AFTER_PX), mode="reflect")


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
