"""Draws phantom slides: pyramids, masks and a record of their lesions. Drawings, not tissue."""

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import TypedDict

import numpy as np
from PIL import Image, ImageDraw

from model.extraction.phantom_cells import PHANTOM_MPP
from model.extraction.phantom_layout import make_layout
from model.extraction.phantom_outlines import Lesion, OutlineSource, read_outlines
from model.extraction.phantom_render import BAND_PX, Renderer
from model.extraction.phantom_stain import STAINS
from model.extraction.pyramid import (
    Pixels,
    TiffTags,
    padded_px,
    whole_file,
    write_mask,
    write_slide,
)

GENERATOR_VERSION = "1.0"
SOFTWARE = f"Sentinode phantom generator {GENERATOR_VERSION}"
STATEMENT = (
    "Phantom: a drawing made by a program, not real tissue. Its textures were adjusted until the "
    "shipped model reacts to them, so a heat map on it shows that the software works and is no "
    "evidence of accuracy."
)
# Lesion classes of phantom 1, 2, 3 and so on, again from the start after the last.
PLANS: tuple[tuple[str, ...], ...] = (
    ("macro", "micro", "micro", "itc", "itc"),
    ("micro", "micro", "micro", "itc", "itc", "itc"),
    (),
)


class LesionRecord(TypedDict):
    """One lesion in phantoms.json."""

    kind: str
    longest_diameter_um: float
    area_um2: float
    outline_l0_px: list[list[float]]


class PhantomRecord(TypedDict):
    """One phantom in phantoms.json."""

    name: str
    slide: str
    mask: str
    seed: int
    stain: str
    width_px: int
    height_px: int
    mpp: float
    lesions: list[LesionRecord]


class PhantomSet(TypedDict):
    """The whole of phantoms.json."""

    statement: str
    generator: str
    phantoms: list[PhantomRecord]


@dataclass(frozen=True)
class PhantomOrder:
    """What one phantom is to be; picklable."""

    folder: Path
    number: int
    seed: int
    size_px: int
    outlines: Path | None = None

    @property
    def name(self) -> str:
        """Name of the phantom without a suffix."""
        return f"phantom-{self.number}"


def make_phantoms(
    folder: Path,
    count: int,
    seed: int,
    size_px: int,
    outlines: Path | None = None,
    processes: int = 2,
) -> PhantomSet:
    """Draw ``count`` phantoms into ``folder``/slides and /masks and write phantoms.json last.

    Raises OutlinesError for an unusable outlines file, OSError when the folder cannot be written.
    """
    if outlines:
        read_outlines(outlines)  # fails before anything is begun
    for name in ("slides", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    orders = [PhantomOrder(folder, k, seed, size_px, outlines) for k in range(1, count + 1)]
    whole = PhantomSet(
        statement=STATEMENT, generator=SOFTWARE, phantoms=_draw_all(orders, processes)
    )
    with whole_file(folder / "phantoms.json") as partial:
        partial.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    return whole


def _draw_all(orders: Sequence[PhantomOrder], processes: int) -> list[PhantomRecord]:
    """Draw in as many processes as asked for; records in the order of the phantoms."""
    if min(len(orders), processes) < 2:
        return [draw_phantom(order) for order in orders]
    # Spawned, not forked: the caller may run threads.
    workers = min(len(orders), processes)
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_end_with_parent) as pool:
        futures = [pool.submit(draw_phantom, order) for order in orders]
        for future in as_completed(futures):
            if future.exception():
                pool.shutdown(cancel_futures=True)
        return [future.result() for future in futures]


def _end_with_parent() -> None:
    """Have a drawing process end when the one that asked for it was killed."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)  # from a thread, nothing else ends a process that is computing

    Thread(target=watch, daemon=True).start()


def draw_phantom(order: PhantomOrder) -> PhantomRecord:
    """Draw one phantom: first its mask, then the slide; the same order draws the same bytes."""
    seed, kinds = (order.seed, order.number), PLANS[(order.number - 1) % len(PLANS)]
    source = OutlineSource(read_outlines(order.outlines) if order.outlines else None)
    layout = make_layout(seed, order.size_px, kinds, source)
    stain = STAINS[(order.number - 1) % len(STAINS)]
    size = (order.size_px, order.size_px)
    slide, mask = Path("slides", f"{order.name}.tif"), Path("masks", f"{order.name}_mask.tif")
    tags = TiffTags(PHANTOM_MPP, f"{order.name}. {STATEMENT}", SOFTWARE)
    write_mask(order.folder / mask, size, mask_bands(layout.lesions, order.size_px), tags)
    renderer = Renderer(seed, layout, stain)
    write_slide(order.folder / slide, size, slide_bands(renderer, order.size_px), tags)
    return PhantomRecord(
        name=order.name,
        slide=slide.as_posix(),
        mask=mask.as_posix(),
        seed=order.seed,
        stain=stain.name,
        width_px=order.size_px,
        height_px=order.size_px,
        mpp=PHANTOM_MPP,
        lesions=[_lesion_record(lesion) for lesion in layout.lesions],
    )


def _lesion_record(lesion: Lesion) -> LesionRecord:
    return LesionRecord(
        kind=lesion.kind,
        longest_diameter_um=round(lesion.longest_diameter_um, 1),
        area_um2=round(lesion.area_um2, 1),
        outline_l0_px=lesion.outline_l0_px.tolist(),
    )


def slide_bands(renderer: Renderer, size_px: int) -> Iterator[Pixels]:
    """RGBX bands of a slide, one row of tiles each, padded to whole tiles with glass."""
    width = padded_px(size_px)
    for y in range(0, size_px, BAND_PX):
        words = np.full((BAND_PX, width), renderer.glass_word, dtype=np.uint32)
        band = words.view(np.uint8).reshape(BAND_PX, width, 4)
        for x, run in _tissue_runs(renderer, y, width):
            band[:, x : x + run] = renderer.block(x, y, run, BAND_PX)
        yield band


def _tissue_runs(renderer: Renderer, y_px: int, width_px: int) -> Iterator[tuple[int, int]]:
    """Start and length of neighbouring tiles with tissue, cut where swatches end."""
    start = None
    for x in range(0, width_px + BAND_PX, BAND_PX):
        tissue = x < width_px and renderer.has_tissue(x, y_px, BAND_PX)
        if start is not None and (not tissue or x % renderer.swatch_px == 0):
            yield start, x - start
            start = None
        if tissue and start is None:
            start = x


def mask_bands(lesions: Sequence[Lesion], size_px: int) -> Iterator[Pixels]:
    """Bands of the mask: 1 inside a lesion, 0 outside, padded to whole tiles."""
    width = padded_px(size_px)
    for y in range(0, size_px, BAND_PX):
        image = Image.new("L", (width, BAND_PX))
        draw = ImageDraw.Draw(image)
        for lesion in lesions:
            moved = lesion.outline_l0_px - (0.0, float(y))
            if moved[:, 1].max() >= 0 and moved[:, 1].min() < BAND_PX:
                draw.polygon([(px, py) for px, py in moved], fill=1)
        yield np.asarray(image)
