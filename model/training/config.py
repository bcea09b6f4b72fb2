"""Everything a training run depends on besides its patches, as a TOML file."""

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model.prediction.errors import PredictionError


class TrainingConfigInvalid(PredictionError):  # noqa: N818 -- named like the errors of prediction
    """The configuration cannot be used; reason and hint say why and what to do."""


class Strict(BaseModel):
    """A misspelt key is an error, not a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Augmentation(Strict):
    """Strengths of the random views; see augment.py. Shares are probabilities per patch."""

    flips: bool = Field(default=True, description="mirrored and turned by quarters")
    warp_share: float = Field(default=0, ge=0, le=1, description="turned and zoomed smoothly")
    warp_turn_degrees: float = Field(default=45, ge=0, le=180)
    warp_zoom: float = Field(default=0.1, ge=0, lt=0.5)
    stain: float = Field(default=0.1, ge=0, lt=1)
    hue: float = Field(default=0.05, ge=0, le=0.5, description="part of the full circle")
    saturation: float = Field(default=0.2, ge=0, lt=1)
    contrast: float = Field(default=0.2, ge=0, lt=1)
    brightness: float = Field(default=0.1, ge=0, lt=1)
    blur_share: float = Field(default=0.15, ge=0, le=1)
    blur_sigma_px: float = Field(default=1.0, ge=0, le=8)
    cutout_share: float = Field(default=0.3, ge=0, le=1)
    cutout_px: int = Field(default=32, ge=0)
    spared_px: int = Field(default=32, ge=0, description="side of the central square never cut out")


class Balancing(Strict):
    """How epochs are drawn from a manifest's training part; see model/extraction/sampling.py."""

    method: Literal["none", "oversample", "undersample", "weight"] = "none"
    hard_share: float = Field(default=0, ge=0, le=1, description="quota of hard patches")
    border_share: float = Field(default=0, ge=0, le=1, description="quota of border patches")


class StainNormalisation(Strict):
    """To which colours patches are brought before the net sees them; see stain.py."""

    method: Literal["none", "macenko", "reinhard"] = Field(
        default="none", description="the target is fitted to the training part alone"
    )


class Distillation(Strict):
    """How a net learns from others (`python -m model distill`); see distill.py."""

    hard_share: float = Field(
        default=0.2, ge=0, le=1, description="of the label in what is learnt; the rest is taught"
    )


class TrainingConfig(Strict):
    """One model. The defaults are the recipe that the shipped model starts from."""

    id: str = "lymph-node"
    version: str = "0.1.0"
    name: str = "Lymph node metastasis"
    architecture: Literal["efficientnet_lite0", "efficientnet_lite0_dense"] = Field(
        default="efficientnet_lite0", description="dense: see network_dense.py"
    )
    start: str = Field(default="imagenet", description='"imagenet", "random", or a model folder')
    freeze: Literal["nothing", "early", "body", "all_but_head"] = Field(
        default="nothing",
        description="what stays as it starts; early: the first two stages; body: all before the"
        " last stage",
    )
    seeds: tuple[int, ...] = Field(
        default=(0,), min_length=1, description="one run each; the weights are averaged"
    )
    threads: int = Field(default=1, ge=1)
    loader_processes: int = Field(default=0, ge=0, description="that read and augment patches")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto", description="auto: half the size on a GPU, float32 on the CPU"
    )
    epochs: float = Field(default=6, gt=0)
    max_steps: int | None = Field(default=None, ge=1, description="ends a run sooner than epochs")
    batch_patches: int = Field(default=48, ge=2, description="over all processes together")
    balance: Balancing = Balancing()
    stain: StainNormalisation = StainNormalisation()
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    learning_rate: float = Field(default=4e-4, gt=0)
    head_rate_factor: float = Field(default=2, gt=0, description="the new layer learns faster")
    warmup_share: float = Field(default=0.06, ge=0, lt=1)
    weight_decay: float = Field(default=0.02, ge=0, description="none on norms and biases")
    label_smoothing: float = Field(default=0.05, ge=0, lt=1)
    dropout: float = Field(default=0.3, ge=0, lt=1)
    norm_momentum: float = Field(default=0.1, gt=0, le=1)
    norm_batches: int = Field(
        default=100, ge=1, description="that measure the norms anew once weights were averaged"
    )
    gradient_clip: float = Field(default=2, gt=0)
    averaging_decay: float = Field(
        default=0.99, ge=0, lt=1, description="of the moving mean of weights; 0: no mean"
    )
    validate_every_steps: int | None = Field(
        default=None, ge=1, description="once an epoch unless given"
    )
    patience: int | None = Field(
        default=None,
        ge=1,
        description="validations without a better one before a run ends; the best weights are"
        " kept. None: no early end, and the last weights are kept",
    )
    stop_metric: Literal["val_roc_auc", "val_loss"] = "val_roc_auc"
    checkpoint_every_steps: int = Field(default=500, ge=1)
    sensitivity: float = Field(
        default=0.9, gt=0, le=1, description="at which the threshold is chosen"
    )
    log_every_steps: int = Field(default=20, ge=1)
    augmentation: Augmentation = Augmentation()
    distillation: Distillation = Distillation()


def read_config(path: Path) -> TrainingConfig:
    """The configuration in a TOML file; raise TrainingConfigInvalid naming what is wrong."""
    try:
        return TrainingConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TrainingConfigInvalid(
            f"'{path.name}' is no readable TOML file: {error}.", "See model/training/*.toml."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise TrainingConfigInvalid(
            f"'{path.name}' is wrong at {'.'.join(map(str, first['loc']))}: {first['msg']}.",
            "The fields are described in model/training/config.py.",
        ) from error
