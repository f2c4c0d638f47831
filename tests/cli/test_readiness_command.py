"""`gameday readiness` as people and pipelines call it: words, exit codes, files."""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gameday.cli.main import run
from gameday.model.readiness import ReadyItem as Item
from gameday.model.readiness import ReadyWord
from gameday.report.readiness_page import render
from gameday.report.readiness_text import console, markdown
from tests.readiness_support import answer, evidence, finding, waiver
from tests.readiness_support import service as the_service

GOLDEN = Path(__file__).parents[1] / "golden" / "reports" / "passed" / "result.json"
SERVICE = """\
gameday_service: 1
service: shop
owner: team-checkout
tier: 2
slos: {availability: 99%}
failure_modes:
  dependency-slow: {scenario: payments-slow, no_alert: none is asked}
  dependency-down: {scenario: payments-slow, no_alert: none is asked}
rollback: payments-slow
not_applicable: {runbook_coverage: nobody is paged}
"""
POLICY = """\
gameday_readiness: 1
tiers: {tier-2: {findings: {required: false}}}
"""
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(name="place")
def _place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "readiness" / "services").mkdir(parents=True)
    (tmp_path / "readiness" / "services" / "shop.yaml").write_text(SERVICE)
    (tmp_path / "readiness" / "policy.yaml").write_text(POLICY)
    (tmp_path / "reports").mkdir()
    return tmp_path


def a_run(place: Path, profile: str = "", **more: Any) -> None:
    """A run that ended just now, made from a published result."""
    raw = json.loads(GOLDEN.read_text())
    now = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    raw["scenario"]["profile"] = profile
    raw |= {"service_version": "2.4.1", "started": now.strftime("%Y-%m-%dT%H:%M:%SZ"), **more}
    where = place / "reports" / raw["run_id"]
    where.mkdir()
    (where / "result.json").write_text(json.dumps(raw))


def readiness(*arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = run(["readiness", "shop", "--version", "2.4.1", *arguments])
    return code, out.getvalue()


def test_without_a_run_nothing_is_shown(place: Path) -> None:
    code, text = readiness()

    assert code == 3
    assert text.startswith("NOT ENOUGH EVIDENCE: shop 2.4.1, tier 2\n")


def test_a_run_of_this_version_that_passed_is_a_go(place: Path) -> None:
    a_run(place)

    code, text = readiness("--html", "page.html", "--markdown", "page.md")

    assert code == 0, text
    assert text.startswith("GO: shop 2.4.1")
    assert (place / "page.md").read_text().startswith("# GO: shop 2.4.1\n")
    assert "<h1" in (place / "page.html").read_text()


def test_a_run_that_died_after_it_is_no_go_any_more(place: Path) -> None:
    a_run(place)
    assert readiness()[0] == 0
    died = place / "reports" / "29991231T000000Z-payments-slow-dead"
    died.mkdir()
    (died / "journal.jsonl").touch()
    plan = {"scenario": {"service": "shop", "id": "payments-slow"}, "environment": {"name": "ci"}}
    (died / "plan.json").write_text(json.dumps(plan))

    code, text = readiness()

    assert code == 3
    words = " ".join(text.split())
    assert f"run `{died.name}` could not show that its faults are gone" in words
    assert "has no result: its runner died, or is at work" in words


def test_another_version_is_not_ready_by_it(place: Path) -> None:
    a_run(place, service_version="1.9.0")

    code, text = readiness()

    assert code == 3
    assert "tested version 1.9.0" in " ".join(text.split())


def test_a_smoke_run_alone_is_not_enough(place: Path) -> None:
    a_run(place, profile="smoke")

    code, text = readiness()

    assert code == 3
    assert "that was a smoke run, and those do not count here" in " ".join(text.split())


def test_a_run_that_failed_is_a_no_go_for_as_long_as_the_line_says_so(place: Path) -> None:
    raw = json.loads(GOLDEN.read_text())
    a_run(place, verdict={**raw["verdict"], "outcome": "fail", "reason": "p95 was too high"})

    assert readiness()[0] == 1
    assert readiness("--fail-from", "no-go")[0] == 1
    assert readiness("--fail-from", "never")[0] == 0
    assert "p95 was too high" in readiness()[1]


def test_a_waiver_makes_conditions_that_a_pipeline_may_refuse(place: Path) -> None:
    a_run(place)
    service = place / "readiness" / "services" / "shop.yaml"
    service.write_text(SERVICE.replace("rollback: payments-slow\n", ""))
    (place / "readiness" / "waivers.yaml").write_text(
        "gameday_waivers: 1\nwaivers:\n  - {service: shop, item: rollback, reason: first release, "
        "owner: team-checkout, approver: business-owner, expires: 2999-12-31}\n"
    )

    code, text = readiness()
    assert code == 0
    assert text.startswith("GO WITH CONDITIONS")
    assert "until 2999-12-31, approved by business-owner" in " ".join(text.split())
    assert readiness("--fail-from", "conditions")[0] == 1
    assert readiness("--fail-from", "no-go")[0] == 0


def test_the_policy_may_draw_the_line(place: Path) -> None:
    (place / "readiness" / "policy.yaml").write_text(f"{POLICY}fail_from: no-go\n")

    assert readiness()[0] == 0
    assert readiness("--fail-from", "evidence")[0] == 3


def test_json_is_what_the_published_schema_says(place: Path) -> None:
    a_run(place)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert run(["schema", "readiness"]) == 0
    schema = json.loads(out.getvalue())

    code, text = readiness("--json")

    found = json.loads(text)
    assert code == 0
    jsonschema.Draft202012Validator(schema).validate(found)
    assert found["answer"] == "GO"
    assert [part["item"] for part in found["items"]] == schema["$defs"]["ReadyItem"]["enum"]
    assert "score" not in text
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate({**found, "answer": "MAYBE"})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["readiness", "shp", "--version", "1"], "there is no service file for `shp`"),
        (["readiness", "shop", "--version", "a b"], "`--version a b` is no version"),
        (["readiness", "shop"], "Missing option '--version'"),
        (["readiness", "shop", "--version", "1", "--fail-from", "x"], "`--fail-from x`"),
        (["readiness", "shop", "--version", "1", "--policy", "no.yaml"], "cannot read the file"),
        (["readiness", "shop", "--version", "1", "--html", "no/a.html"], "cannot be written"),
        (["run", "x.yaml", "--service-version", "a b"], "x.yaml"),
    ],
)
def test_what_is_wrong_is_said_with_exit_code_2(
    place: Path, arguments: list[str], said: str
) -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = run(arguments)

    assert code == 2
    assert said in " ".join(out.getvalue().split())


