"""A finding that goes while a run is asked about it: nothing was verified, and that is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from evidence_support import plan, write_run

from gameday.adapters.findings_files import FindingFiles
from gameday.cli.main import run as cli

ADD = (
    "findings", "add", "it was slow", "--service=shop", "--class=resilience_defect",
    "--failure-mode=payments.latency", "--expectation=slo/criterion fault: p95 < 9s",
    "--as=scribe", "--team=team-a",
)  # fmt: skip


@pytest.mark.parametrize("named", [True, False])
def test_a_finding_that_is_gone_by_now_is_not_verified(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    named: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GAMEDAY_FINDINGS", raising=False)
    where = write_run(tmp_path / "reports")
    assert cli([*ADD, f"--scenario={plan().scenario.id}"]) == 0
    (path,) = (tmp_path / "findings").glob("F-*.yaml")
    for words in (("assign",), ("start",), ("claim", "--why", "a timeout")):
        assert cli(["findings", words[0], path.stem, *words[1:]]) == 0, capsys.readouterr().err
    capsys.readouterr()
    change = FindingFiles.change

    def removed_before(store: FindingFiles, *arguments: object) -> object:
        path.unlink()
        return change(store, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(FindingFiles, "change", removed_before)
    more = ["--finding", path.stem] if named else []

    assert cli(["findings", "verify", str(where.path), *more]) == 1

    assert f"{path.stem}  NOT verified: it is gone from findings" in capsys.readouterr().out
