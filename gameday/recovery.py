"""`gameday recover`: doing by hand, at any later time, what the sentinel does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gameday.errors import RefusedError, UsageError
from gameday.model.recovery import RecoveryReport
from gameday.processes import Life, gone_within, kill
from gameday.sentinel import owner
from gameday.sentinel.cleanup import JOURNAL, CleanUp
from gameday.sentinel.record import Record

REVERT_FOR_S = 60.0
_TAIL_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DirtyRun:
    """A run whose runner is gone and whose journal shows debts."""

    path: Path
    dirty: tuple[str, ...]

    @property
    def run(self) -> str:
        """The name of the run."""
        return self.path.name

    @property
    def how(self) -> str:
        """The command that cleans it up."""
        return f"gameday recover {self.run}"


def recover_run(
    run_dir: Path,
    *,
    for_s: float = REVERT_FOR_S,
    log: Callable[[str], None] = lambda _: None,
) -> RecoveryReport:
    """Pay the debts of a run whose runner is gone, and append that to its journal.

    Idempotent. Raises `RefusedError` while the runner is there, `UsageError` if it is no run.
    """
    journal = run_dir / JOURNAL
    if not journal.is_file():
        raise UsageError(f"`{run_dir}` is not a run directory: it has no `{JOURNAL}`")
    _refuse_if_running(run_dir)
    _relieve_sentinel(run_dir)
    with owner.cleaning(run_dir, wait_s=10.0):
        before = Record.of(journal, log=log)
        if not before.unread and not before.ledger.dirty and not _leftovers(run_dir, before):
            return RecoveryReport(lines=("nothing is owed",))
        silent_s = max(0.0, time.time() - journal.stat().st_mtime)
        clean_up = CleanUp(run_dir=run_dir, by="recover", log=log, died_s_ago=silent_s)
        return clean_up.run(why="by hand", for_s=for_s)


def find_dirty_runs(reports_dir: Path) -> list[DirtyRun]:
    """The runs in *reports_dir* that may have left something in place, oldest first.

    A run that is still under way is not among them.
    """
    found = []
    journals = sorted(reports_dir.glob(f"*/{JOURNAL}")) if reports_dir.is_dir() else []
    for journal in journals:
        if _closed_clean(journal):
            continue
        run_dir = journal.parent
        record = Record.of(journal, log=lambda _: None)
        dirty = record.ledger.dirty or ((record.unread,) if record.unread else ())
        if dirty and owner.runner_life(run_dir) is not Life.ALIVE:
            found.append(DirtyRun(path=run_dir, dirty=dirty))
    return found


def _refuse_if_running(run_dir: Path) -> None:
    life = owner.runner_life(run_dir)
    if life is Life.GONE:
        return
    runner = owner.read(run_dir).runner or {}
    if life is Life.ALIVE:
        raise RefusedError(
            f"run `{run_dir.name}` is still under way (process {runner.get('pid')}); "
            "end it with `gameday stop`, it takes its faults out itself"
        )
    raise RefusedError(
        f"run `{run_dir.name}` belongs to another host or container "
        f"(`{runner.get('host', '?')}`) and wrote its journal less than {owner.SILENT_S:.0f} s ago;"
        " recover it there, or try again when it is certain that it has ended"
    )


def _relieve_sentinel(run_dir: Path) -> None:
    """End a sentinel that is still trying: whoever calls this wants to see it done now."""
    sentinel = owner.read(run_dir).sentinel
    if sentinel is not None and kill(sentinel):
        gone_within(sentinel, 5.0)


def _leftovers(run_dir: Path, record: Record) -> bool:
    """Whether there is something to tidy up besides faults: a lease, or parts that go on."""
    known = owner.read(run_dir)
    closed = any(e.kind == "run.closed" for e in record.events)
    return bool(known.after) or (bool(known.parts) and not closed)


def _closed_clean(journal: Path) -> bool:
    """Whether the last line says that the run ended clean; without reading the whole journal."""
    try:
        with journal.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            lines = file.read().splitlines()
        last = json.loads(lines[-1])
        return last["kind"] == "run.closed" and not last["data"].get("dirty")
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return False
