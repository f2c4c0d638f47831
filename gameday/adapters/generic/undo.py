"""Taking generic faults out, from their records alone, in any process, at any later time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gameday.adapters.generic.asking import Asking
from gameday.adapters.generic.place import Place
from gameday.adapters.host.notes import drop_note
from gameday.errors import AdapterError
from gameday.ports import Undo

#: How long the revert looks when its call took all its time: whoever called looks again, within the
#: time of `present`, and this must not add to that.
_LOOK_S = 1.0


class GenericUndoer:
    """`registry.undoer("command")`, `"http"` and `"python"`: all it needs is in the record."""

    def revert(self, undo: Undo) -> Mapping[str, Any]:
        """Make the call `revert`, and look until the fault is gone or the time of the call is over.

        It is made each time, also when the fault looks gone: an inject may still be on its way.
        A call that fails although the fault is gone afterwards is a success: only `present` counts.
        Raises `AdapterError` when it could not be made, was cut off, or failed.
        """
        began = time.monotonic()
        asking = _asking(undo)
        deadline = began + asking.within_s("revert")
        outcome = asking.ask("revert")
        if not outcome.started or outcome.late:
            raise AdapterError(asking.told("revert", outcome.why))
        until = deadline if outcome.ok else began
        why = asking.becomes(False, until, look_s=_LOOK_S)
        if not outcome.ok and why:
            raise AdapterError(asking.told("revert", outcome.why))
        if not why:
            drop_note(Path(undo["directory"]), undo)
        said = {} if outcome.ok else {"revert_said": outcome.why}
        return {"took_ms": round((time.monotonic() - began) * 1000), **said}

    def present(self, undo: Undo) -> bool:
        """Make the call `present`. Raises `CannotSeeError` when that does not say."""
        return _asking(undo).present()


UNDOER = GenericUndoer()


def _asking(undo: Undo) -> Asking:
    return Asking(undo["kind"], undo["calls"], Place.of(undo))
