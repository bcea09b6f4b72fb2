"""The colours a net is trained in: a target fitted to the training part, and every slide's own.

What was found is kept in the run's folder, so that a run that goes on sees the very same colours.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from model.evaluation.patches import PatchesInvalid
from model.extraction.files import write_text
from model.extraction.stains import SlideStains
from model.prediction.stain import KINDS, Stain, stain_from_json
from model.training.config import TrainingConfig
from model.training.patches import Source
from model.training.processes import Processes

STAIN_FILE = "stain.json"
FIT_PATCHES = 400  # of the training part, evenly from the first to the last: 3.7 million pixels


def normalised_sources(
    config: TrainingConfig, sources: tuple[Source, Source], out: Path, processes: Processes
) -> tuple[tuple[Source, Source], Stain | None]:
    """Sources that give normalised pixels, and the target; both untouched for the method `none`.

    Every process must ask. Raises PatchesInvalid where no stain can be fitted, SlideUnreadable.
    """
    if config.stain.method == "none":
        return sources, None
    path = out / STAIN_FILE
    if path.is_file():
        stains = _read(path)
    else:
        stains = _find(config.stain.method, sources, processes)
        if processes.first:
            write_text(path, json.dumps(_described(stains), indent=2) + "\n")
    patches, validation = (source.normalised(stains) for source in sources)
    return (patches, validation), stains.target


def fit_target(method: str, patches: Source) -> Stain:
    """The stain of the training patches; raises PatchesInvalid if they have none."""
    places = np.linspace(0, len(patches.items) - 1, min(FIT_PATCHES, len(patches.items)))
    target = KINDS[method].fit(patches.pixels(patches.items[places.round().astype(int)]))
    if target is None:
        raise PatchesInvalid(
            "The training patches hold too little tissue, or a single colour: no stain fits them.",
            'Train with [stain] method = "none".',
        )
    return target


def _find(method: str, sources: tuple[Source, Source], processes: Processes) -> SlideStains:
    target = fit_target(method, sources[0])
    # Each process looks at its share of the slides.
    share = slice(processes.rank, None, processes.world)
    own: dict[str, Stain | None] = {}
    for source in sources:
        own |= source.slide_stains(target, share)
    every: dict[str, Stain | None] = {}
    for part in processes.gather_all(own):
        every |= part
    return SlideStains(target, every)


def _described(stains: SlideStains) -> dict[str, Any]:
    slides = {name: asdict(each) if each else None for name, each in sorted(stains.sources.items())}
    return {"target": asdict(stains.target), "slides": slides}


def _read(path: Path) -> SlideStains:
    values = json.loads(path.read_text(encoding="utf-8"))
    target = stain_from_json(values["target"])
    assert target is not None
    slides = {name: stain_from_json(each) for name, each in values["slides"].items()}
    return SlideStains(target, slides)
