"""Logs without paths: file names of slides often hold names of people."""

import logging
import re
from typing import TextIO, cast

from flask.logging import wsgi_errors_stream

from viewer.settings import Settings

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class PathFreeFormatter(logging.Formatter):
    """Replaces every path below the slide folders and the data folder, in tracebacks too."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(FORMAT)
        folders = {*settings.slides, settings.data}
        folders |= {folder.resolve() for folder in folders}
        longest_first = sorted((str(folder) for folder in folders), key=len, reverse=True)
        # To the end of the line: names may hold blanks and quotes.
        self._paths = re.compile(f"(?:{'|'.join(map(re.escape, longest_first))})[^\n]*")

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the traceback, without paths."""
        return self._paths.sub("[path hidden]", super().format(record))


def configure(settings: Settings) -> None:
    """Send all logs of this process to its error stream; for each process, at its start."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler.formatter, PathFreeFormatter):
            root.removeHandler(handler)
    handler = logging.StreamHandler(cast(TextIO, wsgi_errors_stream))
    handler.setFormatter(PathFreeFormatter(settings))
    root.addHandler(handler)
    logging.getLogger("viewer").setLevel(logging.INFO)
