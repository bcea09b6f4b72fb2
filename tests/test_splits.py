"""Splits keep patients together, can be given as files, and leaks are refused."""

import pytest

from model.extraction.errors import SplitInvalid
from model.extraction.splits import (
    PARTS,
    Split,
    check_classes,
    check_split,
    make_split,
    read_split,
    rows_of,
    write_split,
)
from tests.manifests import manifest_of

PATIENTS = {f"p{patient}_{node}": f"p{patient}" for patient in range(40) for node in range(3)}
POSITIVE = [f"p{patient}_1" for patient in range(10)]


def test_patients_stay_together_and_everyone_is_placed():
    split = make_split(PATIENTS, POSITIVE, seed=0)
    check_split(split, PATIENTS, PATIENTS)
    assert [len(split.train), len(split.validation), len(split.test)] == [84, 21, 15]


def test_patients_with_tumour_are_shared_out_on_their_own():
    split = make_split(PATIENTS, POSITIVE, seed=0, fractions=(0.6, 0.2, 0.2))
    held = [len(set(split.slides(part)) & set(POSITIVE)) for part in PARTS]
    assert held == [6, 2, 2]


def test_the_same_seed_splits_alike_in_whatever_order_slides_come():
    backwards = dict(reversed(PATIENTS.items()))
    assert make_split(PATIENTS, POSITIVE, 5) == make_split(backwards, POSITIVE[::-1], 5)
    assert make_split(PATIENTS, POSITIVE, 5) != make_split(PATIENTS, POSITIVE, 6)


def test_few_patients_still_fill_every_part():
    names = {name: name for name in "abcdef"}
    split = make_split(names, "abc", 0)
    for part in PARTS:
        assert set(split.slides(part)) & set("abc")
        assert set(split.slides(part)) & set("def")


def test_a_part_may_be_left_empty_on_purpose():
    split = make_split({"a": "a", "b": "b"}, ["a"], 0, (1, 0, 0))
    assert split == Split(("a", "b"), (), ())


@pytest.mark.parametrize("fractions", [(0.5, 0.2, 0.2), (1.2, -0.1, -0.1), (1, 0)])
def test_fractions_that_are_no_shares_are_refused(fractions):
    with pytest.raises(SplitInvalid, match="sum to 1"):
        make_split(PATIENTS, POSITIVE, 0, fractions)


def test_too_few_patients_are_refused():
    with pytest.raises(SplitInvalid, match="1 patients are too few"):
        make_split({"a_1": "a", "a_2": "a"}, ["a_1"], 0)


def test_a_patient_in_two_parts_is_a_leak():
    with pytest.raises(SplitInvalid, match=r"leaks: patient 'p' \(slides 'a', 'c'\) is in train"):
        check_split(Split(("a",), ("b",), ("c",)), {"a": "p", "b": "q", "c": "p"}, "abc")


def test_a_slide_in_two_parts_is_a_leak():
    with pytest.raises(SplitInvalid, match="leaks: slide 'a' is in train and in test"):
        check_split(Split(("a",), ("b",), ("a",)), {"a": "p", "b": "q"}, "ab")


def test_slides_that_are_missing_or_unknown_are_refused():
    patients = {"a": "a", "b": "b", "empty": "empty"}
    check_split(Split(("a",), ("b",), ()), patients, "ab")  # 'empty' has no patches
    check_split(Split(("a",), ("b",), ("empty",)), patients, "ab")
    with pytest.raises(SplitInvalid, match="leaves slides out: b"):
        check_split(Split(("a",), (), ()), patients, "ab")
    with pytest.raises(SplitInvalid, match="does not hold: x"):
        check_split(Split(("a", "x"), ("b",), ()), patients, "ab")


@pytest.mark.parametrize("name", ["split.json", "split.csv"])
def test_split_files_come_back(tmp_path, name):
    split = make_split(PATIENTS, POSITIVE, 1)
    write_split(tmp_path / name, split)
    assert read_split(tmp_path / name) == split


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.json", "{"),
        ("s.json", '{"train": ["a"]}'),
        ("s.json", '{"train": "a", "validation": [], "test": []}'),
        ("s.csv", "slide,part\na,training\n"),
        ("s.csv", "name,part\na,train\n"),
        ("s.csv", "slide,part\na\n"),
    ],
)
def test_other_files_are_refused(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(SplitInvalid, match="is not a split"):
        read_split(tmp_path / name)


def test_a_missing_file_is_named_without_its_folder(tmp_path):
    with pytest.raises(SplitInvalid, match=r"'s\.json' could not be read") as caught:
        read_split(tmp_path / "s.json")
    assert str(tmp_path) not in str(caught.value)


def test_rows_of_a_part(tmp_path):
    manifest = manifest_of(tmp_path, a=[0, 1], b=[0, 0], c=[1, 0])
    split = Split(("a", "c"), ("b",), ())
    assert rows_of(manifest, split, "train").tolist() == [0, 1, 4, 5]
    with pytest.raises(SplitInvalid, match="'validation' holds only label 0"):
        rows_of(manifest, split, "validation")
    with pytest.raises(SplitInvalid, match="'test' holds no patch"):
        rows_of(manifest, split, "test")


def test_a_training_part_of_one_class_is_refused():
    slides = {"a": {"positives": 0, "negatives": 9}, "b": {"positives": 3, "negatives": 0}}
    counts = check_classes(Split(("a", "b"), (), ()), slides)
    assert counts["train"] == {"slides": 2, "positives": 3, "negatives": 9}
    with pytest.raises(SplitInvalid, match="shows tumour"):
        check_classes(Split(("a",), ("b",), ()), slides)
    with pytest.raises(SplitInvalid, match="shows normal tissue"):
        check_classes(Split(("b",), ("a",), ()), slides)
