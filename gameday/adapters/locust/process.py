"""The load's workers as the runner sees them: started, listened to, ended, whatever they do.

One thread lives as long as the children: it starts them (the kernel ends a child with the *thread*
that started it), reads what they say, and buries them.
"""

from __future__ import annotations

import hmac
import os
import secrets
import selectors
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from gameday.adapters.locust.child import LOG, MAX_LOG, Child, said_code, see_off
from gameday.adapters.locust.protocol import (
    PARENT_VAR,
    SOCKET_VAR,
    TOKEN_VAR,
    WORKER_VAR,
    Command,
    Hello,
    Message,
    ProtocolError,
)
from gameday.adapters.locust.worker_link import WorkerLink, first_line
from gameday.errors import NoEffectError

__all__ = ["LOG", "MAX_LOG", "SILENCE_S", "LoadProcess"]

#: A running load that does not tick for this long is lost.
SILENCE_S = 3.0
_POLL_S = 0.25
_M = TypeVar("_M", bound=Message)


class LoadProcess:
    """A load generator: *children* processes, each in a session of its own, and their workers.

    *command* is any program that speaks the load protocol. Each child is one worker, unless *links*
    says how many connections come (from one child that speaks for workers elsewhere). *variables*
    are added to its environment. *heard* is called for every message, *gone* for a worker that was
    lost while others go on, and *lost* when the load cannot be trusted any more, all from the
    supervising thread. But for `send`, it is for one thread.
    """

    def __init__(
        self,
        *,
        command: Sequence[str],
        directory: Path,
        heard: Callable[[Message], None],
        lost: Callable[[str], None],
        gone: Callable[[str, str], None] | None = None,
        children: int = 1,
        links: int | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._command, self._variables = tuple(command), dict(variables or {})
        self._heard, self._lost = heard, lost
        self._gone = gone or (lambda _worker, _why: None)
        several = children > 1
        self._children = [
            Child(directory / str(n) if several else directory) for n in range(children)
        ]
        self._wanted = links or children
        self._token = secrets.token_hex(16)
        self._thread = threading.Thread(target=self._supervise, name="gameday-load", daemon=True)
        self._changed = threading.Condition()
        self._links: list[WorkerLink] = []
        self._over = False
        self._abort = threading.Event()
        self._why = ""
        self._told = False

    @property
    def exit_code(self) -> int | None:
        """That of the child; of several the first that is not 0."""
        codes = [child.exit_code for child in self._children]
        return next((code for code in codes if code != 0), 0)

    @property
    def over(self) -> bool:
        """Whether it has ended, whatever was said."""
        return self._over or self._abort.is_set()

    @property
    def pids(self) -> list[int]:
        """The process ids of the children."""
        return [child.pid for child in self._children if child.pid is not None]

    def start(self, within_s: float) -> Hello:
        """Start, and wait for `hello` of all. Raises `NoEffectError` with the reason."""
        self._thread.start()
        return self.wait_all(Hello, within_s)[0]

    def send(self, command: Command) -> bool:
        """Send a command to all workers; False if none is there."""
        return self.send_each(lambda _: command)

    def send_each(self, command: Callable[[int], Command]) -> bool:
        """Send each worker a command of its own, by its number; False if none is there."""
        with self._changed:
            links = list(enumerate(self._links))
        return any([link.send(command(number)) for number, link in links])

    def wait_for(self, kind: type[_M], within_s: float, *, n: int = 1) -> _M:
        """The *n*-th message of *kind* of all workers. Raises `NoEffectError` if none comes."""
        return self.wait_all(kind, within_s, n=n)[0]

    def wait_all(self, kind: type[_M], within_s: float, *, n: int = 1) -> list[_M]:
        """The *n*-th message of *kind* of each worker that is there, in their order.

        A worker that has gone is waited for only as long as others have said nothing. Raises
        `NoEffectError` if one does not come.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._all_said(kind, n) or self._over, within_s)
            said = [m[n - 1] for link in self._links if len(m := _said(link, kind)) >= n]
            if self._all_said(kind, n) or (self._over and len(said) == self._wanted):
                return said
            if self._over:
                raise NoEffectError(self._why or "the load process has ended")
            raise NoEffectError(self._unsaid(kind, within_s))

    def links(self) -> list[WorkerLink]:
        """The workers that have come, in their order."""
        with self._changed:
            return list(self._links)

    def least(self, kind: type[_M]) -> int:
        """How many messages of *kind* have come of each worker that is there, at least."""
        with self._changed:
            return min((len(_said(link, kind)) for link in self._links if not link.over), default=0)

    def count(self, kind: type[_M]) -> int:
        """How many messages of *kind* have come of all workers."""
        with self._changed:
            return sum(len(_said(link, kind)) for link in self._links)

    def join(self, within_s: float) -> bool:
        """Wait for the end of the children; then see to it. True if they went by themselves."""
        self._thread.join(within_s)
        by_itself = not self._thread.is_alive()
        self._abort.set()
        self._thread.join(15)
        return by_itself

    def tail(self) -> str:
        """The last lines that the first child with something to say has printed."""
        return next((tail for child in self._children if (tail := child.log.tail())), "")

    def _all_said(self, kind: type[_M], n: int) -> bool:
        there = [link for link in self._links if not link.over or len(_said(link, kind)) >= n]
        complete = len(self._links) == self._wanted
        return complete and bool(there) and all(len(_said(link, kind)) >= n for link in there)

    def _unsaid(self, kind: type[_M], within_s: float) -> str:
        who = "the load process"
        if self._wanted > 1:
            missing = [link.worker for link in self._links if not _said(link, kind)]
            left = self._wanted - len(self._links)
            names = ", ".join(f"`{name}`" for name in missing)
            who = f"worker {names} of the load" if missing else f"{left} of {self._wanted} workers"
        return f"{who} did not say `{kind.T}` within {within_s:g} s{self.tail()}"

    def _supervise(self) -> None:
        try:
            with tempfile.TemporaryDirectory(prefix="gameday-load-") as private:
                path = str(Path(private, "socket"))
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
                    listener.bind(path)
                    Path(path).chmod(0o600)
                    listener.listen(64)
                    listener.settimeout(_POLL_S)
                    self._spawn(path)
                    together = self._gather(listener)
            if together:
                self._listen(lambda: all(link.over for link in self._links))
        except ProtocolError as error:
            self._why = f"the load process breaks the load protocol: {error}"
        except OSError as error:
            self._why = f"the load process could not be run: {error}"
        finally:
            self._bury()

    def _spawn(self, path: str) -> None:
        ours = {SOCKET_VAR: path, TOKEN_VAR: self._token, PARENT_VAR: str(os.getpid())}
        for number, child in enumerate(self._children):
            child.start(self._command, {**self._variables, **ours, WORKER_VAR: str(number)})

    def _gather(self, listener: socket.socket) -> bool:
        """Take connections until all workers are there. False if that cannot be any more."""
        with selectors.DefaultSelector() as ready:
            ready.register(listener, selectors.EVENT_READ)
            while not self._abort.is_set() and len(self._links) < self._wanted:
                keys = ready.select(_POLL_S)
                for key, _ in keys:
                    if key.fileobj is not listener:
                        self._hear(key.data)
                        continue
                    link = self._accept(listener)
                    if link is not None:
                        ready.register(link, selectors.EVENT_READ, link)
                if any(link.over for link in self._links):
                    return False
                if not keys and any(child.exited() for child in self._children):
                    return False
        return len(self._links) == self._wanted

    def _accept(self, listener: socket.socket) -> WorkerLink | None:
        conn, _ = listener.accept()
        hello = first_line(conn)
        if hello is None or not hmac.compare_digest(hello.token, self._token):
            conn.close()
            return None
        link = WorkerLink(conn, hello)
        if any(other.worker == hello.worker for other in self._links):
            link.close()
            raise ProtocolError(f"two workers are called `{hello.worker}`")
        self._note(link, hello)
        with self._changed:
            self._links.append(link)
            self._links.sort(key=lambda one: (len(one.worker), one.worker))
            self._changed.notify_all()
        return link

    def _listen(self, done: Callable[[], bool]) -> None:
        with selectors.DefaultSelector() as ready:
            for link in self._links:
                if not link.over:
                    ready.register(link, selectors.EVENT_READ, link)
            while not self._abort.is_set() and not done():
                for key, _ in ready.select(_POLL_S):
                    link = key.data
                    if not link.over:
                        self._hear(link)
                    if link.over:
                        ready.unregister(key.fileobj)
                for link in [one for one in self._links if not one.over and _silent(one)]:
                    why = f"the load has not been heard of for {SILENCE_S:g} s"
                    if len(self._links) == 1:
                        self._lose(why)  # it may still be ended as it should
                    else:
                        ready.unregister(link)
                        self._drop(link, f"it has not been heard of for {SILENCE_S:g} s")

    def _hear(self, link: WorkerLink) -> None:
        """Take what a worker has said; its connection ends where it breaks the protocol."""
        try:
            messages = link.read()
            if messages is None:
                self._drop(link, link.failed)
                return
            for message in messages:
                self._note(link, message)
        except ProtocolError as error:
            if len(self._links) == 1:
                raise
            self._drop(link, f"it breaks the load protocol: {error}")

    def _note(self, link: WorkerLink, message: Message) -> None:
        with self._changed:
            link.take(message)
            self._changed.notify_all()
        self._heard(message)

    def _drop(self, link: WorkerLink, why: str) -> None:
        """A worker has gone, or is not to be listened to any more."""
        with self._changed:
            link.close()
            self._changed.notify_all()
        if link.said_bye:
            return
        if len(self._links) == 1:
            self._why = self._why or why
            return
        said = why or self._end_of(link)
        if not link.ran:
            self._why = self._why or f"worker `{link.worker}` of the load: {said}"
            self._abort.set()
        elif all(one.over for one in self._links):
            self._gone(link.worker, said)
            self._why = f"the last worker of the load, `{link.worker}`, was lost: {said}"
        else:
            self._gone(link.worker, said)

    def _end_of(self, link: WorkerLink) -> str:
        """How a worker that said nothing of it has ended; what it started ends too."""
        if len(self._children) != len(self._links):
            return "its connection ended"
        child = self._children[int(link.worker)] if link.worker.isdecimal() else None
        code = None if child is None else child.code_within(_POLL_S)
        if child is not None:
            child.kill_group()
        return "its connection ended" if code is None else f"it ended{said_code(code)}"

    def _lose(self, why: str) -> None:
        if not self._told:
            self._told = True
            self._lost(why)

    def _bury(self) -> None:
        over = bool(self._links) and all(one.said_bye or one.failed for one in self._links)
        patience_s = 0.0 if self._abort.is_set() else 3.0 if over else 0.5
        see_off(self._children, patience_s)
        for link in self._links:
            link.close()
        said_bye = any(link.said_bye for link in self._links)
        if not said_bye and not self._why:
            how = "was ended" if self._abort.is_set() else "ended"
            self._why = f"the load process {how}{said_code(self.exit_code)}{self.tail()}"
        if not said_bye:
            self._lose(self._why)
        with self._changed:
            self._over = True
            self._changed.notify_all()


def _said(link: WorkerLink, kind: type[_M]) -> list[_M]:
    return [m for m in link.messages if isinstance(m, kind)]


def _silent(link: WorkerLink) -> bool:
    return link.heard_at is not None and time.monotonic() - link.heard_at > SILENCE_S
