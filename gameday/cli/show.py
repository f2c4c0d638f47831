"""How an error looks in the terminal."""

from __future__ import annotations

import sys

from gameday.errors import GamedayError, ScenarioError


def show_error(error: GamedayError) -> None:
    """Print *error* for the person at the terminal: the whole message, no traceback."""
    if isinstance(error, ScenarioError):
        from gameday.app.check import render_diagnostics

        sys.stderr.write(render_diagnostics(error.diagnostics))
        return
    sys.stderr.write(f"gameday: {error}\n")
