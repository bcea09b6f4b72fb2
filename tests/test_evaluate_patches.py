"""`python -m model evaluate` on folders and zips, good and bad."""

import json
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from model.cli import main
from model.evaluation.manifest import slide_blocks
from model.evaluation.metrics import roc_auc
from model.evaluation.patches import PatchesInvalid, PatchFolder
from model.prediction.engine import Engine, load_engine
from model.prediction.models import DEFAULT_MODEL, load_model
from tests.model_folders import draw_patches, make_model_folder, write_patches

REAL = Path(__file__).parent.parent.parent / "shared" / "data" / "pcam"
KEYS = [
    *("n", "n_tumour", "n_normal", "roc_auc", "roc_auc_ci95", "ci_method", "pr_auc", "f1"),
    *("threshold", "sensitivity", "specificity", "ece", "model"),
]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    return make_model_folder(tmp_path_factory.mktemp("models") / "toy", id="toy")


@pytest.fixture
def patches(tmp_path):
    return write_patches(tmp_path / "patches", *draw_patches(6, 96))


def run(patches, model_folder, *more):
    arguments = ["evaluate", "--patches", patches, "--model", model_folder, *more]
    return CliRunner().invoke(main, list(map(str, arguments)))


def figures(patches, model_folder, *more):
    result = run(patches, model_folder, "--json", *more)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refusal(patches, model_folder, *more):
    result = run(patches, model_folder, "--json", *more)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return " ".join(result.stderr.split())


def test_the_figures_are_those_of_the_engine(patches, model_folder):
    found = figures(patches, model_folder)
    with PatchFolder(patches) as folder:
        pixels, labels = np.concatenate(list(folder.batches(96, 4))), folder.labels
    engine = Engine(load_model(model_folder))
    assert list(found)[: len(KEYS)] == KEYS
    assert (found["n"], found["n_tumour"], found["n_normal"]) == (6, 3, 3)
    assert found["roc_auc"] == roc_auc(labels, engine.probabilities(pixels))
    assert found["threshold"] == engine.model.threshold
    assert found["model"] == {
        "id": "toy",
        "version": engine.model.version,
        "weights_sha256": engine.model.weights_sha256,
    }


def test_a_zip_below_a_top_folder_gives_the_folders_figures(patches, model_folder, tmp_path):
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", patches.parent, patches.name)
    assert figures(Path(packed), model_folder) == figures(patches, model_folder)


def test_webp_tiff_png_grey_palette_and_transparent_patches(model_folder, tmp_path):
    pixels, labels = draw_patches(2, 96)
    folder = write_patches(tmp_path / "p", pixels, labels)
    expected = figures(folder, model_folder)
    for suffix in (".webp", ".tif"):
        again = write_patches(tmp_path / suffix[1:], pixels, labels, suffix)
        assert figures(again, model_folder) == expected
    colours = Image.fromarray(pixels[0])
    colours.convert("L").save(folder / "0" / "grey.png")
    colours.quantize(8).save(folder / "0" / "palette.png")
    colours.convert("RGBA").save(folder / "0" / "alpha.PNG")
    assert figures(folder, model_folder)["n"] == 5


def test_transparent_becomes_white_like_glass(tmp_path):
    clear = np.zeros((96, 96, 4), np.uint8)
    write_patches(tmp_path, clear[None], np.array([0]))
    with PatchFolder(tmp_path) as folder:
        assert (folder.read(folder.patches[0], 96) == 255).all()


def test_one_class_gives_no_area_but_all_the_rest(patches, model_folder):
    shutil.rmtree(patches / "1")
    found = figures(patches, model_folder)
    assert found["roc_auc"] is found["roc_auc_ci95"] is found["pr_auc"] is None
    assert found["sensitivity"] is None
    assert found["specificity"] is not None
    assert "no tumour (1) patch" in found["remarks"][0]


def test_the_table_is_for_people(patches, model_folder):
    result = run(patches, model_folder)
    assert result.exit_code == 0
    assert "roc_auc" in result.stdout
    assert "Research use only" in result.stdout


def test_a_path_that_is_not_there(tmp_path, model_folder):
    assert "There is no" in refusal(tmp_path / "absent", model_folder)


def test_a_file_that_is_no_zip(tmp_path, model_folder):
    (tmp_path / "notes.zip").write_text("no zip")
    assert "neither a folder nor a readable zip" in refusal(tmp_path / "notes.zip", model_folder)


