"""Stain normalisation: nothing to do does nothing, there and back is back, glass stays glass."""

import numpy as np
import pytest

from model.prediction.stain import Macenko, Reinhard

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