def test_a_wrong_file_is_told_with_line_and_column(place: Path) -> None:
    service = place / "readiness" / "services" / "shop.yaml"
    service.write_text(SERVICE.replace("tier: 2", "teir: 2"))

    code, text = readiness()

    assert code == 2
    assert "readiness/services/shop.yaml:4:1: error: `teir` is not a key" in text
    assert "did you mean `tier`?" in text


def all_answers() -> list[Any]:
    evil = "</script><script>alert(1)</script> [x](http://x) @all"
    odd = the_service(owner=evil, dependencies=("redis",))
    return [
        answer(odd),
        answer(odd, evidence(findings=(finding(title=evil),), notes=(evil,))),
        answer(odd, evidence(runs=(), waivers=(waiver(Item.RESTORE, reason=evil),))),
        answer(odd, evidence(waivers=(waiver(Item.RESTORE, approver="x", owner=evil),))),
        answer(the_service(records=()), evidence(waivers=tuple(
            waiver(item, reason=evil) for item in (Item.RESTORE, Item.ESCALATION)))),
    ]  # fmt: skip


def test_what_comes_from_outside_is_text_in_every_form() -> None:
    answers = all_answers()

    assert {found.answer for found in answers} == set(ReadyWord)
    for found in answers:
        page = render(found)
        assert "<script" not in page
        assert "http" not in re.sub(r"http-equiv|\[x\]\(http://x\)", "", page)
        assert f'<h1 id="verdict">{found.answer.value}</h1>' in page
        text = markdown(found)
        assert "<script" not in text
        assert "](http" not in text
        assert found.reason.split(":")[0] in console(found)
        assert all(len(line) < 140 for line in console(found).splitlines())


def findings(*arguments: str) -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = run(["findings", *arguments])
    assert code == 0, out.getvalue()


def test_findings_are_those_of_the_register(place: Path) -> None:
    a_run(place)
    (place / "readiness" / "policy.yaml").unlink()
    assert readiness()[0] == 3
    assert "there is no register of findings" in " ".join(readiness()[1].split())
    for store, shown in (
        (f"sqlite://{place / 'none.db'}", "sqlite:none.db"),
        ("sqlite:none.db", "sqlite:none.db"),
        ("nowhere", "nowhere"),
    ):
        code, text = readiness("--store", store)
        assert code == 3, "a register that is not there is not one without findings"
        assert f"there is no register of findings at `{shown}`" in " ".join(text.split())
    (place / "findings").mkdir()
    assert readiness()[0] == 0

    more = ("--class", "resilience_defect", "--failure-mode", "payments.latency")
    about = ("--service", "shop", "--expectation", "no order is lost", "--as", "sre")
    findings("add", "an order was lost", *more, *about, "--severity", "critical")
    code, text = readiness()
    (known,) = (path.stem for path in (place / "findings").glob("F-*.yaml"))
    assert code == 1
    assert f"gameday findings show {known}" in text

    until = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=9)).date().isoformat()
    leave = ("--as", "business-owner", "--until", until, "--why", "few customers yet")
    findings("accept", known, *leave)
    code, text = readiness()
    assert code == 0
    assert text.startswith("GO WITH CONDITIONS")
    assert f"until {until}, approved by business-owner" in " ".join(text.split())

    (place / "findings" / f"{known}.yaml").write_text("nonsense: [")
    code, text = readiness()
    assert code == 3
    assert "the register of findings cannot be read" in " ".join(text.split())
