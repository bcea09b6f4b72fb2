"""The colours of training slides, kept with a model so that slides unlike them can be told.

Which slide a patch is of is often not known. Neighbours in slide order stand for one: runs of about
50 (manifest.py). Each run's distance from the others says how far slides of that kind lie apart.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.covariance import LedoitWolf

from model.evaluation.manifest import slide_blocks
from model.evaluation.patches import PatchesInvalid, PatchFolder
from model.prediction.colour_range import ColourRange, Floats, patch_features
from model.prediction.errors import ModelInvalid
from model.prediction.models import SIDE_FILE, load_model

LEAST_BLOCK = 20  # patches; fewer are no picture of a slide
LEAST_BLOCKS = 10


def training_colours(
    patches: Path, order: Path, side_px: int, done: Callable[[int], None] = lambda number: None
) -> ColourRange:
    """Colours of the slides behind labelled patches; raise PatchesInvalid for too few of them."""
    with PatchFolder(patches) as folder:
        blocks = slide_blocks(order, [patch.name for patch in folder.patches])
        features = []
        for patch in folder.patches:
            features.append(patch_features(folder.read(patch, side_px)))
            done(1)
    means = []
    used = 0
    for block in np.unique(blocks):
        members = [features[at] for at in np.flatnonzero(blocks == block)]
        known = [each for each in members if each is not None]
        if len(known) >= LEAST_BLOCK:
            used += len(known)
            means.append(np.mean(known, axis=0))
    if len(means) < LEAST_BLOCKS:
        raise PatchesInvalid(
            f"Only {len(means)} runs of patches are known to share a slide; {LEAST_BLOCKS} are"
            " needed.",
            "Give a manifest with the slide order of more patches.",
        )
    return _range(np.array(means), used)


def write_colours(model_folder: Path, colours: ColourRange) -> None:
    """Put the colours into the side file of a model, whose other keys stay as they are."""
    load_model(model_folder)
    path = model_folder / SIDE_FILE
    side = json.loads(path.read_bytes())
    side["colours"] = colours.model_dump(mode="json")
    draft = path.with_name(f".{path.name}.partial")
    try:
        draft.write_text(json.dumps(side, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ModelInvalid(
            f"{SIDE_FILE} of model '{model_folder.name}' cannot be written.",
            "Copy the model to a folder of your own.",
        ) from error


def left_out_distances(blocks: Floats) -> Floats:
    """The distance of each block (n, features) from all the others together."""
    distances = []
    for index, block in enumerate(blocks):
        mean, inverse = _spread(np.delete(blocks, index, axis=0))
        off = block - mean
        distances.append(np.sqrt(off @ inverse @ off))
    return np.array(distances)


def _range(blocks: Floats, patches: int) -> ColourRange:
    mean, inverse = _spread(blocks)
    return ColourRange(
        mean=tuple(np.round(mean, 4).tolist()),
        inverse_covariance=tuple(map(tuple, np.round(inverse, 6).tolist())),
        bound=round(float(left_out_distances(blocks).max()), 3),
        blocks=len(blocks),
        patches=patches,
    )


def _spread(blocks: Floats) -> tuple[Floats, Floats]:
    """Mean and inverse covariance, shrunk as Ledoit and Wolf (2004) do for few observations."""
    mean, scale = blocks.mean(axis=0), blocks.std(axis=0)
    # In standard units: the shrinking would take the widest feature for all of them.
    covariance = LedoitWolf().fit((blocks - mean) / scale).covariance_
    return mean, np.linalg.inv(covariance * np.outer(scale, scale))
