"""TIAToolbox's patch predictor over one slide; runs in its environment, without any of Sentinode.

    python dense_peer_app.py SCRIPT SLIDE OUT MPP PATCH_PX BATCH WORKERS MEAN STD

SCRIPT is a net as TorchScript that gives a logit for each patch; MEAN and STD are three numbers
each, with commas. Patches do not overlap, and tissue is found, as TIAToolbox has it by default.
"""

import sys

import numpy as np
import torch
from numpy.typing import NDArray
from tiatoolbox.models.engine.patch_predictor import PatchPredictor
from tiatoolbox.models.models_abc import ModelABC

Rows = NDArray[np.float32]


class Net(ModelABC):  # type: ignore[misc] # TIAToolbox is in the peers' environment only
    """The net behind TIAToolbox's interface."""

    def __init__(self, script: str, mean: list[float], std: list[float]) -> None:
        super().__init__()
        loaded: torch.nn.Module = torch.jit.load(script, map_location="cpu")  # type: ignore[no-untyped-call] # PyTorch has no types here
        self.script = loaded.eval()
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1) * 255)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1) * 255)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Logits (n, 1) of patches (n, 3, h, w), 0–255."""
        logits: torch.Tensor = self.script((patches - self.mean) / self.std)
        return logits

    @staticmethod
    def infer_batch(model: "Net", batch_data: torch.Tensor, *, device: str) -> Rows:
        """Probabilities (n, 2) of normal and tumour, as its own classifiers give them."""
        with torch.inference_mode():
            patches = batch_data.to(device).permute(0, 3, 1, 2).float().contiguous()
            tumour = torch.sigmoid(model(patches))
        rows: Rows = torch.cat([1 - tumour, tumour], 1).cpu().numpy()
        return rows

    @staticmethod
    def postproc(image: Rows) -> NDArray[np.int64]:
        """The class of each patch, from probabilities (n, 2)."""
        classes: NDArray[np.int64] = np.argmax(image, axis=-1)
        return classes


def main() -> None:
    """Run it as its documentation does, the result as Zarr."""
    script, slide, out, mpp, patch_px, batch, workers, mean, std = sys.argv[1:]
    net = Net(script, [float(x) for x in mean.split(",")], [float(x) for x in std.split(",")])
    predictor = PatchPredictor(model=net, batch_size=int(batch), num_workers=int(workers))
    predictor.run(
        [slide],
        patch_mode=False,
        input_resolutions=[{"units": "mpp", "resolution": float(mpp)}],
        patch_input_shape=(int(patch_px), int(patch_px)),
        save_dir=out,
        output_type="zarr",
        return_probabilities=True,
    )


if __name__ == "__main__":
    main()
