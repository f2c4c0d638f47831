"""`python -m gameday.proxy`: the command line of the embedded server."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from gameday.proxy import DEFAULT_HOST, DEFAULT_PORT, TOXIPROXY_VERSION

_MAX_PORT = 65535


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= _MAX_PORT:
        raise ValueError
    return number


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="python -m gameday.proxy",
        description="Serve the Toxiproxy HTTP API and its proxies.",
    )
    made.add_argument("--host", default=DEFAULT_HOST, help="host of the API (%(default)s)")
    made.add_argument(
        "--port", type=_port, default=DEFAULT_PORT, help="port of the API, 0 for a free one"
    )
    made.add_argument(
        "--seed", type=int, help="makes toxicity, shares, jitter, stalls and slices repeatable"
    )
    made.add_argument("--config", type=Path, help="JSON file with proxies to create at the start")
    made.add_argument(
        "--ready-fd", type=int, metavar="FD", help="also write the ready line to this descriptor"
    )
    made.add_argument(
        "--die-with-fd", type=int, metavar="FD", help="end when this pipe reaches its end"
    )
    made.add_argument("--version", action="version", version=TOXIPROXY_VERSION)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to end; return the exit code."""
    options = parser().parse_args(argv)
    from gameday.proxy.server import Settings, serve  # noqa: PLC0415 -- `--help` stays fast

    return serve(
        Settings(
            host=options.host,
            port=options.port,
            seed=options.seed,
            config=options.config,
            ready_fd=options.ready_fd,
            die_with_fd=options.die_with_fd,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
