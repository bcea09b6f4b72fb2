"""What can go wrong between a slide and its heat map, in words a user can act on.

The names read as sentences where they are caught, hence without the suffix "Error".
"""

# ruff: noqa: N818 -- see above; what `except` and logs show is a statement about the slide

import errno

FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


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


class ResolutionUnsuitable(PredictionError):
    """The slide's pixels are too coarse for the model."""


class ModelInvalid(PredictionError):
    """A model folder lacks a file, holds wrong values, or its weights were altered."""


class EngineUnavailable(PredictionError):
    """This machine cannot compute in the way that was asked for."""


class HeatmapInvalid(PredictionError):
    """A stored heat map is missing, damaged, or of another layout."""


class HeatmapsDiffer(PredictionError):
    """Two heat maps cannot be compared cell by cell: their cells lie elsewhere."""


class HeatmapUnwritable(PredictionError):
    """A heat map cannot be stored: the disk is full, or its folder cannot be written to."""


class NoTissue(PredictionError):
    """The slide holds no tissue to analyse."""


def unwritable(error: OSError) -> HeatmapUnwritable:
    """What the system's refusal to write means for the user."""
    if error.errno in FULL_DISK:
        return HeatmapUnwritable(
            "The disk that holds the heat maps is full.", "Free some space, then start again."
        )
    return HeatmapUnwritable(
        f"The heat map cannot be written: {error.strerror or 'input or output error'}.",
        "Check the folder for heat maps: it must exist and be writable.",
    )
