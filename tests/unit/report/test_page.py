"""`report.html` and the page of all runs: what they say, what they never do, byte for byte."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from checks_support import alert, change, cut, drop, good_run, plan, timeline
from test_reports_golden import RUNS, naive, report_of

from gameday.app import pages as app_pages
from gameday.app.judge import Judged, report_command
from gameday.app.rundir import RunDir
from gameday.model.event import Timeline
from gameday.model.verdict import Outcome
from gameday.report import answer, pages, write_all
from gameday.report import page as page_module
from gameday.report.drawing import Drawing, DrawingError
from gameday.report.html import badge, json_in_html, policy, prose, sentence
from gameday.report.index import render_runs

SCRIPT = "globalThis.vegaEmbed = null; // stands for the chart library"
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)> \" ' {{ 7*7 }} \u2028"
SECTIONS = (
    "answer", "facts", "hypothesis", "figure", "detection", "alerts", "runbooks", "objectives",
    "findings", "safety", "timeline", "method", "appendix",
)  # fmt: skip


def quick(spec: Any) -> Drawing:
    """A drawing without the library: as good as one for what surrounds it."""
    return Drawing(svg=f"<svg>{len(json.dumps(spec))}</svg>", png=b"png", script=SCRIPT)


@pytest.fixture(autouse=True)
def _draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(pages.SWITCH, raising=False)


def written(
    where: Path, run: Timeline, draw: Callable[[Any], Drawing] = quick, report: Any = None
) -> str:
    report = report or report_of(run)
    write_all(where, report)
    pages.write_pages(where, plan(), run, report, draw=draw)
    return (where / "report.html").read_text(encoding="utf-8")


def tone_of(text: str) -> str:
    found = re.search(r'<html lang="en" data-tone="(\w+)">', text)
    assert found is not None
    return found[1]


class Reader(HTMLParser):
    """Every element with its attributes, ids, and the text outside scripts and style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.elements.append((tag, found))
        if tag not in ("meta", "br", "input", "link", "img"):
            self._open.append((tag, found.get("id")))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if any(tag in ("script", "style") for tag, _ in self._open):
            return
        for _, one in self._open:
            if one:
                self.texts.setdefault(one, []).append(data)

    def ids(self) -> list[str]:
        return [a["id"] for _, a in self.elements if a.get("id")]  # type: ignore[misc]

    def text(self, of: str) -> str:
        return " ".join("".join(self.texts.get(of, [])).split())


@pytest.mark.parametrize("name", RUNS)
def test_a_page_has_every_section_in_order_and_asks_nothing_of_a_network(
    name: str, tmp_path: Path
) -> None:
    text = written(tmp_path, RUNS[name]())
    read = Reader(text)
    ids = read.ids()
    shown = [one for one in ids if one in SECTIONS]

    assert shown == [one for one in SECTIONS if one in shown]
    assert {"answer", "figure", "hypothesis", "safety", "timeline", "method", "appendix"} <= {
        *shown
    }
    assert len(ids) == len(set(ids)), "an id twice"
    own = {
        one for tag, attrs in read.elements for one in attrs if one in ("src", "srcset", "action")
    }
    assert not own
    links = [a.get("href") or "" for tag, a in read.elements if tag in ("a", "link")]
    assert links
    assert all(link.startswith("#") or (tmp_path / link).exists() for link in links), links
    assert all(link[1:] in ids for link in links if link.startswith("#")), "a link leads nowhere"
    assert not re.search(r"url\(|@import|\bfetch\(|XMLHttpRequest", text)
    labels = [a["aria-labelledby"] for _, a in read.elements if "aria-labelledby" in a]
    assert all(label in ids for label in labels)


def test_only_the_scripts_of_the_page_may_run() -> None:
    found = policy(["alert(1)"])
    digest = base64.b64encode(hashlib.sha256(b"alert(1)").digest()).decode()

    assert f"script-src 'sha256-{digest}';" in found
    assert found.startswith("default-src 'none';")
    assert "unsafe-eval" not in found
    assert "http" not in found


