"""Reading the output of an exec, without the reader of the SDK, which waits without end."""

from __future__ import annotations

import select
import time
from typing import Any

from gameday.errors import CannotSeeError

_MAX_OUTPUT = 1_000_000


def read_exec(api: Any, made: str, until: float, what: str) -> str:
    """The output of the exec *made*, at the latest at *until* of the monotonic clock."""
    stream = api.exec_start(made, socket=True)
    response = getattr(stream, "_response", None)
    raw = getattr(stream, "_sock", stream)
    data = bytearray()
    try:
        raw.setblocking(False)
        # What came together with the head of the answer lies in the reader that read the head.
        data += response.raw._fp.fp.peek(_MAX_OUTPUT) if response is not None else b""
        poll = select.poll()
        poll.register(raw.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        while len(data) < _MAX_OUTPUT:
            left_ms = (until - time.monotonic()) * 1000
            if left_ms <= 0 or not poll.poll(left_ms):
                raise CannotSeeError(f"{what} did not end in time")
            piece = raw.recv(65_536)
            if not piece:
                break
            data += piece
    finally:
        if response is not None:
            response.close()
        stream.close()
        raw.close()
    return _plain(bytes(data))


def _plain(data: bytes) -> str:
    """The text in the engine's frames: a byte for the stream, three zeros, a length, the text."""
    text, at = bytearray(), 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        text += data[at + 8 : at + 8 + size]
        at += 8 + size
    return text.decode("utf-8", "replace")
