"""Stain normalisation: nothing to do does nothing, there and back is back, glass stays glass."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from model.prediction.stain import (
    Macenko,
    Reinhard,
    each_normalised,
    source_for,
    stain_from_json,
)

KINDS = pytest.mark.parametrize("kind", [Macenko, Reinhard])
# Ruifrok & Johnston's directions, and those of a redder laboratory.
ONE = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
OTHER = np.array([[0.55, 0.80, 0.25], [0.15, 0.95, 0.25]])


def stained(directions, strength=1.0, seed=0):
    """Pixels (96, 96, 3) of two stains, each from none of it to much of it."""
    random = np.random.default_rng(seed)
    amounts = random.dirichlet((0.6, 0.6), (96, 96)) * random.uniform(0.5, 1.2, (96, 96, 1))
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    return np.rint(255 * np.exp(-strength * amounts @ unit)).astype(np.uint8)


def apart(first, second):
    return np.abs(first.astype(int) - second)


@KINDS
def test_what_is_at_the_target_already_does_not_change(kind):
    pixels = stained(ONE)
    stain = kind.fit(pixels)
    assert apart(stain.normalise(pixels, stain), pixels).max() <= 1


@KINDS
def test_there_and_back_is_back(kind):
    pixels = stained(ONE)
    here, there = kind.fit(pixels), kind.fit(stained(OTHER, 0.8, seed=1))
    back = there.normalise(here.normalise(pixels, there), here)
    assert np.percentile(apart(back, pixels), 99) <= 3


# Reinhard's map turns no axis, so it cannot bring two pairs of stains quite together.
@pytest.mark.parametrize(("kind", "left"), [(Macenko, 0.4), (Reinhard, 0.6)])
def test_slides_of_two_laboratories_become_alike(kind, left):
    first, second = stained(ONE), stained(OTHER, 0.8)  # the same tissue
    normalised = kind.fit(second).normalise(second, kind.fit(first))
    assert apart(normalised, first).mean() < left * apart(second, first).mean()


def test_macenko_finds_the_stains():
    unit = ONE / np.linalg.norm(ONE, axis=1, keepdims=True)
    found = np.array(Macenko.fit(stained(ONE)).directions)
    assert np.rad2deg(np.arccos((found * unit).sum(1).clip(-1, 1))).max() < 8


@KINDS
@pytest.mark.parametrize("value", [0, 200, 243, 255])
def test_one_colour_is_no_stain(kind, value):
    assert kind.fit(np.full((96, 96, 3), value, np.uint8)) is None


@KINDS
def test_too_little_tissue_is_no_stain(kind):
    pixels = np.full((96, 96, 3), 245, np.uint8)
    pixels[:5, :5] = stained(ONE)[:5, :5]
    assert kind.fit(pixels) is None


@KINDS
def test_glass_stays_glass(kind):
    here, there = kind.fit(stained(ONE)), kind.fit(stained(OTHER, 0.8))
    for value in (250, 255):
        glass = np.full((8, 8, 3), value, np.uint8)
        assert apart(here.normalise(glass, there), glass).max() <= 4


# ---- sources that tell nothing, or something else -----------------------------------------------


def nearly_white(seed=0):
    return np.random.default_rng(seed).integers(236, 256, (96, 96, 3), dtype=np.uint8)


def eosin_alone(seed=0):
    random = np.random.default_rng(seed)
    density = random.uniform(0.3, 1.2, (96, 96, 1)) * ONE[1] + random.normal(0, 0.05, (96, 96, 3))
    return np.rint(255 * np.exp(-np.maximum(density, 0))).astype(np.uint8)


def green_pen(seed=0):
    pixels = np.random.default_rng(seed).integers(10, 60, (96, 96, 3), dtype=np.uint8)
    pixels[..., 1] += 120
    return pixels


@KINDS
@pytest.mark.parametrize(
    "pixels",
    [nearly_white(), np.zeros((96, 96, 3), np.uint8), np.full((96, 96, 3), 180, np.uint8)],
    ids=["nearly white", "black", "grey"],
)
def test_what_has_no_stain_stays_as_it_is(kind, pixels):
    target = kind.fit(stained(ONE))
    assert source_for(target, pixels) is None
    np.testing.assert_array_equal(each_normalised(pixels[None], target)[0], pixels)


@pytest.mark.parametrize("pixels", [eosin_alone(), green_pen()], ids=["eosin alone", "green pen"])
def test_other_stains_are_not_taken_for_haematoxylin_and_eosin(pixels):
    target = Macenko.fit(stained(ONE))
    np.testing.assert_array_equal(each_normalised(pixels[None], target)[0], pixels)


def test_what_is_far_paler_than_its_target_is_not_blown_up():
    pixels = np.clip(stained(ONE, 0.3).astype(int), 0, 215).astype(np.uint8)
    target = Reinhard((50.0, 20.0, -10.0), (60.0, 60.0, 60.0))
    assert source_for(target, pixels) is None


@KINDS
def test_whatever_the_pixels_the_answer_is_a_picture(kind):
    target, random = kind.fit(stained(OTHER)), np.random.default_rng(3)
    for _ in range(20):
        low, high = sorted(random.integers(0, 256, 2))
        patch = random.integers(low, high + 1, (1, 32, 32, 3), dtype=np.uint8)
        with np.errstate(all="raise", under="ignore"):
            result = each_normalised(patch, target)
        assert (result.dtype, result.shape) == (np.uint8, patch.shape)


@KINDS
def test_a_stain_survives_json(kind):
    stain = kind.fit(stained(ONE))
    assert stain_from_json(json.loads(json.dumps(asdict(stain)))) == stain


def test_a_known_mixture_becomes_the_same_mixture_of_the_other_stains():
    here = Macenko(*_unit_stains(ONE, (1.0, 1.0)))
    there = Macenko(*_unit_stains(OTHER, (0.8, 1.2)))
    amounts = np.array([[0.5, 0.0], [0.0, 0.5], [0.4, 0.7]])
    pixels = np.rint(255 * np.exp(-amounts @ np.array(here.directions))).astype(np.uint8)
    expected = 255 * np.exp(-amounts * (0.8, 1.2) @ np.array(there.directions))
    assert np.abs(here.normalise(pixels, there) - expected).max() < 2.5


def _unit_stains(directions, strengths):
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    return tuple(tuple(each) for each in unit.tolist()), strengths
