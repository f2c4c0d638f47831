"""Old runs go by a rule; what is dirty, open, damaged or named by a finding never does."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from evidence_support import plan
from evidence_support import write_run as write_whole_run
from hypothesis import given
from hypothesis import strategies as st

from gameday.app.evidence_prune import REMOVED
from gameday.app.rundir import RunDir, all_runs
from gameday.cli.main import run as cli
from gameday.journal import Journal, of_bytes
from gameday.model.event import Event, Phase
from gameday.programme.evidence.retention import DAY_MS, Rule, Run, decide

NOW = 1_000 * DAY_MS


def a_run(number: int, days: int | None, kind: str = "slow") -> Run:
    started = None if days is None else NOW - days * DAY_MS
    return Run(run_id=f"r{number:03d}", kind=(kind,), started_ms=started)


def gone(runs: list[Run], rule: Rule, held: tuple[str, ...] = ()) -> set[str]:
    decisions = decide(
        runs, rule, now_ms=NOW, holds=lambda run: "held" if run.run_id in held else None
    )
    assert [d.run.run_id for d in decisions if d.held and d.remove] == []
    return {d.run.run_id for d in decisions if d.remove}


RUNS = [a_run(1, 1), a_run(2, 10), a_run(3, 100), a_run(4, 500), a_run(5, 400, "other")]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule(last=2), {"r003", "r004"}),
        (Rule(last=4), set()),
        (Rule(days=50), {"r003", "r004", "r005"}),
        (Rule(last=1, days=50), {"r003", "r004"}),
        (Rule(last=3, days=5), {"r004"}),
        (Rule(days=0), {"r001", "r002", "r003", "r004", "r005"}),
    ],
)
def test_the_rule(rule: Rule, expected: set[str]) -> None:
    assert gone(RUNS, rule) == expected


def test_a_run_that_is_held_or_of_unknown_age_stays() -> None:
    assert gone([*RUNS, a_run(6, None)], Rule(days=0), held=("r003",)) == {
        "r001", "r002", "r004", "r005",
    }  # fmt: skip


@given(
    st.lists(st.tuples(st.integers(0, 900), st.sampled_from("abc")), max_size=30),
    st.integers(1, 5), st.integers(0, 900),
)  # fmt: skip
def test_the_last_of_each_kind_and_the_young_always_stay(
    ages: list[tuple[int, str]], last: int, days: int
) -> None:
    runs = [a_run(n, age, kind) for n, (age, kind) in enumerate(ages)]
    removed = gone(runs, Rule(last=last, days=days))
    for kind in "abc":
        mine = [run for run in runs if run.kind == (kind,)]
        assert len([r for r in mine if r.run_id not in removed]) >= min(last, len(mine))
    assert all(a_run(n, age).run_id not in removed for n, (age, _) in enumerate(ages) if age < days)


def test_a_rule_without_a_limit_is_none() -> None:
    with pytest.raises(ValueError, match="everything"):
        decide(RUNS, Rule(), now_ms=NOW, holds=lambda _: None)


# -- real run directories --------------------------------------------------------------------------


def write_run(reports: Path, number: int, **more: Any) -> RunDir:
    return write_whole_run(reports, number, judged=False, **more)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("GAMEDAY_FINDINGS", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "reports"


def prune(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, tuple[bool, bool, str]]:
    capsys.readouterr()
    assert cli(["evidence", "prune", "--json", *arguments]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {row["run_id"]: (row["remove"], row["held"], row["why"]) for row in rows}


def names(reports: Path) -> set[str]:
    return {where.run_id for where in all_runs(reports)}


def test_nothing_is_removed_unless_it_is_said(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [
        write_run(here, number, opened={"origin_wall_ms": number * 1000}) for number in (1, 2, 3)
    ]
    oldest = runs[0]
    last = of_bytes(oldest.journal.read_bytes()).last_hash
    found = prune(capsys, "--keep", "2")
    assert [run_id for run_id, (remove, _, _) in found.items() if remove] == [oldest.run_id]
    assert names(here) == {where.run_id for where in runs}
    assert cli(["evidence", "prune", "--keep", "2"]) == 0
    assert "nothing was removed" in capsys.readouterr().out

    prune(capsys, "--keep", "2", "--yes")

    assert names(here) == {where.run_id for where in runs[1:]}
    assert not oldest.path.exists()
    row = json.loads((here / REMOVED).read_text())
    assert (row["run_id"], row["last_hash"]) == (oldest.run_id, last)
    assert oldest.run_id not in (here / "index.html").read_text()


def test_runs_of_another_environment_or_profile_are_of_another_kind(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = replace(plan(), directory=str(here.parent))
    nightly = replace(made, scenario=replace(made.scenario, profile="nightly"))
    write_run(here, 1, opened={"origin_wall_ms": 1000})
    for number in (2, 3):
        write_run(here, number, made=nightly, opened={"origin_wall_ms": number * 1000})
    write_run(here, 4, opened={"origin_wall_ms": 4000, "environment": "production"})

    found = prune(capsys, "--keep", "1")

    assert [run_id[-2:] for run_id, (remove, _, _) in found.items() if remove] == ["02"]


def rewrite(where: RunDir, change: Callable[[Event], Event | None]) -> None:
    """The journal with other events, as a run would have written it."""
    events = [e for event in of_bytes(where.journal.read_bytes()).events if (e := change(event))]
    number = {event.seq: seq for seq, event in enumerate(events)}
    where.journal.unlink()
    with Journal.open(where.journal) as journal:
        for event in events:
            cause = None if event.cause is None else number[event.cause]
            journal.append(replace(event, seq=journal.next_seq, cause=cause))


def without(kind: str, phase: Phase | None = None) -> Callable[[Event], Event | None]:
    return lambda e: None if e.kind == kind and phase in (None, e.phase) else e


def with_data(kind: str, **data: object) -> Callable[[Event], Event | None]:
    return lambda e: replace(e, data={**e.data, **data}) if e.kind == kind else e


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (without("run.closed"), "still under way"),
        (with_data("run.closed", dirty=["slow"]), "dirty: slow"),
        (without("fault.revert"), "dirty"),
        (without("fault.revert", Phase.OK), "dirty"),
        (with_data("fault.revert", read_back=False), "not read back"),
    ],
)
def test_a_run_whose_faults_are_not_shown_to_be_gone_never_goes(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[Event], Event | None],
    why: str,
) -> None:
    where = write_run(here, 1, opened={"origin_wall_ms": 1000})
    rewrite(where, change)

    remove, held, said = prune(capsys, "--days", "0", "--yes")[where.run_id]

    assert (remove, held) == (False, True)
    assert why in said
    assert names(here) == {where.run_id}


def test_a_run_that_ended_long_ago_without_an_end_stays(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = write_run(here, 1, opened={"origin_wall_ms": 1000})
    rewrite(where, without("run.closed"))
    os.utime(where.journal, (1_000, 1_000))

    assert "never closed" in prune(capsys, "--days", "0", "--yes")[where.run_id][2]
    assert names(here) == {where.run_id}


def test_a_damaged_journal_and_a_run_that_cannot_be_read_stay(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged, strange = (write_run(here, n, opened={"origin_wall_ms": n * 1000}) for n in (1, 2))
    raw = bytearray(damaged.journal.read_bytes())
    raw[len(raw) // 2] ^= 1
    damaged.journal.write_bytes(raw)
    strange.journal.write_bytes(b"\x00\n")

    found = prune(capsys, "--days", "0", "--yes")

    assert "damaged" in found[damaged.run_id][2]
    assert "not known when" in found[strange.run_id][2]
    assert names(here) == {damaged.run_id, strange.run_id}


@pytest.mark.parametrize("where_named", ["project", "here", "given"])
def test_a_run_that_a_finding_names_never_goes(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], where_named: str
) -> None:
    project = tmp_path / "elsewhere"
    made = replace(plan(), directory=str(project))
    where = write_run(here, 1, made=made, opened={"origin_wall_ms": 1000})
    folder = {"project": project, "here": tmp_path, "given": tmp_path / "other"}[where_named]
    path = folder / "findings" / "F-1.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(f"entries:\n- {{verified_by: {where.run_id}}}\n")
    more = ("--findings", str(path.parent)) if where_named == "given" else ()

    found = prune(capsys, "--days", "0", "--yes", *more)

    assert found[where.run_id] == (False, True, "a finding in `findings` names it")
    assert names(here) == {where.run_id}


@pytest.mark.parametrize("by", ["project", "variable"])
def test_a_run_that_the_register_in_a_database_names_never_goes(
    here: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    by: str,
) -> None:
    named, other = (write_run(here, n, opened={"origin_wall_ms": n * 1000}) for n in (1, 2))
    if by == "project":
        text = "gameday: 1\nenvironments: {local: {}}\nfindings: {store: 'sqlite:register.db'}\n"
        (tmp_path / "gameday.yaml").write_text(text)
        prune(capsys, "--days", "0")
    else:
        monkeypatch.setenv("GAMEDAY_FINDINGS", "sqlite:register.db")
        assert cli(["evidence", "prune", "--days", "0", "--yes"]) == 2
        said = capsys.readouterr().err
        assert "no register of findings at `sqlite:register.db`" in said
        assert "GAMEDAY_FINDINGS" in said
    assert not (tmp_path / "register.db").exists()  # looking makes none
    assert names(here) == {named.run_id, other.run_id}
    finding = ["--service=shop", "--class=runbook_wrong", "--failure-mode=payments.latency"]
    finding += ["--expectation=steady", "--as=scribe", f"--why=seen in {named.run_id}"]
    assert cli(["findings", "add", "it was slow", *finding]) == 0, capsys.readouterr().err

    found = prune(capsys, "--days", "0", "--yes")

    assert found[named.run_id] == (False, True, "a finding in the register names it")
    assert names(here) == {named.run_id}
    assert not other.path.exists()


@pytest.mark.parametrize("file", [True, False], ids=["register", "folder"])
def test_another_register_in_the_variable_is_asked_beside_that_of_the_project(
    here: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    file: bool,
) -> None:
    where = write_run(here, 1, opened={"origin_wall_ms": 1000})
    if file:
        text = "gameday: 1\nenvironments: {local: {}}\nfindings: {store: findings}\n"
        (tmp_path / "gameday.yaml").write_text(text)
    (tmp_path / "findings").mkdir()
    (tmp_path / "findings" / "F-1.yaml").write_text(f"run: {where.run_id}\n")
    (tmp_path / "others").mkdir()
    monkeypatch.setenv("GAMEDAY_FINDINGS", "others")

    found = prune(capsys, "--days", "0", "--yes")

    assert found[where.run_id] == (False, True, "a finding in `findings` names it")
    assert names(here) == {where.run_id}


@pytest.mark.parametrize("place", ["findngs", "sqlte:register.db", "sqlite:none.db", "x://y"])
def test_a_mistyped_place_in_the_variable_is_said_and_nothing_goes(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    where = write_run(here, 1, opened={"origin_wall_ms": 1000})
    monkeypatch.setenv("GAMEDAY_FINDINGS", place)

    assert cli(["evidence", "prune", "--days", "0", "--yes"]) == 2
    said = capsys.readouterr().err
    assert place.partition(":")[0] in said
    assert "findings" in said
    assert names(here) == {where.run_id}


@pytest.mark.parametrize("plan_text", [None, "{", "[]", "\udc00"])
def test_a_run_whose_plan_cannot_be_read_stays(
    here: Path, capsys: pytest.CaptureFixture[str], plan_text: str | None
) -> None:
    """Its project is not known, and so it is not known whose findings name it."""
    where = write_run(here, 1, opened={"origin_wall_ms": 1000})
    where.plan.unlink()
    if plan_text is not None:
        where.plan.write_bytes(plan_text.encode("utf-8", "surrogatepass"))

    found = prune(capsys, "--days", "0", "--yes")

    remove, held, why = found[where.run_id]
    assert (remove, held) == (False, True)
    assert why == "its plan cannot be read: it is not known whose findings name it"
    assert names(here) == {where.run_id}


@pytest.mark.parametrize("named", ["then", "now"])
def test_a_run_whose_directory_was_renamed_is_still_named_by_its_finding(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], named: str
) -> None:
    where = write_run(here, 1, opened={"origin_wall_ms": 1000})
    where.path.rename(here / "kept-for-the-audit")
    run = {"then": where.run_id, "now": "kept-for-the-audit"}[named]
    (tmp_path / "findings").mkdir()
    (tmp_path / "findings" / "F-1.yaml").write_text(f"run: {run}\n")

    found = prune(capsys, "--days", "0", "--yes")

    assert found["kept-for-the-audit"] == (False, True, "a finding in `findings` names it")
    assert names(here) == {"kept-for-the-audit"}


def test_where_a_finding_cannot_be_read_nothing_goes(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = write_run(here, 1, opened={"origin_wall_ms": 1000})
    (tmp_path / "findings").mkdir()
    (tmp_path / "findings" / "F-1.yaml").symlink_to(tmp_path / "nowhere")

    assert cli(["evidence", "prune", "--days", "0", "--yes"]) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert names(here) == {where.run_id}


def test_a_link_to_a_run_is_not_followed(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = write_run(tmp_path / "archive", 1, opened={"origin_wall_ms": 1000})
    here.mkdir()
    (here / where.run_id).symlink_to(where.path)

    assert prune(capsys, "--days", "0", "--yes")[where.run_id][2] == "it is a link"
    assert where.journal.exists()


@pytest.mark.parametrize("arguments", [[], ["--keep", "0"], ["--days", "-1"]])
def test_without_a_rule_that_makes_sense_nothing_is_done(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert cli(["evidence", "prune", "--yes", *arguments]) == 2
    assert "--keep" in capsys.readouterr().err