def test_the_hashes_are_those_of_the_scripts_as_they_stand_in_the_file(tmp_path: Path) -> None:
    text = written(tmp_path, RUNS["passed"]())
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)

    assert len(scripts) == 2
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert digest in text.split("</head>")[0].replace("&#43;", "+")


def test_hostile_text_is_never_markup_nor_script(tmp_path: Path) -> None:
    journal = good_run()
    alert(journal, "alert.firing", 20_000, EVIL, {"severity": EVIL})
    journal.note(21_000, "human.note", EVIL, text=EVIL)
    run = timeline(journal, change("run.parts", load=EVIL, toxiproxy={"kind": EVIL}))
    report = report_of(run)
    scenario = replace(
        report.scenario, title=EVIL, service=EVIL, owner=EVIL, hypothesis=EVIL, id=EVIL, file=EVIL
    )
    report = replace(report, scenario=scenario, run_id=EVIL, environment=EVIL)
    text = written(tmp_path, run, report=report)
    usual = written(tmp_path, timeline(good_run()))

    assert text.count("<script") == usual.count("<script")
    assert "<img" not in text
    assert "49" not in Reader(text).text("title"), "a template inside a template"
    spec = re.search(r'id="figure-spec">(.*?)</script>', text, re.DOTALL)
    assert spec is not None
    assert "<" not in spec[1]
    lanes = json.loads(spec[1])["vconcat"][0]["layer"]
    assert "</script>" in str(lanes), "unharmed where it is data"
    assert not [a for _, a in Reader(text).elements if any(n.startswith("on") for n in a)]


def test_the_first_screen_of_a_failure_answers_four_questions(tmp_path: Path) -> None:
    read = Reader(written(tmp_path, RUNS["failed"]()))

    assert read.text("verdict").endswith("FAIL")
    assert "errors were 4.76 %" in read.text("what-failed").lower()
    assert "Users felt it from 0:14.0" in read.text("since-when")
    assert "UTC" in read.text("since-when")
    assert "PaymentsSlow did not fire" in read.text("what-noticed")
    assert "Mend the alert" in read.text("what-next")
    assert "gameday run scenarios/payments-slow.yaml --profile smoke" in read.text("what-next")
    safe = "Nothing is broken any more: faults out and read back at 0:33.0 ("
    assert read.text("safety-line").startswith(safe)
    top = read.ids().index("answer")
    assert all(read.ids().index(one) < top + 16 for one in ("what-failed", "what-next"))


def test_what_may_be_broken_stands_on_top_with_the_command(tmp_path: Path) -> None:
    text = written(tmp_path, RUNS["dirty"]())
    read = Reader(text)

    assert tone_of(text) == "dirty"
    assert "NOT CLEAN" in read.text("verdict")
    assert "gameday recover r1" in read.text("leftovers")
    assert '"proxy": "payments"' in read.text("leftovers")
    assert read.ids().index("leftovers") < read.ids().index("what-failed")
    assert "gameday recover r1" in read.text("what-next")
    assert "gameday run" not in read.text("what-next"), "first it has to be clean"
    assert "NOT shown to be gone" in read.text("safety-line")


def test_a_journal_that_ends_in_the_middle_is_incomplete_and_never_green(tmp_path: Path) -> None:
    for at_ms in (-20, 500, 8_000, 20_000, 40_000):
        text = written(tmp_path, timeline(good_run(), cut(at_ms)))
        read = Reader(text)

        assert "incomplete" in read.text("verdict")
        assert tone_of(text) in ("unknown", "dirty")
        assert "gameday recover" in read.text("what-next")


def test_a_passing_run_is_green_and_has_nothing_to_do(tmp_path: Path) -> None:
    text = written(tmp_path, RUNS["passed"]())
    read = Reader(text)

    assert tone_of(text) == "pass"
    assert re.search(r"Nothing: all \d+ expectations held", read.text("what-failed"))
    assert "Nothing has to be done" in read.text("what-next")
    assert "errors > 50% for 10s" in read.text("table-margins")


