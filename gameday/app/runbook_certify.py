"""`runbook certify`: write into a runbook that a run has proven it. No other byte is changed."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from gameday.app.judge import Judged, judge_run
from gameday.app.runbook_proof import runbook_file
from gameday.app.rundir import find
from gameday.errors import RefusedError, UsageError
from gameday.model.proof import ProofWord, RunbookProof
from gameday.model.verdict import ExitCode, Finding, Outcome, RunStatus
from gameday.runbooks.seal import WRITTEN, content_sha256

CHECK = "runbook/proven"
_FRONT = re.compile(
    r"\A\ufeff?---[ \t]*\r?\n(?P<body>.*?)^(?P<end>---|\.\.\.)[ \t\r]*$", re.S | re.M
)


def certify_command(run: str, runbook: Path, *, reports: Path) -> int:
    """Certify *runbook* by a run. Raises `RefusedError` when that run did not prove this text."""
    where = find(run, reports)
    judged = judge_run(where)
    proof, file = _meant(judged, runbook)
    _refuse_unless_proven(judged, proof)
    text = file.read_bytes().decode("utf-8")
    if proof.content_sha256 not in (content_sha256(text), content_sha256(_without_ours(text))):
        raise RefusedError(
            f"`{runbook}` was changed since run {where.run_id} proved it; prove it again"
        )
    made = certified(text, day=judged.report.started[:10], run=where.run_id)
    file.write_bytes(made.encode("utf-8"))
    sys.stdout.write(f"{runbook}: proven on {judged.report.started[:10]} by {where.run_id}\n")
    return int(ExitCode.PASS)


def certified(text: str, *, day: str, run: str) -> str:
    """*text* with what a validation writes: keys that are there in their place, others at the end.

    A text without front matter gets one. Line ends stay what they are.
    """
    newline = "\r\n" if "\r\n" in text.partition("\n")[0] + "\n" else "\n"
    if _FRONT.match(text) is None:
        mark = "\ufeff" if text.startswith("\ufeff") else ""
        text = f"{mark}---{newline}---{newline}{newline}{text.removeprefix(mark)}"
    values = {"last_validated": day, "validated_run": run}
    text = _written(text, values, newline)
    return _written(text, {"validated_sha256": content_sha256(text)}, newline)


def _without_ours(text: str) -> str:
    """*text* without a front matter that holds nothing but what a validation wrote."""
    front = _FRONT.match(text)
    if front is None:
        return text
    keys = {line.partition(":")[0].strip() for line in front["body"].split("\n") if line.strip()}
    return text[front.end() :].lstrip("\r\n") if keys <= set(WRITTEN) else text


def _written(text: str, values: Mapping[str, str], newline: str) -> str:
    front = _FRONT.match(text)
    if front is None:
        raise AssertionError("the front matter is gone")
    begin, end = front.span("body")
    body = text[begin:end]
    for key, value in values.items():
        line = f"{key}: {value}"
        pattern = re.compile(rf"^{key}[ \t]*:[^\r\n]*", re.M)
        if re.search(rf"^{key}[ \t]*:[^\n]*\n[ \t]+\S", body, re.M):
            raise RefusedError(f"`{key}` takes several lines in the front matter; make it one line")
        if pattern.search(body):
            body = pattern.sub(lambda _, new=line: new, body, count=1)  # type: ignore[misc]
        else:
            body += line + newline
    return text[:begin] + body + text[end:]


def _meant(judged: Judged, runbook: Path) -> tuple[RunbookProof, Path]:
    """The runbook of the plan that is this file."""
    plan = judged.plan
    for proof in plan.runbooks:
        file = runbook_file(Path(plan.directory), plan.runbook_folders, proof.path)
        if file is not None and runbook.exists() and file == runbook.resolve():
            return proof, file
    known = ", ".join(f"`{proof.path}`" for proof in plan.runbooks) or "none"
    raise UsageError(f"`{runbook}` is no runbook that this run was to prove; those are: {known}")


def _refuse_unless_proven(judged: Judged, proof: RunbookProof) -> None:
    found: Finding | None = next(
        (f for f in judged.report.expectations if (f.check, f.subject) == (CHECK, proof.path)),
        None,
    )
    fine = (Outcome.PASS, Outcome.SKIP)
    verdict = judged.report.verdict
    if verdict.status is not RunStatus.COMPLETED or not verdict.clean:
        raise RefusedError(f"the run is no evidence: {verdict.reason}")
    if any(f.outcome not in fine for f in judged.report.validity):
        raise RefusedError(f"the run could show nothing: {verdict.reason}")
    if found is None or found.facts.get("verdict") != ProofWord.PROVEN.value:
        said = found.summary if found is not None else "nothing was said of it"
        raise RefusedError(f"the run did not prove `{proof.path}`: {said}")
