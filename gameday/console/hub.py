"""The streams that browsers listen to: entries with numbers, and the latest state without.

A stream keeps every entry as the bytes that are sent, once for all browsers. A browser that comes
back says which number it had last; one that was never here, or was with another stream, gets all.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping
from typing import Any

#: More entries than these are not shown; the journal has them.
ENTRIES_MAX = 20_000
#: So many entries are sent at once; between them the others get their turn.
AT_ONCE = 200


class Stream:
    """What one view of the day is told. Used in the thread of the event loop alone."""

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(6)  # another one means: numbers are counted anew
        self.closed = False
        self._entries: list[bytes] = []
        self._state, self._state_number = b"", 0
        self._news = asyncio.Event()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Mapping[str, Any]) -> None:
        """Number an entry and tell everybody."""
        number = len(self._entries) + 1
        if number > ENTRIES_MAX:
            return
        if number == ENTRIES_MAX:
            entry = {**entry, "text": "there is more than this page can show; the journal has it"}
        body = json.dumps({**entry, "n": number}, separators=(",", ":"))
        self._entries.append(f"id: {self.epoch}.{number}\nevent: entry\ndata: {body}\n\n".encode())
        self._wake()

    def show(self, state: str) -> None:
        """Replace the state, which is JSON, and tell everybody."""
        self._state = f"event: state\ndata: {state}\n\n".encode()
        self._state_number += 1
        self._wake()

    def close(self) -> None:
        """End all connections; browsers come back and are told what is true then."""
        self.closed = True
        self._wake()

    def place(self, last_id: str | None) -> int | None:
        """How many entries a browser has that had *last_id* last; None if it has to begin anew."""
        epoch, _, number = (last_id or "").partition(".")
        if epoch != self.epoch or not number.isascii() or not number.isdecimal():
            return None
        place = int(number[:9])
        return place if place <= len(self._entries) else None

    def after(self, place: int, state_number: int) -> tuple[bytes, int, int]:
        """What comes after *place*, with the new place and the new number of the state."""
        found = self._entries[place : place + AT_ONCE]
        place += len(found)
        parts = list(found)
        if place == len(self._entries) and state_number != self._state_number:
            parts.append(self._state)
            state_number = self._state_number
        return b"".join(parts), place, state_number

    async def news(self, seconds: float) -> bool:
        """Wait for something new; False if nothing came in so many seconds."""
        event = self._news
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _wake(self) -> None:
        """Everybody who waits now goes on; who comes later waits for the next."""
        self._news.set()
        self._news = asyncio.Event()
