"""`python -m gameday.demo serve`: the shop on its fixed ports, for hands and browsers."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from gameday.demo.engine import engine_url
from gameday.demo.project import ENDABLE, STATE
from gameday.demo.releases import VERSIONS, ReleaseError, buy, release, watch
from gameday.demo.shop import Shop, ShopError
from gameday.demo.topology import BOXES, CLOCKED, GATEWAYS, default_topology
from gameday.demo.wishes import restart_part


def main(arguments: list[str]) -> int:
    """Start the shop, say where it is, stop it on SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m gameday.demo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve_command = commands.add_parser("serve", help="start the shop on its fixed ports")
    serve_command.add_argument("--naive", action="store_true", help="without any resilience")
    serve_command.add_argument(
        "--proxied",
        action="store_true",
        help="parts call each other through the proxies on ports 188xx, which must be there",
    )
    serve_command.add_argument(
        "--docker",
        action="store_true",
        help=f"{' and '.join(BOXES)} live in containers of the Docker engine of this machine",
    )
    serve_command.add_argument(
        "--clock",
        action="store_true",
        help=f"{CLOCKED} runs under libfaketime, so that its clock can be moved",
    )
    serve_command.add_argument(
        "--state", type=Path, default=Path(STATE), help="where it keeps its state while it runs"
    )
    restart_command = commands.add_parser("restart", help="start a part that has ended again")
    restart_command.add_argument("name", choices=ENDABLE)
    restart_command.add_argument(
        "--state", type=Path, default=Path(STATE), help="where the running shop keeps its state"
    )
    release_command = commands.add_parser("release", help="deploy a release to a gateway")
    released_command = commands.add_parser("released", help="say which release a gateway runs")
    buy_command = commands.add_parser("buy", help="order something at one gateway itself")
    for one in (release_command, released_command, buy_command):
        one.add_argument("name", choices=GATEWAYS)
        one.add_argument("--state", type=Path, default=Path(STATE), help="as of `restart`")
    release_command.add_argument("version", choices=VERSIONS)
    watch_command = commands.add_parser("watch", help="have the balancer look at the gateways")
    watch_command.add_argument("what", choices=("on", "off", "state"))
    watch_command.add_argument("--state", type=Path, default=Path(STATE), help="as of `restart`")
    options = parser.parse_args(arguments)
    if options.command == "watch":
        wanted = {"on": True, "off": False, "state": None}[options.what]
        return told(lambda: watch(options.state, wanted))
    if options.command == "buy":
        return told(lambda: buy(options.state, options.name))
    if options.command in ("release", "released"):
        version = getattr(options, "version", None)
        return told(lambda: release(options.state, options.name, version))
    if options.command == "restart":
        return restart(options.state, options.name)
    docker = engine_url() if options.docker else ""
    return serve(
        options.state,
        naive=options.naive,
        proxied=options.proxied,
        docker=docker,
        clock=options.clock,
    )


def restart(state: Path, name: str) -> int:
    """Have the shop in *state* start the part *name* again. Returns an exit code."""
    problem = restart_part(state, name)
    if problem:
        print(problem, file=sys.stderr)  # noqa: T201
    return 1 if problem else 0


def told(ask: Callable[[], str]) -> int:
    """Print what *ask* gives, or why there is nothing. Returns an exit code."""
    try:
        print(ask())  # noqa: T201
    except ReleaseError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


def serve(
    state: Path,
    *,
    naive: bool = False,
    proxied: bool = False,
    docker: str = "",
    clock: bool = False,
) -> int:
    """Run the shop on `default_topology` until SIGINT or SIGTERM. Returns an exit code.

    The folder *state* is made, and taken away at the end.
    """
    stopped = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    topology = default_topology()
    with kept(state):
        shop = Shop(topology, state, naive=naive, proxied=proxied, docker=docker, clock=clock)
        try:
            with shop:
                shop.start(_say)
                used = ", ".join(f"{name} {text}" for name, text in shop.parts_used().items())
                _say(f"the shop is at {shop.url}/products ({used}); end it with Ctrl-C")
                for name in topology.dependencies:
                    _say(f"  {name:<10} {topology.direct(name)}, its proxy {topology.via(name)}")
                _say(f"  password of postgres (user `shop`) and redis: {shop.settings.secret}")
                while not stopped.wait(1.0):
                    pass
        except ShopError as error:
            print(error, file=sys.stderr)  # noqa: T201
            return 1
    return 0


@contextmanager
def kept(state: Path) -> Iterator[None]:
    """A folder that is there within, and gone afterwards; one that was there is left there."""
    was_there = state.exists()
    state.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if not was_there:
            shutil.rmtree(state, ignore_errors=True)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
