"""How one run ends whatever comes after it: no run is real here, but everything around it is."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "checks"))
from checks_support import good_run, plan, timeline

from gameday.app import admission, pages, rig, runset
from gameday.app import run as one_run
from gameday.app.check import PlanRequest
from gameday.app.exports import Exports
from gameday.app.interrupts import interrupts
from gameday.app.run import RunRequest, UnreportedError, run_one
from gameday.app.runset import SetOptions, run_set
from gameday.checks import judge
from gameday.cli.main import run as command
from gameday.engine.core import Done
from gameday.errors import JournalError
from gameday.model.verdict import ExitCode, RunStatus
from gameday.report import console
from gameday.report.build import build

E, S = ExitCode, RunStatus


pytestmark = pytest.mark.usefixtures("signals_as_in_a_terminal")


def done(status: RunStatus, *dirty: str) -> Done:
    return Done(dirty=dirty, status=status, reason="why")


def request(folder: Path, name: str = "a", **more: Any) -> RunRequest:
    scenario = PlanRequest(path=Path(f"{name}.yaml"))
    return RunRequest(scenario=scenario, reports=folder / "reports", **more)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Callable[[Done], list[str]]:
    """Every run ends as told, and somebody deletes its directory before it can be judged."""

    def arrange(ended: Done) -> list[str]:
        names: list[str] = []

        def play(_plan: Any, where: Any, _options: Any) -> Done:
            names.append(where.run_id)
            shutil.rmtree(where.path)
            return ended

        monkeypatch.setattr(rig, "play", play)
        return names

    monkeypatch.setattr(admission, "admit", lambda *_, **__: None)
    monkeypatch.setattr(runset, "make_plan", lambda _: plan())
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    return arrange


# --- a run that cannot be judged


@pytest.mark.parametrize(
    ("ended", "code"),
    [
        (done(S.INTERRUPTED), E.INTERRUPTED),
        (done(S.INTERRUPTED, "fault late"), E.DIRTY),
        (done(S.COMPLETED, "fault late"), E.DIRTY),
    ],
)
def test_an_interrupt_ends_a_set_even_if_its_run_cannot_be_judged(
    played: Any, tmp_path: Path, capsys: Any, ended: Done, code: ExitCode
) -> None:
    names = played(ended)
    requests = [request(tmp_path, "a"), request(tmp_path, "b")]

    assert run_set(requests, SetOptions(whole=True, quiet=True)) is code

    assert len(names) == 1, "nothing is begun after it"
    (where,) = (tmp_path / "reports").glob("set-*/set.json")
    rows = json.loads(where.read_text())["scenarios"]
    assert [row["exit_code"] for row in rows] == [int(code), None]
    told = capsys.readouterr()
    assert "REFUSED" not in told.out
    assert ("MAY STILL BE BROKEN: fault late" in told.err) == bool(ended.dirty)


@pytest.mark.parametrize(
    ("status", "code"), [(S.STOPPED, E.STOPPED), (S.COMPLETED, E.INCONCLUSIVE)]
)
def test_any_other_run_that_cannot_be_judged_ends_with_what_is_known(
    played: Any, tmp_path: Path, capsys: Any, status: RunStatus, code: ExitCode
) -> None:
    names = played(done(status))

    assert run_set([request(tmp_path)], SetOptions(whole=True, quiet=True)) is code
    with pytest.raises(UnreportedError, match=r"is over .*plan\.json"):
        run_one(request(tmp_path), plan(), quiet=True)
    assert len(names) == 2
    assert "REFUSED" not in capsys.readouterr().out


def test_alone_it_is_the_exit_code_of_the_command(
    played: Any, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    played(done(S.INTERRUPTED, "fault late"))
    (tmp_path / "a.yaml").write_text("gameday: 1\nid: a\n")

    assert command(["run", str(tmp_path / "a.yaml"), "--reports", str(tmp_path / "r"), "-q"]) == 5
    assert "MAY STILL BE BROKEN: fault late" in capsys.readouterr().err


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), JournalError("torn")])
@pytest.mark.parametrize("dirty", [(), ("fault late",)])
def test_an_error_of_ours_afterwards_hides_nothing(
    played: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    dirty: tuple[str, ...],
) -> None:
    played(done(S.COMPLETED, *dirty))

    def broken(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(one_run, "_reported", broken)
    with pytest.raises(UnreportedError) as raised:
        run_one(request(tmp_path), plan(), quiet=True)
    assert raised.value.exit_code is (E.DIRTY if dirty else E.INTERNAL)


# --- a signal once the run is over


def ends_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is over, has given its signals back, and can be judged."""
    run = timeline(good_run())
    report = build(plan(), run, judge(plan(), run))

    def play(_plan: Any, _where: Any, _options: Any) -> Done:
        loop: Any = SimpleNamespace(emit=lambda _: None, state=SimpleNamespace(stop=None))
        with interrupts(loop, calm=True):
            pass
        return done(S.COMPLETED)

    monkeypatch.setattr(rig, "play", play)
    monkeypatch.setattr(one_run, "_reported", lambda *_: SimpleNamespace(report=report))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_reports_are_written_is_kept_for_the_set(
    played: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    ends_well(monkeypatch)
    monkeypatch.setattr(pages, "finish_pages", lambda *_: signal.raise_signal(number))

    result = run_one(request(tmp_path), plan(), quiet=True)

    assert result.interrupted
    assert result.exit_code is result.judged.report.verdict.exit_code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_a_run_is_judged_in_vain_ends_the_set_too(
    played: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    ends_well(monkeypatch)
    begun: list[str] = []

    def judged(where: Any, _done: Done) -> Any:
        begun.append(where.run_id)
        signal.raise_signal(number)
        raise JournalError("torn")

    monkeypatch.setattr(one_run, "_reported", judged)
    requests = [request(tmp_path, "a"), request(tmp_path, "b")]

    assert run_set(requests, SetOptions(whole=True, quiet=True, retry=1)) is E.INTERNAL

    assert len(begun) == 1, "nothing is begun after it"


def test_a_run_that_is_judged_in_vain_and_interrupted_by_nobody_ends_no_set(
    played: Any, tmp_path: Path
) -> None:
    names = played(done(S.COMPLETED))
    requests = [request(tmp_path, "a"), request(tmp_path, "b")]

    assert run_set(requests, SetOptions(whole=True, quiet=True)) is E.INCONCLUSIVE

    assert len(names) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_others_are_told_ends_that_and_no_verdict_is_lost(
    played: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
    number: signal.Signals,
) -> None:
    ends_well(monkeypatch)
    monkeypatch.setattr(pages, "finish_pages", lambda *_: None)
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    sent: list[str] = []

    def send(*_: Any) -> bool:
        signal.raise_signal(number)
        sent.append("never")
        return True

    monkeypatch.setattr(one_run, "send_afterwards", send)
    exports = Exports(otlp_endpoint="http://127.0.0.1:9")

    result = run_one(request(tmp_path, exports=exports), plan(), quiet=True)

    assert (result.interrupted, sent) == (True, [])
    assert "interrupted before its trace was sent" in capsys.readouterr().err
    after = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    assert after == before


def test_a_trace_that_cannot_be_made_changes_nothing(
    played: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """The stand-in for a judged run has no plan: a bug, as far as the trace can tell."""
    ends_well(monkeypatch)
    monkeypatch.setattr(pages, "finish_pages", lambda *_: None)
    exports = Exports(otlp_endpoint="http://127.0.0.1:9")

    result = run_one(request(tmp_path, exports=exports), plan(), quiet=True)

    assert result.exit_code is result.judged.report.verdict.exit_code
    assert "the trace was not sent: by a bug of ours" in capsys.readouterr().err


def test_a_run_that_nobody_interrupts_says_so(
    played: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends_well(monkeypatch)
    monkeypatch.setattr(pages, "finish_pages", lambda *_: None)
    assert not run_one(request(tmp_path), plan(), quiet=True).interrupted


def test_a_verdict_that_cannot_be_shown_is_an_error_of_ours(
    played: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends_well(monkeypatch)

    def broken(*_: Any) -> str:
        raise KeyError("word")

    monkeypatch.setattr(console, "render", broken)
    with pytest.raises(UnreportedError, match="KeyError, our bug"):
        run_one(request(tmp_path), plan(), quiet=True)
