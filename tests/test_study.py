"""The whole line on small phantoms, and that its figures fall when labels or masks are wrong."""

import json

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from model.cli import main
from model.cli_study import SMALL
from model.evaluation.cases import Rules, judge_case
from model.evaluation.inputs import find_heatmaps
from model.evaluation.metrics import roc_auc
from model.evaluation.scored import scored_manifest
from model.evaluation.summary import summarise
from model.extraction.manifest import make_table, read_manifest, write_manifest
from model.extraction.pyramid import TiffTags, write_mask
from model.extraction.splits import read_split
from model.extraction.study import open_study
from model.prediction.engine import load_engine
from model.prediction.models import load_model

# A minute of quiet CPU; other tests run beside it, and the first waits for the whole line.
pytestmark = pytest.mark.timeout(900)


def run(*arguments):
    result = CliRunner().invoke(main, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result.stdout.splitlines()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished small study and what it printed."""
    out = tmp_path_factory.mktemp("study") / "study"
    return out, run("study", "--out", out, "--small")


def test_it_leaves_a_report_with_intervals_where_it_says(whole):
    out, printed = whole
    assert printed[-1] == str(out / "report")
    assert (out / "report" / "report.html").stat().st_size > 10_000
    figures = json.loads((out / "report" / "report.json").read_text())
    for name in ("patch_roc_auc", "slide_auc", "froc"):
        low, high = figures[name]["ci95"]
        assert low <= figures[name]["value"] <= high
    assert figures["patch_roc_auc"]["value"] > 0.85
    assert figures["froc"]["value"] > 0.6
    assert figures["calibration"]["temperature_scaled"]


def test_every_command_is_printed_as_one_could_type_it(whole):
    _, printed = whole
    typed = [line.split()[4] for line in printed if line.startswith("$ python -m model ")]
    assert typed == ["phantom", "patches", "train", "calibrate", *["predict"] * 3, "report"]
    report = json.loads((whole[0] / "report" / "report.json").read_text())
    assert report["provenance"]["command"].startswith("python -m model report --slides")


def test_what_is_done_is_not_done_again_and_what_is_not_is(whole):
    out, _ = whole
    report, drawn = out / "report" / "report.json", out / "study" / "phantoms.json"
    before = report.stat().st_mtime_ns, drawn.stat().st_mtime_ns
    # Killed after the copy got its name, before that was recorded
    (out / "steps" / "04-calibrate.json").unlink()
    (out / "steps" / "08-report.json").unlink()
    again = run("study", "--out", out, "--small")
    assert [line.split()[4] for line in again if line.startswith("$")] == ["calibrate", "report"]
    assert report.stat().st_mtime_ns > before[0]
    assert drawn.stat().st_mtime_ns == before[1]


def test_another_study_is_not_mixed_in(whole):
    result = CliRunner().invoke(main, ["study", "--out", str(whole[0]), "--small", "--seed", "8"])
    assert (result.exit_code, "another study" in result.stderr) == (1, True)


def test_shuffled_labels_teach_nothing(whole):
    """Labels are shuffled in all parts: whatever a net learns, they are independent of the test's.

    Judged by true labels instead, it could land anywhere: tumour differs so much from the rest
    that any direction a net picks by chance tells them apart, one way or the other.
    """
    out, _ = whole
    patches = out / "patches"
    manifest = read_manifest(patches / "manifest.parquet")
    columns = {name: manifest.column(name) for name in manifest.table.column_names}
    columns["label"] = np.random.default_rng(0).permutation(columns["label"])
    shuffled = patches / "shuffled.parquet"  # beside the other, whose pixels it shares
    described = {key: value for key, value in manifest.metadata.items() if key != "format"}
    write_manifest(shuffled, [make_table(columns, len(manifest))], described)
    config = out / "shuffled.toml"
    config.write_text(SMALL.training)  # from ImageNet: weights that have never seen an answer
    data = ("--manifest", shuffled, "--split", patches / "split.json")
    run("train", *data, "--out", out / "shuffled", "--config", config)

    auc, error = auc_on_test(out / "shuffled", shuffled, patches / "split.json")
    assert abs(auc - 0.5) < 3 * error  # chance alone leaves it three times in a thousand
    learnt, _ = auc_on_test(out / "model", patches / "manifest.parquet", patches / "split.json")
    assert learnt > 0.5 + 6 * error


def auc_on_test(model, manifest, split):
    """ROC-AUC on the test part, and its standard error where labels are independent of scores."""
    scored = scored_manifest(load_engine(model), manifest, split, "test", lambda n: lambda m: None)
    tumour, normal = scored.labels.sum(), (1 - scored.labels).sum()
    error = np.sqrt((tumour + normal + 1) / (12 * tumour * normal))  # Mann & Whitney 1947
    return roc_auc(scored.labels, scored.logits), error


def test_masks_moved_by_half_a_lesion_cost_froc(whole, tmp_path):
    out, _ = whole
    right = froc(out, out / "study")
    half, full = (
        np.mean([froc(out, with_masks_moved(out, tmp_path, share, way)) for way in WAYS])
        for share in (0.5, 1.0)
    )
    assert half < right - 0.1
    assert full < half


WAYS = ((0, 1), (0, -1), (1, 0), (-1, 0))


def with_masks_moved(out, tmp_path, share, way):
    """The tested slides with masks moved by that share of each slide's longest lesion."""
    folder = tmp_path / f"{share} {way}"
    for name in ("slides", "masks"):
        (folder / name).mkdir(parents=True)
    for phantom in phantoms_of(out, json.loads((out / "study" / "phantoms.json").read_text())):
        mask = tifffile.imread(out / "study" / phantom["mask"], key=0)
        longest_um = max([each["longest_diameter_um"] for each in phantom["lesions"]], default=0)
        by = round(share * longest_um / phantom["mpp"])
        moved = np.roll(mask, (by * way[0], by * way[1]), (0, 1))
        bands = (moved[y : y + 512] for y in range(0, len(moved), 512))
        tags = TiffTags(phantom["mpp"], "moved", "test")
        write_mask(folder / phantom["mask"], mask.shape[::-1], bands, tags)
        (folder / phantom["slide"]).symlink_to(out / "study" / phantom["slide"])
    return folder


def phantoms_of(out, phantoms):
    names = read_split(out / "patches" / "split.json").test
    return [phantom for phantom in phantoms["phantoms"] if phantom["name"] in names]


def froc(out, study_folder):
    """FROC of the study's heat maps by the masks of a folder."""
    names = read_split(out / "patches" / "split.json").test
    slides = [slide for slide in open_study(study_folder).slides if slide.name in names]
    paths, rules = find_heatmaps(out / "heatmaps", slides), Rules()
    cases = [judge_case(slide, paths[slide.name], rules) for slide in slides]
    return summarise(cases, rules).froc.value


def test_a_second_round_learns_from_the_false_positives_of_the_first(whole):
    out, _ = whole
    printed = run("study", "--out", out, "--small", "--mine")
    assert printed[-1] == str(out / "report-2")
    typed = [line.split()[4] for line in printed if line.startswith("$")]
    predicted = ["predict"] * 3
    assert typed == [*predicted, "mine", "train", "calibrate", *predicted, "report"]
    check_second_round(out)


def check_second_round(out):
    manifest = read_manifest(out / "patches" / "manifest-2.parquet")
    hard = manifest.column("hard")
    (record,) = manifest.metadata["mining"]
    assert hard.sum() == record["marked"] + record["added"] > 0
    assert not manifest.column("label")[hard].any()
    names = set(manifest.column("slide").astype(str)[hard])
    assert names <= set(read_split(out / "patches" / "split.json").train)
    first, second = (load_model(out / name) for name in ("calibrated", "calibrated-2"))
    assert record["weights_sha256"] == first.weights_sha256 != second.weights_sha256
    figures = json.loads((out / "report-2" / "report.json").read_text())
    assert figures["provenance"]["model"]["id"] == "phantom-study-2"
    assert figures["patch_roc_auc"]["value"] > 0.8
