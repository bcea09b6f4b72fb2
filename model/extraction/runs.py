"""A folder that a command fills slide by slide, to be continued with the same settings only."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.extraction.errors import ManifestInvalid
from model.extraction.files import write_text

SETTINGS_FILE = "settings.json"


def claim_folder(out: Path, settings: Mapping[str, Any], again: bool = False) -> None:
    """Record `settings` in `out`; raise ManifestInvalid if it was begun with others.

    With `again` the new settings replace the old ones.
    """
    path = out / SETTINGS_FILE
    text = json.dumps(settings, indent=1, sort_keys=True) + "\n"
    if path.is_file() and not again:
        _compare(_load(path), json.loads(text), out.name)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)


def fingerprint(path: Path | None) -> list[int] | None:
    """Size and time of a file: another fingerprint means that it was changed."""
    if path is None:
        return None
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _load(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ManifestInvalid(
            f"{path.name} in the folder for results is damaged.",
            "Choose another folder, or begin anew with --again.",
        ) from error
    return settings if isinstance(settings, dict) else {}


def _compare(old: Mapping[str, Any], new: Mapping[str, Any], folder: str) -> None:
    changed = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    if changed:
        listed = "; ".join(f"{key} {old.get(key)!r}, now {new.get(key)!r}" for key in changed)
        raise ManifestInvalid(
            f"'{folder}' was made with other settings: {listed}.",
            "Choose another --out, or begin anew with --again.",
        )
