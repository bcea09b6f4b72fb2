"""Holds answers back on their way to a page, so that they come late or in another order."""

import re
from collections.abc import Callable

from playwright.sync_api import APIResponse, Page, Route

from tests.browser.conftest import eventually, next_frame


class Held:
    """The first answers to requests whose address matches; the server has done its part by then.

    Give it to `open_page` as `before`, or call it with a page.
    """

    def __init__(self, pattern: str, method: str = "GET", number: int = 1) -> None:
        self._pattern = re.compile(pattern)
        self._method = method
        self._number = number
        self._held: list[tuple[Route, APIResponse]] = []

    def __call__(self, page: Page) -> "Held":
        self._page = page
        page.route(self._pattern, self._hold)
        return self

    def _hold(self, route: Route) -> None:
        if route.request.method != self._method or self._number <= 0:
            route.fallback()
            return
        self._number -= 1
        self._held.append((route, route.fetch()))

    def wait(self) -> None:
        """Until an answer is held."""
        eventually(self._page, lambda: bool(self._held))

    def let_go(self, order: Callable[[list], list] = list) -> None:  # type: ignore[type-arg] # any
        """Until the page has heard what was held; nothing is held any more."""
        self.wait()
        self._number = 0
        for route, answer in order(self._held):
            with self._page.expect_event("requestfinished", lambda r, it=route: r == it.request):
                route.fulfill(response=answer)
        next_frame(self._page)
