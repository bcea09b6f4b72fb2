"""Holds a site's tiles back, as a slow network or a busy server does."""

import re
import threading
from collections.abc import Iterable
from typing import Any

from tests.browser.site import Site

TILE = re.compile(r"_files/(\d+)/(\d+)_(\d+)\.\w+$")
LONGEST_S = 300  # so that no thread waits for ever; a test is over long before


class Gate:
    """While it is shut, requests for tiles wait; everything else passes."""

    def __init__(self, site: Site) -> None:
        self._open = threading.Event()
        self._open.set()
        self._inner = site.app.wsgi_app
        site.app.wsgi_app = self  # type: ignore[method-assign] # how Flask's manual wraps it

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if TILE.search(environ["PATH_INFO"]):
            self._open.wait(LONGEST_S)
        return self._inner(environ, start_response)

    def shut(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()
