"""The models at hand. Weights are hashed once, and again when a file of a model changes."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from model.prediction.errors import ModelInvalid
from model.prediction.models import (
    CONFIG_FILE,
    DEFAULT_MODEL,
    SCRIPT_FILE,
    SIDE_FILE,
    WEIGHTS_FILE,
    Model,
    list_models,
)
from viewer.errors import ModelNotFound
from viewer.settings import Settings

Listed = tuple[Model | tuple[str, ModelInvalid], ...]
Look = tuple[tuple[str, int, int], ...]


def models(settings: Settings) -> Listed:
    """Every model folder: the model, or (folder name, why it is none)."""
    return _list(settings.models, tuple(_look(settings.models)))


def find_model(settings: Settings, model_id: str | None = None) -> Model:
    """The model with this id, or the default one; raise ModelNotFound or ModelInvalid."""
    listed = models(settings)
    valid = [model for model in listed if isinstance(model, Model)]
    wanted = [model for model in valid if model_id in (None, model.id)]
    if wanted:
        return next((model for model in wanted if model.folder == DEFAULT_MODEL), wanted[0])
    invalid = [error for error in listed if not isinstance(error, Model)]
    if invalid and not valid:
        raise invalid[0][1]
    raise ModelNotFound(
        f"There is no model “{model_id}”." if model_id else "There is no model at all.",
        "SENTINODE_MODELS names the folders that hold models; GET /api/v1/models lists them.",
    )


@lru_cache(maxsize=8)
def _list(folders: tuple[Path, ...], look: Look) -> Listed:
    return tuple(list_models(folders))


def _look(folders: tuple[Path, ...]) -> Iterator[tuple[str, int, int]]:
    for folder in folders:
        for name in (CONFIG_FILE, SIDE_FILE, WEIGHTS_FILE, SCRIPT_FILE):
            for path in sorted(folder.glob(f"*/{name}")):
                status = path.stat()
                yield str(path), status.st_mtime_ns, status.st_size
