"""Several undo records as one: what was opened together is closed together, the last one first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gameday.errors import AdapterError, GamedayError
from gameday.ports import Opener, Undo
from gameday.registry import undoer


class SeveralOpeners:
    """A target that needs more than one thing made ready."""

    def __init__(self, target: str, parts: Sequence[Opener]) -> None:
        self._target, self._parts = target, tuple(parts)

    def prepare(self) -> Undo:
        """Look at every part."""
        undos = [dict(part.prepare()) for part in self._parts]
        return {"kind": "several", "target": self._target, "parts": undos}

    def open(self, undo: Undo) -> Mapping[str, Any]:
        """Open one after the other; what fails leaves the rest in doubt."""
        facts: dict[str, Any] = {}
        for part, record in zip(self._parts, undo["parts"], strict=True):
            facts |= part.open(record)
        return facts


class SeveralUndoer:
    """`registry.undoer("several")`: every part is tried, whatever the others say."""

    def revert(self, undo: Undo) -> Mapping[str, Any]:
        """Revert the parts, the last one first. Raises `AdapterError` with all that went wrong."""
        facts: dict[str, Any] = {}
        errors: list[str] = []
        for part in reversed(undo["parts"]):
            try:
                facts |= undoer(str(part["kind"])).revert(part)
            except GamedayError as error:
                errors.append(str(error))
        if errors:
            raise AdapterError("; ".join(errors))
        return facts

    def present(self, undo: Undo) -> bool:
        """Whether any part is still there. Raises `CannotSeeError` if one cannot be looked at."""
        return any([undoer(str(part["kind"])).present(part) for part in undo["parts"]])


UNDOER = SeveralUndoer()
