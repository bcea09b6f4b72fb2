"""From slides and masks to the rows of a manifest: what counts as a patch, and its label."""

import os

import numpy as np
import pytest

from model.extraction.errors import ManifestInvalid, StudyInvalid, WriteFailed
from model.extraction.extract import ExtractSettings, extract, merge, part_path
from model.extraction.manifest import read_manifest
from model.extraction.patches import PatchSettings, patch_windows
from model.extraction.slide_tissue import TissueSettings
from model.extraction.study import open_study
from model.prediction.errors import ResolutionUnknown, ResolutionUnsuitable
from model.prediction.tissue import tissue_mask
from model.prediction.wsi import Mpp, open_wsi
from tests import lesion_studies as made
from tests.slides import Square, make_scn, make_slide


def run(folder, out, again=False, tissue=None, **patches):
    settings = ExtractSettings(
        PatchSettings(**{"mpp": made.MPP} | patches), tissue or TissueSettings()
    )
    study = open_study(folder)
    done = extract(study, out, settings, lambda name, windows: lambda count: None, again)
    return done, read_manifest(merge(study, out, settings, done)) if done.slides else None


def by_place(manifest, slide, column):
    chosen = manifest.column("slide").astype(str) == slide
    corners = zip(manifest.column("x_l0_px"), manifest.column("y_l0_px"), strict=True)
    return {
        place: value
        for place, value, ours in zip(corners, manifest.column(column), chosen, strict=True)
        if ours
    }


def overlap(place, box, size=96.0):
    across = min(place[0] + size, box[2]) - max(place[0], box[0])
    down = min(place[1] + size, box[3]) - max(place[1], box[1])
    return max(0.0, across) * max(0.0, down) / size**2


@pytest.fixture
def study(tmp_path):
    return made.write_study(tmp_path / "study")


def test_patches_are_the_windows_with_enough_tissue(study, tmp_path):
    _, manifest = run(study, tmp_path / "out", stride_px=64)
    found = by_place(manifest, "normal_1", "tissue_share")
    with open_wsi(study / "slides/normal_1.tif") as wsi:
        tissue = tissue_mask(wsi, wsi.mpp)
    painted = np.kron(tissue.mask, np.ones((8, 8)))[: made.SIZE_PX[1], : made.SIZE_PX[0]]
    expected = {
        (x, y): painted[y : y + 96, x : x + 96].mean()
        for y in range(0, 1152 - 96 + 1, 64)
        for x in range(0, 1536 - 96 + 1, 64)
        if painted[y : y + 96, x : x + 96].mean() >= 0.1
    }
    assert set(found) == set(expected)
    assert 0 < len(found) < 23 * 17
    for place, share in expected.items():
        assert found[place] == pytest.approx(share, abs=1e-6)


def test_the_share_of_tissue_asked_for_is_kept_to(study, tmp_path):
    _, few = run(study, tmp_path / "few", min_tissue_share=1.0)
    _, many = run(study, tmp_path / "many", min_tissue_share=0.0)
    assert set(few.column("tissue_share")) == {1.0}
    assert len(many) == 2 * 16 * 12


@pytest.mark.parametrize("source", ["masks", "annotations"])
def test_any_pixel_of_tumour_makes_a_tumour_patch(tmp_path, source):
    folder = tmp_path / "study"
    made.write_slide(folder, "tumor_1")
    (made.write_mask if source == "masks" else made.write_annotation)(folder, "tumor_1")
    _, manifest = run(folder, tmp_path / "out", stride_px=32)
    labels = by_place(manifest, "tumor_1", "label")
    shares = by_place(manifest, "tumor_1", "tumour_share")
    borders = by_place(manifest, "tumor_1", "border")
    for place, label in labels.items():
        expected = overlap(place, made.LESION)
        assert shares[place] == pytest.approx(expected, abs=1e-6)
        assert label == (expected > 0)
        assert borders[place] == (0 < expected < 1)
    assert {0, 1} == set(labels.values())


def test_the_rule_of_patchcamelyon_looks_at_the_centre_alone(study, tmp_path):
    _, manifest = run(study, tmp_path / "out", stride_px=32, label_rule="centre")
    labels = by_place(manifest, "tumor_1", "label")
    for (x, y), label in labels.items():
        assert label == (overlap((x + 32, y + 32), made.LESION, 32) > 0)
    shares = by_place(manifest, "tumor_1", "tumour_share")
    assert any(share > 0 and not labels[place] for place, share in shares.items())


def test_a_least_share_of_tumour(study, tmp_path):
    _, manifest = run(
        study, tmp_path / "out", stride_px=32, label_rule="share", min_tumour_share=2 / 3
    )
    for place, label in by_place(manifest, "tumor_1", "label").items():
        assert label == (overlap(place, made.LESION) >= 2 / 3 - 1e-9)


