"""The command line. `gameday --version` answers before anything heavy is imported."""

from __future__ import annotations

import sys


def main() -> None:
    """The entry point of the `gameday` command."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from gameday import __version__

        sys.stdout.write(f"gameday {__version__}\n")
        sys.exit(0)
    from gameday.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
