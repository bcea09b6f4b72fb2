"""One process or several: who we are, on which device, and what the processes do together.

`torchrun` starts the processes and tells each its place by environment variables.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

CPU = torch.device("cpu")
Picklable = TypeVar("Picklable")


@dataclass(frozen=True)
class Processes:
    """Our place among `world` processes that share the work."""

    rank: int = 0
    world: int = 1
    device: torch.device = CPU

    @property
    def first(self) -> bool:
        """Whether we are the one that writes files."""
        return self.rank == 0

    def wrap(self, net: nn.Module) -> nn.Module:
        """The net to train: with several processes, one that averages gradients over them."""
        if self.world == 1:
            return net
        share_norms(net)
        # True of depthwise kernels, whose strides can be written in two ways, and harmless.
        warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
        devices = [self.device] if self.device.type == "cuda" else None
        # Norm statistics are shared as they arise, so there is nothing to copy.
        return DistributedDataParallel(net, device_ids=devices, forward_sync_buffers=False)

    def mean(self, value: Tensor) -> float:
        """The mean of a number over all processes; all must ask."""
        if self.world > 1:
            value = value.detach().clone()
            distributed.all_reduce(value)
        return value.item() / self.world

    def gather(self, share: Tensor) -> Tensor:
        """The shares (k,) of all processes, one after another; all must ask."""
        if self.world == 1:
            return share
        shares: list[Tensor] = [share] * self.world
        distributed.all_gather_object(shares, share)
        return torch.cat(shares)

    def gather_all(self, own: Picklable) -> list[Picklable]:
        """What each process has, in order; all must ask."""
        if self.world == 1:
            return [own]
        every = [own] * self.world
        distributed.all_gather_object(every, own)
        return every

    def wait(self) -> None:
        """Until all processes are here."""
        if self.world > 1:
            distributed.barrier()


ALONE = Processes()


@contextmanager
def joined() -> Iterator[Processes]:
    """Our place among the processes torchrun started, or alone on a GPU, or alone on the CPU."""
    gpu = torch.cuda.is_available()
    if "WORLD_SIZE" not in os.environ:
        yield Processes(device=torch.device("cuda" if gpu else "cpu"))
        return
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if gpu else torch.device("cpu")
    if gpu:
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if gpu else "gloo")
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size(), device)
    finally:
        distributed.destroy_process_group()


class _Total(torch.autograd.Function):
    """The sum over all processes, which each of them has a say in: so has each in the gradient."""

    @staticmethod
    def forward(ctx: object, value: Tensor) -> Tensor:
        """The sum of every process's value."""
        value = value.clone()
        distributed.all_reduce(value)
        return value

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        """The sum of every process's gradient."""
        return _Total.forward(ctx, gradient)


def total(value: Tensor) -> Tensor:
    """The sum of `value` over all processes, differentiable; all must ask."""
    summed: Tensor = _Total.apply(value)
    return summed


class SharedNorm2d(nn.BatchNorm2d):
    """A batch norm over the batches of all processes (torch's SyncBatchNorm wants GPUs)."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, h, w) to the same shape; every process has the same n, h and w."""
        if not self.training:
            return super().forward(x)
        world = distributed.get_world_size()
        values = x.to(torch.promote_types(x.dtype, torch.float32))
        # Mean first, then spread around it: E[x²] − E[x]² would lose what is small.
        mean = total(values.mean((0, 2, 3))) / world
        centred = values - mean[:, None, None]
        variance = total(centred.square().mean((0, 2, 3))) / world
        self._remember(mean.detach(), variance.detach(), world * x.numel() // x.shape[1])
        scale = self.weight * torch.rsqrt(variance + self.eps)
        normed: Tensor = centred * scale[:, None, None] + self.bias[:, None, None]
        return normed.to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * count / (count - 1), self.momentum)


def share_norms(net: nn.Module) -> None:
    """Let every batch norm of `net` that learns take its statistics over all processes."""
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.weight.requires_grad:
            layer.__class__ = SharedNorm2d  # same parameters and buffers, another way forward
