"""A file nobody can open: the reason in plain words, a way out, and never its path."""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from model.prediction.errors import SlideUnreadable
from model.prediction.wsi import open_wsi
from tests import slides

REASONS = {
    "empty": "The file is empty (0 bytes).",
    "text": "The file holds text, not an image.",
    "truncated": "The TIFF is cut off: it refers to pixels beyond the end of the file.",
    "header-only": "The TIFF holds no image.",
    "zero-size": "The TIFF says its image is 0 × 0 pixels.",
    "folder": "This is a folder, not a file.",
    "missing": "The file is not there.",
}


def problem(path: Path) -> SlideUnreadable:
    with pytest.raises(SlideUnreadable) as caught:
        open_wsi(path)
    assert caught.value.hint
    assert path.name not in str(caught.value)
    assert str(path.parent) not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("kind", list(REASONS))
def test_reason(tmp_path: Path, kind: str) -> None:
    assert problem(slides.bad_slides(tmp_path)[kind]).reason == REASONS[kind]


def test_binary_file_named_like_a_slide(tmp_path: Path) -> None:
    path = tmp_path / "s.svs"
    path.write_bytes(bytes(range(256)) * 8)
    assert problem(path).reason == "The file is named like a TIFF slide, but holds something else."


@pytest.mark.parametrize(
    ("name", "contents"), [("s.mrxs", bytes(range(256)) * 8), ("s.vms", b"[Virtual Microscope]\n")]
)
def test_slide_of_several_files_without_the_others(
    tmp_path: Path, name: str, contents: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(contents)
    assert problem(path).reason == "Neither OpenSlide nor large-image knows this kind of file."


@pytest.mark.parametrize("make", [slides.make_slide, slides.make_svs, slides.make_flat])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_cut_off_slide(tmp_path: Path, make: slides.Maker, kept: float) -> None:
    path = make(tmp_path / "s.svs", (900, 700))
    os.truncate(path, int(path.stat().st_size * kept))
    assert "cut off" in problem(path).reason


def test_slide_whose_pixels_were_cut_off_behind_sound_directories(tmp_path: Path) -> None:
    path = slides.make_slide(tmp_path / "s.tif", (2000, 1500), level_factors=(1,))
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2 :] = bytes(len(whole) - len(whole) // 2)
    path.write_bytes(damaged)
    assert problem(path).reason == "A part of the slide is damaged and cannot be decoded."


def test_damage_in_the_middle_is_named_when_it_is_read(tmp_path: Path) -> None:
    path = slides.make_slide(tmp_path / "s.tif", (900, 700), level_factors=(1,))
    damaged = bytearray(path.read_bytes())
    damaged[2000:6000] = bytes(4000)
    path.write_bytes(damaged)
    with open_wsi(path) as wsi, pytest.raises(SlideUnreadable, match="damaged"):
        wsi.read_level(0, 0, 0, 900, 700)


def test_unsupported_pixels(tmp_path: Path) -> None:
    """A float image is a sound TIFF, but no slide."""
    header = struct.pack("<2sHI", b"II", 42, 8)
    tags = [(256, 4), (257, 4), (258, 32), (259, 1), (262, 1), (273, 200), (277, 1), (278, 4)]
    tags += [(279, 64), (339, 3)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    path = tmp_path / "s.tif"
    path.write_bytes(
        (header + struct.pack("<H", len(tags)) + entries + bytes(4)).ljust(200, b"\0") + bytes(64)
    )
    assert problem(path).reason == "The slide's pixels are float32, not colours of 8 or 16 bits."


def test_missing_permission(tmp_path: Path) -> None:
    path = slides.make_slide(tmp_path / "s.tif", (300, 200))
    path.chmod(0)
    with as_ordinary_user():
        assert problem(path).reason == "Permission to read the file is missing."


@contextmanager
def as_ordinary_user() -> Iterator[None]:
    """Permissions do not bind root, so root becomes "nobody" meanwhile."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def test_file_the_system_cannot_read(tmp_path: Path) -> None:
    """Errors other than the usual ones name the system's own reason."""
    path = tmp_path / "loop.svs"
    path.symlink_to(path)
    assert "symbolic links" in problem(path).reason
