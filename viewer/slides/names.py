"""Names of slides made comparable: for searching, and for an order in which 2 comes before 10."""

import re

DIGITS = re.compile(r"\d+")
# Longer numbers than any scanner counts to; what is longer still is compared as text.
WIDTH = 12


def search_name(name: str) -> str:
    """The name without regard to case, in any script."""
    return name.casefold()


def sort_name(name: str) -> str:
    """As `search_name`, with numbers written at equal length."""
    return DIGITS.sub(lambda digits: digits[0].lstrip("0").zfill(WIDTH), search_name(name))
