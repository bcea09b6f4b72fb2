"""Pixels of manifest rows: the slide's own, whichever way they were read."""

import os
import pickle

import numpy as np
import pytest

from model.extraction.errors import ManifestInvalid, WriteFailed
from model.extraction.manifest import read_manifest, write_manifest
from model.extraction.packs import Pack, pack_path, write_pack
from model.extraction.patch_reader import PatchReader
from model.prediction.errors import SlideUnreadable
from model.prediction.wsi import open_wsi, read_scaled
from tests.manifests import metadata, slide_record, table
from tests.slides import make_slide

SIZE_PX = (1500, 1100)
STEPS = [(1.0, 1.0), (2.0, 2.0), (2.7, 2.7), (1.0, 2.0)]


def corners(step, stride=40.0):
    x, y = np.meshgrid(
        np.arange(0, SIZE_PX[0] - 64 * step[0], stride * step[0]),
        np.arange(0, SIZE_PX[1] - 64 * step[1], stride * step[1]),
    )
    return x.ravel(), y.ravel()


@pytest.fixture(params=STEPS, ids=str)
def manifest(request, tmp_path):
    """Slides a (a dense lattice, shuffled) and b (three lone patches)."""
    step, random = request.param, np.random.default_rng(0)
    x, y = corners(step)
    order = random.permutation(len(x))
    places = {"a": (x[order], y[order]), "b": (np.array([3.0, 700, 900]), np.array([9.0, 5, 600]))}
    tables, records = [], {}
    for name, (left, top) in places.items():
        seed = random.integers(0, 255, (SIZE_PX[1], SIZE_PX[0], 3), np.uint8)
        (tmp_path / "slides").mkdir(exist_ok=True)
        make_slide(tmp_path / f"slides/{name}.tif", SIZE_PX, level_factors=(1, 2), draw=seed)
        labels = [0] * len(left)
        shape = {"x_l0_px": left, "y_l0_px": top, "size_px": 64}
        steps = {"step_l0_x_px": step[0], "step_l0_y_px": step[1]}
        tables.append(table(name, labels, **shape, **steps))
        size = {"width_px": SIZE_PX[0], "height_px": SIZE_PX[1]}
        records[name] = slide_record(name, labels, **size)
    write_manifest(tmp_path / "m.parquet", tables, metadata(**records))
    return read_manifest(tmp_path / "m.parquet")


@pytest.fixture
def reader(manifest):
    reader = PatchReader(manifest, manifest.slide_files())
    yield reader
    reader.close()


def one_by_one(manifest, rows):
    patches = []
    for row in rows:
        slide, x, y, step_x, step_y = (
            manifest.column(name)[row]
            for name in ("slide", "x_l0_px", "y_l0_px", "step_l0_x_px", "step_l0_y_px")
        )
        with open_wsi(manifest.slide_files()[slide]) as wsi:
            patches.append(read_scaled(wsi, float(x), float(y), (step_x, step_y), 64, 64))
    return np.stack(patches)


def test_patches_read_together_are_those_read_alone(manifest, reader):
    rows = np.random.default_rng(1).permutation(len(manifest))[:60]
    rows = np.append(rows, len(manifest) - 2)
    difference = np.abs(reader.read(rows).astype(int) - one_by_one(manifest, rows))
    assert difference.max() <= 1  # of 255: the resampler's rounding, nothing where none is needed
    if manifest.column("step_l0_x_px")[0] != 2.7:
        assert not difference.any()


def test_all_rows_come_in_the_order_asked_for(manifest, reader):
    rows = np.arange(len(manifest))
    forth, back = reader.read(rows), reader.read(rows[::-1])
    np.testing.assert_array_equal(forth, back[::-1])


def test_packed_pixels_are_the_slides(manifest, reader, tmp_path):
    done = []
    reader.pack(tmp_path / "pixels", done.append)
    assert sum(done) == len(manifest)
    rows = np.arange(len(manifest))
    # Without slides: every pixel comes from the pack.
    lost = dict.fromkeys(manifest.slides, tmp_path / "gone.tif")
    packed = PatchReader(manifest, lost, tmp_path / "pixels")
    difference = np.abs(packed.read(rows).astype(int) - reader.read(rows))
    assert difference.max() <= 1
    assert sorted(os.listdir(tmp_path / "pixels")) == ["a.npy", "b.npy"]


