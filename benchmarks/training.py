"""Training and scoring against the plain way: read_region for each patch, then an eager fp32 net.

    python -m benchmarks.training STUDY [ROUNDS]

STUDY as for benchmarks.extraction. Plain training reads every patch from its slide and runs
PyTorch as it comes (float32, channels first); ours reads packed pixels and runs channels last.
Plain scoring runs the net as it was trained; ours is the viewer's engine (norms folded). All on one
thread. Prints ratios of CPU time taken in one run, in turns; more than 1 means faster.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from benchmarks.extraction import plain_pixels
from benchmarks.ratios import compare
from model.extraction.extract import ExtractSettings, extract, merge
from model.extraction.manifest import read_manifest
from model.extraction.patch_reader import PatchReader
from model.extraction.study import open_study
from model.prediction.engine import Engine
from model.prediction.engine_torch import load_network, scale_patches
from model.prediction.models import default_model
from model.prediction.network import use_channels_last

BATCH_PATCHES = 48  # the default recipe's
Pixels = NDArray[np.uint8]


def main(folder: Path, rounds: int = 5) -> None:
    """Compare training and scoring."""
    torch.set_num_threads(1)
    with TemporaryDirectory() as temporary:
        study, settings = open_study(folder), ExtractSettings()
        done = extract(study, Path(temporary), settings, lambda name, count: lambda n: None)
        manifest = read_manifest(merge(study, Path(temporary), settings, done))
        files, packs = manifest.slide_files(folder), Path(temporary) / "pixels"
        PatchReader(manifest, files).pack(packs)
        packed = PatchReader(manifest, files, packs)
        # As an epoch draws them: from all slides, in no order
        rows = np.random.default_rng(0).permutation(len(manifest))[:BATCH_PATCHES]
        print(f"batches of {BATCH_PATCHES} patches, {rounds} rounds")
        plain = training_step(lambda: plain_pixels(study, manifest, rows), channels_last=False)
        ours = training_step(lambda: packed.read(rows), channels_last=True)
        training = compare(plain, ours, rounds)
        print(f"training: {training.said(BATCH_PATCHES, 'images')}")
        pixels = packed.read(rows)
        scoring = compare(plain_scoring(pixels), engine_scoring(pixels), rounds)
        print(f"scoring: {scoring.said(BATCH_PATCHES, 'patches')}")


def training_step(read: Callable[[], Pixels], channels_last: bool) -> Callable[[], None]:
    """What reads a batch and takes one step of AdamW on it, once for warming up."""
    model = default_model()
    net = load_network(model).train()
    if channels_last:
        use_channels_last(net)
    optimizer = torch.optim.AdamW(net.parameters())
    labels = torch.arange(BATCH_PATCHES).remainder(2).float()

    def step() -> None:
        views = scale_patches(read(), model)
        logits = net(views if channels_last else views.contiguous())
        optimizer.zero_grad()
        torch.autograd.backward(functional.binary_cross_entropy_with_logits(logits, labels))
        optimizer.step()

    step()
    return step


def plain_scoring(pixels: Pixels) -> Callable[[], None]:
    """The net as it was trained, on one batch."""
    model = default_model()
    net = load_network(model)

    @torch.no_grad()
    def score() -> None:
        torch.sigmoid(net(scale_patches(pixels, model).contiguous())).numpy()

    score()
    return score


def engine_scoring(pixels: Pixels) -> Callable[[], object]:
    """The viewer's engine, on one batch."""
    engine = Engine(default_model())
    engine.probabilities(pixels)
    return lambda: engine.probabilities(pixels)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
