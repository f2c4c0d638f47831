"""`python -m gameday.sentinel RUN_DIR`: waits for the runner's end, and cleans up if it has to."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from gameday import registry
from gameday.errors import GamedayError
from gameday.processes import Life, life_of, own_identity
from gameday.sentinel import owner
from gameday.sentinel.cleanup import JOURNAL, CleanUp
from gameday.sentinel.kept import Kept
from gameday.sentinel.record import Record
from gameday.sentinel.terminal import SLOW_S, Lent
from gameday.sentinel.watch import Watch

#: A sentinel that could not clean up in a day gives up; `gameday recover` remains.
LONGEST_S = 24 * 3600.0


def main(argv: Sequence[str] | None = None) -> int:
    """Fork away, watch, clean up; returns 0 if nothing is left in place, 5 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m gameday.sentinel", description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--pipe", type=int, required=True)
    parser.add_argument("--ready", type=int, required=True)
    parser.add_argument("--runner", type=json.loads, required=True)
    parser.add_argument("--deadline-s", type=float, required=True)
    parser.add_argument("--terminal", type=int)
    parser.add_argument("--drawn", type=int)
    options = parser.parse_args(argv)
    if os.fork():
        os._exit(0)
    return _watch(options)


def _watch(options: argparse.Namespace) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    run_dir: Path = options.run_dir
    lent = None
    if options.terminal is not None:
        lent = Lent.of(options.terminal, options.drawn, options.runner)
    kept = Kept(run_dir)
    watch = Watch(
        pipe=options.pipe,
        runner=options.runner,
        runner_fd=_pidfd(options.runner),
        deadline_s=options.deadline_s,
    )
    for kind in registry.undo_kinds():
        registry.undoer(kind)  # nothing is imported any more when it counts
    owner.set_sentinel(run_dir, own_identity())
    os.chdir("/")
    os.write(options.ready, json.dumps({"pid": os.getpid()}).encode() + b"\n")
    os.close(options.ready)
    why = watch.until_over()
    gone = False
    if why is None:
        record = Record.of(run_dir / JOURNAL, log=_log, kept=kept.journal)
        if record.ledger.owed or record.unread:
            why = "the run ended with faults that could not be shown to be gone"
        else:
            tidy = CleanUp(run_dir=run_dir, by="sentinel", log=_log, kept=kept)
            return 0 if tidy.give_leases_back() else 5
    else:
        gone = watch.make_sure_it_is_gone()
        if not gone:
            _log("the runner does not end; going on all the same")
    _log(f"taking over: {why}")
    if lent is None:
        return _clean_up(run_dir, kept, why)
    if not gone:  # whoever is there puts the terminal back, or still draws on it
        lent.close()
        return _clean_up(run_dir, kept, why)
    told = lent.give_back(why)
    code = _clean_up(run_dir, kept, why)
    told.join(SLOW_S)
    return code


def _clean_up(run_dir: Path, kept: Kept, why: str) -> int:
    try:
        with owner.cleaning(run_dir, wait_s=60.0):
            clean_up = CleanUp(run_dir=run_dir, by="sentinel", log=_log, kept=kept)
            report = clean_up.run(why=why, for_s=LONGEST_S)
    except GamedayError as error:
        _log(str(error))
        return 5
    _log("clean" if report.clean else f"may still be broken: {', '.join(report.dirty)}")
    return 0 if report.clean else 5


def _pidfd(runner: dict[str, object]) -> int | None:
    """A handle of the runner, if it is still the process that is meant."""
    try:
        handle = os.pidfd_open(int(str(runner["pid"])))
    except OSError:
        return None
    if life_of(runner) is Life.ALIVE:
        return handle
    os.close(handle)
    return None


def _log(text: str) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    with suppress(OSError):  # a full disk: mending goes on
        sys.stderr.write(f"{now} {text}\n")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
