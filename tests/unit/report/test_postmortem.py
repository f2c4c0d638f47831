"""The draft of a postmortem: every sentence names events that are there, and fit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from checks_support import also, change, drop, good_run, plan, timeline
from test_reports_golden import RUNS, naive, report_of

from gameday.model.day import DebriefRule
from gameday.model.event import NOTE_KINDS, Timeline
from gameday.model.report import Report
from gameday.programme.evidence.about import about
from gameday.report import write_all
from gameday.report.postmortem import FILL_IN, draft_of, render
from gameday.report.postmortem_due import Calendar

CITED = re.compile(r" `\[(#\d+(?:, (?:#\d+|…))*)\]`\.$")
CHAPTERS = (
    "Summary", "Impact", "Detection", "Response", "Timeline", "What went well", "What went badly",
    "Contributing factors", "Action items",
)  # fmt: skip
EVIL = "x\n# heading\n<img src=x onerror=alert(1)> ![y](http://evil.example/p.png) @team | `"


def draft(run: Timeline, report: Report | None = None) -> str:
    return render(draft_of(run, report or report_of(run)))


def chapters(text: str) -> Mapping[str, list[str]]:
    """Title -> lines that are not empty; the first chapter has no title."""
    found: dict[str, list[str]] = {"": []}
    for line in text.splitlines()[1:]:
        if line.startswith("## "):
            found[line[3:]] = []
        elif line:
            found[[*found][-1]].append(line)
    return found


def seqs_of(line: str) -> list[int]:
    cited = CITED.search(line)
    assert cited is not None, f"without an event: {line}"
    return [int(one.strip("#")) for one in cited[1].split(", ") if one != "…"]


def check_cited(run: Timeline, text: str) -> None:
    kinds = {event.seq: event.kind for event in run}
    for title, lines in chapters(text).items():
        for line in lines:
            assert line.startswith("- "), line
            if line.startswith(f"- [ ] {FILL_IN}"):
                continue
            for seq in seqs_of(line):
                assert seq in kinds, f"{title}: #{seq} is not in the journal: {line}"


def kinds_of(run: Timeline, line: str) -> set[str]:
    kinds = {event.seq: event.kind for event in run}
    return {kinds[seq] for seq in seqs_of(line)}


def the(lines: list[str], words: str) -> str:
    found = [line for line in lines if words in line]
    assert len(found) == 1, (words, lines)
    return found[0]


@pytest.mark.parametrize("name", RUNS)
def test_every_sentence_cites_events_that_are_in_the_journal(name: str) -> None:
    run = RUNS[name]()
    text = draft(run)

    assert text.startswith("# DRAFT postmortem: ")
    assert [*chapters(text)] == ["", *CHAPTERS]
    check_cited(run, text)
    assert text.count(FILL_IN) >= len(CHAPTERS) - 1


def test_the_events_are_of_the_kind_that_the_sentence_is_about() -> None:
    run = RUNS["failed"]()
    found = chapters(draft(run))

    fault = the(found["Summary"], "Fault `slow` (latency 800 ms")
    assert kinds_of(run, fault) == {"fault.inject"}
    impact = the(found["Impact"], "the fault phase, 95 of 1995 requests failed")
    assert kinds_of(run, impact) == {"run.phase", "load.window"}
    assert kinds_of(run, the(found["Impact"], "Users felt fault")) == {
        "fault.inject",
        "load.window",
    }
    assert "alert.read" in kinds_of(run, the(found["Detection"], "missed: its condition"))
    assert kinds_of(run, the(found["Response"], "was read back as gone")) == {"fault.revert"}
    assert kinds_of(run, the(found["Timeline"], "fault `slow` confirmed on")) == {"fault.inject"}
    assert kinds_of(run, the(found["Timeline"], "phase: recovery")) == {"run.phase"}


def test_a_caught_alert_rests_on_its_firing_and_its_delivery() -> None:
    run = RUNS["passed"]()
    found = chapters(draft(run))

    kinds = kinds_of(run, the(found["Detection"], "is caught"))
    assert {"alert.firing", "alert.delivered"} <= kinds
    assert "alert.firing" in kinds_of(run, the(found["Timeline"], "PaymentsSlow fires"))
    assert "alert.resolved" in kinds_of(run, the(found["Timeline"], "PaymentsSlow resolves"))
    assert not [line for line in found["Action items"] if FILL_IN not in line]


def test_a_stop_rests_on_the_stop_and_what_was_taken_out_after_it() -> None:
    run = RUNS["stopped"]()
    response = chapters(draft(run))["Response"]

    assert kinds_of(run, the(response, "The run was stopped by")) == {"stop.tripped"}
    assert kinds_of(run, the(response, "after the stop")) == {"stop.tripped", "fault.revert"}


def test_what_failed_is_an_action_item_and_a_question() -> None:
    found = chapters(draft(RUNS["failed"]()))

    bad = [line for line in found["What went badly"] if FILL_IN not in line]
    items = [line for line in found["Action items"] if line.startswith("- [ ] Make it hold: ")]
    assert len(bad) == len(items) == 4
    questions = [line for line in found["Contributing factors"] if "how did it come" in line]
    assert len(questions) == 4
    assert not re.search(r"\bwho\b|\bwhy did\b", " ".join(found["Contributing factors"]))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        # the run ends on a Sunday
        ("failed", "within 3 business days of the end of the run, because users felt the fault: "
         "by 2026-11-25"),
        ("stopped", "business days of the end of the run, because"),
    ],
)  # fmt: skip
def test_until_when_it_is_to_be_published(name: str, words: str) -> None:
    assert words in " ".join(chapters(draft(RUNS[name]()))[""])


def test_where_nobody_felt_it_and_nothing_failed_nothing_asks_for_one() -> None:
    run = timeline(good_run())
    report = report_of(run)
    quiet = replace(report, ladders=())
    bad = report_of(timeline(good_run(ticks=naive, alerts=False)))
    failed = replace(bad, ladders=(), started="2026-10-01T09:00:00Z")

    assert "Nothing asks for a postmortem" in draft(run, quiet)
    assert "within 5 business days" in draft(run, failed)
    assert "by 2026-10-08" in draft(run, failed), "a Thursday and five business days"


@pytest.mark.parametrize(
    ("rule", "last", "free"),
    [
        # a Thursday; Friday, Monday and Tuesday are business days unless somebody says otherwise
        (DebriefRule(), "2026-10-06", "Sat and Sun of the day `q4` not counted, in UTC"),
        (
            DebriefRule(holidays=(date(2026, 10, 2), date(2026, 10, 5)), timezone="Europe/Berlin"),
            "2026-10-08",
            "Sat, Sun and 2 holidays of the day `q4` not counted, in Europe/Berlin",
        ),
        (DebriefRule(sooner_days=1, weekend=(4,)), "2026-10-03", "Fri of the day `q4` not counted"),
        (DebriefRule(timezone="Pacific/Kiritimati"), "2026-10-07", "in Pacific/Kiritimati"),
    ],
)
def test_the_calendar_of_its_day_counts(rule: DebriefRule, last: str, free: str) -> None:
    run = RUNS["failed"]()
    report = replace(report_of(run), started="2026-10-01T13:00:00Z")

    top = " ".join(chapters(render(draft_of(run, report, Calendar(rule=rule, day="q4"))))[""])

    assert f"within {rule.sooner_days} business day" in top
    assert f"by {last} (" in top
    assert free in top


def test_what_people_said_is_in_it_each_where_it_belongs() -> None:
    said = {
        "human.handoff": ("responder", "the gateway is still slow"),
        "human.update": ("liaison", "checkout is slow, we are at it"),
        "human.todo": ("scribe", "a second reader"),
        "human.note": ("scribe", "TODO: page the database team"),
    }
    run = timeline(
        good_run(),
        also(*((20_000 + n, kind, role, {"text": text})
               for n, (kind, (role, text)) in enumerate(said.items()))),
    )  # fmt: skip
    text = draft(run)
    found = chapters(text)

    check_cited(run, text)
    response = found["Response"]
    line = the(response, "Responder handed over at 0:20.0: the gateway is still slow")
    assert kinds_of(run, line) == {"human.handoff"}
    line = the(response, "Liaison told people outside at 0:20.0: checkout is slow, we are at it")
    assert kinds_of(run, line) == {"human.update"}
    assert not [one for one in response if "Nobody told gameday" in one]
    asked = [one for one in found["Action items"] if "Asked for by scribe" in one]
    assert [kinds_of(run, one) for one in asked] == [{"human.todo"}, {"human.note"}]
    assert asked[0].startswith("- [ ] Asked for by scribe in the run: a second reader `[#")
    assert "in the run: page the database team" in asked[1]
    look = the(found["Timeline"], "put roles where they name somebody")
    assert look.endswith("`[#10000, #10001, #10002, #10003]`")


@pytest.mark.parametrize("kind", sorted(k for k in NOTE_KINDS if k.startswith("human.")))
def test_every_kind_of_people_is_known(kind: str) -> None:
    data = {"text": "x", "role": "responder", "answer": "done"}
    run = timeline(good_run(), also((20_000, kind, "responder", data)))
    found = chapters(draft(run))

    assert not [one for one in found["Response"] if "Nobody told gameday" in one]
    assert the(found["Timeline"], "put roles where they name somebody")
    assert about(plan(), run)["roles"] == {"responder": [10_000]}


def test_an_incomplete_journal_says_so_on_top() -> None:
    run = RUNS["incomplete"]()
    top = chapters(draft(run))[""]

    assert "the journal ends in the middle of the run" in the(top, "**Incomplete**")
    assert "gameday recover r1" in " ".join(top)
    assert "**Incomplete**" not in draft(RUNS["passed"]())


def test_hostile_words_are_neither_structure_nor_markup() -> None:
    run = timeline(
        good_run(),
        also((20_000, "human.note", EVIL, {"text": EVIL})),
        change("alert.firing", labels={"severity": "page", "x": EVIL}),
        change("run.parts", load=EVIL),
    )
    report = report_of(run)
    changed = replace(report.scenario, title=EVIL, hypothesis=EVIL, service=EVIL, file=EVIL)
    text = draft(run, replace(report, scenario=changed))

    assert [*chapters(text)] == ["", *CHAPTERS]
    check_cited(run, text)
    assert "<img" not in text
    assert "](http" not in text
    assert "@team" not in text


def test_people_are_roles_and_a_prompt_asks_to_keep_it_so() -> None:
    run = timeline(good_run(), also((20_000, "human.ack", "responder", {"text": "PaymentsSlow"})))
    found = chapters(draft(run))

    assert "responder acknowledges: PaymentsSlow `[#10000]`." in " ".join(found["Timeline"])
    assert "put roles where they name somebody `[#10000]`" in " ".join(found["Timeline"])
    assert "acknowledged" in " ".join(found["Response"])
    assert "nobody told gameday" not in " ".join(found["Response"]).lower()


def test_a_journal_of_almost_nothing_still_gets_a_draft() -> None:
    run = timeline(good_run(), lambda events: events[:1])

    check_cited(run, draft(run))
    spoilt = timeline(good_run(), change("load.window", cells="nonsense"), drop("run.phase"))
    check_cited(spoilt, draft(spoilt))


def test_the_same_record_gives_the_same_bytes(tmp_path: Path) -> None:
    run = RUNS["failed"]()
    report = report_of(run)
    write_all(tmp_path, report, draft_of(run, report))
    first = (tmp_path / "postmortem.md").read_bytes()
    again = RUNS["failed"]()
    write_all(tmp_path, report_of(again), draft_of(again, report_of(again)))

    assert (tmp_path / "postmortem.md").read_bytes() == first


def test_what_people_have_finished_is_never_overwritten(tmp_path: Path) -> None:
    run = RUNS["failed"]()
    report = report_of(run)
    path = tmp_path / "postmortem.md"
    path.write_text("# DRAFT postmortem: of an older version\n")
    write_all(tmp_path, report, draft_of(run, report))
    text = path.read_text()
    finished = text.replace("# DRAFT postmortem", "# Postmortem")
    path.write_text(finished)

    written = write_all(tmp_path, report, draft_of(run, report))

    assert "of an older version" not in text
    assert path.read_text() == finished
    assert path not in written
