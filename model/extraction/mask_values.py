"""What the values in a mask stand for. Nothing is guessed that could be read two ways."""

import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.extraction.errors import MaskInvalid

# CAMELYON16 masks hold 0 and 1 or 0 and 255. With 0, 1 and 2 the tumour is 1 in CAMELYON17's own
# masks and 2 in masks derived from them, so that must be said.
UNAMBIGUOUS = (frozenset({0, 1}), frozenset({0, 255}))
AUTO = "auto"


class MaskValues:
    """Turns mask values into tumour or not, counts them, and refuses those without a meaning.

    `text` is "auto" (0 and 1, or 0 and 255, in one mask) or names every value but 0, such as
    "1=tumour,2=normal". One instance serves one mask: its counts are that mask's.
    """

    def __init__(self, text: str = AUTO) -> None:
        self.meanings = None if text == AUTO else parse_meanings(text)
        self.counts = np.zeros(256, np.int64)

    def tumour(self, raster: NDArray[np.uint8], name: str) -> NDArray[np.bool_]:
        """Where `raster` shows tumour, same shape; raise MaskInvalid for a value that cannot be."""
        self.counts += Image.fromarray(raster).histogram()  # four times as fast as bincount
        seen = {int(value) for value in np.flatnonzero(self.counts)}
        if self.meanings is None:
            if not any(seen <= known for known in UNAMBIGUOUS):
                raise self._contradiction(name, "only 0 and 1, or 0 and 255, explain themselves")
            return np.asarray(raster != 0)
        if not seen <= {0, *self.meanings}:
            stated = ", ".join(f"{value}={word}" for value, word in self.meanings.items())
            raise self._contradiction(name, f"only 0 and {stated} were named")
        table = np.array([self.meanings.get(value) == "tumour" for value in range(256)])
        return np.asarray(table[raster])

    def _contradiction(self, name: str, rule: str) -> MaskInvalid:
        seen = np.flatnonzero(self.counts)
        listed = ", ".join(f"{value} ({self.counts[value]} px)" for value in seen[:6])
        more = f" and {len(seen) - 6} more" if len(seen) > 6 else ""
        cause = (
            "So many values come from lossy compression or from levels made by averaging: make the"
            " mask again with a lossless codec and nearest-neighbour levels."
            if len(seen) > 6
            else "Name each value with --mask-values, for example 1=tumour,2=normal."
        )
        return MaskInvalid(f"Mask '{name}' holds the values {listed}{more}; {rule}.", cause)


def parse_meanings(text: str) -> dict[int, str]:
    """Meaning ("tumour" or "normal") of each value but 0; raise MaskInvalid."""
    meanings: dict[int, str] = {}
    for entry in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,3})\s*=\s*(tumour|normal)\s*", entry)
        value = int(match[1]) if match else 0
        if match is None or not 0 < value < 256 or value in meanings:
            raise MaskInvalid(
                f"'{text}' does not name mask values.",
                "Write auto, or each value from 1 to 255 once, for example 1=tumour,2=normal.",
            )
        meanings[value] = match[2]
    if "tumour" not in meanings.values():
        raise MaskInvalid(f"'{text}' names no value for tumour.", "For example: 1=tumour,2=normal.")
    return meanings


def counted(counts: Iterable[int]) -> dict[int, int]:
    """Pixels of each value that occurs, by value."""
    return {value: int(count) for value, count in enumerate(counts) if count}
