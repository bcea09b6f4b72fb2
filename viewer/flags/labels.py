"""The labels a laboratory uses: name, colour, key and mark. The defaults have QuPath's colours."""

import json
import tomllib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic import model_validator as check

TAKEN_KEYS = frozenset("FHNP")  # Shift with these letters does something else on the viewer's page

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Colour = Annotated[str, StringConstraints(pattern="^#[0-9a-fA-F]{6}$", to_lower=True)]
Letter = Annotated[str, StringConstraints(pattern="^[A-Za-z]$", to_upper=True)]


class Label(BaseModel):
    """One label. `key` with Shift gives it to a flag; `mark` tells it without its colour."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    colour: Colour
    key: Letter | None = None
    mark: Annotated[str, StringConstraints(min_length=1, max_length=2)] | None = None
    filled: bool = True
    reason_required: bool = False
    # What other programs call it; such names are taken for this label when a file is imported.
    aliases: tuple[str, ...] = ()

    @property
    def shown_mark(self) -> str:
        """One or two letters."""
        return self.mark or self.key or self.name[:1].upper()

    @property
    def rgb(self) -> tuple[int, int, int]:
        """0–255 each."""
        red, green, blue = bytes.fromhex(self.colour[1:])
        return red, green, blue


class LabelSet(BaseModel):
    """What the file of SENTINODE_LABELS holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    labels: tuple[Label, ...] = Field(min_length=1, max_length=50)

    @check(mode="after")
    def _are_told_apart(self) -> "LabelSet":
        for what, values in (
            ("name", [label.name for label in self.labels]),
            ("key", [label.key for label in self.labels if label.key]),
            ("mark", [label.shown_mark for label in self.labels]),
        ):
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"two labels have the {what} '{twice[0]}'")
        for label in self.labels:
            if label.key in TAKEN_KEYS:
                raise ValueError(f"the key '{label.key}' of '{label.name}' has another use")
        return self

    def find(self, name: str) -> Label | None:
        """The label of this very name."""
        return next((label for label in self.labels if label.name == name), None)

    def resolve(self, name: str) -> Label | None:
        """The label that a foreign file means: its name, or an alias, in any case of letters."""
        wanted = name.strip().casefold()
        for label in self.labels:
            if wanted in {label.name.casefold(), *map(str.casefold, label.aliases)}:
                return label
        return None


# Colours of QuPath's own classes. The aliases are the groups of CAMELYON16 and 17.
DEFAULTS = LabelSet(
    labels=(
        Label(
            name="Tumor",
            colour="#c80000",
            key="T",
            aliases=("tumour", "_0", "_1", "metastases", "metastasis"),
        ),
        Label(name="Negative", colour="#5a5ab4", key="E", aliases=("_2", "normal", "exclusion")),
        Label(name="Stroma", colour="#96c896", key="S"),
        Label(name="Immune cells", colour="#a05aa0", key="I"),
        Label(name="Necrosis", colour="#323232", key="X"),
        Label(name="Other", colour="#ffc800", key="O"),
        Label(name="Region*", colour="#0000b4", key="R", filled=False),
        Label(name="Ignore*", colour="#b4b4b4", key="G", filled=False),
    )
)
UNKNOWN_COLOUR = "#404040"  # QuPath's, for what has no class


def load_labels(path: Path | None) -> LabelSet:
    """The set of a TOML or JSON file, by its ending; the defaults without one.

    Raises ValueError with a sentence that says what is wrong.
    """
    return DEFAULTS if path is None else _load(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _load(path: Path, _mtime_ns: int) -> LabelSet:
    try:
        text = path.read_text(encoding="utf-8")
        values: Any = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        return LabelSet.model_validate(values)
    except ValidationError as error:
        wrong = "; ".join(_said(part["loc"], part["msg"]) for part in error.errors())
        raise ValueError(f"the labels are not right: {wrong}") from None
    except ValueError as error:
        raise ValueError(f"the labels are neither TOML nor JSON: {error}") from None


def _said(place: Sequence[int | str], what: str) -> str:
    return f"{'.'.join(map(str, place))}: {what}" if place else what