def test_whole_packs_are_kept_and_others_made(manifest, reader, tmp_path):
    folder = tmp_path / "pixels"
    reader.pack(folder)
    kept = pack_path(folder, "a").stat().st_ino
    pack_path(folder, "b").unlink()
    (folder / "b.npy.partial").write_bytes(b"left by a kill")
    reader.pack(folder)
    assert pack_path(folder, "a").stat().st_ino == kept
    assert sorted(os.listdir(folder)) == ["a.npy", "b.npy"]


def test_rows_a_pack_does_not_hold_come_from_the_slide(manifest, reader, tmp_path):
    rows = np.arange(len(manifest))
    first = len(manifest) - 3  # all of a
    places = reader.places[:first]
    write_pack(pack_path(tmp_path, "a"), 5, 64, [(places[:5], reader.read(rows[:5]))])
    mixed = PatchReader(manifest, manifest.slide_files(), tmp_path)
    np.testing.assert_allclose(mixed.read(rows), reader.read(rows), atol=1)
    mixed.close()


def test_a_reader_goes_to_other_processes(manifest, reader):
    rows = np.arange(0, len(manifest), 7)
    expected = reader.read(rows)  # slides are open now
    copy = pickle.loads(pickle.dumps(reader))
    np.testing.assert_array_equal(copy.read(rows), expected)
    copy.close()


def test_only_so_many_slides_stay_open(manifest, reader, monkeypatch):
    monkeypatch.setattr("model.extraction.patch_reader.OPEN_SLIDES", 1)
    rows = np.array([0, len(manifest) - 1])
    expected = one_by_one(manifest, rows)
    for _ in range(3):
        np.testing.assert_allclose(reader.read(rows), expected, atol=1)


# ---- refusals -----------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path):
    write_manifest(
        tmp_path / "m.parquet",
        [table("a", [0, 1, 0], size_px=[96, 96, 48])],
        metadata(a=slide_record("a", [0, 1, 0])),
    )
    return read_manifest(tmp_path / "m.parquet")


def test_a_slide_nobody_named_is_refused(small):
    with pytest.raises(ManifestInvalid, match="'a' is not among the slides given"):
        PatchReader(small, {})


def test_a_slide_that_is_gone_is_refused(small):
    with pytest.raises(SlideUnreadable, match="Slide 'a': The file is not there"):
        PatchReader(small, small.slide_files()).read(np.array([0]))


def test_patches_of_two_sizes_are_not_read_together(small):
    with pytest.raises(ManifestInvalid, match="48 and 96 pixels"):
        PatchReader(small, small.slide_files()).read(np.array([0, 2]))


def test_a_damaged_pack_is_refused(small, tmp_path):
    pack_path(tmp_path, "a").write_bytes(b"\x93NUMPY nonsense")
    with pytest.raises(ManifestInvalid, match=r"'a\.npy' could not be read"):
        PatchReader(small, small.slide_files(), tmp_path).read(np.array([0]))


def test_an_error_while_packing_leaves_nothing(tmp_path):
    def batches():
        yield np.zeros((1, 4)), np.zeros((1, 8, 8, 3), np.uint8)
        raise OSError(28, "No space left on device")

    with pytest.raises(WriteFailed, match="No space left"):
        write_pack(tmp_path / "a.npy", 2, 8, batches())
    assert os.listdir(tmp_path) == []


def test_a_pack_finds_its_rows(tmp_path):
    places = np.array([[0.0, 0, 1, 1], [5, 5, 1, 1]])
    pixels = np.arange(2 * 8 * 8 * 3, dtype=np.uint16).astype(np.uint8).reshape(2, 8, 8, 3)
    write_pack(tmp_path / "a.npy", 2, 8, [(places, pixels)])
    pack = Pack(tmp_path / "a.npy")
    assert pack.find(np.array([[5.0, 5, 1, 1], [5, 5, 2, 2]]), 8).tolist() == [1, -1]
    assert pack.find(places, 16).tolist() == [-1, -1]
    np.testing.assert_array_equal(pack.pixels(np.array([1])), pixels[1:])
