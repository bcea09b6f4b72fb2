"""Extraction against the plain way: one openslide read per patch and per mask patch.

    python -m benchmarks.extraction STUDY [ROUNDS]

STUDY holds slides/ and masks/ (for example of `python -m model phantom`). Prints ratios of CPU time
taken in one run, in turns; more than 1 means faster than the plain way. Beside each ratio stands
what our way does in a second of CPU, of this machine.
"""

import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import openslide
from numpy.typing import NDArray

from benchmarks.ratios import compare
from model.extraction.extract import ExtractSettings, extract, merge
from model.extraction.manifest import Manifest, read_manifest
from model.extraction.patch_reader import PatchReader
from model.extraction.study import Study, open_study

MOST_PATCHES = 5000


def main(folder: Path, rounds: int = 5) -> None:
    """Compare labelling and reading of patches."""
    with TemporaryDirectory() as temporary:
        study, settings = open_study(folder), ExtractSettings()
        done = extract(study, Path(temporary), settings, lambda name, count: lambda n: None)
        manifest = read_manifest(merge(study, Path(temporary), settings, done))
        rows = np.arange(len(manifest))[:MOST_PATCHES]
        print(f"{len(done.slides)} slides, {len(manifest)} patches, {rounds} rounds")
        mm2 = sum(slide["tissue_mm2"] for slide in done.slides.values())
        labels = compare(lambda: _plain_labels(study, manifest), lambda: _labels(study), rounds)
        print(f"tissue, labels and preview: {labels.said(mm2, 'mm² of tissue')}")
        plain = partial(plain_pixels, study, manifest, rows)
        reader = PatchReader(manifest, manifest.slide_files(folder))
        pixels = compare(plain, lambda: reader.read(rows), rounds)
        print(f"pixels of {len(rows)} patches, from slides: {pixels.said(len(rows), 'patches')}")
        reader.pack(Path(temporary) / "pixels")
        packed = PatchReader(manifest, manifest.slide_files(folder), Path(temporary) / "pixels")
        pixels = compare(plain, lambda: packed.read(rows), rounds)
        print(f"pixels of {len(rows)} patches, packed: {pixels.said(len(rows), 'patches')}")
        reader.close()


def _labels(study: Study) -> None:
    with TemporaryDirectory() as temporary:
        extract(study, Path(temporary), ExtractSettings(), lambda name, count: lambda n: None)


def _plain_labels(study: Study, manifest: Manifest) -> None:
    """Every window of the slide: its pixels for the share of tissue, its mask for the label."""
    step = int(manifest.column("step_l0_x_px")[0])
    for slide in study.slides:
        wsi = openslide.OpenSlide(slide.path)
        mask = openslide.OpenSlide(slide.lesions) if slide.lesions else None
        level = wsi.get_best_level_for_downsample(step)
        for y in range(0, wsi.dimensions[1] - 96 * step + 1, 96 * step):
            for x in range(0, wsi.dimensions[0] - 96 * step + 1, 96 * step):
                patch = np.asarray(wsi.read_region((x, y), level, (96, 96)).convert("L"))
                if mask is not None and (patch <= 0.8 * 255).mean() >= 0.1:
                    np.asarray(mask.read_region((x, y), level, (96, 96)))[..., 0].any()


def plain_pixels(study: Study, manifest: Manifest, rows: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Patches (n, 96, 96, 3) of `rows`, one read for each."""
    patches = np.empty((len(rows), 96, 96, 3), np.uint8)
    place_of = {int(row): place for place, row in enumerate(rows)}
    step = int(manifest.column("step_l0_x_px")[0])
    names = manifest.column("slide").astype(str)
    for slide in study.slides:
        wsi = openslide.OpenSlide(slide.path)
        level = wsi.get_best_level_for_downsample(step)
        for row in rows[names[rows] == slide.name]:
            corner = int(manifest.column("x_l0_px")[row]), int(manifest.column("y_l0_px")[row])
            region = wsi.read_region(corner, level, (96, 96)).convert("RGB")
            patches[place_of[int(row)]] = np.asarray(region)
    return patches


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
