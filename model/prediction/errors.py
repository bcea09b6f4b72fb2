"""What can go wrong between a slide and its heat map, in words a user can act on.

The names read as sentences where they are caught, hence without the suffix "Error".
"""

# ruff: noqa: N818 -- see above; what `except` and logs show is a statement about the slide


class PredictionError(Exception):
    """Something the user can act on: `reason` says what is wrong, `hint` what to do."""

    def __init__(self, reason: str, hint: str) -> None:
        # Both go to Exception's args, so that the error survives the way between processes.
        super().__init__(reason, hint)
        self.reason = reason
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.reason} {self.hint}"


class SlideUnreadable(PredictionError):
    """No reader can open the slide, or read a part of it."""


class ResolutionUnknown(PredictionError):
    """The slide does not say how many µm a pixel covers, and nobody set it."""


class ModelInvalid(PredictionError):
    """A model folder lacks a file, holds wrong values, or its weights were altered."""


class HeatmapInvalid(PredictionError):
    """A stored heat map is missing, damaged, or of another layout."""


class HeatmapUnwritable(PredictionError):
    """A heat map cannot be stored: the disk is full, or its folder cannot be written to."""


class NoTissue(PredictionError):
    """The slide holds no tissue to analyse."""