def test_a_folder_without_labels(tmp_path, model_folder):
    Image.new("RGB", (96, 96)).save(tmp_path / "a.png")
    assert "No labelled patches" in refusal(tmp_path, model_folder)


def test_a_patch_of_the_wrong_size_is_named(patches, model_folder):
    Image.new("RGB", (224, 224)).save(patches / "1" / "large.png")
    message = refusal(patches, model_folder)
    assert "'1/large.png' has 224 × 224 px, not 96 × 96" in message
    assert "do not rescale" in message


@pytest.mark.parametrize("damage", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_a_damaged_patch_is_named(patches, model_folder, damage):
    (patches / "0" / "bad.png").write_bytes(damage)
    assert "'0/bad.png' is damaged" in refusal(patches, model_folder)


def test_a_truncated_patch_is_named(patches, model_folder):
    path = patches / "0" / "p000.png"
    path.write_bytes(path.read_bytes()[:2000])
    assert "'0/p000.png' is damaged" in refusal(patches, model_folder)


def test_a_damaged_zip_member_is_named(patches, model_folder, tmp_path):
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", patches))
    data = bytearray(packed.read_bytes())
    start = data.index(b"1/p001.png") + 200
    data[start : start + 64] = bytes(64)
    packed.write_bytes(data)
    assert "'1/p001.png' cannot be read" in refusal(packed, model_folder)


def test_an_image_of_absurd_size_is_refused_undecoded(patches, model_folder):
    path = patches / "0" / "bomb.png"
    Image.new("L", (96, 96)).save(path)
    data = bytearray(path.read_bytes())
    data[16:24] = (60_000).to_bytes(4, "big") * 2  # width and height of the header
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path.write_bytes(data)
    message = refusal(patches, model_folder)
    # Pillow refuses the header by itself, unless large-image, once imported, lifted its limit.
    assert "'0/bomb.png' is damaged" in message or "'0/bomb.png' has 60000 × 60000 px" in message


def test_sixteen_bit_patches_are_refused(patches, model_folder):
    Image.fromarray(np.full((96, 96), 40_000, np.uint16)).save(patches / "0" / "deep.png")
    assert "'0/deep.png' is not an 8-bit image" in refusal(patches, model_folder)


def test_a_model_that_is_none(patches, tmp_path):
    assert "no readable config.json" in refusal(patches, tmp_path)


def test_a_manifest_joins_neighbours_into_blocks(tmp_path):
    names = [f"p{i}" for i in range(220)]
    rows = [f"{name},A{i}" for i, name in enumerate(names[:100])]
    rows += [f"{name},B{1000 - i}" for i, name in enumerate(names[100:210])]
    path = tmp_path / "manifest.csv"
    path.write_text("\n".join(["id,slide_order", *reversed(rows), "p210,"]))
    blocks = slide_blocks(path, names)
    assert sorted(np.bincount(blocks[:210])) == [50, 50, 55, 55]
    assert len(set(blocks[:50])) == len(set(blocks[100:155])) == 1
    # ten patches have no known place: alone, each its own block
    assert len(set(blocks[210:])) == 10
    assert set(blocks) == set(range(14))


def test_the_manifest_decides_the_interval(patches, model_folder, tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_text("id,slide_order\n" + "".join(f"p{i:03d},A{i}\n" for i in range(6)))
    assert "slide order" in figures(patches, model_folder, "--manifest", path)["ci_method"]
    assert "single patches" in figures(patches, model_folder)["ci_method"]


@pytest.mark.parametrize("content", ["id,place\np000,A1\n", "id,slide_order\nother,A1\n", "\xff"])
def test_a_manifest_that_does_not_fit(patches, tmp_path, content):
    path = tmp_path / "manifest.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(PatchesInvalid, match=r"manifest\.csv"):
        slide_blocks(path, ["p000"])


def test_the_shipped_model_tells_real_tumour_from_normal():
    if not (REAL / "val.zip").exists():
        pytest.skip("the real patches (val.zip) are not on this machine")
    with PatchFolder(REAL / "val.zip") as folder:
        some = folder.patches[::6]  # sorted by label, then by a name that says nothing
        pixels = np.stack([folder.read(patch, 96) for patch in some])
    labels = np.array([patch.label for patch in some])
    assert len(labels) <= 200
    assert roc_auc(labels, load_engine(DEFAULT_MODEL).probabilities(pixels)) > 0.85
