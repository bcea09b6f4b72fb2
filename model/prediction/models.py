"""Model folders: what a model is, where it lies, and whether it can be trusted. Needs no torch.

A folder holds `config.json` (WSInfer's model schema), `sentinode.json` (what Sentinode needs
besides), `model.safetensors` (weights; never pickled code) and `README.md` (the model card).
WSInfer's own folders hold `torchscript_model.pt` instead, a program: it runs only where the side
file names its hash.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from model.prediction.colour_range import ColourRange
from model.prediction.errors import ModelInvalid
from model.prediction.lite0 import AFTER_PX, BEFORE_PX, CELL_PX, DENSE_ARCHITECTURE, PATCH_PX
from model.prediction.stain import Stain

SHIPPED_MODELS = Path(__file__).resolve().parent.parent / "shipped"
DEFAULT_MODEL = SHIPPED_MODELS / "lymph-node"
CONFIG_FILE, SIDE_FILE, WEIGHTS_FILE = "config.json", "sentinode.json", "model.safetensors"
SCRIPT_FILE = "torchscript_model.pt"

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Rgb = tuple[float, float, float]
Schema = TypeVar("Schema", bound=BaseModel)


@dataclass(frozen=True)
class Model:
    """A model ready to be loaded: one probability for the central cell of each patch."""

    id: str
    version: str
    name: str
    folder: Path
    architecture: str
    spacing_um_px: float
    patch_size_px: int
    cell_size_px: int
    mean: Rgb  # of the transform, in the 0–1 range of its ToTensor
    std: Rgb
    threshold: float
    temperature: float | None
    calibrated: bool
    min_tissue_share: float
    weights_sha256: str
    training_summary: str
    weights_file: str = WEIGHTS_FILE
    resized_px: int | None = None  # side to which patches are resized before the net sees them
    classes: int = 1  # one logit by the sigmoid, more by the softmax
    tumour_index: int = 0  # among the classes
    stain: Stain | None = None  # the colours patches are brought to before the net sees them
    colours: ColourRange | None = None  # of its training slides

    @property
    def weights_path(self) -> Path:
        """Where the weights lie."""
        return self.folder / self.weights_file

    @property
    def dense(self) -> bool:
        """Whether neighbouring patches share the first blocks' work (network_dense.py)."""
        return self.architecture == DENSE_ARCHITECTURE

    @property
    def surroundings_px(self) -> tuple[int, int]:
        """How far the net sees beyond a patch: to the left and up, to the right and down."""
        return (BEFORE_PX, AFTER_PX) if self.dense else (0, 0)

    @property
    def seen_px(self) -> int:
        """Side of what the net sees of a patch: the patch and its surroundings."""
        return self.patch_size_px + sum(self.surroundings_px)

    @property
    def scripted(self) -> bool:
        """Whether the weights are a TorchScript program."""
        return self.weights_file == SCRIPT_FILE


class _ResizeArguments(BaseModel):
    model_config = ConfigDict(extra="forbid")  # another interpolation would be another net

    size: int = Field(gt=0)


class _Resize(BaseModel):
    name: Literal["Resize"]
    arguments: _ResizeArguments


class _ToTensor(BaseModel):
    name: Literal["ToTensor"]


class _NormalizeArguments(BaseModel):
    mean: Rgb
    std: tuple[Positive, Positive, Positive]


class _Normalize(BaseModel):
    name: Literal["Normalize"]
    arguments: _NormalizeArguments


class _AnyConfig(BaseModel):
    """The part of WSInfer's model schema that Sentinode can carry out."""

    spec_version: Literal["1.0"]
    architecture: str
    num_classes: int = Field(gt=0)
    class_names: tuple[str, ...]
    patch_size_pixels: int = Field(gt=0)
    spacing_um_px: Positive
    transform: tuple[_ToTensor | _Normalize | _Resize, ...]


class _Config(_AnyConfig):
    """A net of our own code, which safetensors fill."""

    architecture: Literal["efficientnet_lite0", "efficientnet_lite0_dense"]
    num_classes: Literal[1]
    class_names: tuple[str]
    transform: tuple[_ToTensor, _Normalize]


class _ScriptConfig(_AnyConfig):
    """A TorchScript program brings its own net; patches may be resized for it."""

    transform: tuple[_ToTensor, _Normalize] | tuple[_Resize, _ToTensor, _Normalize]

    @model_validator(mode="after")
    def _named(self) -> Self:
        if len(set(self.class_names)) != self.num_classes:
            raise ValueError("class_names must name each of the num_classes")
        return self


class _Side(BaseModel):
    """What Sentinode needs beside WSInfer's schema."""

    model_config = ConfigDict(extra="allow")  # figures and remarks for readers

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    name: str = Field(min_length=1)
    cell_size_px: int = Field(gt=0)
    threshold: Probability
    temperature: Positive | None
    calibrated: bool
    min_tissue_share: Probability
    weights_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    training_summary: str
    tumour_class: str | None = None  # of several classes; none is guessed
    stain: Stain | None = None
    colours: ColourRange | None = None


