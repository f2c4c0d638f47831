"""What a validation is about: the text of a runbook, without what the validation itself writes."""

from __future__ import annotations

import hashlib
import re

#: Keys of the front matter that a validation writes.
WRITTEN = ("last_validated", "validated_run", "validated_sha256")

_LINE = re.compile(rf"^(?:{'|'.join(WRITTEN)})[ \t]*:[^\n]*\n?", re.MULTILINE)
_FRONT = re.compile(r"\A---[ \t]*\n.*?^(?:---|\.\.\.)[ \t]*$", re.DOTALL | re.MULTILINE)


def content_sha256(text: str) -> str:
    """The SHA-256 of a runbook without what a validation writes; line ends do not count."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    front = _FRONT.match(text)
    if front is not None:
        text = _LINE.sub("", front[0]) + text[front.end() :]
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
