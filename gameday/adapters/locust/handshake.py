"""How a master and a worker on another host know each other, and that nobody speaks in between.

Both know one token, which never travels: each proves that it has it, by an HMAC over the random
numbers of both. What they say afterwards is numbered and sealed with a key made of all three. It is
not encrypted.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any, Literal

Role = Literal["master", "worker"]


class ForgedError(Exception):
    """A frame that the other side did not seal, or that has been seen before."""


def nonce() -> str:
    """A random number of one side, for one conversation."""
    return secrets.token_hex(16)


def proof(token: str, role: Role, own: str, other: str) -> str:
    """Shows that *role* has the token; *own* and *other* are the two random numbers."""
    return _mac(token.encode(), f"gameday-load/1 {role} {own} {other}")


def proves(token: str, role: Role, own: str, other: str, shown: object) -> bool:
    """Whether *shown* is the proof of *role*, whose random number is *own*."""
    right = proof(token, role, own, other)
    return isinstance(shown, str) and hmac.compare_digest(right.encode(), shown.encode())


class Seal:
    """Seals what one side says and opens what the other said, in order, each once."""

    def __init__(self, token: str, role: Role, *, master: str, worker: str) -> None:
        self._key = _mac(token.encode(), f"gameday-load/1 key {master} {worker}").encode()
        self._role = role
        self._other: Role = "worker" if role == "master" else "master"
        self._sent = self._opened = 0

    def seal(self, text: str) -> dict[str, Any]:
        """The frame of *text*."""
        self._sent += 1
        return {"n": self._sent, "text": text, "mac": self._sign(self._role, self._sent, text)}

    def open(self, frame: Mapping[str, Any]) -> str:
        """The text of a frame. Raises ForgedError."""
        number, text, mac = frame.get("n"), frame.get("text"), frame.get("mac")
        if not isinstance(number, int) or not isinstance(text, str) or not isinstance(mac, str):
            raise ForgedError("no frame")
        right = self._sign(self._other, number, text)
        if number <= self._opened or not hmac.compare_digest(right.encode(), mac.encode()):
            raise ForgedError("a frame of somebody else, or an old one")
        self._opened = number
        return text

    def _sign(self, role: Role, number: int, text: str) -> str:
        return _mac(self._key, f"{role} {number} {text}")


def _mac(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
