"""One browser for each file of tests, axe, and the reports of all kinds of runs."""

from __future__ import annotations

from browser_support import axe, browser

__all__ = ["axe", "browser"]
