"""A foreign server that ends with its owner: `python -m gameday.demo.guard PROGRAM ARGUMENT…`."""

from __future__ import annotations

import sys

from gameday.demo.native import Native, serve, stoppable


def main(argv: list[str]) -> int:
    """Run the program until it, or the owner, ends."""
    with stoppable():
        return serve(argv[0], Native(argv=tuple(argv)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
