"""What may stand in an address; anything else is 404 before any code of ours sees it."""

import re
from typing import Any

from werkzeug.routing import BaseConverter

from viewer.web import tickets


class SlideIdConverter(BaseConverter):
    """A slide's id: 20 hex digits."""

    regex = "[0-9a-f]{20}"


class TicketConverter(BaseConverter):
    """A signed ticket, genuine or not."""

    regex = tickets.PATTERN


class IndexConverter(BaseConverter):
    """A level, column or row: few enough digits for any slide, written in one way only."""

    regex = "0|[1-9][0-9]{0,6}"

    def to_python(self, value: str) -> int:
        """The number."""
        return int(value)

    def to_url(self, value: int) -> str:
        """Its digits."""
        return str(value)


def path_schema(kind: str, options: str) -> dict[str, Any]:
    """The JSON schema of what may stand in an address, by converter and its options."""
    match kind:
        case "slide_id":
            return {"type": "string", "pattern": f"^{SlideIdConverter.regex}$"}
        case "index":
            return {"type": "integer", "minimum": 0, "maximum": 9_999_999}
        case "int":
            return {"type": "integer", "minimum": 0}
    found = re.search(r"length=(\d+)", options)
    schema: dict[str, Any] = {"type": "string", "minLength": 1}
    return schema | ({"minLength": int(found[1]), "maxLength": int(found[1])} if found else {})
