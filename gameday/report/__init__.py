"""Reports of a run: what is said (`build`), and the forms it is said in. Pure and byte-stable."""

from __future__ import annotations

from gameday.report.files import render_all, write_all

__all__ = ["render_all", "write_all"]