def test_a_run_that_proves_nothing_is_never_green(tmp_path: Path) -> None:
    text = written(tmp_path, RUNS["invalid"]())

    assert tone_of(text) == "unknown"
    assert "(not counted)" in Reader(text).text("what-failed")
    assert "Mend what made this run prove nothing" in Reader(text).text("what-next")


def test_the_figure_stands_in_tables_too(tmp_path: Path) -> None:
    read = Reader(written(tmp_path, timeline(good_run(ticks=naive))))

    assert "PaymentsSlow pending from 0:15.0" in read.text("table-figure-events")
    numbers = read.text("table-figure-numbers")
    assert "0:14.0" in numbers
    assert "asked/s" in numbers


def test_writing_again_gives_the_same_bytes_and_leaves_no_drafts(tmp_path: Path) -> None:
    run = RUNS["failed"]()
    written(tmp_path, run)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    written(tmp_path, run)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert {"report.html", "overview.svg", "overview.png"} <= set(before)
    assert b"[![The run at a glance](overview.png)](overview.svg)" in before["report.md"]
    assert before["report.md"].index(b"overview.png") < before["report.md"].index(b"<details>")


def test_a_figure_that_cannot_be_drawn_is_told_and_nothing_else_is_lost(tmp_path: Path) -> None:
    def fails(spec: Any) -> Drawing:
        del spec
        raise DrawingError("no <memory>")

    run = RUNS["failed"]()
    written(tmp_path, run)
    text = written(tmp_path, run, draw=fails)

    assert "could not be drawn: no &lt;memory&gt;" in " ".join(text.split()).replace("No", "no")
    assert Reader(text).text("verdict").endswith("FAIL")
    assert "fault slow" in Reader(text).text("table-figure-events")
    assert "could not be drawn" in (tmp_path / "report.md").read_text()
    assert not (tmp_path / "overview.svg").exists(), "an old picture would lie"
    assert (tmp_path / "result.json").exists()


def test_being_interrupted_while_drawing_costs_the_figure_alone(tmp_path: Path) -> None:
    def interrupted(spec: Any) -> Drawing:
        del spec
        raise KeyboardInterrupt

    assert "It was interrupted" in written(tmp_path, RUNS["passed"](), draw=interrupted)


def test_nothing_is_drawn_where_it_was_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(pages.SWITCH, "off")
    text = written(tmp_path, RUNS["passed"](), draw=lambda _: pytest.fail("drawn"))

    assert "GAMEDAY_FIGURE=off" in Reader(text).text("figure-missing")
    assert "overview" not in (tmp_path / "report.md").read_text()


def test_a_section_that_cannot_be_made_is_told_and_the_others_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "margin_cells", lambda *_: 1 / 0)
    read = Reader(written(tmp_path, RUNS["failed"]()))

    assert "by a bug of ours" in read.text("method")
    assert "table-alerts" in read.ids()
    assert read.text("verdict").endswith("FAIL")


def test_what_goes_wrong_with_the_page_does_not_touch_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RUNS["passed"]()
    judged = Judged(plan=plan(), timeline=run, report=report_of(run))
    for error, told in (
        (RuntimeError("odd"), "by a bug of ours: RuntimeError: odd"),
        (OSError(28, "No space left on device"), "cannot be written: No space left on device"),
        (KeyboardInterrupt(), "interrupted before the page was written"),
    ):
        monkeypatch.setattr(pages, "write_pages", _raises(error))
        app_pages.finish_pages(RunDir(path=tmp_path / "r1"), judged)

        said = capsys.readouterr().err
        assert told in said
        assert "`gameday report r1` makes it again" in said


def _raises(error: BaseException) -> Callable[..., Any]:
    def raising(*_: Any, **__: Any) -> Any:
        raise error

    return raising


def test_an_empty_journal_still_has_a_page(tmp_path: Path) -> None:
    text = written(tmp_path, timeline(good_run(), drop("run.opened", "load.window")))

    assert "There is no figure" in Reader(text).text("figure")


