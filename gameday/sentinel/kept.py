"""What a run directory says, for the case that somebody deletes it meanwhile."""

from __future__ import annotations

from io import FileIO
from pathlib import Path

from gameday.sentinel import owner
from gameday.sentinel.record import JOURNAL


class Kept:
    """The journal and the owner's file, held open.

    A deleted file stays readable for whoever has it open, with what the runner still writes.
    """

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._files = {name: _opened(run_dir / name) for name in (JOURNAL, owner.FILE)}

    def close(self) -> None:
        """Let both go. Idempotent."""
        for file in self._files.values():
            if file is not None:
                file.close()

    def owner(self) -> owner.Owner:
        """All that was ever noted of the owner. Raises nothing."""
        try:
            return owner.parse(self._all_of(owner.FILE))
        except OSError:
            return owner.Owner()

    def journal(self) -> bytes:
        """All of the journal, also when it has no name any more. Raises `OSError`."""
        return self._all_of(JOURNAL)

    def _all_of(self, name: str) -> bytes:
        file = self._files[name]
        if file is None:
            raise FileNotFoundError(f"`{self._run_dir / name}` was never there")
        file.seek(0)
        return file.readall()


def _opened(path: Path) -> FileIO | None:
    try:
        return FileIO(str(path), "rb")
    except OSError:
        return None
