"""What can be wrong with a study, its masks or its manifest, in words a researcher can act on."""

# ruff: noqa: N818 -- as in model.prediction.errors: the names read as statements where caught

from model.prediction.errors import PredictionError


class StudyInvalid(PredictionError):
    """Files of a study are missing, unpaired, or contradict one another."""


class MaskInvalid(PredictionError):
    """A lesion mask or an annotation cannot be read, or does not belong to its slide."""


class ManifestInvalid(PredictionError):
    """A manifest is damaged, of another layout, or made with other settings."""


class SplitInvalid(PredictionError):
    """A split is incomplete, holds one class only, or lets a patient leak between sets."""


class WriteFailed(PredictionError):
    """A file could not be written; nothing half-written was left behind."""
