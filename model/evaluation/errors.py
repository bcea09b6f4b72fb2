"""What can be wrong with the input of an evaluation."""

from model.prediction.errors import PredictionError


class EvaluationInvalid(PredictionError):  # noqa: N818 -- named like the errors of prediction
    """Slides, masks, heat maps or detections do not fit together, or hold impossible values."""
