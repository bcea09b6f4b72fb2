"""Labelled patches on disk: `<0|1>/<name>.<webp|png|tif>` in a folder or a zip, at any depth."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.prediction.errors import PredictionError

SUFFIXES = {".webp", ".png", ".tif", ".tiff"}
FORMATS = ("WEBP", "PNG", "TIFF")
# 16-bit and floating-point images have no agreed black and white, so they are refused.
EIGHT_BIT_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA"}
# What zipfile raises for members that are damaged, encrypted (RuntimeError) or of unknown kind.
ZIP_DAMAGE = (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError)
# What Pillow's readers raise for damaged files, besides OSError.
DAMAGE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
LAYOUT_HINT = "Expected files named 0/NAME.png (normal) and 1/NAME.png (tumour); webp, png or tif."


class PatchesInvalid(PredictionError):  # noqa: N818 -- named like the errors of prediction
    """The labelled patches cannot be used; reason and hint say why and what to do."""


@dataclass(frozen=True)
class LabelledPatch:
    """Where a patch lies below its folder or zip, and whether its central cell holds tumour."""

    member: str
    label: int

    @property
    def name(self) -> str:
        """File name without folders and suffix; the id in a manifest."""
        return PurePosixPath(self.member).stem


class PatchFolder:
    """Labelled patches of one folder or zip, in a stable order. Use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Find the patches; raise PatchesInvalid where there are none."""
        self.path = path
        self._zip = _open_zip(path)
        members = self._zip.namelist() if self._zip else _files_below(path)
        self.patches = sorted(filter(None, map(_labelled, members)), key=lambda patch: patch.member)
        if not self.patches:
            self.close()
            raise PatchesInvalid(f"No labelled patches in '{path.name}'.", LAYOUT_HINT)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Labels (n,): 1 where the central cell holds tumour."""
        return np.array([patch.label for patch in self.patches], dtype=np.int64)

    def read(self, patch: LabelledPatch, side_px: int) -> NDArray[np.uint8]:
        """Pixels (side, side, 3) of one patch; raise PatchesInvalid naming a file that is bad."""
        return np.asarray(_decoded(self._bytes(patch), patch.member, side_px))

    def batches(self, side_px: int, size: int) -> Iterator[NDArray[np.uint8]]:
        """All patches in order, as arrays (≤ size, side, side, 3)."""
        for start in range(0, len(self.patches), size):
            yield np.stack([self.read(p, side_px) for p in self.patches[start : start + size]])

    def close(self) -> None:
        """Close the zip, if it is one."""
        if self._zip:
            self._zip.close()

    def _bytes(self, patch: LabelledPatch) -> bytes:
        try:
            if self._zip:
                return self._zip.read(patch.member)
            return (self.path / patch.member).read_bytes()
        except (OSError, EOFError, *ZIP_DAMAGE) as error:
            raise PatchesInvalid(
                f"'{patch.member}' cannot be read: {error}.", "Copy or pack the patches again."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _open_zip(path: Path) -> zipfile.ZipFile | None:
    if path.is_dir():
        return None
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError as error:
        raise PatchesInvalid(f"There is no '{path}'.", "Name a folder or a zip.") from error
    except (OSError, zipfile.BadZipFile) as error:
        raise PatchesInvalid(
            f"'{path.name}' is neither a folder nor a readable zip.", LAYOUT_HINT
        ) from error


def _files_below(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def _labelled(member: str) -> LabelledPatch | None:
    path = PurePosixPath(member)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    if hidden or path.suffix.lower() not in SUFFIXES or path.parent.name not in ("0", "1"):
        return None
    return LabelledPatch(member, int(path.parent.name))


def _decoded(data: bytes, member: str, side_px: int) -> Image.Image:
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check(image, member, side_px)  # before any pixel is decoded: it may be huge
            return _on_white(image)
    except DAMAGE as error:
        raise PatchesInvalid(
            f"'{member}' is damaged, or no WebP, PNG or TIFF image.", "Copy it again or remove it."
        ) from error


def _check(image: Image.Image, member: str, side_px: int) -> None:
    if image.size != (side_px, side_px):
        raise PatchesInvalid(
            f"'{member}' has {image.width} × {image.height} px, not {side_px} × {side_px}.",
            f"Cut patches of {side_px} px around the cell to be judged; do not rescale them.",
        )
    if image.mode not in EIGHT_BIT_MODES:
        raise PatchesInvalid(
            f"'{member}' is not an 8-bit image (mode {image.mode}).",
            "Save it with 8 bits a channel.",
        )


def _on_white(image: Image.Image) -> Image.Image:
    """Grey and palette images as RGB; what is transparent becomes white, as glass is on a slide."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
