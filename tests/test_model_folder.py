"""A model folder is used only if it is whole, understood and unaltered."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from model.prediction.engine import Engine
from model.prediction.errors import ModelInvalid, PredictionError
from model.prediction.models import (
    CONFIG_FILE,
    SHIPPED_MODELS,
    SIDE_FILE,
    WEIGHTS_FILE,
    default_model,
    list_models,
    load_model,
    sha256_of,
)
from tests.model_folders import change_side_file, make_model_folder


@pytest.fixture
def folder(tmp_path):
    return make_model_folder(tmp_path / "models" / "toy", id="toy", threshold=0.25)


def test_a_whole_folder_is_read(folder):
    model = load_model(folder)
    assert (model.id, model.threshold, model.temperature) == ("toy", 0.25, None)
    assert (model.spacing_um_px, model.patch_size_px, model.cell_size_px) == (0.97, 96, 32)
    assert model.weights_sha256 == sha256_of(folder / WEIGHTS_FILE)


def test_altered_weights_are_refused(folder):
    weights = bytearray((folder / WEIGHTS_FILE).read_bytes())
    weights[-1] ^= 1
    (folder / WEIGHTS_FILE).write_bytes(weights)
    with pytest.raises(ModelInvalid, match="SHA-256 differs"):
        load_model(folder)


@pytest.mark.parametrize("file", [CONFIG_FILE, SIDE_FILE, WEIGHTS_FILE])
def test_a_missing_file_is_named(folder, file):
    (folder / file).unlink()
    with pytest.raises(ModelInvalid, match=file):
        load_model(folder)


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        (CONFIG_FILE, "architecture", "resnet50"),
        (CONFIG_FILE, "num_classes", 2),
        (CONFIG_FILE, "spacing_um_px", 0),
        (CONFIG_FILE, "transform", []),
        (SIDE_FILE, "threshold", 1.5),
        (SIDE_FILE, "temperature", 0),
        (SIDE_FILE, "id", "../elsewhere"),
        (SIDE_FILE, "cell_size_px", 97),
    ],
)
def test_a_wrong_value_is_named(folder, file, key, value):
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(ModelInvalid, match=key):
        load_model(folder)


def test_broken_json_is_refused(folder):
    (folder / CONFIG_FILE).write_text("{")
    with pytest.raises(ModelInvalid, match=CONFIG_FILE):
        load_model(folder)


class _Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickled_weights_are_never_run(folder, tmp_path):
    trap = tmp_path / "sprung"
    (folder / WEIGHTS_FILE).write_bytes(pickle.dumps(_Trap(trap)))
    change_side_file(folder, weights_sha256=sha256_of(folder / WEIGHTS_FILE))
    model = load_model(folder)
    with pytest.raises(ModelInvalid, match="does not hold"):
        Engine(model)
    assert not trap.exists()


def test_errors_name_no_path(folder):
    (folder / WEIGHTS_FILE).unlink()
    with pytest.raises(ModelInvalid) as caught:
        load_model(folder)
    assert str(folder.parent) not in str(caught.value)


def test_errors_survive_the_way_between_processes():
    error = pickle.loads(pickle.dumps(ModelInvalid("It is broken.", "Mend it.")))
    assert isinstance(error, PredictionError)
    assert (error.reason, error.hint, str(error)) == (
        "It is broken.",
        "Mend it.",
        "It is broken. Mend it.",
    )


def test_listing_keeps_the_bad_ones_with_their_reason(folder):
    twin = make_model_folder(folder.parent / "twin", id="toy")
    (folder.parent / "empty").mkdir()
    (folder.parent / ".hidden").mkdir()
    found = list_models([folder.parent, folder.parent / "absent"])
    bad = {item[0]: str(item[1]) for item in found if isinstance(item, tuple)}
    assert [item.folder for item in found if not isinstance(item, tuple)] == [folder]
    assert set(bad) == {"empty", twin.name}
    assert "id 'toy'" in bad["twin"]


def test_the_shipped_model_is_whole_small_and_described():
    model = default_model()
    assert model.weights_path.stat().st_size < 20e6
    assert 0 < model.threshold < 1
    card = (SHIPPED_MODELS / "lymph-node" / "README.md").read_text()
    assert "Research use only" in card
    assert model.weights_sha256 in card


def test_listing_models_needs_no_torch():
    code = "import sys, model.prediction.models; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
