"""Two ways of doing the same work, timed in turns."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """Seconds of CPU of each round, of the plain way and of ours."""

    plain_s: list[float]
    ours_s: list[float]

    def said(self, amount: float, unit: str) -> str:
        """The ratio with its range, and how much of `amount` our way does in a second of CPU."""
        ratios = [plain / ours for plain, ours in zip(self.plain_s, self.ours_s, strict=True)]
        rate = amount / statistics.median(self.ours_s)
        return (
            f"{statistics.median(ratios):.2f} (range {min(ratios):.2f}–{max(ratios):.2f});"
            f" {rate:.1f} {unit} per second of CPU"
        )


def compare(plain: Callable[[], object], ours: Callable[[], object], rounds: int) -> Comparison:
    """Time both in turns, so that what slows the machine down slows down both."""
    pairs = [(_seconds(plain), _seconds(ours)) for _ in range(rounds)]
    return Comparison([pair[0] for pair in pairs], [pair[1] for pair in pairs])


def _seconds(work: Callable[[], object]) -> float:
    # CPU time, of all threads: other processes do not count.
    started = time.process_time()
    work()
    return time.process_time() - started
