"""Making text from outside fit to print: no control characters, nothing that UTF-8 cannot carry."""

from __future__ import annotations

import re

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def encodable(text: str) -> str:
    """*text* without lone surrogates, which JSON can carry and UTF-8 cannot."""
    return _SURROGATE.sub("\ufffd", text)


def printable(text: str) -> str:
    """*text* without anything that could move a cursor, colour a terminal or turn its direction."""
    return _CONTROL.sub("\ufffd", encodable(text))
