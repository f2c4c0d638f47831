"""The load process as the runner sees it: started, listened to, ended, whatever it does.

One thread lives as long as the child: it starts it (the kernel ends the child with the *thread*
that started it), reads what it says, and buries it.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, TypeVar

from gameday.adapters.locust.protocol import (
    MAX_LINE,
    PARENT_VAR,
    SOCKET_VAR,
    TOKEN_VAR,
    Bye,
    Command,
    Conversation,
    Failed,
    Hello,
    Message,
    ProtocolError,
    Running,
    Ticked,
    parse,
    write_command,
)
from gameday.errors import NoEffectError

LOG = "output.log"
#: The most that is kept of what the child prints, in bytes.
MAX_LOG = 1_000_000
#: A running load that does not tick for this long is lost.
SILENCE_S = 3.0
_POLL_S = 0.25
_TAIL_LINES = 6
_M = TypeVar("_M", bound=Message)


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """The child's environment: without `LOCUST_…`, which would change the load silently."""
    return {k: v for k, v in base.items() if not k.startswith(("LOCUST_", "GAMEDAY_LOAD_"))}


class LoadProcess:
    """A load generator in a process, session and directory of its own.

    *command* is any program that speaks the load protocol. *heard* is called for every message and
    *lost* when the load cannot be trusted any more, both from the supervising thread. But for
    `send`, it is for one thread.
    """

    def __init__(
        self,
        *,
        command: Sequence[str],
        directory: Path,
        heard: Callable[[Message], None],
        lost: Callable[[str], None],
    ) -> None:
        self._command, self._directory = tuple(command), directory
        self._heard, self._lost = heard, lost
        self._token = secrets.token_hex(16)
        self._thread = threading.Thread(target=self._supervise, name="gameday-load", daemon=True)
        self._changed = threading.Condition()
        self._messages: list[Message] = []
        self._over = False
        self._abort = threading.Event()
        self._sender: socket.socket | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._log = _Log(directory / LOG)
        self._why = ""
        self._told = False
        self.exit_code: int | None = None

    def start(self, within_s: float) -> Hello:
        """Start the child and wait for its `hello`. Raises `NoEffectError` with the reason."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._thread.start()
        return self.wait_for(Hello, within_s)

    def send(self, command: Command) -> bool:
        """Send a command; False if the child is gone."""
        sender = self._sender
        if sender is None:
            return False
        try:
            sender.sendall(write_command(command))
        except OSError:
            return False
        return True

    def wait_for(self, kind: type[_M], within_s: float, *, n: int = 1) -> _M:
        """The *n*-th message of *kind*. Raises `NoEffectError` if none comes."""

        def found() -> list[_M]:
            return [m for m in self._messages if isinstance(m, kind)]

        with self._changed:
            self._changed.wait_for(lambda: len(found()) >= n or self._over, within_s)
            if len(found()) >= n:
                return found()[n - 1]
            if self._over:
                raise NoEffectError(self._why or "the load process has ended")
        raise NoEffectError(
            f"the load process did not say `{kind.T}` within {within_s:g} s{self._log.tail()}"
        )

    def count(self, kind: type[_M]) -> int:
        """How many messages of *kind* have come."""
        with self._changed:
            return sum(isinstance(m, kind) for m in self._messages)

    def join(self, within_s: float) -> bool:
        """Wait for the end of the child; then see that it has ended. True if it went by itself."""
        self._thread.join(within_s)
        by_itself = not self._thread.is_alive()
        self._abort.set()
        self._thread.join(15)
        return by_itself

    def _supervise(self) -> None:
        listener = conn = None
        conversation = Conversation()
        try:
            with tempfile.TemporaryDirectory(prefix="gameday-load-") as private:
                path = str(Path(private, "socket"))
                listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                listener.bind(path)
                Path(path).chmod(0o600)
                listener.listen(4)
                listener.settimeout(_POLL_S)
                self._spawn(path)
                conn = self._accept(listener, conversation)
            if conn is not None:
                self._converse(conn, conversation)
        except ProtocolError as error:
            self._why = f"the load process breaks the load protocol: {error}"
        except OSError as error:
            self._why = f"the load process could not be run: {error}"
        finally:
            self._bury(conn, listener, conversation)

    def _spawn(self, path: str) -> None:
        env = environment(os.environ)
        env |= {SOCKET_VAR: path, TOKEN_VAR: self._token, PARENT_VAR: str(os.getpid())}
        env["PYTHONUNBUFFERED"] = "1"
        self._child = subprocess.Popen(  # noqa: S603 - a command of ours
            self._command,
            cwd=self._directory,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._child.stdout is not None  # noqa: S101 - asked for above
        self._log.drain(self._child.stdout)

    def _accept(self, listener: socket.socket, conversation: Conversation) -> socket.socket | None:
        while not self._abort.is_set():
            try:
                conn, _ = listener.accept()
            except TimeoutError:
                if self._exited():
                    return None
                continue
            conn.settimeout(_POLL_S)
            hello = _first_line(conn)
            if hello is None or not hmac.compare_digest(hello.token, self._token):
                conn.close()
                continue
            conversation.feed(hello)
            sender = conn.dup()
            sender.settimeout(5)
            self._sender = sender
            self._note(hello)
            return conn
        return None

    def _converse(self, conn: socket.socket, conversation: Conversation) -> None:
        buffer = bytearray()
        heard_at: float | None = None
        while not self._abort.is_set():
            try:
                part = conn.recv(1 << 16)
            except TimeoutError:
                if heard_at is not None and time.monotonic() - heard_at > SILENCE_S:
                    self._lose(f"the load has not been heard of for {SILENCE_S:g} s")
                continue
            except ConnectionError:
                part = b""
            if not part:
                return
            buffer += part
            *lines, rest = bytes(buffer).split(b"\n")
            buffer = bytearray(rest)
            if len(buffer) > MAX_LINE:
                raise ProtocolError(f"a line of more than {MAX_LINE} bytes")
            for line in lines:
                message = parse(line)
                conversation.feed(message)
                if isinstance(message, Running | Ticked):
                    heard_at = time.monotonic()
                self._note(message)

    def _note(self, message: Message) -> None:
        with self._changed:
            if isinstance(message, Failed):
                self._why = message.message
            if not isinstance(message, Ticked):
                self._messages.append(message)
            self._changed.notify_all()
        self._heard(message)

    def _lose(self, why: str) -> None:
        if not self._told:
            self._told = True
            self._lost(why)

    def _bury(
        self,
        conn: socket.socket | None,
        listener: socket.socket | None,
        conversation: Conversation,
    ) -> None:
        patience_s = 0.0 if self._abort.is_set() else 3.0 if conversation.over else 0.5
        self._end(patience_s)
        for one in (conn, self._sender, listener):
            if one is not None:
                one.close()
        self._log.close()
        said_bye = any(isinstance(m, Bye) for m in self._messages)
        if not said_bye and not self._why:
            how = "was ended" if self._abort.is_set() else "ended"
            self._why = f"the load process {how}{_code(self.exit_code)}{self._log.tail()}"
        if not said_bye:
            self._lose(self._why)
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def _end(self, patience_s: float) -> None:
        """See the child off, and everything that it started."""
        child = self._child
        if child is None:
            return
        for number, wait_s in ((None, patience_s), (signal.SIGINT, 1.0), (signal.SIGTERM, 1.0)):
            if self._exited():
                break
            if number is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, number)
            self._wait_exit(wait_s)
        # the group outlives its leader; the leader is not reaped yet, so the number is still ours
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        self.exit_code = child.wait()

    def _wait_exit(self, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline and not self._exited():
            time.sleep(0.02)

    def _exited(self) -> bool:
        """Whether the child has ended, without reaping it."""
        if self._child is None or self._child.returncode is not None:
            return True
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._child.pid, flags) is not None


class _Log:
    """What the child prints: the beginning in a file, the end for messages."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread: threading.Thread | None = None
        self._stream: IO[bytes] | None = None
        self._end = b""

    def drain(self, stream: IO[bytes]) -> None:
        """Keep reading *stream*, so that the child never blocks on printing."""
        self._stream = stream
        self._thread = threading.Thread(target=self._read, name="gameday-load-log", daemon=True)
        self._thread.start()

    def tail(self) -> str:
        """The last lines, ready to be appended to a message."""
        lines = self._end.decode(errors="replace").strip().splitlines()[-_TAIL_LINES:]
        return "".join(f"\n    {line}" for line in lines)

    def close(self) -> None:
        """Wait for the end of the stream; call it when the child has ended."""
        if self._thread is not None:
            self._thread.join(2)
        if self._stream is not None and self._thread is not None and not self._thread.is_alive():
            self._stream.close()

    def _read(self) -> None:
        stream, written = self._stream, 0
        if stream is None:
            return
        with self._path.open("wb") as file:
            while part := os.read(stream.fileno(), 1 << 16):
                self._end = (self._end + part)[-4096:]
                if written < MAX_LOG:
                    file.write(part[: MAX_LOG - written])
                    file.flush()
                    written += len(part)


def _first_line(conn: socket.socket) -> Hello | None:
    """The `hello` of a new connection; None from a stranger."""
    data = b""
    deadline = time.monotonic() + 2
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


def _code(code: int | None) -> str:
    if code is None:
        return ""
    return f" by signal {-code}" if code < 0 else f" with exit code {code}"