@pytest.mark.parametrize(
    ("settings", "step"),
    [
        ({"level": 1, "mpp": None}, 2.0),
        ({"mpp": 1.9}, 2.0),
        ({"mpp": 2.3}, 2.3),
        ({"mpp": 0.8}, 0.8),
    ],
)
def test_levels_are_taken_as_they_are_and_else_resampled(study, settings, step):
    chosen = PatchSettings(**{"mpp": None} | settings)
    with open_wsi(study / "slides/tumor_1.tif") as wsi:
        windows, found = patch_windows(wsi, wsi.mpp, chosen)
    assert found == pytest.approx((step, step), rel=0.002)
    assert windows.size_l0_px == (96 * found[0], 96 * found[1])
    assert windows.columns == int(1536 / (96 * found[0]) + 1e-9)
    right, bottom = windows.end_l0_px
    assert right <= 1536 + 1e-6
    assert bottom <= 1152 + 1e-6


@pytest.mark.parametrize("settings", [{"level": 1, "mpp": None}, {"mpp": 2.3}, {"mpp": 0.8}])
def test_tumour_is_judged_alike_at_every_resolution(study, tmp_path, settings):
    _, manifest = run(study, tmp_path / "out", **settings)
    (size,) = set(manifest.column("size_px") * manifest.column("step_l0_x_px"))
    shares = by_place(manifest, "tumor_1", "tumour_share")
    assert any(shares.values())
    for place, share in shares.items():
        assert share == pytest.approx(overlap(place, made.LESION, size), abs=1e-6)


def test_outlines_follow_the_bounds_of_the_slide(tmp_path):
    folder = tmp_path / "study"
    (folder / "slides").mkdir(parents=True)
    offset = (700, 333)
    make_scn(
        folder / "slides/tumor_1.scn",
        made.SIZE_PX,
        offset_l0_px=offset,
        mpp=made.MPP,
        draw=made.tissue_on_glass(),
    )
    box = np.add(made.LESION, offset * 2)  # as ASAP counts, from the scan's corner
    made.write_annotation(folder, "tumor_1", box)
    _, manifest = run(folder, tmp_path / "out")
    labels = by_place(manifest, "tumor_1", "label")
    assert any(labels.values())
    for place, label in labels.items():
        assert label == (overlap(place, made.LESION) > 0)


def test_a_partly_annotated_slide_gives_no_negatives(study, tmp_path):
    (study / "partly_annotated.txt").write_text("Tumor_1  # consecutive sections\n")
    done, manifest = run(study, tmp_path / "out")
    assert set(by_place(manifest, "tumor_1", "label").values()) == {1}
    assert done.slides["tumor_1"]["negatives"] == 0
    assert set(by_place(manifest, "normal_1", "label").values()) == {0}


def test_a_draw_of_patches_depends_on_the_seed_and_its_slide_alone(study, tmp_path):
    _, manifest = run(study, tmp_path / "a", max_per_class=5)
    alone = made.write_study(tmp_path / "alone", normals=())
    _, fewer = run(alone, tmp_path / "b", max_per_class=5)
    _, other = run(alone, tmp_path / "c", max_per_class=5, seed=1)
    places = by_place(manifest, "tumor_1", "label")
    assert sorted(places.values()) == [0] * 5 + [1] * 5
    assert places == by_place(fewer, "tumor_1", "label")
    assert places != by_place(other, "tumor_1", "label")


# ---- slides that cannot be used -----------------------------------------------------------------


def test_a_slide_with_too_little_tissue_is_left_out_and_said_so(study, tmp_path):
    made.write_slide(study, "normal_glass", None)
    made.write_slide(study, "normal_little", Square(200, 200, 296, 296))
    done, manifest = run(
        study, tmp_path / "out", tissue=TissueSettings(min_slide_tissue_share=0.05)
    )
    assert done.slides["normal_glass"]["left_out"] == "no tissue was found"
    assert "is tissue" in done.slides["normal_little"]["left_out"]
    assert done.slides["normal_1"]["left_out"] is None
    assert set(manifest.column("slide").astype(str)) == {"normal_1", "tumor_1"}
    assert (tmp_path / "out/previews/normal_glass.png").is_file()


