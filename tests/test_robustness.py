"""Changes of patches are what they say, and what they cost is told."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from model.cli import main
from model.evaluation.robustness import REFERENCE, changes, measure, table
from tests.model_folders import draw_patches, make_model_folder, write_patches

PINK = np.full((96, 96, 3), (200, 120, 180), np.uint8)


class Brightness:
    """Calls dark patches tumour: it knows what brightness, and nothing else, does to it."""

    def probabilities(self, patches):
        return 1 - patches.mean((1, 2, 3)).astype(np.float32) / 255


def test_every_change_keeps_shape_and_range_and_only_one_changes_nothing():
    patch, _ = draw_patches(1, 96)
    for name, change in changes().items():
        changed = change(patch[0])
        assert (changed.shape, changed.dtype) == (patch[0].shape, np.uint8), name
        assert np.array_equal(changed, patch[0]) == (name == REFERENCE), name


def test_changes_do_what_their_names_say():
    table_of = changes()
    assert table_of["brightness +15 %"](PINK).mean() == pytest.approx(PINK.mean() * 1.15, abs=1)
    assert table_of["all stains +10 %"](PINK).mean() < PINK.mean()  # more dye, darker
    expected = 255 * (PINK[0, 0] / 255) ** 1.1  # Beer and Lambert: density grows by a tenth
    np.testing.assert_allclose(table_of["all stains +10 %"](PINK)[0, 0], expected, atol=1)
    for small in (f"JPEG quality {q}" for q in (95, 75, 50, 30)):
        assert np.abs(table_of[small](PINK).astype(int) - PINK).max() <= 6
    noisy = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    assert table_of["blur, sigma 1.0 px"](noisy).std() < noisy.std() / 2


def test_resolution_keeps_the_middle_in_the_middle():
    patch = np.full((96, 96, 3), 200, np.uint8)
    patch[38:58, 38:58] = 0
    for name, side in (("resolution -10 %", 22), ("resolution +10 %", 18)):
        dark = np.argwhere(changes()[name](patch)[..., 0] < 100)
        assert dark.mean(0) == pytest.approx([47.5, 47.5], abs=1)
        assert np.ptp(dark, axis=0) + 1 == pytest.approx([side, side], abs=1)


def test_what_moves_the_answer_is_found_and_turns_move_nothing():
    pixels, labels = draw_patches(20, 96)
    result = measure(Brightness(), pixels, labels, 0.5, None)
    by_name = {shift.name: shift for shift in result.shifts}
    assert by_name["brightness +15 %"].mean_move > 0.05
    assert by_name["turned by 90°"].largest_move < 1e-6
    assert result.turns_spread_p95 < 1e-6
    assert by_name[REFERENCE].drop == 0
    assert len(table(result)) == len(changes())


def test_the_command_prints_every_change(tmp_path):
    model = make_model_folder(tmp_path / "toy")
    patches = write_patches(tmp_path / "patches", *draw_patches(2, 96))
    arguments = ["robustness", "--patches", str(patches), "--model", str(model)]
    said = json.loads(CliRunner().invoke(main, [*arguments, "--json"]).stdout)
    assert {shift["name"] for shift in said["shifts"]} == set(changes())
    shown = CliRunner().invoke(main, arguments)
    assert "quarter turns" in shown.stdout
