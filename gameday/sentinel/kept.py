"""What a run directory said last, for the case that somebody deletes it meanwhile."""

from __future__ import annotations

from io import FileIO
from pathlib import Path

from gameday.sentinel.owner import FILE, Owner, read
from gameday.sentinel.record import JOURNAL


class Kept:
    """The journal, held open, and the owner's file as it was when it was last there.

    A deleted journal stays readable for whoever has it open, with what the runner still writes.
    """

    def __init__(self, run_dir: Path) -> None:
        self.owner = Owner()
        self._run_dir = run_dir
        self._journal: FileIO | None = None
        self._mark: tuple[int, int] | None = None
        self.look()

    def look(self) -> None:
        """Take in what is new; cheap when nothing is. Raises nothing."""
        try:
            if self._journal is None:
                self._journal = FileIO(str(self._run_dir / JOURNAL), "rb")
            stat = (self._run_dir / FILE).stat()
        except OSError:
            return
        mark = (stat.st_ino, stat.st_mtime_ns)
        if mark == self._mark:
            return
        found = read(self._run_dir)
        if found.runner is not None:  # else it went between the two looks
            self._mark, self.owner = mark, found

    def close(self) -> None:
        """Let the journal go. Idempotent."""
        if self._journal is not None:
            self._journal.close()

    def journal(self) -> bytes:
        """All of the journal, also when it has no name any more. Raises `OSError`."""
        if self._journal is None:
            raise FileNotFoundError(f"`{self._run_dir / JOURNAL}` was never there")
        self._journal.seek(0)
        return self._journal.readall()
