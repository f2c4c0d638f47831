"""Journals of old versions stay readable for good. Their files are never made again."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from gameday.journal import Journal, read
from gameday.model.debts import ledger_of
from gameday.model.event import ACTION_KINDS, NOTE_KINDS, Event, Timeline
from gameday.model.window import tick_from_json

DIRECTORY = Path(__file__).parents[1] / "golden" / "journals"


@dataclass(frozen=True)
class Golden:
    sha256: str  # the first 16 digits
    events: int
    dirty: tuple[str, ...] = ()
    status: str | None = None
    complete: bool = True
    torn: bool = False
    skipped: tuple[int, ...] = ()
    problem: str | None = None


FORGED = "line 13 was changed after it was written: its hash does not fit"
DIRTY = ("payments", "slow")
GOLDEN = {
    "v1-clean": Golden("a219526f24565438", 22, status="completed"),
    "v1-dirty": Golden("715b551e881720fd", 26, DIRTY, status="invalid"),
    "v1-forged": Golden("fa099264bbf95229", 12, DIRTY, complete=False, problem=FORGED),
    "v1-kinds": Golden("a1098800dc82d02f", 86, ("ü",)),
    "v1-late": Golden("a665e2aefba154ec", 22, status="invalid"),
    "v1-places": Golden("a7c35bf42c391fd4", 8, ("freeze",), complete=False),
    "v1-rates": Golden("fb52ec412006d404", 4, complete=False),
    "v1-sentinel": Golden("0e74302ff569523f", 16, complete=False, skipped=(12,)),
    "v1-stopped": Golden("f87238d5b332a797", 20, status="stopped"),
    "v1-torn": Golden("6b5471153b324357", 11, DIRTY, complete=False, torn=True),
    "v1-receiver": Golden("290b69223930177c", 3, status="completed"),
    "v1-pipeline": Golden("41e337c3df13dc91", 6, status="completed"),
    "v1-people": Golden("722b73b9a9e9469a", 2, complete=False),
    "v1-runbook": Golden("5ed4168d90a6b30e", 9, status="completed"),
    "v1-answers": Golden("af5b4f75c47a3ed0", 4, status="completed"),
    "v1-exports": Golden("7f374e50e6cbb984", 3, status="completed"),
    "v1-day": Golden("8cffc66cdd00d552", 6, complete=False),
    "v1-notices": Golden("22f7271d4a58b03f", 5, status="interrupted"),
    "v1-workers": Golden("fa730cb66fd20a06", 1, complete=False),
}


def path_of(name: str) -> Path:
    return DIRECTORY / f"{name}.jsonl"


def test_every_golden_journal_is_in_the_table() -> None:
    assert {path.stem for path in DIRECTORY.glob("*.jsonl")} == set(GOLDEN)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_file_is_the_one_that_was_written_then(name: str) -> None:
    digest = hashlib.sha256(path_of(name).read_bytes()).hexdigest()

    assert digest.startswith(GOLDEN[name].sha256)


@pytest.mark.parametrize("name", GOLDEN)
def test_it_is_read_as_it_was_then(name: str) -> None:
    expected, found = GOLDEN[name], read(path_of(name))

    assert len(found.events) == expected.events
    assert [e.seq for e in found.events] == list(range(expected.events))
    assert ledger_of(found.events).dirty == expected.dirty
    assert found.complete is expected.complete
    assert found.torn is expected.torn
    assert found.skipped == expected.skipped
    assert found.problem == expected.problem
    closed = Timeline(found.events).last("run.closed")
    assert (closed.data.get("status") if closed else None) == expected.status


def test_every_kind_of_event_and_any_data_is_among_them() -> None:
    events = read(path_of("v1-kinds")).events

    # kinds that came after the first file
    names = (
        "v1-places", "v1-rates", "v1-workers", "v1-receiver", "v1-runbook", "v1-pipeline",
        "v1-answers",
        "v1-people", "v1-exports", "v1-day", "v1-notices",
    )  # fmt: skip
    later = [e for name in names for e in read(path_of(name)).events]
    assert {e.kind for e in (*events, *later)} >= ACTION_KINDS | NOTE_KINDS
    assert events[0].at_ms == -250
    assert events[-1].data == {
        "text": 'quotes " \\ / and ünïcode – \u2028 \U0001f6a8 \x00',
        "n": [0, -1, 2**53, 0.1, 1e-9],
        "nothing": None,
        "yes": True,
        "nested": {"b": {"a": []}},
    }


def test_what_the_load_saw_can_be_read() -> None:
    windows = Timeline(read(path_of("v1-clean")).events).of("load.window")

    ticks = [tick_from_json(e.data) for e in windows]
    assert [t.second for t in ticks] == [1, 2]
    assert sum(ticks[0].cells[0].response.values()) == 32


def test_the_undo_record_is_there_from_the_start_of_the_inject() -> None:
    debts = ledger_of(read(path_of("v1-torn")).events).owed

    assert [d.kind for d in debts] == ["target.open", "fault.inject"]
    assert all(d.undo["kind"] == "toxiproxy" for d in debts)


@pytest.mark.parametrize("name", [n for n in GOLDEN if GOLDEN[n].problem is None])
def test_it_can_be_gone_on_from(name: str, tmp_path: Path) -> None:
    copy = Path(shutil.copy(path_of(name), tmp_path))
    with Journal.reopen(copy) as journal:
        journal.append(Event(seq=journal.next_seq, at_ms=99_999, kind="human.note", subject="x"))

    found = read(copy)
    assert found.problem is None
    assert len(found.events) == GOLDEN[name].events + 1
