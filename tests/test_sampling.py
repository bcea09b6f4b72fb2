"""How an epoch is drawn: balance and quotas, on the training part alone."""

import numpy as np
import pytest

from model.extraction.errors import SplitInvalid
from model.extraction.manifest import read_manifest, write_manifest
from model.extraction.sampling import Balance, class_weights, draw_epoch
from model.extraction.splits import Split
from tests.manifests import metadata, slide_record, table

SPLIT = Split(("a",), ("b",), ("c",))


@pytest.fixture
def manifest(tmp_path):
    """Slide a: 90 normal (10 hard, 20 other border), 10 tumour (4 border). b and c: 50 each."""
    labels = [0] * 90 + [1] * 10
    hard = [True] * 10 + [False] * 90
    border = [False] * 5 + [True] * 25 + [False] * 60 + [True] * 4 + [False] * 6
    tables = [table("a", labels, hard=hard, border=border)]
    records = {"a": slide_record("a", labels)}
    for name in "bc":
        tables.append(table(name, [0, 1] * 25))
        records[name] = slide_record(name, [0, 1] * 25)
    write_manifest(tmp_path / "m.parquet", tables, metadata(**records))
    return read_manifest(tmp_path / "m.parquet")


def drawn(manifest, **balance):
    return draw_epoch(manifest, SPLIT, Balance(**balance), seed=1, epoch=0)


@pytest.mark.parametrize("method", ["none", "weight"])
def test_without_balance_every_training_row_is_drawn_once(manifest, method):
    rows = drawn(manifest, method=method)
    assert sorted(rows) == list(range(100))
    assert rows.tolist() != sorted(rows)


def test_oversampling_repeats_the_smaller_class_evenly(manifest):
    rows = drawn(manifest, method="oversample")
    assert len(rows) == 180
    times = np.bincount(rows, minlength=100)
    assert (times[:90] == 1).all()
    assert (times[90:100] == 9).all()


def test_undersampling_takes_as_many_of_the_larger_class(manifest):
    rows = drawn(manifest, method="undersample")
    assert len(rows) == len(set(rows)) == 20
    assert (rows < 90).sum() == 10


def test_other_parts_are_never_drawn(manifest):
    for method in ("none", "oversample", "undersample", "weight"):
        assert drawn(manifest, method=method, hard_share=0.5, border_share=0.2).max() < 100


def test_quotas_hold_within_each_class(manifest):
    rows = drawn(manifest, method="oversample", hard_share=0.3, border_share=0.2)
    hard, border = manifest.column("hard")[rows], manifest.column("border")[rows]
    label = manifest.column("label")[rows]
    assert [(label == value).sum() for value in (0, 1)] == [90, 90]
    assert (hard & (label == 0)).sum() == 27
    assert (border & ~hard & (label == 0)).sum() == 18
    assert (border & (label == 1)).sum() == 18
    assert not (hard & (label == 1)).any()  # no tumour patch is hard, so others fill its place


def test_epochs_differ_and_repeat(manifest):
    balance = Balance("undersample")
    first, again, second = (
        draw_epoch(manifest, SPLIT, balance, seed=1, epoch=epoch).tolist() for epoch in (0, 0, 1)
    )
    assert first == again
    assert first != second


def test_over_many_epochs_undersampling_uses_every_row(manifest):
    epochs = [draw_epoch(manifest, SPLIT, Balance("undersample"), 1, n) for n in range(200)]
    assert set(np.concatenate(epochs)) == set(range(100))


def test_a_training_part_of_one_class_is_refused(manifest):
    with pytest.raises(SplitInvalid, match="'train' holds no patch"):
        draw_epoch(manifest, Split((), ("b",), ("c",)), Balance(), 1, 0)


@pytest.mark.parametrize("shares", [(-0.1, 0), (0.7, 0.4), (0, 1.1)])
def test_quotas_that_are_no_shares_are_refused(shares):
    with pytest.raises(SplitInvalid, match="quotas"):
        Balance(hard_share=shares[0], border_share=shares[1])


def test_class_weights_give_both_classes_the_same_say():
    labels = np.array([0] * 30 + [1] * 10)
    normal, tumour = class_weights(labels)
    assert normal * 30 == pytest.approx(tumour * 10)
    assert (normal * 30 + tumour * 10) / 40 == pytest.approx(1)
    with pytest.raises(SplitInvalid, match="one class"):
        class_weights(np.zeros(4, np.int8))
