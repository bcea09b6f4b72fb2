"""What can be wrong with a flag."""

from typing import Any

from viewer.errors import BadRequest, NotFound


class FlagNotFound(NotFound):
    """No flag has this id, or it was deleted."""

    code = "flag_not_found"

    def __init__(
        self,
        message: str = "There is no such flag.",
        hint: str = "A deleted flag comes back with POST /api/v1/flags/<flag_id>/restore.",
    ) -> None:
        super().__init__(message, hint)


class GeometryInvalid(BadRequest):
    """The geometry is none that a flag can have."""

    code = "geometry_invalid"


class LabelUnknown(BadRequest):
    """The label is not in the laboratory's set."""

    code = "label_unknown"


class ReasonMissing(BadRequest):
    """The label wants a reason."""

    code = "reason_missing"


class ImportRefused(BadRequest):
    """A file that cannot be taken in whole; `problems` says what is wrong where."""

    code = "import_refused"

    def __init__(
        self, message: str, hint: str, problems: list[dict[str, Any]] | None = None
    ) -> None:
        super().__init__(message, hint)
        self.members["problems"] = problems or []
