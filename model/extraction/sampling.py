"""Balance of what is trained on. It touches the training part alone: the others stay as they are.

Quotas come first: within each class, given shares of what is drawn are hard patches (false
positives of an earlier model) and border patches (both tumour and not). A class without such
patches is drawn from the rest.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.extraction.errors import SplitInvalid
from model.extraction.manifest import Manifest
from model.extraction.splits import Split, rows_of

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Balance:
    """How an epoch is drawn: every class as often as the larger ("oversample") or the smaller.

    "weight" and "none" leave the classes as they are; "weight" asks for `class_weights` in the
    loss. `hard_share` and `border_share` are quotas within each class.
    """

    method: Literal["none", "oversample", "undersample", "weight"] = "none"
    hard_share: float = 0.0
    border_share: float = 0.0

    def __post_init__(self) -> None:
        if min(self.hard_share, self.border_share) < 0 or self.hard_share + self.border_share > 1:
            raise SplitInvalid(
                f"The quotas {self.hard_share} and {self.border_share} are not shares of a whole.",
                "Both lie between 0 and 1, and so does their sum.",
            )


def draw_epoch(manifest: Manifest, split: Split, balance: Balance, seed: int, epoch: int) -> Rows:
    """Rows of one epoch of the training part, shuffled; the same for the same seed and epoch."""
    train = rows_of(manifest, split, "train")
    random = np.random.default_rng([seed, epoch])
    labels = manifest.column("label")[train]
    hard, border = manifest.column("hard")[train], manifest.column("border")[train]
    counts = [int((labels == value).sum()) for value in (0, 1)]
    sizes = {"oversample": [max(counts)] * 2, "undersample": [min(counts)] * 2}
    drawn = [
        _draw_class(train[chosen], hard[chosen], border[chosen], size, balance, random)
        for chosen, size in zip(
            (labels == 0, labels == 1), sizes.get(balance.method, counts), strict=True
        )
    ]
    return random.permutation(np.concatenate(drawn))


def class_weights(labels: NDArray[np.int8]) -> tuple[float, float]:
    """Weights of labels 0 and 1 that give both classes the same say; their mean over rows is 1."""
    count = len(labels)
    positives = int((labels == 1).sum())
    if positives in (0, count):
        raise SplitInvalid(
            "The training part holds one class only.", "It needs tumour and normal patches."
        )
    return count / (2 * (count - positives)), count / (2 * positives)


def _draw_class(
    rows: Rows,
    hard: NDArray[np.bool_],
    border: NDArray[np.bool_],
    size: int,
    balance: Balance,
    random: np.random.Generator,
) -> Rows:
    if not balance.hard_share and not balance.border_share:
        return _draw(rows, size, random)
    pools = {"hard": rows[hard], "border": rows[border & ~hard], "rest": rows[~hard & ~border]}
    quotas = {
        "hard": round(balance.hard_share * size),
        "border": round(balance.border_share * size),
    }
    wanted = {name: quota if len(pools[name]) else 0 for name, quota in quotas.items()}
    if not len(pools["rest"]):
        pools["rest"] = rows
    wanted["rest"] = size - sum(wanted.values())
    return np.concatenate([_draw(pools[name], count, random) for name, count in wanted.items()])


def _draw(rows: Rows, size: int, random: np.random.Generator) -> Rows:
    """`size` of the rows: none is drawn once more before all others were drawn as often."""
    if not size:
        return rows[:0]
    rounds, rest = divmod(size, len(rows))
    return np.concatenate([*[rows] * rounds, random.permutation(rows)[:rest]])
