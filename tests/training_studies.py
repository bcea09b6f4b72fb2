"""What training tests learn from: drawn slides with a manifest and a split, and toy settings."""

import json
from pathlib import Path

import numpy as np

from model.extraction.manifest import write_manifest
from model.training.config import Augmentation, TrainingConfig
from tests.manifests import metadata, slide_record, table
from tests.model_folders import draw_patches
from tests.slides import make_slide

SIDE_PX = 96
COLUMNS, ROWS = 5, 3
NO_VIEWS = dict.fromkeys(Augmentation.model_fields, 0)
TOY = {
    "start": "random",
    "batch_patches": 4,
    "averaging_decay": 0.5,
    "norm_momentum": 0.3,
    "norm_batches": 2,
    "learning_rate": 1e-3,
    "log_every_steps": 1,
}


def toy(**changes) -> TrainingConfig:
    """Settings for nets that learn a little in a few steps."""
    return TrainingConfig(**TOY | changes)


def write_config(path: Path, **changes) -> Path:
    """The same as a TOML file (JSON's values are TOML's, tables aside)."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in (TOY | changes).items()]
    path.write_text("\n".join(lines) + "\n")
    return path


def make_training_study(folder: Path, **changed) -> Path:
    """Slides a, b and c of 15 patches with split.json: a trains, b validates, c tests."""
    tables, records = [], {}
    for seed, name in enumerate("abc"):
        pixels, labels = draw_patches(COLUMNS * ROWS, SIDE_PX, seed)
        rows = pixels.reshape(ROWS, COLUMNS, SIDE_PX, SIDE_PX, 3).swapaxes(1, 2)
        whole = rows.reshape(ROWS * SIDE_PX, COLUMNS * SIDE_PX, 3)
        (folder / "slides").mkdir(parents=True, exist_ok=True)
        size_px = (COLUMNS * SIDE_PX, ROWS * SIDE_PX)
        make_slide(folder / "slides" / f"{name}.tif", size_px, level_factors=(1,), draw=whole)
        row, column = np.divmod(np.arange(COLUMNS * ROWS), COLUMNS)
        places = {"x_l0_px": column * 96.0, "y_l0_px": row * 96.0}
        steps = {"step_l0_x_px": 1.0, "step_l0_y_px": 1.0}
        tables.append(table(name, labels, **places | steps | changed))
        size = {"width_px": size_px[0], "height_px": size_px[1]}
        records[name] = slide_record(name, labels, **size)
    described = metadata(**records) | {"settings": {"seed": 3, "mpp": 0.97}}
    write_manifest(folder / "manifest.parquet", tables, described)
    (folder / "split.json").write_text(
        json.dumps({"train": ["a"], "validation": ["b"], "test": ["c"]})
    )
    return folder
