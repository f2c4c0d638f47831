"""`python -m gameday.console`: the process behind `gameday console`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from gameday.errors import GamedayError, UsageError
from gameday.model.units import UnitError, duration_ms

SECRET_VARIABLE = "GAMEDAY_CONSOLE_SECRET"  # noqa: S105 - the name of a variable, no secret
#: The runner of a run on the same machine goes first.
NICE = 10


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(prog="gameday console")
    made.add_argument("what", nargs="?", default="reports")
    made.add_argument("--bind", default="127.0.0.1")
    made.add_argument("--port", type=int, default=8300)
    made.add_argument("--secret-file", type=Path)
    made.add_argument("--origin", action="append", default=[])
    made.add_argument("--blind", action="store_true")
    made.add_argument("--update-every")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to end; return the exit code."""
    options = parser().parse_args(argv)
    os.nice(NICE)
    with contextlib.suppress(OSError):  # as a batch job it never takes the CPU from a waking runner
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        asyncio.run(_serve(options))
    except GamedayError as error:
        sys.stderr.write(f"error: {error}\n")
        return int(error.exit_code)
    return 0


async def _serve(options: argparse.Namespace) -> None:
    from gameday.app.console import (  # noqa: PLC0415
        followed,
        keep_sessions,
        sessions_file,
        sessions_of,
    )
    from gameday.console.access import Door, origins_of  # noqa: PLC0415 - `--help` stays fast
    from gameday.console.feed import Feed  # noqa: PLC0415
    from gameday.console.server import Console, serve  # noqa: PLC0415

    try:
        every = options.update_every
        every_ms = None if every is None else duration_ms(every)
    except UnitError as error:
        raise UsageError(f"`--update-every`: {error}") from None
    reports, only = followed(options.what)
    feed = Feed(
        reports=reports,
        tell=lambda *_: None,
        only=only,
        blind=options.blind,
        update_every_ms=every_ms,
    )
    secrets = _secrets(options, blind=feed.blind_roles())
    listening = _listen(options.bind, options.port)
    port = int(listening.getsockname()[1])
    door = Door(secrets)
    if not secrets:  # who knows a secret enters again by it
        kept = sessions_file(reports, port)
        door.restore(sessions_of(kept))
        door.keep = lambda text: keep_sessions(kept, text)
    try:
        console = Console(
            feed=feed,
            door=door,
            origins=origins_of(options.bind, port, options.origin),
            port=port,
            by_secret=bool(secrets),
        )
        end = asyncio.Event()
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(name, end.set)
        await serve(console, lambda: _ready(console, options), end, listening)
    finally:
        listening.close()


def _secrets(options: argparse.Namespace, *, blind: Collection[str]) -> dict[str, str]:
    """The secrets of the roles; none on loopback unless given. Raises `UsageError`."""
    from gameday.console.access import is_loopback, secrets_from  # noqa: PLC0415

    text = os.environ.pop(SECRET_VARIABLE, "")
    if options.secret_file is not None:
        try:
            text = options.secret_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            raise UsageError(f"`{options.secret_file}` cannot be read: {why}") from None
        if options.secret_file.stat().st_mode & 0o077:
            raise UsageError(f"`{options.secret_file}` can be read by others; `chmod 600` it")
    if text.strip():
        return secrets_from(text, blind=sorted(blind))
    if not is_loopback(options.bind):
        raise UsageError(
            f"`--bind {options.bind}` opens the page to other machines, so it needs a secret: "
            f"`--secret-file FILE`, or {SECRET_VARIABLE} in the environment"
        )
    return {}


def _listen(bind: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    try:
        return socket.create_server((bind, port), family=family, backlog=512)
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else "a port is 0 to 65535"
        raise UsageError(
            f"cannot listen on `{bind}` port {port}: {why}; choose another with `--port`"
        ) from None


def _ready(console: object, options: argparse.Namespace) -> None:
    from gameday.console.server import Console  # noqa: PLC0415

    assert isinstance(console, Console)  # noqa: S101 - for the types
    shown = f"[{options.bind}]" if ":" in options.bind else options.bind
    lines = [f"gameday console: http://{shown}:{console.port}/"]
    day = console.feed.day_under_way()
    if day is not None:
        blind = sorted(console.feed.blind_roles() & set(console.roles()))
        hides = f"; not told what is broken: {', '.join(blind)}" if blind else ""
        lines.append(f"the day {day.file.name}{hides}")
    if not console.by_secret:
        lines.append("Links, each for one browser, once:")
        lines += [f"  {role:<12} {console.link(role)}" for role in console.roles()]
    lines.append("Ctrl-C ends the page; runs go on.")
    with contextlib.suppress(OSError):  # nobody reads it: the page is served all the same
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