def test_bad_slides_are_named_and_the_others_are_done(study, tmp_path):
    whole = (study / "slides/tumor_1.tif").read_bytes()
    for name in ("size", "shifted", "cut"):
        (study / "slides" / f"tumor_{name}.tif").write_bytes(whole)
        made.write_mask(study, f"tumor_{name}")
    made.write_mask(study, "tumor_size", size_px=(1536, 1000))
    made.write_mask(study, "tumor_shifted", size_px=(768, 576), lesions=[Square(0, 0, 9, 9)])
    (study / "slides/tumor_cut.tif").write_bytes(whole[: len(whole) // 2])
    done, manifest = run(study, tmp_path / "out")
    problems = {name: str(error) for name, error in done.problems.items()}
    assert "1536 × 1000 pixels, its slide 1536 × 1152" in problems["tumor_size"]
    assert "shifted in resolution by 2" in problems["tumor_shifted"]
    assert set(problems) == {"tumor_size", "tumor_shifted", "tumor_cut"}
    assert set(manifest.slides) == {"normal_1", "tumor_1"}
    assert not any(part_path(tmp_path / "out", name).exists() for name in problems)


def test_tumour_in_a_slide_said_to_be_normal_is_refused(study, tmp_path):
    made.write_mask(study, "normal_1")
    done, _ = run(study, tmp_path / "out")
    assert "said to be normal" in str(done.problems["normal_1"])


def test_a_slide_without_mask_is_refused(study):
    made.write_slide(study, "tumor_2")
    with pytest.raises(StudyInvalid, match="No mask or annotation for 'tumor_2'"):
        open_study(study)
    (study / "normal.txt").write_text("tumor_2\n")
    assert [slide.normal for slide in open_study(study).slides] == [True, False, True]


def test_a_slide_with_mask_and_annotation_needs_a_choice(study):
    made.write_annotation(study, "tumor_1")
    with pytest.raises(StudyInvalid, match="'tumor_1' have a mask and an annotation"):
        open_study(study)
    chosen = {slide.name: slide.lesions for slide in open_study(study, source="annotations").slides}
    assert chosen["tumor_1"].suffix == ".xml"


def test_lists_with_unknown_names_are_refused(study):
    (study / "partly_annotated.txt").write_text("tumor_01\n")
    with pytest.raises(StudyInvalid, match="'tumor_01', which slides/ does not hold"):
        open_study(study)


def test_patients_come_from_a_table_or_from_names_as_in_camelyon17(study):
    made.write_study(study, ["patient_004_node_4"], [])
    patients = {slide.name: slide.patient for slide in open_study(study).slides}
    assert patients == {
        "normal_1": "normal_1",
        "patient_004_node_4": "patient_004",
        "tumor_1": "tumor_1",
    }
    (study / "patients.csv").write_text("slide,patient\ntumor_1,Q\nnormal_1,Q\n")
    assert [slide.patient for slide in open_study(study).slides] == ["Q", "patient_004", "Q"]


def test_masks_without_a_slide_are_named(study):
    made.write_mask(study, "tumor_9")
    assert open_study(study).unused == ["tumor_9_mask.tif"]


def test_a_folder_without_slides_is_refused(tmp_path):
    with pytest.raises(StudyInvalid, match="holds no slides"):
        open_study(tmp_path)


def test_what_a_slide_cannot_give_is_refused(tmp_path):
    path = make_slide(tmp_path / "s.tif", (90, 300), level_factors=(1,), mpp=None)
    with open_wsi(path) as wsi:
        with pytest.raises(ResolutionUnknown, match="--slide-mpp"):
            patch_windows(wsi, None, PatchSettings())
        with pytest.raises(ResolutionUnsuitable, match="2 µm wide"):
            patch_windows(wsi, Mpp(2.0, 2.0), PatchSettings())
        with pytest.raises(StudyInvalid, match="no level 3, its last is 0"):
            patch_windows(wsi, None, PatchSettings(level=3, mpp=None))
        with pytest.raises(StudyInvalid, match=r"\(90 × 300 px\) is smaller than one patch"):
            patch_windows(wsi, Mpp(0.97, 0.97), PatchSettings())


# ---- running again ------------------------------------------------------------------------------


def stamps(out):
    return {path.name: path.stat().st_ino for path in (out / "parts").iterdir()}


def test_a_second_run_does_only_what_is_missing(study, tmp_path):
    out = tmp_path / "out"
    _, first = run(study, out)
    before = stamps(out)
    part_path(out, "normal_1").unlink()
    (out / "parts/tumor_1.parquet.partial").write_bytes(b"left by a kill")
    done, second = run(study, out)
    assert done.kept == 1
    assert stamps(out)["tumor_1.parquet"] == before["tumor_1.parquet"]
    assert second.table.equals(first.table)
    assert second.metadata == first.metadata


def test_a_changed_mask_is_read_again(study, tmp_path):
    run(study, tmp_path / "out")
    made.write_mask(study, "tumor_1", [Square(400, 400, 420, 420)])
    done, manifest = run(study, tmp_path / "out")
    assert done.kept == 1
    assert sum(by_place(manifest, "tumor_1", "label").values()) == 1


def test_a_damaged_part_is_made_again(study, tmp_path):
    out = tmp_path / "out"
    _, first = run(study, out)
    part_path(out, "tumor_1").write_bytes(b"PAR1 nonsense")
    done, second = run(study, out)
    assert done.kept == 1
    assert second.table.equals(first.table)


def test_other_settings_are_refused_unless_all_is_made_again(study, tmp_path):
    out = tmp_path / "out"
    run(study, out)
    with pytest.raises(ManifestInvalid, match="other settings: stride_px 96, now 48"):
        run(study, out, stride_px=48)
    done, _ = run(study, out, again=True, stride_px=48)
    assert done.kept == 0


def test_a_run_without_room_ends_and_leaves_no_half_part(study, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "parts").write_text("a file where the folder should be")
    with pytest.raises(WriteFailed, match="Free some space"):
        run(study, out)
    assert sorted(os.listdir(out)) == ["parts", "previews", "settings.json"]
