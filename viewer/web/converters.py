"""What may stand in an address; anything else is 404 before any code of ours sees it."""

from werkzeug.routing import BaseConverter


class SlideIdConverter(BaseConverter):
    """A slide's id: 20 hex digits."""

    regex = "[0-9a-f]{20}"


class IndexConverter(BaseConverter):
    """A level, column or row: few enough digits for any slide, written in one way only."""

    regex = "0|[1-9][0-9]{0,6}"

    def to_python(self, value: str) -> int:
        """The number."""
        return int(value)

    def to_url(self, value: int) -> str:
        """Its digits."""
        return str(value)
