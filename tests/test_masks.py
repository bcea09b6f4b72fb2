"""Where a slide holds tumour: the same answer from mask files and from outlines, or a refusal."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from model.extraction import masks
from model.extraction.annotations import Annotations
from model.extraction.errors import MaskInvalid
from model.extraction.mask_tiff import TiffMask
from model.extraction.masks import OutlineMask, no_lesions
from model.extraction.outlines import polygon_area, rasterise
from model.extraction.windows import Windows, filled_share
from model.prediction.wsi import Mpp

REAL = Path(__file__).parents[2] / "shared/data/camelyon16_annotations/jsons.zip"
SIZE = (1000, 800)
MPP = Mpp(0.25, 0.25)
TUMOUR = (200, 104, 360, 344)  # left, top, right, bottom; whole pixels of levels 0 to 3


def picture(value=1, size=SIZE, box=TUMOUR):
    pixels = np.zeros(size[::-1], np.uint8)
    pixels[box[1] : box[3], box[0] : box[2]] = value
    return pixels


def write_mask(path, pixels, factors=(1, 2, 4, 8), mpp=0.25, compression="deflate", **options):
    with tifffile.TiffWriter(path) as tiff:
        for factor in factors:
            tiff.write(
                pixels[::factor, ::factor],
                tile=(256, 256),
                compression=compression,
                subfiletype=int(factor > 1),
                resolution=(1e4 / mpp / factor, 1e4 / mpp / factor),
                resolutionunit="CENTIMETER",
                metadata=None,
                **options,
            )
    return path


@pytest.fixture
def mask_file(tmp_path):
    return write_mask(tmp_path / "m_mask.tif", picture())


@pytest.fixture
def open_mask():
    opened = []

    def open_one(path, size=SIZE, mpp=MPP, values="auto"):
        opened.append(TiffMask(path, size, mpp, values))
        return opened[-1]

    yield open_one
    for mask in opened:
        mask.close()


def outline(box=TUMOUR):
    left, top, right, bottom = box
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return np.array(corners, np.float64)


def windows(size=96.0, stride=40.0, origin=(0.0, 0.0)):
    columns, rows = (int((SIZE[axis] - size - origin[axis]) / stride) + 1 for axis in (0, 1))
    return Windows(columns, rows, origin, (size, size), (stride, stride))


def expected_shares(lattice):
    """Overlap of each window with the box, by plain arithmetic."""
    (width, height), (left, top, right, bottom) = lattice.size_l0_px, TUMOUR
    x, y = lattice.x_l0_px, lattice.y_l0_px
    across = np.clip(np.minimum(x + width, right) - np.maximum(x, left), 0, None)
    down = np.clip(np.minimum(y + height, bottom) - np.maximum(y, top), 0, None)
    return down[:, None] * across / (width * height)


@pytest.mark.parametrize("step", [1, 2, 3.7, 4, 8])
@pytest.mark.parametrize("kind", ["file", "outlines"])
def test_share_of_every_window_at_every_step(mask_file, open_mask, kind, step):
    mask = (
        open_mask(mask_file)
        if kind == "file"
        else OutlineMask(Annotations([outline()]), SIZE, "a.xml")
    )
    lattice = windows(size=96.0, stride=40.0)
    tolerance = 0 if step != 3.7 or kind == "file" else 0.04  # a drawn edge moves by half a step
    np.testing.assert_allclose(
        mask.tumour_share(lattice, (step, step)), expected_shares(lattice), atol=tolerance + 1e-9
    )


def test_windows_between_pixels_count_by_area(mask_file, open_mask):
    lattice = windows(size=50.3, stride=17.7, origin=(0.4, 3.3))
    shares = open_mask(mask_file).tumour_share(lattice, (1, 1))
    np.testing.assert_allclose(shares, expected_shares(lattice), atol=1e-9)


def test_small_blocks_give_the_same_shares(mask_file, open_mask, monkeypatch):
    lattice = windows(size=30.0, stride=11.0)
    whole = open_mask(mask_file).tumour_share(lattice, (2, 2))
    monkeypatch.setattr(masks, "BLOCK_PX", 40 * 40)
    np.testing.assert_allclose(open_mask(mask_file).tumour_share(lattice, (2, 2)), whole)
    assert whole.any()


def test_one_pixel_is_any_tumour(tmp_path, open_mask):
    pixels = np.zeros(SIZE[::-1], np.uint8)
    pixels[500, 700] = 1
    mask = open_mask(write_mask(tmp_path / "m.tif", pixels, (1,)))
    found = mask.any_tumour(Windows(10, 8, (0, 0), (100, 100), (100, 100)), (1, 1))
    assert np.argwhere(found).tolist() == [[5, 7]]


def test_touching_windows_hold_nothing(mask_file, open_mask):
    left, top, _, _ = TUMOUR
    # Three steps of a third: 0.1 + 0.2 style rounding must not pull the neighbour's pixel in.
    lattice = Windows(3, 1, (left - 3 * (100 / 3), top), (100 / 3, 50), (100 / 3, 50))
    assert not open_mask(mask_file).any_tumour(lattice, (1, 1)).any()


@pytest.mark.parametrize("step", [1, 2, 4])
def test_files_and_outlines_read_alike(mask_file, open_mask, step):
    drawn = OutlineMask(Annotations([outline()]), SIZE, "a.xml")
    where = ((100.0, 60.0), (float(step), float(step)), 320 // step, 300 // step)
    np.testing.assert_array_equal(open_mask(mask_file).read(*where), drawn.read(*where))
    assert drawn.read(*where).sum() == 160 * 240 / step**2


def test_outlines_of_a_mask_are_its_box(mask_file, open_mask):
    (found,) = open_mask(mask_file).outlines((0, 0), SIZE, (1.0, 1.0))
    assert abs(polygon_area(found) / (160 * 240) - 1) < 0.001
    np.testing.assert_allclose(found.min(axis=0), TUMOUR[:2], atol=0.51)
    np.testing.assert_allclose(found.max(axis=0), TUMOUR[2:], atol=0.51)


def test_what_is_not_tumour_is_taken_out_of_tumour_only():
    hole = outline((250, 150, 300, 200))
    mask = OutlineMask(Annotations([outline()], [hole, outline((0, 0, 50, 50))]), SIZE, "a.xml")
    assert mask.read((0, 0), (1, 1), *SIZE).sum() == 160 * 240 - 50 * 50


def test_a_normal_slide_holds_no_tumour():
    assert not no_lesions(SIZE).any_tumour(windows(), (1, 1)).any()


# ---- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"), [(1, "auto"), (255, "auto"), (2, "2=tumour,1=normal"), (7, "7=tumour")]
)
def test_values_and_their_counts(tmp_path, open_mask, value, text):
    path = write_mask(tmp_path / "m.tif", picture(value))
    mask = open_mask(path, values=text)
    assert mask.read((0, 0), (1, 1), *SIZE).sum() == 160 * 240
    assert mask.value_counts == {0: 800_000 - 38_400, value: 38_400}


def test_a_value_named_normal_is_no_tumour(tmp_path, open_mask):
    pixels = np.maximum(picture(2), picture(1, box=(0, 0, 100, 100)))
    path = write_mask(tmp_path / "m.tif", pixels)
    assert open_mask(path, values="1=tumour,2=normal").read((0, 0), (1, 1), *SIZE).sum() == 10_000


@pytest.mark.parametrize(
    ("values", "text", "reason"),
    [
        ((1, 2), "auto", r"0 \(.*1 \(.*2 \(.*explain themselves"),
        ((1, 255), "auto", "explain themselves"),
        ((1, 2), "1=tumour", "only 0 and 1=tumour were named"),
        (range(9), "auto", "lossy"),
    ],
)
def test_values_that_contradict_are_refused_with_their_counts(
    tmp_path, open_mask, values, text, reason
):
    pixels = picture(0)
    for index, value in enumerate(values):
        pixels[: 20 * (index + 1), index * 40 : index * 40 + 40] = value
    mask = open_mask(write_mask(tmp_path / "m.tif", pixels, (1,)), values=text)
    with pytest.raises(MaskInvalid, match=reason):
        mask.read((0, 0), (1, 1), *SIZE)


def test_a_contradiction_between_distant_windows_is_found(tmp_path, open_mask):
    pixels = np.maximum(picture(1), picture(255, box=(900, 700, 1000, 800)))
    mask = open_mask(write_mask(tmp_path / "m.tif", pixels, (1,)))
    assert mask.read((0, 0), (1, 1), 500, 400).any()
    with pytest.raises(MaskInvalid, match="explain themselves"):
        mask.read((500, 400), (1, 1), 500, 400)


@pytest.mark.parametrize("text", ["", "1", "1=cancer", "0=tumour", "256=tumour", "1=normal"])
def test_a_meaning_that_says_nothing_is_refused(mask_file, open_mask, text):
    with pytest.raises(MaskInvalid, match=r"for example|For example"):
        open_mask(mask_file, values=text)


# ---- masks that do not belong to their slide ----------------------------------------------------


def test_a_mask_of_another_size_is_refused(mask_file, open_mask):
    with pytest.raises(MaskInvalid, match=r"1000 × 800 pixels, .* 1000 × 900.*another slide"):
        open_mask(mask_file, size=(1000, 900))


@pytest.mark.parametrize(("size", "factor"), [((2000, 1600), "2"), ((500, 400), "0.5")])
def test_a_mask_shifted_in_resolution_is_refused(mask_file, open_mask, size, factor):
    with pytest.raises(MaskInvalid, match=f"shifted in resolution by {factor}"):
        open_mask(mask_file, size=size)


def test_a_mask_that_states_another_resolution_is_refused(mask_file, open_mask):
    with pytest.raises(MaskInvalid, match=r"0\.25 × 0\.25 µm per pixel, its slide 0\.5 × 0\.5"):
        open_mask(mask_file, mpp=Mpp(0.5, 0.5))


def test_resolution_tags_of_picture_editors_say_nothing(tmp_path, open_mask):
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, picture(), resolution=(72, 72), resolutionunit="INCH", metadata=None)
    assert open_mask(path).read((0, 0), (1, 1), *SIZE).any()


def test_a_colour_picture_is_refused(tmp_path, open_mask):
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, np.stack([picture()] * 3, axis=-1), photometric="rgb", metadata=None)
    with pytest.raises(MaskInvalid, match="3 channels"):
        open_mask(path)


def test_other_kinds_of_whole_numbers_and_strips_are_read(tmp_path, open_mask):
    for kind in (np.bool_, np.uint16, np.int32):
        path = tmp_path / f"{np.dtype(kind)}.tif"
        tifffile.imwrite(
            path, picture().astype(kind), rowsperstrip=64, photometric="minisblack", metadata=None
        )
        assert open_mask(path).read((0, 0), (1, 1), *SIZE).sum() == 160 * 240


def test_values_beyond_a_byte_are_refused(tmp_path, open_mask):
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, picture().astype(np.uint16) * 300, metadata=None)
    with pytest.raises(MaskInvalid, match="300"):
        open_mask(path).read((0, 0), (1, 1), *SIZE)


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.97])
def test_a_truncated_mask_is_refused(tmp_path, open_mask, keep):
    noise = np.random.default_rng(0).integers(0, 2, SIZE[::-1], np.uint8)
    path = write_mask(tmp_path / "m.tif", noise)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(MaskInvalid, match=r"truncated|could not be read"):
        open_mask(path).read((0, 0), (1, 1), *SIZE)


def test_a_damaged_tile_is_refused(tmp_path, open_mask):
    noise = np.random.default_rng(0).integers(0, 2, SIZE[::-1], np.uint8)
    path = write_mask(tmp_path / "m.tif", noise)
    with tifffile.TiffFile(path) as tiff:
        start = tiff.pages.first.dataoffsets[5]
    content = bytearray(path.read_bytes())
    content[start : start + 400] = bytes(400)
    path.write_bytes(content)
    with pytest.raises(MaskInvalid, match="could not be read"):
        open_mask(path).read((0, 0), (1, 1), *SIZE)


@pytest.mark.parametrize("content", [b"", b"text", b"II*\0\0\0\0\0"])
def test_what_is_no_tiff_is_refused(tmp_path, open_mask, content):
    (tmp_path / "m.tif").write_bytes(content)
    with pytest.raises(MaskInvalid, match=r"'m\.tif'"):
        open_mask(tmp_path / "m.tif")


def test_outlines_outside_their_slide_are_refused():
    with pytest.raises(MaskInvalid, match="wholly outside"):
        OutlineMask(Annotations([outline((2000, 10, 2100, 90))]), SIZE, "a.xml")


def test_tiles_that_were_never_written_hold_no_tumour(tmp_path, open_mask):
    # Sparse TIFFs leave empty tiles out.
    whole = np.pad(picture(), ((0, 224), (0, 24)))
    corners = ((y, x) for y in range(0, 1024, 256) for x in range(0, 1024, 256))
    tiles = (whole[y : y + 256, x : x + 256] for y, x in corners)
    written = (tile if tile.any() else None for tile in tiles)
    with tifffile.TiffWriter(tmp_path / "m.tif") as tiff:
        tiff.write(
            written,
            shape=SIZE[::-1],
            dtype=np.uint8,
            tile=(256, 256),
            compression="deflate",
            photometric="minisblack",
            metadata=None,
        )
    assert open_mask(tmp_path / "m.tif").read((0, 0), (1, 1), *SIZE).sum() == 160 * 240


# ---- drawing ------------------------------------------------------------------------------------


def test_pixels_are_inside_when_their_centres_are():
    triangle = np.array([(0, 0), (8, 0), (0, 8)], np.float64)
    x, y = np.meshgrid(np.arange(8) + 0.5, np.arange(8) + 0.5)
    np.testing.assert_array_equal(rasterise([triangle], (0, 0), (1, 1), (8, 8)), x + y < 8)


def test_neighbouring_outlines_share_no_pixel_and_leave_none():
    left = np.array([(0, 0), (6.3, 0), (3.9, 10), (0, 10)])
    right = np.array([(6.3, 0), (10, 0), (10, 10), (3.9, 10)])
    drawn = [rasterise([part], (0, 0), (1, 1), (10, 10)) for part in (left, right)]
    assert (drawn[0] ^ drawn[1]).all()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-20, 60), st.floats(-20, 60)), min_size=3, max_size=12),
    st.integers(0, 25),
    st.integers(0, 25),
)
def test_a_window_shows_its_part_of_the_whole(vertices, x, y):
    shape = np.array(vertices)
    whole = rasterise([shape], (0, 0), (1, 1), (40, 40))
    part = rasterise([shape], (x, y), (1, 1), (12, 9))
    np.testing.assert_array_equal(part, whole[y : y + 9, x : x + 12])


def test_box_sums_agree_with_plain_sums():
    mask = np.random.default_rng(1).random((60, 70)) < 0.3
    lattice = Windows(9, 7, (-10, 4), (16, 16), (8, 8))
    shares = filled_share(mask, (0, 0), (2, 2), lattice)
    padded = np.pad(mask, ((0, 20), (5, 20)))  # the lattice begins 5 mask pixels to the left
    plain = [
        [padded[2 + 4 * row :, 4 * column :][:8, :8].mean() for column in range(9)]
        for row in range(7)
    ]
    np.testing.assert_allclose(shares, plain)


@pytest.mark.skipif(not REAL.is_file(), reason="CAMELYON16 outlines are not at hand")
def test_real_lesions_keep_their_area():
    # Lesions of 25 slides. Self-crossing strokes enclose areas that the shoelace formula counts
    # twice or negative, so the areas are compared over each slide.
    with zipfile.ZipFile(REAL) as archive:
        names = [name for name in sorted(archive.namelist()) if "Tumor" in name][:25]
        slides = [json.loads(archive.read(name)) for name in names]
    for name, slide in zip(names, slides, strict=True):
        drawn = plain = 0.0
        for entry in slide["positive"]:
            shape = np.array(entry["vertices"], np.float64)
            low, high = shape.min(axis=0), shape.max(axis=0)
            step = max(1.0, float(np.sqrt((high - low).prod() / 4e6)))
            size = tuple(int(side) for side in np.ceil((high - low) / step) + 1)
            drawn += rasterise([shape], tuple(low), (step, step), size).sum() * step**2
            plain += polygon_area(shape)
        assert abs(drawn / plain - 1) < 0.01, name
