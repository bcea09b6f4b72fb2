"""A figure of a report: never without its n, its method, and the reason where it has no value."""

from dataclasses import asdict, dataclass, field

from model.evaluation.intervals import Interval


@dataclass(frozen=True)
class Figure:
    """`value` is None where the data cannot give one; `reason` then says why."""

    value: float | None
    ci95: tuple[float, float] | None
    n: dict[str, int]
    method: str
    reason: str | None = None
    details: dict[str, object] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """As JSON types: value, ci95, n, method, reason, and the details beside them."""
        whole = asdict(self)
        return {**whole, **whole.pop("details")}


def explain(interval: Interval, unit: str) -> str:
    """How an interval was drawn, in words; `unit` is what was drawn, such as "slides"."""
    if not interval.replicates:
        return f"no interval: {interval.reason}"
    drawn = f"95 % percentile bootstrap over {unit}, {interval.replicates} resamples, seed"
    left_out = f", {interval.undefined} without a value left out" if interval.undefined else ""
    failed = f"; {interval.reason}" if interval.reason else ""
    return f"{drawn} {interval.seed}{left_out}{failed}"
