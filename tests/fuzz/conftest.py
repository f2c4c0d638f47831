"""Prints, at the end of a run, how many files were looked at and how many of them were right."""

from __future__ import annotations

from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    rows: dict[str, tuple[int, int]] = {}
    stats = terminalreporter.stats
    for report in (*stats.get("passed", ()), *stats.get("failed", ())):
        found = dict(getattr(report, "user_properties", ()))
        if report.when == "call" and "fuzzed" in found:
            examples, valid = rows.get(found["fuzzed"], (0, 0))
            rows[found["fuzzed"]] = (examples + found["examples"], valid + found["valid"])
    if rows:
        terminalreporter.section("fuzzed files")
        rows["together"] = (sum(n for n, _ in rows.values()), sum(v for _, v in rows.values()))
        for name, (examples, valid) in rows.items():
            share = 100 * valid / max(1, examples)
            terminalreporter.line(f"{name:12} {examples:6} examples, {share:4.1f} % of them valid")
