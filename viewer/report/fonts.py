"""Fonts that know most scripts: those built into PDF and Pillow know Latin letters, at best."""

from functools import lru_cache
from importlib.resources import files


@lru_cache
def font_file(name: str) -> str:
    """The file of one of the DejaVu fonts, which Matplotlib brings along."""
    return str(files("matplotlib") / "mpl-data" / "fonts" / "ttf" / name)
