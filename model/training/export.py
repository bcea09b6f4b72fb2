"""Write a trained net as a model folder, as docs/model.md describes it."""

import json
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from model.prediction.lite0 import ARCHITECTURE, DENSE_ARCHITECTURE
from model.prediction.models import CONFIG_FILE, SIDE_FILE, WEIGHTS_FILE, sha256_of
from model.prediction.network import EfficientNetLite0
from model.prediction.network_dense import DenseLite0
from model.prediction.stain import Stain
from model.training.config import TrainingConfig
from model.training.patches import MEAN, PATCH_SIDE_PX, STD

CELL_SIDE_PX = 32
SPACING_UM_PX = 0.97
# A cell with less tissue than this is glass but for a rim; low, so that small islands are scored.
MIN_TISSUE_SHARE = 0.05


def export(
    net: EfficientNetLite0,
    config: TrainingConfig,
    summary: str,
    out: Path,
    stain: Stain | None = None,
) -> None:
    """Write weights, config.json and sentinode.json to the folder `out`.

    The threshold is 0.5 until `set_threshold`; `summary` says what the net was trained on, `stain`
    in which colours.
    """
    save_file(
        {name: _stored(value) for name, value in net.state_dict().items()}, out / WEIGHTS_FILE
    )
    side = {
        "id": config.id,
        "version": config.version,
        "name": config.name,
        "cell_size_px": CELL_SIDE_PX,
        "threshold": 0.5,
        "temperature": None,
        "calibrated": False,
        "min_tissue_share": MIN_TISSUE_SHARE,
        "weights_sha256": sha256_of(out / WEIGHTS_FILE),
        "training_summary": summary,
    }
    if stain is not None:
        side["stain"] = asdict(stain)
    _write(out / CONFIG_FILE, wsinfer_config(architecture_of(net)))
    _write(out / SIDE_FILE, side)


def set_threshold(folder: Path, threshold: float) -> None:
    """Put the operating threshold of the model in `folder`."""
    side = json.loads((folder / SIDE_FILE).read_text(encoding="utf-8"))
    # Rounded down: a patch at the threshold must still be called tumour.
    _write(folder / SIDE_FILE, side | {"threshold": int(threshold * 1e4) / 1e4})


def architecture_of(net: EfficientNetLite0) -> str:
    """Its name in config.json."""
    return DENSE_ARCHITECTURE if isinstance(net, DenseLite0) else ARCHITECTURE


def wsinfer_config(architecture: str = ARCHITECTURE) -> dict[str, object]:
    """The net in WSInfer's model schema, version 1.0."""
    return {
        "spec_version": "1.0",
        "architecture": architecture,
        "num_classes": 1,
        "class_names": ["Tumor"],
        "patch_size_pixels": PATCH_SIDE_PX,
        "spacing_um_px": SPACING_UM_PX,
        "transform": [
            {"name": "ToTensor"},
            {"name": "Normalize", "arguments": {"mean": [MEAN] * 3, "std": [STD] * 3}},
        ],
    }


def _stored(value: Tensor) -> Tensor:
    """Kernels in half the size, norms in full (variances may leave float16's range).

    Contiguous, so that the file does not depend on the layout in memory.
    """
    return (value.half() if value.ndim > 1 else value).contiguous()


def _write(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
