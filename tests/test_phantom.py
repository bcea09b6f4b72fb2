"""Phantoms: same seed same slide, lesions as recorded, masks as outlined."""

import json
import zipfile
from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile
from click.testing import CliRunner
from skimage.draw import polygon

from model.cli_phantom import command
from model.extraction.phantom import (
    PLANS,
    STATEMENT,
    PhantomOrder,
    PhantomRecord,
    draw_phantom,
    make_phantoms,
)
from model.extraction.phantom_layout import make_layout
from model.extraction.phantom_outlines import (
    Lesion,
    OutlinesError,
    OutlineSource,
    draw_outline,
    longest_diameter,
    read_outlines,
)
from model.extraction.phantom_texture import Tissue

SIZE_PX = 2048
MPP = 0.243


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms")
    make_phantoms(folder, count=1, seed=7, size_px=SIZE_PX)
    return folder


def record_of(folder: Path) -> PhantomRecord:
    record: PhantomRecord = json.loads((folder / "phantoms.json").read_text())["phantoms"][0]
    return record


def order(folder: Path, seed: int) -> PhantomOrder:
    for name in ("slides", "masks"):
        (folder / name).mkdir()
    return PhantomOrder(folder, 1, seed, SIZE_PX)


def test_slides_stand_apart_from_masks(made: Path) -> None:
    found = sorted(p.relative_to(made).as_posix() for p in made.rglob("*") if p.is_file())
    assert found == ["masks/phantom-1_mask.tif", "phantoms.json", "slides/phantom-1.tif"]


def test_slide_says_that_it_is_a_phantom(made: Path) -> None:
    with openslide.OpenSlide(made / "slides/phantom-1.tif") as slide:
        assert "not real tissue" in slide.properties["tiff.ImageDescription"]
        assert "phantom" in slide.properties["tiff.Software"]
    assert json.loads((made / "phantoms.json").read_text())["statement"] == STATEMENT


def test_slide_has_tissue_on_glass_at_the_stated_resolution(made: Path) -> None:
    with openslide.OpenSlide(made / "slides/phantom-1.tif") as slide:
        assert slide.dimensions == (SIZE_PX, SIZE_PX)
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(MPP)
        small = np.asarray(slide.read_region((0, 0), 2, (512, 512)))[..., :3]
    tissue = (small.min(axis=-1) < 200).mean()
    assert 0.1 < tissue < 0.9
    assert (small.min(axis=-1) > 235).mean() > 0.05


def test_mask_equals_the_outlines(made: Path) -> None:
    wanted = np.zeros((SIZE_PX, SIZE_PX), dtype=bool)
    for lesion in record_of(made)["lesions"]:
        outline = np.array(lesion["outline_l0_px"])
        wanted[polygon(outline[:, 1], outline[:, 0], wanted.shape)] = True
    mask = tifffile.imread(made / "masks/phantom-1_mask.tif")
    assert mask.shape == wanted.shape
    assert set(np.unique(mask)) == {0, 1}
    assert (wanted & (mask == 1)).sum() / (wanted | (mask == 1)).sum() > 0.98


def test_recorded_sizes_match_the_outlines(made: Path) -> None:
    mask = tifffile.imread(made / "masks/phantom-1_mask.tif")
    lesions = record_of(made)["lesions"]
    assert lesions
    for lesion in lesions:
        points = np.array(lesion["outline_l0_px"])
        longest = max(np.hypot(*(points - p).T).max() for p in points) * MPP
        assert lesion["longest_diameter_um"] == pytest.approx(longest, abs=0.1)
        assert lesion["kind"] == ("itc" if longest <= 200 else "micro")
    area = sum(lesion["area_um2"] for lesion in lesions)
    assert area == pytest.approx(mask.sum() * MPP**2, rel=0.02)


def test_same_seed_draws_the_same_bytes(made: Path, tmp_path: Path) -> None:
    draw_phantom(order(tmp_path, seed=7))
    for name in ("slides/phantom-1.tif", "masks/phantom-1_mask.tif"):
        assert (tmp_path / name).read_bytes() == (made / name).read_bytes()


