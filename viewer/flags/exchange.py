"""What the file formats have in common: an entry for each region, and a tally of what was lost."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from viewer.flags.content import State

NOTICE = "Research use only. Not for diagnostic procedures."


@dataclass(frozen=True)
class Entry:
    """A region of a file, not checked yet. `place` tells people where in the file it stands."""

    place: str
    geometry: Mapping[str, Any]
    kind: str | None = None
    label: str | None = None
    name: str | None = None
    reason: str = ""
    state: State = "open"
    assignee: str | None = None
    flag_id: str | None = None
    version: int | None = None  # the version it was exported as


@dataclass
class Found:
    """What a file holds: regions, what cannot be taken (and where), what is taken with a loss."""

    entries: list[Entry] = field(default_factory=list)
    problems: list[dict[str, str]] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)

    def refuse(self, place: str, reason: str) -> None:
        """Note a region that cannot be taken."""
        self.problems.append({"place": place, "reason": reason})


def plain(text: object, most: int) -> str:
    """One line of printable characters, as text from foreign files is stored."""
    if not isinstance(text, str | int | float) or isinstance(text, bool):
        return ""
    return "".join(c if c.isprintable() else " " for c in str(text)).strip()[:most]


def prose(text: object, most: int) -> str:
    """As `plain`, with its line breaks."""
    lines = text.splitlines() if isinstance(text, str) else []
    return "\n".join(plain(line, most) for line in lines)[:most]


def moved(geometry: Mapping[str, Any], dx: float, dy: float) -> dict[str, Any]:
    """A sound geometry, shifted."""

    def move(part: Any) -> Any:  # noqa: ANN401 - coordinates are lists of lists, as deep as it takes
        if part and isinstance(part[0], list):
            return [move(deeper) for deeper in part]
        return [round(part[0] + dx, 2), round(part[1] + dy, 2)]

    return {"type": geometry["type"], "coordinates": move(geometry["coordinates"])}
