"""One problem in a file that somebody wrote: where it is, what is wrong, what to do.

Every rule has a code (`scenario/unknown-key`). The code names the page in the docs, and the test
tables; there is no catch-all code.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error refuses the file; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int
    length: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """A finding about a file. `summary` says what is wrong, `hint` what to do."""

    code: str
    summary: str
    hint: str = ""
    mark: Mark | None = None
    severity: Severity = Severity.ERROR
    source_line: str = ""

    @property
    def where(self) -> str:
        """`file:line:column`, or an empty string for a problem with no place."""
        return f"{self.mark.file}:{self.mark.line}:{self.mark.column}" if self.mark else ""


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """By file and place, each once."""
    unique = dict.fromkeys(diagnostics)
    return tuple(
        sorted(
            unique,
            key=lambda d: (
                (d.mark.file, d.mark.line, d.mark.column, d.code) if d.mark else ("", 0, 0, d.code)
            ),
        )
    )


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether any of them refuses the file."""
    return any(d.severity is Severity.ERROR for d in diagnostics)