def test_words_become_code_and_weight_and_nothing_else() -> None:
    assert prose("a `b <i>` **c**") == "a <code>b &lt;i&gt;</code> <strong>c</strong>"
    assert prose("`<b>` **<i>**") == "<code>&lt;b&gt;</code> <strong>&lt;i&gt;</strong>"
    assert sentence("p95 was high") == "p95 was high."
    assert sentence("it held") == "It held."
    assert badge("❌ **missed <b>**") == '<span class="badge fail">missed &lt;b&gt;</span>'
    assert json_in_html({"a": "</script>&\u2028\ud800"}) == (
        '{"a":"\\u003c/script\\u003e\\u0026\\u2028?"}'
    )


def results(*names: str) -> list[Any]:
    found = []
    for number, name in enumerate(names):
        report = report_of(RUNS[name]())
        value = json.loads(_json(replace(report, run_id=f"run-{number}")))
        value["started"] = f"2026-11-{10 + number}T10:00:00Z"
        found.append((f"run-{number}", value, "report.html"))
    return found


def _json(report: Any) -> str:
    from gameday.report.json_ import render

    return render(report)


def test_all_runs_stand_newest_first_with_their_colour() -> None:
    text = render_runs([*results("passed", "failed", "dirty", "invalid"), ("odd", None, "")])
    rows = re.findall(r'<tr role="row" data-tone="(\w+)" data-scenario="([^"]*)">', text)

    assert [tone for tone, _ in rows] == ["unknown", "dirty", "fail", "pass", "unknown"]
    assert rows[0][1] == "payments-slow"
    assert "no result" in text
    assert 'href="run-0/report.html"' in text


def test_a_result_of_somebody_else_cannot_break_the_page_of_all_runs() -> None:
    (run,) = results("passed")
    run[1]["scenario"]["title"] = run[1]["verdict"]["reason"] = EVIL
    text = render_runs([run, ("a b/../c", {"verdict": 7}, "report.html"), (EVIL, None, "")])

    assert text.count("<script") == 1
    assert "<img" not in text
    assert 'href="a%20b' in text
    assert "its result.json cannot be read" in text.lower()


def test_the_page_of_all_runs_is_written_beside_them(tmp_path: Path) -> None:
    for name in ("20261122T100000Z-a-0001", "20261122T110000Z-b-0002"):
        where = tmp_path / name
        where.mkdir()
        (where / "journal.jsonl").write_text("")
    (tmp_path / "20261122T110000Z-b-0002" / "result.json").write_text("[broken")
    page = app_pages.write_index(tmp_path)
    text = page.read_text()

    assert page == tmp_path / "index.html"
    assert text.index("2026-11-22 11:00:00") < text.index("2026-11-22 10:00:00")
    assert app_pages.write_index(tmp_path).read_text() == text


def test_the_page_is_shown_in_the_browser_or_its_place_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def browser(url: str) -> bool:
        asked.append(url)
        return len(asked) == 1

    monkeypatch.setattr("webbrowser.open", browser)
    for _ in range(2):
        code = report_command("last", reports=tmp_path, open_it=True, index_only=True)
        assert code == 0

    told = capsys.readouterr()
    assert asked == [(tmp_path / "index.html").as_uri()] * 2
    assert told.out.count(f"wrote {tmp_path / 'index.html'}") == 2
    assert told.err.count("no browser could be opened") == 1


def test_each_kind_of_failure_has_a_next_step_of_its_own() -> None:
    report = report_of(RUNS["failed"]())
    kinds = {
        "answer/right": "put right what shop answered: x",
        "alert/quiet": "see why it fired, then mend it or expect it: x",
        "alert/fired": "mend the alert: x",
        "runbook/linked": "mend the runbook: x",
        "slo/criterion": "find why requests of shop failed or came late, and mend that",
    }
    for check, wanted in kinds.items():
        finding = replace(report.expectations[-1], check=check, subject="", summary="x")
        failed = replace(finding, outcome=Outcome.FAIL)
        steps = answer.next_steps(replace(report, expectations=(failed, failed)))

        assert [step.text for step in steps][:1] == [wanted]
        assert len(steps) == 2, "told once, then the run again"
