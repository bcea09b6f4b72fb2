"""Where labelled patches come from: a source in memory, or one that reads slides as it goes.

A source numbers its patches (`items`), draws epochs of them, and gives pixels and labels when they
are wanted. The loop knows nothing else of them.
"""

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from model.evaluation.patches import PatchesInvalid, PatchFolder
from model.extraction.manifest import Manifest
from model.extraction.patch_reader import PatchReader
from model.extraction.sampling import Balance, class_weights, draw_epoch
from model.extraction.splits import Part, Split, rows_of
from model.extraction.stains import SlideStains, stains_of
from model.prediction.models import sha256_of
from model.prediction.stain import Stain, each_normalised

PATCH_SIDE_PX = 96
# What the ImageNet start weights were trained with: (x − 127) / 128 for x in 0–255.
MEAN, STD = 127 / 255, 128 / 255

Items = NDArray[np.intp]
Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]
Targets = NDArray[np.float32]


class Source(Protocol):
    """Labelled patches of one size. May be sent to other processes."""

    @property
    def items(self) -> Items:
        """Every patch once, (n,)."""

    @property
    def class_weights(self) -> tuple[float, float]:
        """What a patch of label 0 and of label 1 counts in the loss."""

    def fingerprint(self) -> str:
        """Another one means other patches."""

    def epoch(self, seed: int, epoch: int) -> Items:
        """The patches of an epoch in random order; the same for the same seed and epoch."""

    def labels(self, items: Items) -> Labels:
        """Labels (k,) of the patches."""

    def targets(self, items: Items) -> Targets:
        """The probability (k,) that a net should learn to give each patch: its label, or softer."""

    def pixels(self, items: Items) -> Pixels:
        """Colours (k, side, side, 3) of the patches."""

    def slide_stains(self, target: Stain, share: slice) -> dict[str, Stain | None]:
        """The stain of a share of the slides, by name; none where no slides are known."""

    def normalised(self, stains: SlideStains) -> "Source":
        """The same patches in the target's colours."""


@dataclass(frozen=True)
class PatchSet:
    """Patches in memory: uint8 (n, side, side, 3) with labels (n,)."""

    all_pixels: Pixels
    all_labels: Labels
    class_weights: tuple[float, float] = (1.0, 1.0)
    all_targets: Targets | None = None  # probabilities (n,) to learn instead of the labels

    @property
    def items(self) -> Items:
        """Every patch once."""
        return np.arange(len(self.all_labels))

    def fingerprint(self) -> str:
        """A hash of pixels and labels."""
        labels = self.all_labels.astype(np.int64).tobytes()
        digest = sha256(np.ascontiguousarray(self.all_pixels).data)
        digest.update(labels)
        if self.all_targets is not None:
            digest.update(self.all_targets.tobytes())
        return digest.hexdigest()

    def epoch(self, seed: int, epoch: int) -> Items:
        """Every patch once, in random order."""
        return np.random.default_rng([seed, epoch]).permutation(self.items)

    def labels(self, items: Items) -> Labels:
        """Labels (k,)."""
        return self.all_labels[items]

    def targets(self, items: Items) -> Targets:
        """What a teacher said of the patches (k,), else their labels."""
        if self.all_targets is None:
            return self.all_labels[items].astype(np.float32)
        return self.all_targets[items]

    def some(self, chosen: NDArray[np.bool_]) -> "PatchSet":
        """The chosen (n,) of these patches."""
        targets = None if self.all_targets is None else self.all_targets[chosen]
        return replace(
            self,
            all_pixels=self.all_pixels[chosen],
            all_labels=self.all_labels[chosen],
            all_targets=targets,
        )

    def pixels(self, items: Items) -> Pixels:
        """Colours (k, side, side, 3)."""
        return self.all_pixels[items]

    def slide_stains(self, target: Stain, share: slice) -> dict[str, Stain | None]:
        """None: which patches share a slide is not known."""
        return {}

    def normalised(self, stains: SlideStains) -> "PatchSet":
        """The same patches, each brought to the target by its own pixels."""
        return replace(self, all_pixels=each_normalised(self.all_pixels, stains.target))


class ManifestPatches:
    """One part of a manifest. The training part is balanced, the others are taken as they are."""

    def __init__(
        self, manifest: Manifest, split: Split, part: Part, reader: PatchReader, balance: Balance
    ) -> None:
        self.items: Items = rows_of(manifest, split, part)
        self._manifest, self._split, self._balance = manifest, split, balance
        self._reader = reader
        self._labels = manifest.column("label").astype(np.int64)
        weighted = part == "train" and balance.method == "weight"
        own = manifest.column("label")[self.items]
        self.class_weights = class_weights(own) if weighted else (1.0, 1.0)

    def fingerprint(self) -> str:
        """A hash of the manifest's file and of the rows of this part."""
        return sha256(sha256_of(self._manifest.path).encode() + self.items.tobytes()).hexdigest()

    def epoch(self, seed: int, epoch: int) -> Items:
        """Rows of the training part as the balance draws them, whichever part this is."""
        return draw_epoch(self._manifest, self._split, self._balance, seed, epoch)

    def labels(self, items: Items) -> Labels:
        """Labels (k,)."""
        return self._labels[items]

    def targets(self, items: Items) -> Targets:
        """Labels (k,): nothing softer is known of them."""
        return self._labels[items].astype(np.float32)

    def pixels(self, items: Items) -> Pixels:
        """Colours (k, side, side, 3) from packs or slides; raises SlideUnreadable."""
        return self._reader.read(items)

    def slide_stains(self, target: Stain, share: slice) -> dict[str, Stain | None]:
        """The stain of a share of this part's slides; raises SlideUnreadable."""
        return stains_of(self._manifest, self.items, self._reader.slides, target, share)

    def normalised(self, stains: SlideStains) -> Self:
        """This part, read in the target's colours from now on."""
        self._reader.stains = stains
        return self


def read_patches(path: Path) -> PatchSet:
    """All labelled patches of a folder or zip; raises PatchesInvalid unless both labels occur."""
    return read_named_patches(path)[0]


def read_named_patches(path: Path) -> tuple[PatchSet, list[str]]:
    """The same with the patches' names, which are their ids in a manifest."""
    with PatchFolder(path) as folder:
        pixels = np.concatenate(list(folder.batches(PATCH_SIDE_PX, 256)))
        labels, names = folder.labels, [patch.name for patch in folder.patches]
    if labels.min() == labels.max():
        raise PatchesInvalid(
            f"All patches of '{path.name}' have the label {labels[0]}.",
            "Training and validation need normal (0) and tumour (1) patches.",
        )
    return PatchSet(pixels, labels), names


def scaled(views: Tensor) -> Tensor:
    """The net's input (n, 3, h, w) from views (n, h, w, 3) in 0–1."""
    return ((views - MEAN) / STD).permute(0, 3, 1, 2)
