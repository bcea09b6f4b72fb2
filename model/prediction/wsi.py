"""Open a slide with whichever reader can: the one door to slides."""

from pathlib import Path
from typing import TYPE_CHECKING

import openslide

from model.prediction import slide_problems
from model.prediction.errors import SlideUnreadable
from model.prediction.openslide_reader import OpenSlideWsi
from model.prediction.resample import level_for, read_scaled
from model.prediction.slide import Mpp, Wsi, sane_mpp

if TYPE_CHECKING:
    from model.prediction.large_image_reader import LargeImageWsi

__all__ = [
    "Mpp",
    "Wsi",
    "level_for",
    "looks_like_slide",
    "open_wsi",
    "read_scaled",
    "sane_mpp",
    "wsi_extensions",
]

_TIFF_EXTENSIONS = (".svs", ".tif", ".tiff", ".ptif", ".ptiff", ".qptiff", ".ndpi", ".scn", ".bif")
_OTHER_EXTENSIONS = (".mrxs", ".vms", ".vmu", ".svslide", ".dcm")


def wsi_extensions() -> frozenset[str]:
    """Endings of file names, in lower case and with the dot, that are taken for slides."""
    return frozenset(_TIFF_EXTENSIONS + _OTHER_EXTENSIONS)


def looks_like_slide(path: Path) -> bool:
    """Whether a file is taken for a slide when a folder is walked, judged by its name alone.

    Files inside the data folder of an MRXS slide (`x/` beside `x.mrxs`), hidden files and the
    shadow files macOS leaves (`._x.svs`) are not.
    """
    if path.suffix.lower() not in wsi_extensions() or path.name.startswith("."):
        return False
    return not path.parent.with_name(path.parent.name + ".mrxs").exists()


def open_wsi(path: Path, cache: openslide.OpenSlideCache | None = None) -> Wsi:
    """Open a slide; raises SlideUnreadable, with the reason in plain words, if nobody can.

    `cache` may be shared by any number of slides. Every level's last pixel is read, so that a file
    that was cut off is found out here and not in the middle of a session.
    """
    path = Path(path)
    slide_problems.check_is_file(path)
    wsi = _open(path, cache)
    try:
        _probe(wsi)
    except SlideUnreadable:
        wsi.close()
        raise
    return wsi


def _open(path: Path, cache: openslide.OpenSlideCache | None) -> Wsi:
    try:
        wsi = OpenSlideWsi(path, cache)
    except openslide.OpenSlideUnsupportedFormatError:
        return _open_large_image(path)
    except openslide.OpenSlideError as error:
        slide_problems.check_tiff(path)
        reason = str(error).replace(str(path), "the file").replace(str(path.parent), "its folder")
        raise SlideUnreadable(
            f"OpenSlide cannot open the file: {reason}.", slide_problems.COPY_AGAIN
        ) from None
    if wsi.has_hidden_levels:
        wsi.close()
        return _open_large_image(path)
    return wsi


def _open_large_image(path: Path) -> "LargeImageWsi":
    # Imported here because it takes longer than opening any slide, and few slides need it.
    from large_image.exceptions import TileSourceError

    from model.prediction.large_image_reader import LargeImageWsi

    if not slide_problems.check_tiff(path):
        raise slide_problems.unknown_format(path)
    try:
        return LargeImageWsi(path)
    except TileSourceError:
        raise SlideUnreadable(
            "The TIFF holds no image of a kind that OpenSlide or large-image can show.",
            "Export it as a tiled RGB TIFF.",
        ) from None


def _probe(wsi: Wsi) -> None:
    for level, (width_px, height_px) in enumerate(wsi.level_sizes_px):
        if width_px < 1 or height_px < 1:
            raise SlideUnreadable(
                f"Level {level} of the slide is {width_px} × {height_px} pixels.",
                "Export the slide again from the scanner's software.",
            )
        wsi.read_level(level, width_px - 1, height_px - 1, 1, 1)
