"""The socket to the runner, and what happens when the runner is gone."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from collections.abc import Iterator

from gevent import monkey
from gevent.lock import RLock

from gameday.adapters.locust.protocol import MAX_LINE, Command, Message, parse_command, write

#: Exit code of a load process whose runner has gone.
ORPHANED = 3


class Link:
    """JSON lines to and from the runner. Sending is safe from any greenlet."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(path)
        self._sending = RLock()
        _watch(self._socket.fileno())

    def send(self, message: Message) -> None:
        """Send one message. A runner that is gone ends this process."""
        line = write(message)
        with self._sending:
            try:
                self._socket.sendall(line)
            except OSError:
                leave()

    def commands(self) -> Iterator[Command]:
        """What the runner says, until it is gone, which ends this process."""
        buffer = bytearray()
        while True:
            end = buffer.find(b"\n")
            if end >= 0:
                line = bytes(buffer[:end])
                del buffer[: end + 1]
                command = parse_command(line)
                if command is None:
                    sys.stderr.write(f"gameday: command ignored: {line[:80]!r}\n")
                else:
                    yield command
                continue
            try:
                part = self._socket.recv(65536)
            except OSError:
                part = b""
            if not part or len(buffer) > MAX_LINE:
                leave()
            buffer += part


def leave() -> None:
    """End this process and all it started, at once: nobody is there to stop the load."""
    if os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(ORPHANED)


def _watch(fd: int) -> None:
    """A real thread that sees the hang-up even while user code keeps the event loop busy."""
    poll = monkey.get_original("select", "poll")()
    poll.register(fd, select.POLLRDHUP)

    def wait() -> None:
        poll.poll()
        leave()

    monkey.get_original("_thread", "start_new_thread")(wait, ())
