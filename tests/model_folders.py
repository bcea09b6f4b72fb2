"""Model folders and labelled patches that tests make: random weights, drawn patches."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from model.prediction.models import SIDE_FILE
from model.prediction.network import EfficientNetLite0
from model.prediction.network_dense import DenseLite0
from model.training.config import TrainingConfig
from model.training.export import export

# These nets and patches are small: more threads would only get into each other's way.
torch.set_num_threads(1)


@torch.no_grad()
def random_net(seed: int, dense: bool = False) -> EfficientNetLite0:
    """A net with random weights, its norms fitted to patches, so that its answers differ widely."""
    torch.manual_seed(seed)
    net = DenseLite0() if dense else EfficientNetLite0()
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None  # the statistics of one batch become the stored ones
            torch.nn.init.uniform_(layer.weight, 0.5, 1.5)
            torch.nn.init.uniform_(layer.bias, -0.3, 0.7)
    torch.nn.init.normal_(net.logit.weight, std=0.1)
    patches = torch.rand(12, 3, 6, 6).repeat_interleave(16, 2).repeat_interleave(16, 3) * 2 - 1
    net(patches)
    return net.eval()


def make_model_folder(folder: Path, seed: int = 0, dense: bool = False, **side) -> Path:
    """A valid model folder with random weights; `side` replaces values of its sentinode.json."""
    folder.mkdir(parents=True)
    export(random_net(seed, dense), TrainingConfig(), "random weights", folder)
    change_side_file(folder, **side)
    return folder


def change_side_file(folder: Path, **side) -> None:
    path = folder / SIDE_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | side))


def draw_patches(n: int, side_px: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noisy pink patches (n, side, side, 3); label 1 has a dark blue centre. Labels alternate."""
    chance = np.random.default_rng(seed)
    pixels = chance.integers(150, 220, (n, side_px, side_px, 3), dtype=np.uint8)
    labels = np.arange(n) % 2
    start, end = side_px // 3, side_px - side_px // 3
    pixels[labels == 1, start:end, start:end] //= 2
    return pixels, labels


def write_patches(folder: Path, pixels: np.ndarray, labels: np.ndarray, suffix=".png") -> Path:
    for index, (patch, label) in enumerate(zip(pixels, labels, strict=True)):
        path = folder / str(label) / f"p{index:03d}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(patch).save(path, lossless=True)
    return folder