def load_model(folder: Path) -> Model:
    """Read and check the model in `folder`, its weights' hash included; raise ModelInvalid."""
    weights_file = _weights_file(folder)
    config = read_config(folder, weights_file)
    side = _parse(_Side, folder, SIDE_FILE)
    if side.cell_size_px > config.patch_size_pixels:
        raise ModelInvalid(
            f"Model '{folder.name}' scores cells larger than its patches.",
            f"Correct cell_size_px in {SIDE_FILE}.",
        )
    _check_weights(folder, weights_file, side.weights_sha256)
    sizes = config.patch_size_pixels, side.cell_size_px
    if config.architecture == DENSE_ARCHITECTURE and sizes != (PATCH_PX, CELL_PX):
        raise ModelInvalid(
            f"Model '{folder.name}' shares work between patches of {PATCH_PX} px with cells of"
            f" {CELL_PX} px only.",
            f"Correct patch_size_pixels in {CONFIG_FILE} or cell_size_px in {SIDE_FILE}.",
        )
    normalize = next(step for step in config.transform if isinstance(step, _Normalize)).arguments
    resizes = [step.arguments.size for step in config.transform if isinstance(step, _Resize)]
    return Model(
        folder=folder,
        architecture=config.architecture,
        spacing_um_px=config.spacing_um_px,
        patch_size_px=config.patch_size_pixels,
        mean=normalize.mean,
        std=normalize.std,
        weights_file=weights_file,
        resized_px=resizes[0] if resizes else None,
        classes=config.num_classes,
        tumour_index=_tumour_index(folder, config, side.tumour_class),
        stain=side.stain,
        colours=side.colours,
        **side.model_dump(include=set(_Side.model_fields) - {"tumour_class", "stain", "colours"}),
    )


def read_config(folder: Path, weights_file: str) -> _AnyConfig:
    """WSInfer's side of a model whose weights are of that kind; raise ModelInvalid."""
    return _parse(_ScriptConfig if weights_file == SCRIPT_FILE else _Config, folder, CONFIG_FILE)


def list_models(folders: Iterable[Path]) -> list[Model | tuple[str, ModelInvalid]]:
    """Every model directly below `folders`; a bad one, or a repeated id, as (folder name, why)."""
    found: list[Model | tuple[str, ModelInvalid]] = []
    ids: set[str] = set()
    for folder in (below for top in folders for below in _subfolders(top)):
        try:
            model = load_model(folder)
            if model.id in ids:
                raise ModelInvalid(
                    f"Another model already has the id '{model.id}'.", f"Change it in {SIDE_FILE}."
                )
        except ModelInvalid as error:
            found.append((folder.name, error))
        else:
            ids.add(model.id)
            found.append(model)
    return found


def default_model() -> Model:
    """The model that ships with Sentinode."""
    return load_model(DEFAULT_MODEL)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _weights_file(folder: Path) -> str:
    """Safetensors wherever there are any."""
    scripted = (folder / SCRIPT_FILE).is_file() and not (folder / WEIGHTS_FILE).exists()
    return SCRIPT_FILE if scripted else WEIGHTS_FILE


def _tumour_index(folder: Path, config: _AnyConfig, tumour_class: str | None) -> int:
    if config.num_classes == 1 and tumour_class is None:
        return 0
    if tumour_class not in config.class_names:
        raise ModelInvalid(
            f"Model '{folder.name}' tells {', '.join(config.class_names)} apart; which of them is"
            " tumour is not said.",
            f"Name it as tumour_class in {SIDE_FILE}.",
        )
    return config.class_names.index(tumour_class)


def _subfolders(top: Path) -> list[Path]:
    if not top.is_dir():
        return []
    return sorted(path for path in top.iterdir() if path.is_dir() and path.name[0] not in "._")


def _parse(schema: type[Schema], folder: Path, file: str) -> Schema:
    try:
        return schema.model_validate_json((folder / file).read_bytes())
    except OSError as error:
        raise ModelInvalid(
            f"Model '{folder.name}' has no readable {file}.",
            "A model folder is described in docs/model.md.",
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ModelInvalid(
            f"{file} of model '{folder.name}' is wrong at {place}: {first['msg']}.",
            "Correct it; docs/model.md describes every field.",
        ) from error


def _check_weights(folder: Path, weights_file: str, expected_sha256: str) -> None:
    try:
        actual = sha256_of(folder / weights_file)
    except OSError as error:
        raise ModelInvalid(
            f"Model '{folder.name}' has no readable {weights_file}.", "Copy the whole folder again."
        ) from error
    if actual != expected_sha256:
        raise ModelInvalid(
            f"The weights of model '{folder.name}' are not those its {SIDE_FILE} names"
            " (SHA-256 differs).",
            "Copy the whole folder again.",
        )
