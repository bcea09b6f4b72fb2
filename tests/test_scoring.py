"""A chunk's probabilities are those of its cells' patches, one by one, wherever the cells lie."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model.prediction import scoring
from model.prediction.engine import TORCH, load_engine
from model.prediction.errors import (
    EngineUnavailable,
    HeatmapInvalid,
    ModelInvalid,
    ResolutionUnknown,
    ResolutionUnsuitable,
)
from model.prediction.heatmap import Heatmap
from model.prediction.models import load_model
from model.prediction.scoring import plan_geometry, prepare, read_patches, score_chunk
from model.prediction.wsi import Mpp, open_wsi, read_scaled
from tests import slides
from tests.model_folders import make_model_folder

SIZE_PX = (1300, 900)
LAYOUTS: dict[str, tuple[slides.Maker, dict[str, object]]] = {
    "a level at the model's resolution": (slides.make_slide, {"mpp": 0.243}),
    "resampled": (slides.make_slide, {"mpp": 0.31, "level_factors": (1, 4)}),
    "level 0": (slides.make_slide, {"mpp": 0.97, "level_factors": (1,)}),
    "non-square": (slides.make_slide, {"mpp": (0.25, 0.31)}),
    "bounds offset": (slides.make_scn, {"mpp": 0.25, "offset_l0_px": (703, 334)}),
}


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model_folder(tmp_path_factory.mktemp("models") / "random", min_tissue_share=0.0)


def tissue_on_glass(size_px: tuple[int, int]) -> slides.Pixels:
    """Coloured noise of many sizes over most of the slide, to its right and lower edges."""
    width, height = size_px
    chance = np.random.default_rng(5)
    pixels = np.full((height, width, 3), slides.GLASS, np.uint8)
    for side in (64, 16, 4):
        spots = chance.integers(60, 220, (height // side + 1, width // side + 1, 3), np.uint8)
        large = spots.repeat(side, 0).repeat(side, 1)[:height, :width]
        pixels[100:, 300:] = (pixels[100:, 300:] // 2) + large[100:, 300:] // 2
    pixels[100:, 300:, 1] //= 2  # purple
    return pixels


def slide_of(layout: str, folder: Path) -> Path:
    make, arguments = LAYOUTS[layout]
    size_px = (500, 300) if layout == "level 0" else SIZE_PX
    return make(folder / "s.tif", size_px, draw=tissue_on_glass(size_px), **arguments)


def score_all(slide: Path, model_folder: Path, path: Path) -> Heatmap:
    prepare(slide, model_folder, path, None)
    heatmap = Heatmap.open(path)
    for chunk in heatmap.planned_chunks():
        score_chunk(slide, model_folder, path, chunk)
    return heatmap


def one_by_one(slide: Path, model_folder: Path, heatmap: Heatmap) -> NDArray[np.float32]:
    """What the engine says of patches read each by itself, around the middle of each cell."""
    engine, g = load_engine(model_folder), heatmap.geometry
    before, side = 32 + 16 + engine.model.surroundings_px[0], engine.model.seen_px
    result = np.full((g.rows, g.columns), np.nan, np.float32)
    pixel = g.step_l0_x_px / 32, g.step_l0_y_px / 32
    with open_wsi(slide) as wsi:
        for row, column in np.argwhere(heatmap.to_analyse):
            middle_x = g.origin_l0_x_px + (column + 0.5) * g.step_l0_x_px
            middle_y = g.origin_l0_y_px + (row + 0.5) * g.step_l0_y_px
            corner = middle_x - before * pixel[0], middle_y - before * pixel[1]
            patch = read_scaled(wsi, *corner, pixel, side, side)
            result[row, column] = engine.probabilities(patch[None])[0]
    return result


@pytest.mark.parametrize("dense", [False, True], ids=["plain", "dense"])
@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_equal_to_patches_read_one_by_one(
    tmp_path: Path, layout: str, dense: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "CHUNK_CELLS", 5)
    model_folder = make_model_folder(tmp_path / "toy", dense=dense, min_tissue_share=0.0)
    slide = slide_of(layout, tmp_path)
    heatmap = score_all(slide, model_folder, tmp_path / "h.zarr")
    g = heatmap.geometry
    assert (g.level is None) == (layout in ("resampled", "non-square"))
    scored = heatmap.probabilities(0, g.rows, 0, g.columns)
    expected = one_by_one(slide, model_folder, heatmap)
    assert np.array_equal(np.isnan(scored), ~heatmap.to_analyse)
    assert heatmap.to_analyse[-1, -1]  # a cell that reaches over the slide's corner
    assert np.nanmax(expected) - np.nanmin(expected) > 0.05  # the patches do differ
    assert np.nanmax(abs(scored - expected)) < 1e-5


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_patches_of_a_chunk_are_its_cells_surroundings(
    tmp_path: Path, model_folder: Path, layout: str
) -> None:
    model = load_model(model_folder)
    with open_wsi(slide_of(layout, tmp_path)) as wsi:
        assert wsi.mpp
        g = plan_geometry(wsi, wsi.mpp, model)
        top, bottom, left, right = g.chunk_cells_range((0, 0))
        cells = np.indices((bottom - top, right - left)).sum(axis=0) % 3 == 0
        patches = read_patches(wsi, g, model, (0, 0), cells)
        pixel = g.step_l0_x_px / 32, g.step_l0_y_px / 32
        for patch, (row, column) in zip(patches, np.argwhere(cells), strict=True):
            x = g.origin_l0_x_px + column * g.step_l0_x_px - 32 * pixel[0]
            y = g.origin_l0_y_px + row * g.step_l0_y_px - 32 * pixel[1]
            alone = read_scaled(wsi, x, y, pixel, 96, 96)
            assert np.array_equal(patch, alone)
        corner = patches[0]  # of the first cell: a third of it lies outside the slide
        assert (corner[:32] == wsi.background_rgb).all()
        assert (corner[:, :32] == wsi.background_rgb).all()
        assert (corner[32:, 32:] != wsi.background_rgb).any(axis=2).all()


def test_cells_cover_the_slide(tmp_path: Path, model_folder: Path) -> None:
    with open_wsi(slide_of("a level at the model's resolution", tmp_path)) as wsi:
        geometry = plan_geometry(wsi, Mpp(0.243, 0.243), load_model(model_folder))
    assert (geometry.level, geometry.step_l0_x_px, geometry.step_l0_y_px) == (2, 128, 128)
    assert (geometry.columns, geometry.rows) == (11, 8)


@pytest.mark.parametrize(
    ("mpp", "level", "step_l0_px"),
    [(0.243, 2, 128.0), (0.26, 2, 128.0), (0.28, None, 32 * 443 / 256 * 2), (0.5, 1, 64.0)],
)
def test_a_level_within_a_tenth_is_taken_as_it_is(
    tmp_path: Path, model_folder: Path, mpp: float, level: int | None, step_l0_px: float
) -> None:
    with open_wsi(slides.make_slide(tmp_path / "s.tif", mpp=mpp)) as wsi:
        geometry = plan_geometry(wsi, Mpp(mpp, mpp), load_model(model_folder))
    assert geometry.level == level
    assert geometry.step_l0_x_px == pytest.approx(step_l0_px)


def test_scoring_again_changes_nothing(tmp_path: Path, model_folder: Path) -> None:
    slide, path = slide_of("level 0", tmp_path), tmp_path / "h.zarr"
    heatmap = score_all(slide, model_folder, path)
    g = heatmap.geometry
    before = heatmap.probabilities(0, g.rows, 0, g.columns)
    score_all(slide, model_folder, path)
    assert np.array_equal(heatmap.probabilities(0, g.rows, 0, g.columns), before, equal_nan=True)


def test_a_given_resolution_counts_more_than_the_slides(tmp_path: Path, model_folder: Path) -> None:
    path = tmp_path / "h.zarr"
    prepare(slide_of("level 0", tmp_path), model_folder, path, Mpp(0.9, 1.0))
    assert (Heatmap.open(path).geometry.mpp_x, Heatmap.open(path).geometry.mpp_y) == (0.9, 1.0)


def test_without_resolution_nothing_is_guessed(tmp_path: Path, model_folder: Path) -> None:
    slide = slides.make_slide(tmp_path / "s.tif", mpp=None)
    with pytest.raises(ResolutionUnknown):
        prepare(slide, model_folder, tmp_path / "h.zarr", None)
    assert not (tmp_path / "h.zarr").exists()


def test_pixels_too_coarse_for_the_model(tmp_path: Path, model_folder: Path) -> None:
    slide = slides.make_slide(tmp_path / "s.tif", mpp=2.0)
    with pytest.raises(ResolutionUnsuitable, match=r"2 µm wide; the model needs 0\.97 µm"):
        prepare(slide, model_folder, tmp_path / "h.zarr", None)


def test_the_heat_map_of_another_model_is_kept_and_named(
    tmp_path: Path, model_folder: Path
) -> None:
    slide, path = slide_of("level 0", tmp_path), tmp_path / "h.zarr"
    prepare(slide, model_folder, path, None)
    prepare(slide, model_folder, path, None)
    other = make_model_folder(tmp_path / "other", seed=1, version="2.0.0", min_tissue_share=0.0)
    with pytest.raises(HeatmapInvalid, match="differs in model version, weights sha256"):
        prepare(slide, other, path, None)
    with pytest.raises(HeatmapInvalid, match=r"differs in .*mpp x"):
        prepare(slide, model_folder, path, Mpp(0.95, 0.95))


def test_a_slide_without_tissue_has_a_heat_map_without_chunks(
    tmp_path: Path, model_folder: Path
) -> None:
    glass = np.full((900, 1300, 3), slides.GLASS, np.uint8)
    slide = slides.make_slide(tmp_path / "s.tif", SIZE_PX, draw=glass)
    heatmap = score_all(slide, model_folder, tmp_path / "h.zarr")
    assert heatmap.planned_chunks() == []
    assert heatmap.summary()["cells_analysed"] == 0


def test_a_model_replaced_on_the_way_never_ends_in_the_same_map(tmp_path: Path) -> None:
    slide = slide_of("a level at the model's resolution", tmp_path)
    first = make_model_folder(tmp_path / "first", min_tissue_share=0.0, seed=1)
    other = make_model_folder(tmp_path / "other", min_tissue_share=0.0, seed=2)
    prepare(slide, first, tmp_path / "map.zarr", None)
    heatmap = Heatmap.open(tmp_path / "map.zarr")
    chunk = heatmap.planned_chunks()[0]
    with pytest.raises(ModelInvalid, match="replaced"):
        score_chunk(slide, other, tmp_path / "map.zarr", chunk)
    assert not heatmap.stored_chunks()


def test_a_map_is_never_made_by_two_engines(tmp_path: Path, model_folder: Path) -> None:
    slide, path = slide_of("level 0", tmp_path), tmp_path / "h.zarr"
    prepare(slide, model_folder, path, None, "torch")
    prepare(slide, model_folder, path, None, "auto")
    assert Heatmap.open(path).geometry.engine == TORCH
    with pytest.raises(HeatmapInvalid, match="differs in engine"):
        prepare(slide, model_folder, path, None, "openvino-float32")


def test_a_map_begun_elsewhere_waits_for_its_engine(tmp_path: Path, model_folder: Path) -> None:
    slide, path = slide_of("level 0", tmp_path), tmp_path / "h.zarr"
    prepare(slide, model_folder, path, None, "torch")
    about = json.loads((path / "zarr.json").read_text())
    about["attributes"]["geometry"]["engine"] = "tensorrt float16"
    (path / "zarr.json").write_text(json.dumps(about))
    chunk = Heatmap.open(path).planned_chunks()[0]
    with pytest.raises(EngineUnavailable, match="begun with the engine tensorrt float16"):
        score_chunk(slide, model_folder, path, chunk)
    with pytest.raises(EngineUnavailable, match="tensorrt"):
        prepare(slide, model_folder, path, None, "auto")
