"""One part of the shop as a process: `python -m gameday.demo.part NAME SETTINGS`."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path

from gameday.demo.lifeline import die_with_owner
from gameday.demo.settings import Settings, read_settings
from gameday.demo.topology import KINDS

#: Each has `async def run(settings, name, stopped)`. Imported by name so that a part loads only
#: what it needs: start-up is mostly importing.
_MODULES = {
    "balancer": "gameday.demo.balancer",
    "gateway": "gameday.demo.gateway",
    "payments": "gameday.demo.payments",
    "inventory": "gameday.demo.inventory",
}
_SERVERS = {"postgres": "gameday.demo.postgres", "redis": "gameday.demo.redis_server"}

Run = Callable[[Settings, str, asyncio.Event], Awaitable[None]]


def main(arguments: list[str]) -> int:
    """Run the part until SIGTERM, or until the owner is gone."""
    if len(arguments) != 2 or arguments[0] not in KINDS:
        names = ", ".join(KINDS)
        print(f"usage: python -m gameday.demo.part NAME SETTINGS; names: {names}", file=sys.stderr)  # noqa: T201
        return 2
    name, settings = arguments[0], read_settings(Path(arguments[1]))
    kind = KINDS[name]
    if kind in _SERVERS:
        code: int = import_module(_SERVERS[kind]).main(settings)
        return code
    die_with_owner()
    run: Run = import_module(_MODULES[kind]).run
    asyncio.run(_until_stopped(run, settings, name))
    return 0


async def _until_stopped(run: Run, settings: Settings, name: str) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await run(settings, name, stopped)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
