"""The one module that wraps Apprise: one message to one address, and why it was not taken.

The URL of an address holds tokens. Nothing that Apprise says is passed on, for it may repeat them:
only which kind of address it is, and what went wrong in words of our own.
"""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gameday.errors import CannotSeeError, RefusedError
from gameday.model.notices import Message

EXTRA = "pip install 'gameday[notices]'"
_SCHEME = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]{0,30})://", re.IGNORECASE)
_STATUS = re.compile(r"error=(?P<status>[1-5][0-9]{2})\b")
#: How Apprise marks a message, by moment.
_LOOK = {"start": "info", "stop": "warning", "dirty": "failure", "clear": "success"}


def send(url: str, message: Message, look: str) -> None:
    """Send once. Raises CannotSeeError when it was not taken, RefusedError for a bad address."""
    apprise = library()
    target = _address(apprise, url)
    with _listening() as heard:
        box = apprise.Apprise(asset=apprise.AppriseAsset(secure_logging=True))
        box.add(target)
        taken = box.notify(
            body=message.body, title=message.title, notify_type=_LOOK.get(look, "info")
        )
    if not taken:
        raise CannotSeeError(_why(heard))


def scheme_of(url: str) -> str:
    """What kind of address it is, such as `slack`; `?` if that cannot be said."""
    found = _SCHEME.match(url.strip())
    scheme = found["scheme"].lower() if found is not None else "?"
    if scheme not in ("http", "https"):
        return scheme
    try:
        target = _address(library(), url)
    except RefusedError:
        return scheme
    named = getattr(target, "secure_protocol", None) or getattr(target, "protocol", None) or scheme
    return str(named if isinstance(named, str) else next(iter(named), scheme))


def warm() -> None:
    """Load all of Apprise's services now. Raises RefusedError where it is not installed."""
    _address(library(), "json://localhost")


def check(url: str) -> None:
    """Look whether Apprise knows such an address; nothing is sent. Raises RefusedError."""
    _address(library(), url)


def library() -> Any:
    """Apprise itself. Raises RefusedError where it is not installed."""
    try:
        return importlib.import_module("apprise")
    except ImportError:
        raise RefusedError(f"Apprise is not installed: {EXTRA}") from None


def _address(apprise: Any, url: str) -> Any:
    """The address, made by Apprise; what it says of a wrong one is not repeated."""
    with _listening():
        asset = apprise.AppriseAsset(secure_logging=True)
        try:
            target = apprise.Apprise.instantiate(url.strip(), asset=asset, suppress_exceptions=True)
        except Exception:  # noqa: BLE001 - of a plug-in of Apprise; its words may hold the URL
            target = None
    if target is None:
        raise RefusedError(
            "Apprise does not know such an address; see the list of its services, and whether "
            "the URL is whole"
        )
    return target


@contextmanager
def _listening() -> Iterator[list[str]]:
    """What Apprise logs in this process meanwhile; it goes nowhere else."""
    heard: list[str] = []

    class _Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    logger, ear = logging.getLogger("apprise"), _Ear(logging.WARNING)
    logger.propagate = False
    logger.addHandler(ear)
    try:
        yield heard
    finally:
        logger.removeHandler(ear)


def _why(heard: list[str]) -> str:
    """Why a message was not taken, in words of our own."""
    text = "\n".join(heard)
    status = _STATUS.search(text)
    if status is not None:
        code = int(status["status"])
        hint = " (is its token right?)" if code in (401, 403, 404) else ""
        return f"its server answered {code}{hint}"
    if "onnection" in text or "Socket" in text or "SMTP" in text:
        return "its server could not be reached, or broke off; it may have been sent"
    return "it was not taken"
