"""The nets of network.py and network_dense.py as OpenVINO graphs, from their tensors. No torch.

Batch norms are folded into the convolutions in float64, and padding is part of the convolution:
PyTorch's own conversion would keep a pass over memory for each lopsided padding.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from openvino import Model as Graph
from openvino import Node, Type
from openvino import opset13 as ops

from model.prediction.lite0 import (
    NORM_EPSILON,
    SHARED_BLOCKS,
    SHARED_CHANNELS,
    SQUARE,
    STAGES,
    STEM_CHANNELS,
    same_padding,
)

Tensors = dict[str, NDArray[np.generic]]
Floats = NDArray[np.float32]


class Lite0Graphs:
    """Graphs that share the tensors of one net; raises KeyError where one is missing."""

    def __init__(
        self, tensors: Tensors, mean: Sequence[float], std: Sequence[float], dense: bool
    ) -> None:
        self._tensors, self._dense = tensors, dense
        self._mean, self._std = np.array(mean), np.array(std)

    def patches(self, batch: int, side_px: int) -> Graph:
        """Patches uint8 (batch, side, side, 3) to logits (batch,).

        A dense net's come with their surroundings.
        """
        pixels = ops.parameter([batch, side_px, side_px, 3], Type.u8)
        maps = self._blocks(self._first_blocks(pixels), SHARED_BLOCKS)
        return Graph([self._logit(maps)], [pixels], "patches")

    def shared(self, regions: int, height_px: int, width_px: int) -> Graph:
        """Of a dense net: regions uint8 (n, h, w, 3) to shared features (n, 80, …)."""
        pixels = ops.parameter([regions, height_px, width_px, 3], Type.u8)
        return Graph([self._first_blocks(pixels)], [pixels], "shared")

    def rest(self, batch: int) -> Graph:
        """Of a dense net: squares float32 (batch, 80, 6, 6) of shared features to logits."""
        squares = ops.parameter([batch, SHARED_CHANNELS, SQUARE, SQUARE], Type.f32)
        return Graph([self._logit(self._blocks(squares, SHARED_BLOCKS))], [squares], "rest")

    def _first_blocks(self, pixels: Node) -> Node:
        pads = not self._dense
        stem = self._norm_convolution(self._scaled(pixels), "stem", 3, 2, pads)
        return self._blocks(stem, 0, SHARED_BLOCKS, pads)

    def _scaled(self, pixels: Node) -> Node:
        x = ops.transpose(ops.convert(pixels, "f32"), np.array([0, 3, 1, 2]))
        x = ops.subtract(x, _of_channels(self._mean * 255))
        return ops.multiply(x, _of_channels(1 / (self._std * 255)))

    def _blocks(self, x: Node, first: int, last: int | None = None, pads: bool = True) -> Node:
        for index, (kernel, stride, expansion, inputs, outputs) in enumerate(_shapes()):
            if not first <= index < (len(_shapes()) if last is None else last):
                continue
            before, layer, name = x, 0, f"blocks.{index}.layers"
            if expansion > 1:
                x, layer = self._norm_convolution(x, f"{name}.0", 1, 1), 1
            x = self._norm_convolution(x, f"{name}.{layer}", kernel, stride, pads, depthwise=True)
            x = self._norm_convolution(x, f"{name}.{layer + 1}", 1, 1, linear=True)
            if stride == 1 and inputs == outputs:
                x = ops.add(x, before if pads else _without_rim(before, kernel // 2))
        return x

    def _logit(self, maps: Node) -> Node:
        x = self._norm_convolution(maps, "last", 1, 1)
        x = ops.reduce_mean(x, np.array([2, 3]))
        x = ops.matmul(x, ops.constant(self._floats("logit.weight")), False, True)
        x = ops.add(x, ops.constant(self._floats("logit.bias")))
        return ops.reshape(x, np.array([-1]), False)

    def _norm_convolution(
        self,
        x: Node,
        name: str,
        kernel: int,
        stride: int,
        pads: bool = True,
        depthwise: bool = False,
        linear: bool = False,
    ) -> Node:
        weight, bias = self._folded(name)
        sizes = list(x.get_output_shape(0))[2:]
        padding = [same_padding(size, kernel, stride) if pads else (0, 0) for size in sizes]
        convolve = _convolve_each if depthwise else _convolve
        x = ops.add(convolve(x, weight, stride, (padding[0], padding[1])), _of_channels(bias))
        return x if linear else ops.clamp(x, 0.0, 6.0)

    def _folded(self, name: str) -> tuple[Floats, Floats]:
        """Kernel and bias of a convolution with the batch norm after it."""
        weight = self._tensors[f"{name}.conv.weight"].astype(np.float64)
        gamma, beta, mean, variance = (
            self._tensors[f"{name}.norm.{part}"].astype(np.float32).astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / np.sqrt(variance + NORM_EPSILON)
        weight, bias = weight * scale[:, None, None, None], beta - mean * scale
        return weight.astype(np.float32), bias.astype(np.float32)

    def _floats(self, name: str) -> Floats:
        return self._tensors[name].astype(np.float32)


def _shapes() -> list[tuple[int, int, int, int, int]]:
    """Kernel, stride, expansion, input and output channels of each block."""
    shapes, inputs = [], STEM_CHANNELS
    for kernel, first_stride, expansion, outputs, count in STAGES:
        for index in range(count):
            shapes.append((kernel, 1 if index else first_stride, expansion, inputs, outputs))
            inputs = outputs
    return shapes


def _of_channels(values: NDArray[np.floating]) -> Node:
    return ops.constant(values.astype(np.float32).reshape(1, -1, 1, 1))


Padding = tuple[tuple[int, int], tuple[int, int]]  # before and after, along height and width


def _convolve(x: Node, weight: Floats, stride: int, padding: Padding) -> Node:
    (top, bottom), (left, right) = padding
    return ops.convolution(
        x, ops.constant(weight), [stride, stride], [top, left], [bottom, right], [1, 1]
    )


def _convolve_each(x: Node, weight: Floats, stride: int, padding: Padding) -> Node:
    """Each channel (of `weight` (channels, 1, k, k)) by itself."""
    (top, bottom), (left, right) = padding
    kernels = ops.constant(weight[:, :, None])
    return ops.group_convolution(x, kernels, [stride, stride], [top, left], [bottom, right], [1, 1])


def _without_rim(x: Node, rim: int) -> Node:
    if not rim:
        return x
    height, width = list(x.get_output_shape(0))[2:]
    inner = np.array([rim, rim]), np.array([height - rim, width - rim])
    return ops.slice(x, inner[0], inner[1], np.array([1, 1]), np.array([2, 3]))
