"""The shop as one thing: start all parts, see that they are well, stop them, read their books."""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gameday.demo.certificates import make_certificates
from gameday.demo.clock import clock_environment, library
from gameday.demo.engine import Engine, EngineError
from gameday.demo.keeper import Keeper, tail
from gameday.demo.ledger import LedgerReport
from gameday.demo.settings import Settings, read_status
from gameday.demo.topology import BOXES, CLOCKED, Topology
from gameday.demo.wishes import Attendant

START_WITHIN_S = 60.0
_POLL_S = 0.02
_NEEDED = ("asyncpg", "redis", "prometheus-client", "aiohttp")

Progress = Callable[[str], None]


class ShopError(Exception):
    """The shop, or a part of it, does not do what was asked. The message says what to do."""


class Shop:
    """Eight processes that sell mugs. They end with this object, or with this process.

    With *proxied* the parts reach one another through `topology.via`, so the proxies must exist
    when `start` is called; clients should use `url`. With *docker*, the address of an engine of
    this machine, two of them live in containers; with *clock*, one runs under libfaketime. Not
    thread-safe.
    """

    def __init__(
        self,
        topology: Topology,
        state_dir: Path,
        *,
        naive: bool = False,
        proxied: bool = True,
        docker: str = "",
        clock: bool = False,
    ) -> None:
        self.settings = Settings(
            topology=topology,
            state_dir=state_dir.resolve(),
            naive=naive,
            proxied=proxied,
            secret=secrets.token_hex(16),
            docker=docker,
        )
        self._clock = clock
        self._keeper: Keeper | None = None
        self._attendant: Attendant | None = None

    @property
    def url(self) -> str:
        """Where clients go."""
        return self.settings.url("shop")

    def start(self, progress: Progress | None = None) -> None:
        """Start everything and wait until it works, through the proxies if there are any.

        Raises ShopError, with everything stopped again, naming the part that did not come up.
        """
        if self._keeper is not None:
            raise ShopError("the shop is running already")
        _check_installed()
        tell = progress or _ignore
        settings = self.settings
        if self._clock and library() is None:
            raise ShopError(
                "libfaketime is not installed (Debian: `apt-get install libfaketime`), so no clock "
                "can be moved; start the shop without it"
            )
        if settings.docker:
            _check_engine(settings.docker)
        if settings.proxied:
            self._check_proxies()
        for old in (settings.acknowledged, settings.charges):
            old.unlink(missing_ok=True)
        shutil.rmtree(settings.state_dir / "run", ignore_errors=True)
        settings.write()
        make_certificates(settings)
        self._keeper = Keeper()
        try:
            for name in _start_order(settings.topology.PARTS):
                self._spawn(self._keeper, name)
            self._wait_until_ready(self._keeper, tell)
            self._try_out()
            self._attendant = Attendant(settings, self._ended, self._again)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all parts: asked first, then not. Idempotent."""
        if self._attendant is not None:
            self._attendant.stop()
            self._attendant = None
        if self._keeper is None:
            return
        data = self._status("postgres").get("data")
        self._keeper.close()
        self._keeper = None
        if data:  # its own process takes it away, unless it was killed
            shutil.rmtree(data, ignore_errors=True)

    def __enter__(self) -> Shop:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def processes(self) -> dict[str, int]:
        """The process id of each part; of database and cache that of the server itself."""
        children = self._keeper.children if self._keeper else {}
        return {
            name: int(self._status(name).get("pid", child.pid)) for name, child in children.items()
        }

    def parts_used(self) -> dict[str, str]:
        """Version and origin of the real servers, e.g. `{"postgres": "15.18 from PATH"}`."""
        return {
            name: str(self._status(name).get("used", "unknown")) for name in ("postgres", "redis")
        }

    def restart(self, name: str) -> None:
        """Start the part *name* again after it ended (or end it first), and wait until it is well.

        Raises ShopError.
        """
        if self._keeper is None:
            raise ShopError("the shop is not running")
        self._keeper.end(name)
        self.settings.status(name).unlink(missing_ok=True)
        self._spawn(self._keeper, name)
        self._wait_until_ready(self._keeper, _ignore)

    def ledger(self, settle_within_s: float = 0.0) -> LedgerReport:
        """Compare orders, charges and acknowledgements; wait at most that long for pending ones.

        Raises ShopError when the database cannot be read.
        """
        end = time.monotonic() + settle_within_s
        while True:
            report = self._read_ledger()
            if not report.pending or time.monotonic() >= end:
                return report
            time.sleep(0.25)

    def _read_ledger(self) -> LedgerReport:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-m", "gameday.demo.ledger", str(self.settings.file)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise ShopError(
                f"the ledger of the shop cannot be read: {done.stderr.strip()}; is it running?"
            )
        data = json.loads(done.stdout)
        return LedgerReport(**{**data, "examples": tuple(data["examples"])})

    def _ended(self, name: str) -> bool:
        child = self._keeper.children.get(name) if self._keeper else None
        return child is not None and child.poll() is not None

    def _again(self, name: str) -> None:
        """For the attendant: start a part that has ended. Who wished for it waits for it."""
        if self._keeper is not None:
            self._keeper.end(name)
            self._spawn(self._keeper, name)

    def _check_proxies(self) -> None:
        for name in self.settings.topology.dependencies:
            host, port = self.settings.address(name).rsplit(":", 1)
            try:
                socket.create_connection((host, int(port)), timeout=2).close()
            except OSError as error:
                raise ShopError(
                    f"nothing answers at {host}:{port}, where the proxy of `{name}` should listen "
                    f"({error}); create the proxies before the shop starts, or start it without"
                ) from None

    def _spawn(self, keeper: Keeper, name: str) -> None:
        arguments = [name, str(self.settings.file)]
        boxed = name in BOXES and self.settings.docker
        module = "gameday.demo.boxed" if boxed else "gameday.demo.part"
        more = self._clock_of(name)
        keeper.start(name, module, arguments, self.settings.log(name), more)

    def _clock_of(self, name: str) -> dict[str, str]:
        preload = library() if self._clock and name == CLOCKED else None
        return clock_environment(self.settings, name, preload) if preload else {}

    def _wait_until_ready(self, keeper: Keeper, tell: Progress) -> None:
        end = time.monotonic() + START_WITHIN_S
        missing = dict.fromkeys(keeper.children)
        while missing:
            for name in list(missing):
                if self._status(name).get("ready"):
                    del missing[name]
                    tell(f"{name} is up")
                elif (code := keeper.children[name].poll()) is not None:
                    raise self._failed(name, f"it ended with {_ending(code)}")
            if missing and time.monotonic() > end:
                name = next(iter(missing))
                waiting = self._status(name).get("waiting")
                why = f"it waits for {waiting}" if waiting else "it said nothing"
                raise self._failed(name, f"not ready after {START_WITHIN_S:.0f} s: {why}")
            time.sleep(_POLL_S)

    def _failed(self, name: str, why: str) -> ShopError:
        return ShopError(
            f"the part `{name}` of the shop did not start: {why}\n"
            f"{tail(self.settings.log(name))}\n"
            f"the whole log is `{self.settings.log(name)}`"
        )

    def _try_out(self) -> None:
        """A few requests as a customer: through the edge and every gateway behind it."""
        host, port = self.settings.address("shop").rsplit(":", 1)
        for _ in range(6):
            connection = HTTPConnection(host, int(port), timeout=5)
            try:
                connection.request("GET", "/products")
                answer = connection.getresponse()
                answer.read()
            except (OSError, HTTPException) as error:
                raise ShopError(
                    f"the shop does not answer at {self.url}: {error or type(error).__name__}"
                ) from None
            finally:
                connection.close()
            if answer.status != 200:
                raise ShopError(
                    f"the shop answers {answer.status} at {self.url}/products; see the logs in "
                    f"`{self.settings.log('shop').parent}`"
                )

    def _status(self, name: str) -> dict[str, Any]:
        return read_status(self.settings, name)


def _start_order(names: tuple[str, ...]) -> Iterator[str]:
    """All at once, but the slowest first: everything else waits for the database."""
    yield from ("postgres", "redis")
    yield from (name for name in names if name not in ("postgres", "redis"))


def _check_installed() -> None:
    missing = []
    for package in _NEEDED:
        try:
            version(package)
        except PackageNotFoundError:
            missing.append(package)
    if missing:
        raise ShopError(
            f"the shop needs {', '.join(missing)}; install them with `pip install 'gameday[demo]'`"
        )


def _check_engine(url: str) -> None:
    try:
        Engine(url).check()
    except EngineError as error:
        raise ShopError(f"{error}; start it, or start the shop without it") from None


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _ignore(_text: str) -> None:
    pass
