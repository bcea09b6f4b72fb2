"""Semi-real slides: real patches laid like tiles, tumour ones where a lesion's outline says so.

The truth is the outline; what is painted is as true as the patches' labels, which speak of their
centres alone. So a rim of some 50 µm around a lesion is uncertain, every 96 px there is a seam
that no tissue has, and few patches make many slides. docs/study.md says what that allows.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.evaluation.patches import PatchesInvalid, PatchFolder
from model.extraction.files import write_text
from model.extraction.outlines import rasterise
from model.extraction.phantom_cells import PHANTOM_MPP
from model.extraction.phantom_outlines import (
    Outline,
    OutlineSource,
    draw_outline,
    longest_diameter,
    read_outlines,
)
from model.extraction.pyramid import TILE_PX, TiffTags, padded_px, write_mask, write_slide

Pixels = NDArray[np.uint8]
Bools = NDArray[np.bool_]
GLASS = 243
# Lesions of slide 1, 2, 3 and so on, again from the start after the last.
PLANS: tuple[tuple[str, ...], ...] = (("micro", "itc"), (), ("micro", "micro"), ())
TRIES = 300  # places tried for a lesion before it is left out
STATEMENT = "Semi-real: composed of labelled patches, with seams. Not a slide of any patient."


@dataclass(frozen=True)
class ComposeSettings:
    """How many slides of which size; µm/px, size and labelled centre are the patches' own."""

    count: int = 8
    size_px: int = 2304
    seed: int = 7
    mpp: float = 0.97
    patch_px: int = 96
    centre_px: int = 32


def compose(
    patches: Path, outlines: Path | None, out: Path, settings: ComposeSettings
) -> dict[str, Any]:
    """Write `out`/slides, /masks and compose.json; give the record back.

    Raises PatchesInvalid, OutlinesError, OSError.
    """
    normal, tumour = read_both(patches, settings.patch_px)
    source = OutlineSource(read_outlines(outlines) if outlines else None)
    for name in ("slides", "masks"):
        (out / name).mkdir(parents=True, exist_ok=True)
    slides = []
    for number in range(1, settings.count + 1):
        random = np.random.default_rng((settings.seed, number))
        lesions = PLANS[(number - 1) % len(PLANS)]
        tissue, placed = lay_out(random, lesions, source, settings)
        mask = rasterise(placed, (0, 0), (1, 1), (settings.size_px, settings.size_px))
        pixels, used = paint(random, tissue, mask, normal, tumour, settings)
        name = f"{'tumor' if placed else 'normal'}_{number:02d}"
        tags = TiffTags(settings.mpp, f"{name}. {STATEMENT}", "Sentinode compose")
        size = settings.size_px, settings.size_px
        write_slide(out / "slides" / f"{name}.tif", size, _bands(pixels, GLASS), tags)
        if placed:
            marks = _bands(mask.astype(np.uint8), 0)
            write_mask(out / "masks" / f"{name}_mask.tif", size, marks, tags)
        lengths = [round(longest_diameter(each) * settings.mpp, 1) for each in placed]
        slides.append({"name": name, "lesions_longest_um": lengths, **used})
    record = {"statement": STATEMENT, "settings": asdict(settings), "slides": slides}
    write_text(out / "compose.json", json.dumps(record, indent=1) + "\n")
    return record


def read_both(patches: Path, side_px: int) -> tuple[Pixels, Pixels]:
    """All normal and all tumour patches (n, side, side, 3); raises PatchesInvalid."""
    with PatchFolder(patches) as folder:
        pixels = np.concatenate(list(folder.batches(side_px, 256)))
        labels = folder.labels
    if labels.min() == labels.max():
        raise PatchesInvalid(
            f"All patches of '{patches.name}' have the label {labels[0]}.",
            "Slides are composed of normal (0) and tumour (1) patches.",
        )
    return pixels[labels == 0], pixels[labels == 1]


def lay_out(
    random: np.random.Generator,
    kinds: tuple[str, ...],
    source: OutlineSource,
    settings: ComposeSettings,
) -> tuple[Bools, list[Outline]]:
    """Which places of the grid are tissue, and the lesions within; some may find no room."""
    count, side = settings.size_px // settings.patch_px, settings.patch_px
    shape = draw_outline(random, 0.95 * count)
    shape = shape + (count - shape.min(0) - shape.max(0)) / 2
    tissue = rasterise([shape], (0, 0), (1, 1), (count, count))
    placed: list[Outline] = []
    for kind in kinds:
        outline = source.outline(random, kind) * (PHANTOM_MPP / settings.mpp)
        for _ in range(TRIES):
            moved = outline + random.uniform(0, settings.size_px, 2)
            if _fits(moved, tissue, placed, side):
                placed.append(moved)
                break
    return tissue, placed


def paint(
    random: np.random.Generator,
    tissue: Bools,
    mask: Bools,
    normal: Pixels,
    tumour: Pixels,
    settings: ComposeSettings,
) -> tuple[Pixels, dict[str, int]]:
    """The slide's pixels (size, size, 3), and how many places took a patch of each kind.

    A place is tumour when its centre holds any of the mask: the rule of the patches' labels.
    """
    side, margin = settings.patch_px, (settings.patch_px - settings.centre_px) // 2
    pixels = np.full((*mask.shape, 3), GLASS, np.uint8)
    decks = {False: _deck(random, normal), True: _deck(random, tumour)}
    used = {False: 0, True: 0}
    for row, column in np.argwhere(tissue):
        y, x = row * side, column * side
        centre = mask[y + margin : y + side - margin, x + margin : x + side - margin]
        kind = bool(centre.any())
        pixels[y : y + side, x : x + side] = next(decks[kind])
        used[kind] += 1
    return pixels, {"normal_patches": used[False], "tumour_patches": used[True]}


def _deck(random: np.random.Generator, patches: Pixels) -> Iterator[Pixels]:
    """Patches in random order, turned and mirrored at random; shuffled anew when all were used."""
    while True:
        for index in random.permutation(len(patches)):
            patch = np.rot90(patches[index], int(random.integers(4)))
            yield patch[:, ::-1] if random.integers(2) else patch


def _fits(outline: Outline, tissue: Bools, placed: list[Outline], side_px: int) -> bool:
    """Whether the outline's box lies on tissue, two patches away from every other box."""
    low, high = outline.min(0), outline.max(0)
    first, last = np.floor(low / side_px).astype(int), np.floor(high / side_px).astype(int)
    if first.min() < 0 or last.max() >= len(tissue):
        return False
    if not tissue[first[1] : last[1] + 1, first[0] : last[0] + 1].all():
        return False
    gap = 2 * side_px
    return all(
        bool(np.any(low - gap > each.max(0)) or np.any(high + gap < each.min(0))) for each in placed
    )


def _bands(picture: Pixels, fill: int) -> Iterator[Pixels]:
    """Rows of tiles, padded; colours get a fourth channel, as the writer of slides wants it."""
    height, width = picture.shape[:2]
    more = ((0, padded_px(height) - height), (0, padded_px(width) - width))
    if picture.ndim == 3:
        picture = np.pad(picture, (*more, (0, 1)), constant_values=fill)
    else:
        picture = np.pad(picture, more, constant_values=fill)
    for y in range(0, len(picture), TILE_PX):
        yield np.ascontiguousarray(picture[y : y + TILE_PX])
