"""Telling others what a clean-up comes to: that faults may still be in, or that all is clear.

Taking faults out never waits for it. What is told stands in the journal first; where that cannot
be written nobody is told, for nothing would keep the next clean-up from telling it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gameday.errors import JournalError
from gameday.model.event import UNDO_OF
from gameday.model.notices import NoticeMoment, Told
from gameday.sentinel.record import Record
from gameday.telling import Teller


@dataclass(slots=True, kw_only=True)
class Outside:
    """The people outside of one run, as its plan names them. Nothing here raises."""

    run_dir: Path
    by: str  # `sentinel` or `recover`
    record: Record
    say: Callable[[str], None]
    _teller: Teller | None = None

    def tell(self, dirty: tuple[str, ...]) -> None:
        """Begin to tell that these may still be in, or that nothing is. Returns at once."""
        try:
            self._tell(dirty)
        except Exception as error:  # noqa: BLE001 - a message must not end a clean-up
            self.say(f"others could not be told: {type(error).__name__}")

    def finish(self) -> None:
        """Wait, within bounds, until it is known what became of it, and write that down."""
        try:
            if self._teller is not None:
                self._teller.finish()
        except Exception as error:  # noqa: BLE001 - as above
            self.say(f"whether others were told is not known: {type(error).__name__}")

    def _tell(self, dirty: tuple[str, ...]) -> None:
        if not (dirty or _begun(self.record)):
            return
        if self._teller is None:
            self._teller = Teller.of(self.run_dir, self._add)
        if self._teller is None or not self.record.is_written():
            return
        moment = NoticeMoment.DIRTY if dirty else NoticeMoment.CLEAR
        told = Told(moment=moment, dirty=dirty, by=self.by)
        if self._teller.tell(told, self.record.events):
            self.say(f"telling others: {moment.value}")

    def _add(self, kind: str, subject: str, data: Mapping[str, Any]) -> None:
        if kind == "notice.failed":
            self.say(f"`{data.get('to')}` was not told ({subject}): {data.get('error')}")
        self.record.add(kind, subject, data=data)
        if kind == "notice.asked" and not self.record.is_written():
            error = "it could not be written down first"
            for to in data.get("to", ()):
                self._add("notice.failed", subject, {"to": to, "error": error})
            raise JournalError(error)


def _begun(record: Record) -> bool:
    """Whether the run came so far that others were told of it, or anything was touched."""
    return any(e.kind == "run.phase" or e.kind in UNDO_OF for e in record.events)
