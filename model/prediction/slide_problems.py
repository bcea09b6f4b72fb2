"""Why a file cannot be opened as a slide, in words that never hold its path."""

import os
from pathlib import Path

import tifffile

from model.prediction.errors import SlideUnreadable

COPY_AGAIN = "Copy it again from where it was scanned, and compare the sizes."
TIFF_NAMES = (".svs", ".tif", ".tiff", ".scn", ".bif", ".ndpi", ".qptiff", ".ptif", ".ptiff")
# Hamamatsu's slides of several files begin with one of text.
INDEX_NAMES = (".vms", ".vmu")
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
ENOUGH_TO_JUDGE = 512


def check_is_file(path: Path) -> None:
    """Raise SlideUnreadable unless the path is a file that holds something and may be read."""
    try:
        with path.open("rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise SlideUnreadable(
            "The file is not there.", "It may have been moved or deleted; put it back."
        ) from None
    except PermissionError:
        raise SlideUnreadable(
            "Permission to read the file is missing.",
            "Give the account that runs Sentinode the right to read it.",
        ) from None
    except IsADirectoryError:
        raise SlideUnreadable(
            "This is a folder, not a file.", "Name a slide file inside it."
        ) from None
    except OSError as error:
        raise SlideUnreadable(
            f"The file cannot be read: {error.strerror or 'input or output error'}.",
            "Check the disk or the network share it lies on.",
        ) from None
    if size_bytes == 0:
        raise SlideUnreadable("The file is empty (0 bytes).", COPY_AGAIN)


def check_tiff(path: Path) -> bool:
    """Whether the file is a TIFF; raises SlideUnreadable if it is a damaged one.

    Only sound files may reach large-image, whose readers leave damaged ones open.
    """
    with path.open("rb") as file:
        if not file.read(4).startswith(TIFF_STARTS):
            return False
    try:
        with tifffile.TiffFile(path) as tiff:
            if not len(tiff.pages):
                raise SlideUnreadable("The TIFF holds no image.", COPY_AGAIN)
            _check_pages(tiff, path.stat().st_size)
    except (tifffile.TiffFileError, ValueError, KeyError, IndexError, TypeError, OSError) as error:
        raise SlideUnreadable("The TIFF is damaged or cut off.", COPY_AGAIN) from error
    return True


def _check_pages(tiff: tifffile.TiffFile, size_bytes: int) -> None:
    for page in tiff.pages:
        if not isinstance(page, tifffile.TiffPage):  # a frame has the layout of its key page
            continue
        if page.imagewidth < 1 or page.imagelength < 1:
            raise SlideUnreadable(
                f"The TIFF says its image is {page.imagewidth} × {page.imagelength} pixels.",
                "Export the slide again from the scanner's software.",
            )
        spans = zip(page.dataoffsets, page.databytecounts, strict=False)
        if any(offset + count > size_bytes for offset, count in spans):
            raise SlideUnreadable(
                "The TIFF is cut off: it refers to pixels beyond the end of the file.", COPY_AGAIN
            )


def unknown_format(path: Path) -> SlideUnreadable:
    """The error for a sound file that no reader takes."""
    if path.suffix.lower() not in INDEX_NAMES and _looks_like_text(path):
        return SlideUnreadable(
            "The file holds text, not an image.",
            "Check that the slide itself was copied, not a note or a link to it.",
        )
    if path.suffix.lower() in TIFF_NAMES:
        return SlideUnreadable(
            "The file is named like a TIFF slide, but holds something else.", COPY_AGAIN
        )
    return SlideUnreadable(
        "Neither OpenSlide nor large-image knows this kind of file.",
        "Convert it to a pyramidal TIFF; for slides of several files, copy all of them.",
    )


def _looks_like_text(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(ENOUGH_TO_JUDGE)
    return all(byte >= 32 or byte in b"\t\r\n" for byte in start)
