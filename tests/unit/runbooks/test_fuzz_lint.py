"""Whatever stands in a runbook: it is read, linted, graded and shown, and nothing is raised."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.adapters.runbook_document import read_document
from gameday.app.runbook_lint import as_github
from gameday.model.runbook import AlertLink, Around
from gameday.runbooks.commands import wanted_programs
from gameday.runbooks.grade import GRADES
from gameday.runbooks.lint import lint
from gameday.runbooks.rules import RULES
from gameday.runbooks.show import as_json, as_text

PIECES = st.sampled_from(
    [
        "---\n",
        "owner: x\n",
        "alerts: [A, 1, {}]\n",
        "last_validated: 2026-01-01T10:00:00Z\n",
        "last_validated: 9999-12-31\n",
        "review_every: 9999y\n",
        "params: {1: 2}\n",
        "? [a, b]\n: c\n",
        "escalation: {to: x, after: 9}\n",
        "&a [*a]\n",
        "<<: {a: b}\n",
        "!!python/object:os.system x\n",
        "# T\n",
        "## Diagnosis\n",
        "Mitigation\n---\n",
        "### 2. Verify\n",
        "## Rollback {#x}\n",
        '```bash {phase=diagnose timeout=0s expect_stdout="("}\n',
        '```sh {"name": 1}\n',
        "```\n",
        "````\n",
        "    indented\n",
        "1. item\n\n   ```console\n   $ ls \\\n   > -l\n",
        "~~~ {timeout\n",
        "kubectl delete pod <a b> $X ${Y:-z} ${Z} {{ q }} $(rm -rf $(cat <<E\n",
        "E\n",
        "if true; then\n",
        "psql -c 'drop table x'\n",
        "ssh h\n",
        "docker exec\n",
        "timeout\n",
        "env -u\n",
        "kubectl exec --\n",
        "[a](b.md#c) ![d](e) <http://[::1> [f](http://u:p@h/)\n",
        "[x]: y\n",
        "<a href='q' id=\"z\">\n",
        "<!-- gameday-lint: ignore link, nope: why -->\n",
        "<!-- gameday-lint: ignore-file text -->\n",
        "| a | b |\n|---|---|\n| TODO | c |\n",
        "password=abc123def456\n",
        "\r",
        "\x00",
        "\u2028",
        "\ufeff",
    ]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=20)), max_size=25).map("".join)


@settings(max_examples=150, deadline=None)
@given(text=TEXTS, day=st.dates())
def test_anything_can_be_linted(text: str, day: date) -> None:
    document = read_document(text, file="a.md", at="/x/a.md")
    scripts = [b.script.text for b in document.blocks if b.script]
    around = Around(
        today=day,
        there={("/x/a.md", "b.md"): ""},
        syntax=dict.fromkeys(scripts[:1], (99, "x")),
        programs=dict.fromkeys(wanted_programs(document), False),
        alerts=(AlertLink(name="A", runbook="", file="r.yml"),),
    )

    found = lint([document], around, pages={"/x/b.md": frozenset()})

    lines = text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
    for finding in found.findings:
        assert finding.rule in RULES
        assert finding.line >= 1
        assert finding.file != "a.md" or finding.line <= lines, finding
    assert found.grades["a.md"].grade in GRADES
    for line in as_json(found, found.findings):
        assert isinstance(json.loads(line), dict)
    for show in (as_text, as_github):
        assert all("\n" not in line and "\x1b" not in line for line in show(found, found.findings))


@pytest.mark.parametrize(
    "piece",
    [
        "<!-- ",
        "--> <!-- ",
        "<a ",
        "a.",
        "eyJaaaaaaaaaa.",
        "A  ",
        "# a\n",
        "```\n```\n",
        "[a](#b)\n",
        "{{ a ",
        "`",
        "<!-- gameday-lint: ignore a ",
        "token=",
        "$(",
        "TODO ",
        "a: b\n",
    ],
)
@pytest.mark.parametrize(
    "head", ["# T\n\n", "# T\n\n```bash\n", "## Diagnosis\n\n```\nkubectl x\n", "---\n"]
)
def test_what_is_repeated_a_thousandfold_is_read_in_time(head: str, piece: str) -> None:
    """Nothing here takes the square of the length: these would not end."""
    document = read_document(head + piece * (40_000 // len(piece)), file="a.md")
    assert lint([document], Around(today=date(2026, 6, 1))).grades["a.md"].grade in GRADES
