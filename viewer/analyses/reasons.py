"""Why an analysis failed, in words for its user: what is wrong, and what to do. No paths."""

import logging

from distributed import KilledWorker

from model.prediction.errors import PredictionError
from viewer.errors import ViewerError

log = logging.getLogger(__name__)

EXPECTED = (PredictionError, ViewerError, OSError, KilledWorker)


def reason_and_hint(error: BaseException) -> tuple[str, str]:
    """The reason and the hint of an error; what nobody foresaw is logged too."""
    match error:
        case PredictionError():
            return error.reason, error.hint
        case ViewerError():
            return error.message, error.hint
        case KilledWorker():
            return (
                "A process was ended three times while it analysed one part of the slide.",
                "Often memory is short: lower SENTINODE_WORKERS, then start the analysis again.",
            )
        case OSError():
            return (
                f"A file could not be read or written: {error.strerror or type(error).__name__}.",
                "Check the disks that hold the slides and the heat maps, then start it again.",
            )
    log.error("Unforeseen error in an analysis", exc_info=error)
    return (
        f"A part of the slide could not be analysed, three times ({type(error).__name__}).",
        "This should not happen; the log of the worker tells more.",
    )
