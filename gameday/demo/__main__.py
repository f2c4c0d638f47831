"""`python -m gameday.demo serve`: the shop on its fixed ports, for hands and browsers."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from threading import Event

from gameday.demo.shop import Shop, ShopError
from gameday.demo.topology import default_topology


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
    options = parser.parse_args(arguments)
    return serve(naive=options.naive, proxied=options.proxied)


def serve(*, naive: bool = False, proxied: bool = False) -> int:
    """Run the shop on `default_topology` until SIGINT or SIGTERM. Returns an exit code."""
    stopped = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    topology = default_topology()
    with tempfile.TemporaryDirectory(prefix="gameday-demo-") as directory:
        shop = Shop(topology, Path(directory), naive=naive, proxied=proxied)
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


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
