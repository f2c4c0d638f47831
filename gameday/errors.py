"""The exceptions of gameday.

    GamedayError                 the message is for the user; no traceback is shown
    ├── ScenarioError            carries all diagnostics                              exit 2
    ├── UsageError               a wrong option, a missing file, a bad combination    exit 2
    ├── RefusedError             not now: another run is dirty or under way           exit 2
    ├── AdapterError             an outside system said no, or nothing
    │   ├── NoEffectError        certain that nothing changed          -> Phase.FAILED
    │   └── CannotSeeError       could not observe                     -> inconclusive
    └── JournalError             the record cannot be written or read                 exit 70

Anything else raised by an adapter leaves its effect in doubt (`Phase.UNKNOWN`); anything else
raised by gameday is a bug of ours, ends with exit code 70 and says so.
"""

from __future__ import annotations

from collections.abc import Iterable

from gameday.model.diagnostics import Diagnostic, in_order
from gameday.model.verdict import ExitCode


class GamedayError(Exception):
    """Something that a user can act on. `str()` is the whole message."""

    exit_code: ExitCode = ExitCode.USAGE


class UsageError(GamedayError):
    """A wrong option, a missing file, an impossible combination."""


class RefusedError(GamedayError):
    """gameday will not do this now, and says why and what to do."""


class ScenarioError(GamedayError):
    """Files with errors. Carries every problem that was found."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = in_order(diagnostics)
        super().__init__("\n".join(f"{d.where}: {d.summary}" for d in self.diagnostics))


class AdapterError(GamedayError):
    """An outside system refused, failed, or gave an answer that cannot be right."""

    exit_code = ExitCode.INCONCLUSIVE


class NoEffectError(AdapterError):
    """The action failed and it is certain that nothing changed."""


class CannotSeeError(AdapterError):
    """The outside system could not be observed. Never a reason to pass."""


class JournalError(GamedayError):
    """The record of a run cannot be written or read."""

    exit_code = ExitCode.INTERNAL
