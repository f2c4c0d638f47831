"""Each rule of the lint has a page, and what the page shows is what the rule does."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gameday.app.runbook_lint import LintRequest, run_lint
from gameday.runbooks.grade import GRADES
from gameday.runbooks.rules import RULES

DOCS = Path(__file__).parents[2] / "docs"
PAGES = DOCS / "runbook-lint"
TODAY = date(2026, 6, 1)
WIKI = "https://wiki.example.org"
HEADINGS = ("Why", "The rules", "Bad", "Good", "What to do")
_HEADING = re.compile(rf"^## ({'|'.join(HEADINGS)})$", re.MULTILINE)
_MARKDOWN = re.compile(r"^````markdown\n(.*?)^````$", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"^```(yaml|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A page, taken apart."""

    intro: str
    headings: tuple[str, ...]
    bad: str
    finds: list[str]
    good: str
    rules: str
    good_rules: str


def example(rule: str) -> Example:
    text = (PAGES / f"{rule.replace('/', '-')}.md").read_text("utf-8")
    intro, *rest = _HEADING.split(text)
    parts = dict(zip(rest[::2], rest[1::2], strict=True))
    rules = _fence(parts.get("The rules", ""), "yaml")
    bad = _markdown(parts["Bad"])
    good = _MARKDOWN.search(parts["Good"])
    return Example(
        intro=intro,
        headings=tuple(parts),
        bad=bad,
        finds=_fence(parts["Bad"], "text").splitlines(),
        good=good[1] if good else bad,
        rules=rules,
        good_rules=_fence(parts["Good"], "yaml") or rules,
    )


def _markdown(text: str) -> str:
    match = _MARKDOWN.search(text)
    assert match is not None
    return match[1]


def _fence(text: str, language: str) -> str:
    """The fence outside of the examples."""
    return next((m[2] for m in _FENCE.finditer(_MARKDOWN.sub("", text)) if m[1] == language), "")


class _Wiki(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/there" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(name="wiki")
def _wiki() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Wiki) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder to write examples into, and a wiki that they link to."""

    folder: Path
    wiki: str
    monkeypatch: pytest.MonkeyPatch


@pytest.fixture(name="place")
def _place(wiki: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(folder=tmp_path, wiki=wiki, monkeypatch=monkeypatch)


def findings(rule: str, text: str, rules: str, place: Place) -> list[str]:
    folder, wiki = place.folder, place.wiki
    runbooks = folder / "runbooks"
    runbooks.mkdir(parents=True)
    (folder / "gameday.yaml").write_text(
        "gameday: 1\nenvironments: {local: {}}\n"
        "runbook_hosts: [127.0.0.1]\nrunbook_commands: [kubectl, psql, curl]\n"
    )
    (runbooks / "example.md").write_text(text.replace(WIKI, f"http://{wiki}"), "utf-8")
    (runbooks / "other.md").write_text("# Other\n\n## Restart\n")
    if rules:
        (runbooks / "rules.yml").write_text(rules)
    place.monkeypatch.chdir(runbooks)
    # a comment is unused only where its rule was asked for
    select = (rule, "text") if rule == "ignore/unused" else (rule,)
    request = LintRequest(
        paths=(Path("example.md"), *([Path("other.md")] if "other.md" in rules else [])),
        rules=(Path("rules.yml"),) if rules else (),
        select=select,
    )
    return [
        f"{f.file}:{f.line}: {f.message}".replace(f"http://{wiki}", WIKI)
        for f in run_lint(request, today=TODAY).findings
    ]


def test_every_rule_has_a_page_and_every_page_a_rule() -> None:
    assert {p.stem for p in PAGES.glob("*.md")} == {rule.replace("/", "-") for rule in RULES}


@pytest.mark.parametrize("rule", RULES)
def test_a_page_says_what_its_rule_is(rule: str) -> None:
    page = example(rule)

    what = RULES[rule].what
    assert page.intro.startswith(f"# `{rule}`\n\n{what[0].upper()}{what[1:]}.")
    article = {"error": "An error", "warning": "A warning", "note": "A note"}
    assert page.intro.rstrip().endswith(f". {article[RULES[rule].level.value]}.")
    needed = [h for h in HEADINGS if h != "The rules" or rule.startswith("alert/")]
    assert page.headings == tuple(needed)


@pytest.mark.parametrize("rule", RULES)
def test_the_bad_text_gives_exactly_the_findings(rule: str, place: Place) -> None:
    page = example(rule)

    found = findings(rule, page.bad, page.rules, place)

    assert found == page.finds
    assert found


@pytest.mark.parametrize("rule", RULES)
def test_the_good_text_gives_none(rule: str, place: Place) -> None:
    page = example(rule)

    assert (page.good, page.good_rules) != (page.bad, page.rules)
    assert findings(rule, page.good, page.good_rules, place) == []


def test_the_main_page_lists_all_rules_and_grades() -> None:
    text = (DOCS / "runbook-lint.md").read_text("utf-8")

    for rule, row in RULES.items():
        link = f"[`{rule}`](runbook-lint/{rule.replace('/', '-')}.md)"
        assert f"| {link} | {row.level.value} | {row.what} |" in text
    for grade, what in GRADES.items():
        assert f"| {grade} | {what} |" in text