def test_another_seed_draws_another_slide(made: Path, tmp_path: Path) -> None:
    draw_phantom(order(tmp_path, seed=8))
    first, other = (
        tifffile.imread(folder / "slides/phantom-1.tif").astype(int) for folder in (made, tmp_path)
    )
    assert (np.abs(first - other).max(axis=-1) > 40).mean() > 0.2


def test_tumour_is_drawn_inside_the_outlines_alone() -> None:
    layout = make_layout((7, 1), SIZE_PX * 2, PLANS[0], OutlineSource())
    tumour = np.isin(layout.labels, (Tissue.TUMOUR, Tissue.TUMOUR_STROMA))
    inside = np.zeros_like(tumour)
    for lesion in layout.lesions:
        outline = lesion.outline_l0_px / 8
        inside[polygon(outline[:, 1], outline[:, 0], inside.shape)] = True
    assert (tumour & inside).sum() > 0.9 * inside.sum()
    assert (tumour & ~inside).sum() < 0.1 * tumour.sum()


def test_every_third_phantom_has_no_lesion() -> None:
    assert [bool(kinds) for kinds in PLANS] == [True, True, False]
    layout = make_layout((7, 3), SIZE_PX, PLANS[2], OutlineSource())
    assert layout.lesions == ()
    assert not np.isin(layout.labels, (Tissue.TUMOUR, Tissue.TUMOUR_STROMA)).any()


def test_large_slide_holds_lesions_of_every_size() -> None:
    layout = make_layout((7, 1), 24_000, PLANS[0], OutlineSource())
    assert [lesion.kind for lesion in layout.lesions] == ["macro", "micro", "micro", "itc", "itc"]


@pytest.mark.parametrize("diameter_px", [250.0, 4000.0, 12_000.0])
def test_drawn_outline_has_the_diameter_asked_for(diameter_px: float) -> None:
    outline = draw_outline(np.random.default_rng(3), diameter_px)
    assert longest_diameter(outline) == pytest.approx(diameter_px)


def test_size_classes_end_at_200_um_and_2_mm() -> None:
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) / 2**0.5 / MPP
    kinds = [Lesion(square * size_um).kind for size_um in (199.9, 200.1, 1999.0, 2001.0)]
    assert kinds == ["itc", "micro", "micro", "macro"]


def real_like(path: Path, vertices: list[list[int]]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.json", json.dumps({"positive": [{"vertices": vertices}]}))
        archive.writestr("normal.json", json.dumps({"positive": [], "negative": []}))
    return path


def test_given_outlines_keep_their_shape(tmp_path: Path) -> None:
    corners = [[9000, 100], [9200, 100], [9250, 300], [9400, 320], [9420, 500], [9300, 560],
               [9100, 600], [9010, 400]]  # fmt: skip
    source = OutlineSource(read_outlines(real_like(tmp_path / "o.zip", corners)))
    layout = make_layout((7, 1), SIZE_PX, ("itc",), source)
    placed = layout.lesions[0].outline_l0_px
    given = np.array(corners, dtype=float)
    scale = np.ptp(placed[:, 0]) / np.ptp(given[:, 0])
    assert scale <= 1.0
    np.testing.assert_allclose(
        placed - placed.min(0), (given - given.min(0)) * scale, atol=0.2 + 0.01 * scale
    )


def test_unusable_outlines_are_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_text("not a zip")
    with pytest.raises(OutlinesError, match="Give the zip"):
        read_outlines(tmp_path / "no.zip")
    ended = CliRunner().invoke(
        command, ["--out", str(tmp_path / "out"), "--outlines", str(tmp_path / "no.zip"),
                  "--size-px", "1024"],
    )  # fmt: skip
    assert ended.exit_code == 1
    assert "The outlines cannot be read" in ended.output


def test_command_prints_the_record(tmp_path: Path) -> None:
    ended = CliRunner().invoke(
        command, ["--out", str(tmp_path), "--count", "1", "--size-px", "1024", "--json"]
    )
    assert ended.exit_code == 0, ended.output
    assert json.loads(ended.output) == json.loads((tmp_path / "phantoms.json").read_text())
