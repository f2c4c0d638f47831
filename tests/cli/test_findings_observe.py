"""`gameday findings observe`: what an observer of a real drill may say, and of nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gameday.app.day_journal import DayFile, days_of, open_day
from gameday.cli.main import run
from gameday.model.event import Phase

PROJECT = """
gameday: 1
environments:
  local: {commands: [python3]}
"""
PLAN = """
gameday: 1
day: books
title: The books come back
objective: Whether the books come back.
roles: [owner, coordinator, observer]
items:
  - id: books
    drill:
      rto: 60s
      steps: [{name: restore, run: [python3, -c, "print('back')"]}]
      checks: [{name: look, run: [python3, -c, "print('whole')"]}]
"""
ADD = (
    "findings", "add", "nobody knew who decides", "--service", "shop", "--class", "process_comms",
    "--failure-mode", "payments.latency", "--expectation", "a decision within 10 min",
    "--as", "scribe", "--team", "team-a",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("GAMEDAY_FINDINGS", "GAMEDAY_ROLE"):
        monkeypatch.delenv(name, raising=False)
    Path("gameday.yaml").write_text(PROJECT)
    Path("day.yaml").write_text(PLAN)


def claimed(*more: str) -> str:
    """The id of a finding whose fix is claimed."""
    assert run([*ADD, *more]) == 0
    (path,) = Path("findings").glob("F-*.yaml")
    for words in (("assign",), ("start",), ("claim", "--why", "it is on a card now")):
        assert run(["findings", words[0], path.stem, *words[1:]]) == 0
    return path.stem


def the_finding(capsys: pytest.CaptureFixture[str]) -> dict:
    capsys.readouterr()
    assert run(["findings", "list", "--all", "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    return json.loads(line)


def made_day(kind: str = "drill", outcome: str = "pass", **data: object) -> DayFile:
    """A day in which an item was held, and which an observer watched."""
    day = open_day(Path("reports"), "made", {}, environment="local")
    day.append("day.role", "observer", taken=True)
    day.append("day.item", "it", phase=Phase.STARTED, item_kind=kind)
    day.append("day.item", "it", phase=Phase.OK, outcome=outcome, reason="said so", **data)
    return day


def again(day: DayFile, phase: Phase | None = None) -> None:
    """The item is begun once more, and ends so, or not at all."""
    begun = day.append("day.item", "it", phase=Phase.STARTED, item_kind="drill")
    if phase is not None:
        day.append("day.item", "it", phase=phase, cause=begun.seq, error="said so")


def observe(finding: str, drill: str, why: str = "the commander said it aloud") -> int:
    return run(["findings", "observe", finding, drill, "--why", why])


def test_a_drill_that_was_held_passed_and_watched_verifies(
    capsys: pytest.CaptureFixture[str],
) -> None:
    finding = claimed()
    roles = [word for role in ("owner", "coordinator", "observer") for word in ("--take", role)]
    assert run(["day", "start", "day.yaml", *roles]) == 0
    assert run(["day", "next", "day.yaml", "--go"]) == 0
    (day,) = days_of(Path("reports"))

    assert observe(finding, "books/books") == 0, capsys.readouterr().err

    one = the_finding(capsys)
    last = one["entries"][-1]
    assert (one["state"], last["what"], last["role"]) == ("verified", "verified", "observer")
    assert last["why"] == "the commander said it aloud"
    assert last["run"] == last["evidence"]["run"] == f"{day.name}/books"
    assert last["evidence"]["scenario"] == "books/books"
    assert run(["findings", "show", finding]) == 0
    assert "verified (observer)" in capsys.readouterr().out
    assert observe(finding, "books/books") == 2
    assert "is verified, so `observe` is not possible" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: made_day("tabletop"), "is a tabletop: it was talked about, and nothing was done"),
        (lambda: made_day("scenario"), "is a run and no drill"),
        (lambda: made_day(outcome="fail"), "was not passed, so it shows nothing (fail: said so)"),
        (lambda: made_day(outcome="inconclusive"), "was not passed"),
        (lambda: again(made_day()), "`it` did not come to an end in the day"),
        (lambda: again(made_day(), Phase.UNKNOWN), "`it` did not come to an end in the day"),
        (lambda: again(made_day(), Phase.FAILED), ""),  # refused: nothing was done
    ],
)
def test_only_a_real_drill_that_was_passed_verifies(
    capsys: pytest.CaptureFixture[str], make: Callable[[], object], said: str
) -> None:
    finding = claimed()
    make()

    code = observe(finding, "made/it")

    told = capsys.readouterr().err
    assert code == (2 if said else 0), told
    assert said in told
    assert the_finding(capsys)["state"] == ("fix_claimed" if said else "verified")


def test_a_drill_from_before_the_claim_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    made_day()
    finding = claimed()

    assert observe(finding, "made/it") == 2
    assert "before the claim" in capsys.readouterr().err


@pytest.mark.parametrize("back", [True, False])
def test_without_an_observer_there_is_no_verdict_of_one(
    capsys: pytest.CaptureFixture[str], back: bool
) -> None:
    finding = claimed()
    day = open_day(Path("reports"), "made", {}, environment="local")
    if back:
        day.append("day.role", "observer", taken=True)
        day.append("day.role", "observer", taken=False)
    day.append("day.item", "it", phase=Phase.STARTED, item_kind="drill")
    day.append("day.item", "it", phase=Phase.OK, outcome="pass", reason="")
    day.append("day.role", "observer", taken=True)  # too late

    assert observe(finding, "made/it") == 2
    assert "nobody had the role `observer`" in capsys.readouterr().err


def test_what_a_run_can_show_is_for_a_run_to_say(capsys: pytest.CaptureFixture[str]) -> None:
    finding = claimed("--scenario", "payments-slow")
    made_day()

    assert observe(finding, "made/it") == 2
    assert "a run has to show that it holds: `gameday findings verify RUN`" in (
        capsys.readouterr().err
    )


def test_an_older_try_that_passed_counts_for_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    finding = claimed()
    day = made_day()
    day.append("day.item", "it", phase=Phase.STARTED, item_kind="drill")
    day.append("day.item", "it", phase=Phase.OK, outcome="fail", reason="too late")

    assert observe(finding, f"{day.name}/it") == 2
    assert "fail: too late" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("drill", "why", "said"),
    [
        ("made", "x", "write `DAY/ITEM`"),
        ("/it", "x", "write `DAY/ITEM`"),
        ("mad/it", "x", "there is no day `mad`"),
        ("made/that", "x", "`that` did not come to an end in the day"),
        ("made/it", " ", "a reason is needed"),
        ("broken/it", "x", "cannot be relied upon"),
    ],
)
def test_what_is_wrong_is_said(
    capsys: pytest.CaptureFixture[str], drill: str, why: str, said: str
) -> None:
    finding = claimed()
    day = made_day()
    (day.path.parent / "broken.jsonl").write_bytes(
        day.path.read_bytes().replace(b"observer", b"observed", 1)
    )

    assert observe(finding, drill, why) == 2
    assert said in capsys.readouterr().err
    assert the_finding(capsys)["state"] == "fix_claimed"


def test_an_open_finding_is_claimed_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*ADD]) == 0
    (path,) = Path("findings").glob("F-*.yaml")
    made_day()

    assert observe(path.stem, "made/it") == 2
    assert "first `gameday findings claim" in capsys.readouterr().err
