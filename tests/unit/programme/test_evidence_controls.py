"""Which controls a run supports: from what is there, with its events, and never more than that."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from evidence_support import good_run, timeline, write_run

import gameday.programme.evidence as package
from gameday.app.day_journal import DayFile, open_day
from gameday.app.evidence import BundleRequest, bundle_command, read_bundle
from gameday.app.evidence_controls import all_controls
from gameday.app.evidence_files import Places, collect
from gameday.app.evidence_verify import Trust, check_bundle
from gameday.cli import evidence as commands
from gameday.cli.main import run as cli
from gameday.journal import read
from gameday.model.event import Event, Phase, Timeline
from gameday.programme.evidence.controls import read_controls
from gameday.programme.evidence.drills import read_plain
from gameday.programme.evidence.items import ITEMS

DOCS = Path(__file__).parents[3] / "docs"
#: What a table of controls must never claim.
CLAIMS = re.compile(r"certif|complian|\bcomplies|fulfils|guarantee|audit-proof", re.IGNORECASE)


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, object]]:
    capsys.readouterr()
    assert cli(["evidence", "controls", *arguments, "--json"]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "for an auditor to say" in objects[0]["limits"]
    return {row["control"]: row for row in objects[1:]}


def names(row: dict[str, object], side: str) -> list[str]:
    return [one["item"] for one in row[side]]  # type: ignore[attr-defined]


def test_every_control_that_was_asked_for_is_in_the_table() -> None:
    refs = {(control.framework, control.ref) for control in all_controls()}

    assert {("soc2", r) for r in ("CC7.4", "CC7.5", "A1.2", "A1.3")} <= refs
    assert {("iso27001", f"A.5.{n}") for n in range(24, 31)} <= refs
    assert {("iso27001", "A.8.13"), ("iso27001", "A.8.14")} <= refs
    assert {("dora", r) for r in ("Art. 11(6)", "Art. 24", "Art. 25")} <= refs
    assert {("nist", "CP-4"), ("nist", "IR-3"), ("pci", "12.10.2")} <= refs
    assert ("hipaa", "164.308(a)(7)(ii)(D)") in refs
    assert len(refs) == len(all_controls())


def test_every_item_is_used_and_every_used_item_is_asked() -> None:
    used = {name for control in all_controls() for name in control.items}
    assert used == ITEMS
    with pytest.raises(ValueError, match="no such item"):
        read_controls(
            '{"frameworks": [{"id": "x", "name": "X", "controls": '
            '[{"ref": "1", "about": "a", "items": ["wishes"]}]}]}'
        )


def test_nothing_claims_more_than_support(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = write_run(tmp_path / "reports")
    assert cli(["evidence", "controls", str(where.path)]) == 0
    printed = capsys.readouterr().out
    folder = Path(package.__file__).parent
    texts = {path.name: path.read_text() for path in (*folder.glob("*.py"), *folder.glob("*.json"))}
    texts |= {"printed": printed, "page": (DOCS / "evidence.md").read_text()}
    texts |= {"commands": Path(commands.__file__).read_text()}
    for name, text in texts.items():
        assert not CLAIMS.search(text), name
    assert {"supports", "supports in part", "supports nothing"} == set(
        re.findall(r"\*\*(.+?)\*\*", printed)
    )


def test_what_supports_a_control_is_named_with_its_events_and_so_is_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = write_run(tmp_path / "reports")
    found = rows(capsys, str(where.path))

    response = found["CC7.4"]
    assert response["word"] == "supports in part"
    assert names(response, "by") == ["alerted"]
    assert response["by"][0]["events"]  # type: ignore[index]
    assert names(response, "missing") == [
        "acknowledged", "runbook", "decisions", "roles", "findings",
    ]  # fmt: skip
    assert found["A.8.13"]["word"] == "supports nothing"
    assert "rehearsal of a restore" in found["A.8.13"]["missing"][0]["text"]  # type: ignore[index]


def test_people_findings_and_a_finished_postmortem_count_once_they_are_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people = (
        Event(kind="human.ack", subject="responder", data={"text": "PaymentsSlow"}),
        Event(kind="human.decide", subject="commander", data={"text": "go on"}),
        Event(kind="human.step", subject="scale", data={"answer": "done", "role": "responder"}),
    )
    where = write_run(tmp_path / "reports", more=people)
    (tmp_path / "findings").mkdir()
    (tmp_path / "findings" / "F-1.yaml").write_text(f"run: {where.run_id}\n")
    (where.path / "postmortem.md").write_text("# DRAFT postmortem: slow\n")
    draft = rows(capsys, str(where.path))
    assert draft["CC7.4"]["word"] == "supports"
    assert names(draft["A.5.27"], "missing") == ["reviewed"]

    (where.path / "postmortem.md").write_text("# Postmortem: slow\n")
    assert rows(capsys, str(where.path))["A.5.27"]["word"] == "supports"


def a_drill(
    reports: Path, outcome: str, *, what: str | None = "restore", place: str = "local", **more: int
) -> DayFile:
    """The journal of a day in which one drill was held, the later the higher its number."""
    number = len(list((reports / "days").glob("*.jsonl")))
    day = open_day(reports, f"q{number}", {}, environment=place)
    facts = {"rto_ms": 3110, "rto_allowed_ms": 60_000, "rpo_ms": 1220, "rpo_allowed_ms": 900_000}
    facts |= more
    day.append("human.note", "scribe", text="asked Zoë to look")
    day.append(
        "day.item", "books", phase=Phase.OK, outcome=outcome, reason="RTO was 2 min",
        **({} if what is None else {"what": what}), **facts,
    )  # fmt: skip
    os.rename(day.path, day.path.with_name(f"2026100{number}T090000Z-q{number}.jsonl"))  # noqa: PTH104
    return DayFile(path=day.path.with_name(f"2026100{number}T090000Z-q{number}.jsonl"))


def restored(capsys: pytest.CaptureFixture[str], what: Path) -> tuple[str, str]:
    """The word of the control that asks for nothing else, and why."""
    row = rows(capsys, str(what))["A.8.13"]
    (one,) = [*row["by"], *row["missing"]]  # type: ignore[misc]
    return str(row["word"]), one["text"]


def test_a_restore_that_was_rehearsed_counts_for_the_run_and_for_its_bundle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = tmp_path / "reports"
    where = write_run(reports)
    day = a_drill(reports, "pass")
    out = tmp_path / "b.zip"
    bundle_command(BundleRequest(run=str(where.path), out=out))

    for what in (where.path, out):
        word, why = restored(capsys, what)
        assert word == "supports"
        assert why.startswith("`books` of the day `q0`, 20")
        assert "in `local`: back after 3.11 s (1 min allowed), 1.22 s (15 min allowed) lost" in why
        assert why.endswith(f"every check passed (line 3 of `{day.path.name}`)")
    files, _ = read_bundle(out)
    told = json.loads(files["drills.json"])["restore"]
    assert told["last_hash"] == read(day.path).last_hash
    assert "Zoë" not in files["drills.json"].decode()
    assert check_bundle(files, Trust()).problems == ()


@pytest.mark.parametrize(
    ("drills", "why"),
    [
        ([("fail", {}), ("pass", {})], "the last rehearsal of a restore was `books` of the day"),
        ([("pass", {}), ("fail", {})], "the last rehearsal of a restore was `books` of the day"),
        ([("inconclusive", {})], "needs a rehearsal of a restore"),
        ([("pass", {"what": "failover"})], "needs a rehearsal of a restore"),
        ([("pass", {"what": None})], "needs a rehearsal of a restore"),
        ([("pass", {"place": "staging"})], "has a drill of one in `local`"),
        ([], "needs a rehearsal of a restore"),
    ],
)
def test_no_other_drill_shows_a_restore(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], drills: list[tuple[str, dict]], why: str
) -> None:
    where = write_run(tmp_path / "reports")
    for outcome, more in drills:
        a_drill(where.path.parent, outcome, **more)

    word, said = restored(capsys, where.path)

    assert word == "supports nothing"
    assert why in said


def test_an_inconclusive_drill_takes_nothing_back_and_a_damaged_day_counts_for_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = write_run(tmp_path / "reports")
    a_drill(where.path.parent, "pass")
    a_drill(where.path.parent, "inconclusive")
    damaged = a_drill(where.path.parent, "fail").path
    damaged.write_bytes(damaged.read_bytes().replace(b"asked", b"askad"))

    assert restored(capsys, where.path)[0] == "supports"
    missing = {m.what: m.why for m in collect(where, Places()).missing}
    assert damaged.name in missing["drills.json"]


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", b"\xff", b'{"restore": {"line": 1}}', b"[" * 9999]
)
def test_drills_of_somebody_who_does_not_mean_well_are_none(raw: bytes) -> None:
    assert read_plain(raw) is None
    good = {"restore": dict.fromkeys(("day", "journal", "last_hash", "item", "at", "environment",
                                      "outcome", "reason"), "x") | {"line": 1}}  # fmt: skip
    assert read_plain(json.dumps(good).encode()) is not None
    for name, value in (("line", "1"), ("rto_ms", "1"), ("day", 1)):
        bad = {"restore": good["restore"] | {name: value}}
        assert read_plain(json.dumps(bad).encode()) is None


def test_a_run_that_showed_nothing_supports_no_test(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = [e for e in timeline(good_run()) if not e.kind.startswith("fault.")]
    number = {event.seq: seq for seq, event in enumerate(kept)}
    run = [
        replace(e, seq=number[e.seq], cause=None if e.cause is None else number[e.cause])
        for e in kept
    ]
    where = write_run(tmp_path / "reports", run=Timeline(run))
    found = rows(capsys, str(where.path))

    for control in ("A1.3", "Art. 25", "A.8.14"):
        assert {"injected", "valid"} <= set(names(found[control], "missing")), control
    assert "result" in names(found["A1.3"], "missing")


def test_only_the_frameworks_that_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = write_run(tmp_path / "reports")
    assert rows(capsys, str(where.path), "--framework", "pci").keys() == {"12.10.2"}
    assert cli(["evidence", "controls", str(where.path), "--framework", "sox"]) == 2
    said = capsys.readouterr().err
    known = dict.fromkeys(control.framework for control in all_controls())
    assert all(f"`{name}`" in said for name in known)
    text = Path(commands.__file__).read_text()
    assert all(f"`{name}`" in text for name in known)  # the help names them too


def test_a_bundle_gives_the_same_table_as_its_run_and_a_damaged_one_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = write_run(tmp_path / "reports")
    out = tmp_path / "b.zip"
    bundle_command(BundleRequest(run=str(where.path), out=out))
    assert rows(capsys, str(out)) == rows(capsys, str(where.path))

    raw = bytearray(out.read_bytes())
    raw[raw.index(b'"kind":"run.opened"')] ^= 1
    out.write_bytes(raw)
    assert cli(["evidence", "controls", str(out)]) == 2
    assert "not whole" in capsys.readouterr().err
