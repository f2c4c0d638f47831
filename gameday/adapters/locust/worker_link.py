"""One worker as the runner hears it: its connection, what it said, and whether it is in order."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

from gameday.adapters.locust.protocol import (
    MAX_LINE,
    Bye,
    Command,
    Conversation,
    Failed,
    Hello,
    Message,
    Noted,
    ProtocolError,
    Running,
    Ticked,
    parse,
    write_command,
)

_SEND_S = 5.0


class WorkerLink:
    """A connection on which `hello` has been said. Reading is for one thread; `send` for any."""

    def __init__(self, conn: socket.socket, hello: Hello) -> None:
        self._conn, self._sender = conn, conn.dup()
        conn.settimeout(0)
        self._sender.settimeout(_SEND_S)
        self.hello = hello
        self.messages: list[Message] = []
        self.failed = ""  # what it said when it could not go on
        self.over = False  # it has gone, with or without `bye`
        self.heard_at: float | None = None  # of a load that runs
        self._conversation = Conversation()
        self._buffer = bytearray()

    @property
    def worker(self) -> str:
        """Its name."""
        return self.hello.worker

    @property
    def said_bye(self) -> bool:
        """Whether it ended as it should."""
        return any(isinstance(m, Bye) for m in self.messages)

    @property
    def ran(self) -> bool:
        """Whether its load has begun."""
        return any(isinstance(m, Running) for m in self.messages)

    def fileno(self) -> int:
        """For selectors."""
        return self._conn.fileno()

    def send(self, command: Command) -> bool:
        """Send a command; False if it is gone."""
        if self.over:
            return False
        try:
            self._sender.sendall(write_command(command))
        except OSError:
            return False
        return True

    def read(self) -> Iterator[Message] | None:
        """What has arrived; None at the end of the connection. Iterating raises `ProtocolError`."""
        try:
            part = self._conn.recv(1 << 18)
        except (BlockingIOError, InterruptedError):
            return iter(())
        except OSError:
            part = b""
        if not part:
            return None
        self._buffer += part
        return self._lines()

    def take(self, message: Message) -> None:
        """Check one message, and keep it (ticks are not kept). Raises `ProtocolError`."""
        self._conversation.feed(message)
        named = message.tick.worker if isinstance(message, Ticked) else self._named(message)
        if named != self.worker:
            raise ProtocolError(f"`{message.T}` of worker `{named}` from worker `{self.worker}`")
        if isinstance(message, Running | Ticked):
            self.heard_at = time.monotonic()
        if isinstance(message, Failed):
            self.failed = message.message
        if not isinstance(message, Ticked):
            self.messages.append(message)

    def close(self) -> None:
        """No more of it. Whoever is at the other end sees the end of the connection."""
        self.over = True
        for one in (self._conn, self._sender):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _named(self, message: Message) -> str:
        if isinstance(message, Noted):
            return self.worker  # a note may be about somebody else
        return str(getattr(message, "worker", self.worker))

    def _lines(self) -> Iterator[Message]:
        *lines, rest = bytes(self._buffer).split(b"\n")
        self._buffer = bytearray(rest)
        if len(self._buffer) > MAX_LINE:
            raise ProtocolError(f"a line of more than {MAX_LINE} bytes")
        yield from map(parse, lines)


def first_line(conn: socket.socket) -> Hello | None:
    """The `hello` of a new connection; None from a stranger."""
    data = b""
    deadline = time.monotonic() + 2
    conn.settimeout(0.25)
    while b"\n" not in data and len(data) < 4096 and time.monotonic() < deadline:
        try:
            part = conn.recv(1)  # nothing beyond the line may be taken
        except TimeoutError:
            continue
        except OSError:
            return None
        if not part:
            return None
        data += part
    try:
        message = parse(data)
    except ProtocolError:
        return None
    return message if isinstance(message, Hello) else None
