"""Two hundred runbooks with planted defects: what is found is exactly what was planted."""

from __future__ import annotations

import os
import time
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from runbook_writer import SECRET, STYLES, Folder, write

from gameday.app.runbook_lint import LintRequest, as_github, run_lint
from gameday.runbooks.lint import Linted
from gameday.runbooks.rules import RULES
from gameday.runbooks.show import as_json, as_text

TODAY = date(2026, 6, 1)
GOLDEN = Path(__file__).parents[2] / "golden" / "runbooks"
#: They need the world: a host that answers, a file that is no text.
ELSEWHERE = {
    "link/remote", "alert/unseen-runbook", "file/unreadable", "front/unreadable",
    "mutation/verify",
}  # fmt: skip


def linted(
    seed: int, count: int, place: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Folder, Linted]:
    folder = write(seed, count)
    runbooks = place / "runbooks"
    (runbooks / "pages").mkdir(parents=True)
    (runbooks / "pages" / "ops.md").write_text("# Ops\n\n## Restart\n")
    for page in folder.pages:
        (runbooks / f"{page.name}.md").write_text(page.text())
    (place / "gameday.yaml").write_text(
        "gameday: 1\nenvironments: {local: {}}\nrunbook_commands: [kubectl, psql, journalctl, sudo,"
        " ssh, systemctl, curl, tail, awk, grep, watch, timeout]\n"
    )
    (runbooks / "rules.yml").write_text(folder.rules)
    monkeypatch.chdir(runbooks)
    request = LintRequest(
        paths=[Path(f"{page.name}.md") for page in folder.pages], rules=[Path("rules.yml")]
    )
    return folder, run_lint(request, today=TODAY)


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 12))]
)
def test_the_findings_are_exactly_what_was_planted(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.monotonic()
    folder, found = linted(seed, 200, tmp_path, monkeypatch)

    got = sorted((f.file, f.line, f.rule) for f in found.findings)
    wrong, absent = (
        Counter(got) - Counter(folder.expected()),
        Counter(folder.expected()) - Counter(got),
    )
    assert (sorted(wrong.elements()), sorted(absent.elements())) == ([], [])
    assert len(got) > 1000
    if seed == 1:  # which has all of them; the dice of another may leave one out
        assert set(RULES) - {rule for *_, rule in got} == ELSEWHERE
    assert time.monotonic() - began < 60  # about three seconds on an idle machine


def test_what_is_said_of_each_style(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, found = linted(7, 2 * len(STYLES), tmp_path, monkeypatch)

    for name, show in (
        ("findings.txt", as_text),
        ("findings.jsonl", as_json),
        ("github.txt", as_github),
    ):
        said = "\n".join(show(found, found.findings)) + "\n"
        assert SECRET not in said
        golden = GOLDEN / name
        if os.environ.get("GAMEDAY_UPDATE"):
            golden.parent.mkdir(parents=True, exist_ok=True)
            golden.write_text(said)
        assert said == golden.read_text(), name
    assert any(SECRET in page.text() for page in folder.pages)
