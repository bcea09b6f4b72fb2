"""The stains of a manifest's slides, each found as prediction finds it, and patches brought to one.

Slides are looked at anew, for a manifest knows nothing of colours: this takes about as long as
`tissue` does, once for each slide.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.extraction.manifest import Manifest
from model.prediction.slide_stain import slide_stain
from model.prediction.stain import Stain, normalised
from model.prediction.tissue import tissue_mask
from model.prediction.wsi import Mpp, open_wsi

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class SlideStains:
    """The colours that are wanted, and those of each slide; None where they stay as they are."""

    target: Stain
    sources: Mapping[str, Stain | None]

    def normalise(self, slide: str, pixels: Pixels) -> Pixels:
        """Pixels (…, 3) of a slide in the colours of the target; KeyError for a slide not known."""
        return normalised(pixels, self.sources[slide], self.target)


def slides_of(manifest: Manifest, rows: NDArray[np.integer[Any]]) -> list[str]:
    """Names of the slides that `rows` come from."""
    return [str(name) for name in np.unique(manifest.column("slide")[rows].astype(str))]


def stains_of(
    manifest: Manifest,
    rows: NDArray[np.integer[Any]],
    files: Mapping[str, Path],
    target: Stain,
    share: slice = slice(None),
) -> dict[str, Stain | None]:
    """The stain of each slide of `rows`, or of a `share` of them; raises SlideUnreadable.

    The resolution is that of the manifest, so that one given by hand holds here, too.
    """
    names = manifest.column("slide").astype(str)
    found = {}
    for name in slides_of(manifest, rows)[share]:
        row = int(np.flatnonzero(names == name)[0])
        x, y = (float(manifest.column(f"step_l0_{axis}_px")[row]) for axis in "xy")
        mpp = Mpp(*(float(manifest.slides[name][key]) for key in ("mpp_x", "mpp_y")))
        with open_wsi(files[name]) as wsi:
            found[name] = slide_stain(wsi, tissue_mask(wsi, mpp), (x, y), target)
    return found
