"""How an engine fails us."""

from __future__ import annotations

from gameday.errors import AdapterError, CannotSeeError


class EngineError(AdapterError):
    """The engine answered with an error; `status` is that of HTTP."""

    def __init__(self, text: str, *, status: int) -> None:
        super().__init__(text)
        self.status = status


class NotThereError(EngineError):
    """No such container, network or image (404)."""


class ConflictError(EngineError):
    """The thing is not in a state in which that can be done, or its name is taken (409)."""


class SilentError(CannotSeeError):
    """The engine is not there, does not let us in, or did not answer in time.

    If the call was one that changes something, it may still land later.
    """


class AbsentError(SilentError):
    """Nobody listens at the address of the engine, or not for us: nothing was asked of it."""
