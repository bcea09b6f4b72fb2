"""Batches by step number. All chance of a step comes from (seed, step, rank): nothing to restore.

A run that goes on from a checkpoint, or reads with helper processes, so sees the very batches and
views of one that never stopped.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from model.training.augment import augment
from model.training.config import TrainingConfig
from model.training.patches import Items, Source
from model.training.processes import ALONE, Processes


class Batches(Dataset[tuple[Tensor, Tensor]]):
    """Views (n, h, w, 3) in 0–1 and targets (n,) of this process's share of the batch of a step."""

    def __init__(
        self, source: Source, config: TrainingConfig, seed: int, processes: Processes = ALONE
    ) -> None:
        self._source, self._config, self._seed = source, config, seed
        self._rank, self._world = processes.rank, processes.world
        self._on_gpu = processes.device.type == "cuda"
        self._epoch, self._order = 0, source.epoch(seed, 0)
        self.steps_per_epoch = len(self._order) // config.batch_patches  # the rest is dropped

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        """The batch of that step, counted from 0."""
        items = self.items(step)[self._rank :: self._world]
        chance = torch.Generator().manual_seed(seed_of(self._seed, step, self._rank))
        pixels = torch.from_numpy(self._source.pixels(items))
        views = augment(pixels, self._config.augmentation, chance)
        return views, torch.from_numpy(self._source.targets(items))

    def items(self, step: int) -> Items:
        """The patches of that step, of all processes."""
        epoch, batch = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._source.epoch(self._seed, epoch)
        start = batch * self._config.batch_patches
        return self._order[start : start + self._config.batch_patches]

    def load(self, steps: range) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of `steps`, prepared ahead by helper processes if the settings say so."""
        count = self._config.loader_processes
        # Spawned: a forked helper would inherit torch's threads and gloo's sockets half dead.
        context = "spawn" if count else None
        return iter(
            DataLoader(
                self,
                batch_size=None,
                sampler=steps,
                num_workers=count,
                multiprocessing_context=context,
                pin_memory=self._on_gpu,  # copied to the GPU while it computes
            )
        )


def seed_of(*numbers: int) -> int:
    """One well-mixed seed for torch (63 bits) from several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)
