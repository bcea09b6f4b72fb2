"""Bootstrap intervals over slides (or patients, or blocks): the unit that repeats in the world.

Patches of a slide resemble each other; drawing patches would make intervals far too narrow.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REPLICATES = 1000
SEED = 0

Statistic = Callable[[NDArray[np.int64]], float | None]


@dataclass(frozen=True)
class Interval:
    """A 95 % percentile interval, or None with the reason; how many replicates had no value."""

    ci95: tuple[float, float] | None
    replicates: int
    undefined: int
    reason: str | None = None
    seed: int = SEED


def bootstrap(
    statistic: Statistic, blocks: int, *, seed: int = SEED, replicates: int = REPLICATES
) -> Interval:
    """Interval of `statistic(weights)`, weights[i] = how often block i was drawn (int64, n).

    `statistic` gives None where it is undefined (one class only); such replicates are left out
    and counted. The same seed gives the same interval.
    """
    if blocks < 2:
        return Interval(None, 0, 0, f"{blocks} slide or block cannot be resampled")
    random = np.random.default_rng(seed)
    weights = random.multinomial(blocks, np.full(blocks, 1 / blocks), size=replicates)
    values = [statistic(each) for each in weights]
    defined = [value for value in values if value is not None]
    undefined = replicates - len(defined)
    if undefined > replicates / 2:
        reason = f"undefined in {undefined} of {replicates} resamples: too few slides of a class"
        return Interval(None, replicates, undefined, reason, seed)
    low, high = np.percentile(defined, (2.5, 97.5))
    return Interval((float(low), float(high)), replicates, undefined, None, seed)
