"""What people decide about a flag, apart from where it lies: checked against the label set."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from viewer.flags.errors import LabelUnknown, ReasonMissing
from viewer.flags.geometry import Shape
from viewer.flags.labels import LabelSet
from viewer.flags.records import Flag

State = Literal["open", "agreed", "disagreed", "resolved"]
FIELDS = ("label", "name", "reason", "state", "assignee")


@dataclass(frozen=True)
class Content:
    """A flag's shape and what is said of it."""

    shape: Shape
    label: str | None = None
    name: str | None = None
    reason: str = ""
    state: State = "open"
    assignee: str | None = None

    def columns(self) -> dict[str, Any]:
        """What a row stores."""
        return self.shape.columns() | {field: getattr(self, field) for field in FIELDS}

    def with_changes(self, shape: Shape | None, changes: dict[str, Any]) -> "Content":
        """With another shape and other words."""
        return replace(self, shape=shape or self.shape, **changes)


def content_of(flag: Flag) -> Content:
    """What a row says now."""
    bounds = flag.min_x_l0_px, flag.min_y_l0_px, flag.max_x_l0_px, flag.max_y_l0_px
    shape = Shape(flag.kind, flag.geometry, bounds, flag.area_px2)  # type: ignore[arg-type] # one of KINDS
    return Content(shape, **{field: getattr(flag, field) for field in FIELDS})


def check(content: Content, labels: LabelSet, before: Content | None = None) -> None:
    """Raise LabelUnknown or ReasonMissing. A foreign label that is there already may stay."""
    if content.label is None or (before is not None and content.label == before.label):
        found = labels.find(content.label) if content.label else None
    elif (found := labels.find(content.label)) is None:
        known = ", ".join(f"'{label.name}'" for label in labels.labels)
        raise LabelUnknown(f"There is no label '{content.label}'.", f"Labels are {known}.")
    if found is not None and found.reason_required and not content.reason.strip():
        raise ReasonMissing(f"The label '{found.name}' wants a reason.", "Say why, in a few words.")
