"""Whether evidence is whole: everything that can be computed again is computed again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gameday import __version__
from gameday.errors import GamedayError, RefusedError
from gameday.model.event import Timeline
from gameday.model.verdict import ExitCode
from gameday.programme.evidence.audit import Audit, audit
from gameday.programme.evidence.manifest import (
    ABOUT,
    APPROVALS,
    JOURNAL,
    MANIFEST,
    NOTE,
    PLAN,
    RESULT,
    SERIES,
    SIGNATURE,
    Manifest,
    Problem,
    differences,
    json_text,
    name_problem,
    parse_manifest,
)

UNSIGNED = (
    "unsigned: this shows damage, not a recomputation; whoever can write all of it can make it anew"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Who may have signed. `required` when a bundle without a proven signature is no evidence."""

    signers: Path | None = None
    signer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a look at some evidence found.

    `signature` is `unsigned`, `unproven` (signed, but nobody said who may have) or `proven` (then
    by `signer`). `redacted` are the events out of which something was taken. `unjudged` is why the
    journal could not be judged again, so that its result was compared with nothing; empty if it
    was, or if that was not asked.
    """

    run_id: str
    files: int
    events: int
    last_hash: str
    bundle: bool
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    signature: str
    signer: str | None = None
    is_redacted: bool = False
    redacted: tuple[int, ...] = ()
    unjudged: str = ""

    @property
    def exit_code(self) -> ExitCode:
        """0 whole, 1 not as it was written, 3 signed by nobody knows whom, or not judged again."""
        if self.problems:
            return ExitCode.FAIL
        unknown = self.signature == "unproven" or self.unjudged
        return ExitCode.INCONCLUSIVE if unknown else ExitCode.PASS


def check_bundle(
    everything: Mapping[str, bytes], trust: Trust, *, around: tuple[str, ...] = ()
) -> Checked:
    """Check the files of a bundle; *around* is what was wrong with the archive itself.

    Raises `RefusedError` for what is no bundle: no manifest, or names that lead out of it.
    """
    wrong = next((why for path in everything if (why := name_problem(path))), None)
    if wrong:
        raise RefusedError(f"refused: {wrong}")
    if MANIFEST not in everything:
        raise RefusedError(f"this is no bundle: it has no `{MANIFEST}`")
    try:
        manifest = parse_manifest(everything[MANIFEST])
    except ValueError as error:
        return _without_manifest(everything, str(error), around)
    files = {k: raw for k, raw in everything.items() if k not in (MANIFEST, SIGNATURE)}
    problems = differences(manifest, files)
    signature, signer = _signature(everything, manifest, trust, problems)
    taken = _redacted_events(files, manifest, problems)
    found = _journal(files, problems, redacted=taken)
    problems += _around(around, problems)
    problems += _absent(files, found) if not problems else ()
    notes = [f"not in it: {m.what}: {m.why}" for m in manifest.missing]
    unjudged = ""
    if not problems and not manifest.redacted:
        derived = manifest.gameday == __version__
        unjudged = _cross_checks(files, problems, notes, derived=derived)
    return Checked(
        run_id=manifest.run_id,
        files=len(files),
        events=found.events,
        last_hash=found.last_hash,
        bundle=True,
        problems=tuple(problems),
        notes=tuple(notes),
        signature=signature,
        signer=signer,
        is_redacted=manifest.redacted,
        redacted=taken,
        unjudged=unjudged,
    )


def _absent(files: Mapping[str, bytes], found: Audit) -> list[Problem]:
    """That there is no run in it, whatever its manifest says; also of a redacted copy."""
    absent = [name for name in (JOURNAL, PLAN) if name not in files]
    problems = [Problem(file=n, text="is missing: no run is without it") for n in absent]
    if JOURNAL in files and not found.events:
        problems.append(Problem(file=JOURNAL, text="holds no event"))
    return problems


def _around(around: tuple[str, ...], problems: list[Problem]) -> list[Problem]:
    """What is wrong with the archive; what the manifest has named already is not told twice."""
    named = {p.file for p in problems}
    rows = [text.partition(": ") for text in around]
    found = [Problem(file=a if c else "the archive", text=c or a) for a, _, c in rows]
    return [problem for problem in found if problem.file not in named]


def _without_manifest(
    everything: Mapping[str, bytes], why: str, around: tuple[str, ...]
) -> Checked:
    """Of a bundle whose manifest is damaged only the journal can be looked at."""
    problems = [Problem(file=MANIFEST, text=why)]
    found = _journal(everything, problems, redacted=_taken(everything.get(NOTE, b"")) or ())
    problems += _around(around, problems)
    return Checked(
        run_id="",
        files=len(everything),
        events=found.events,
        last_hash=found.last_hash,
        bundle=True,
        problems=tuple(problems),
        notes=("no other file could be compared with anything",),
        signature="unproven" if SIGNATURE in everything else "unsigned",
    )


def check_run(run_id: str, files: Mapping[str, bytes]) -> Checked:
    """Check a run that is in no bundle: what its journal says of itself and of its plan."""
    problems: list[Problem] = []
    notes = ["it is in no bundle: there is no manifest that the files could be compared with"]
    found = _journal(files, problems, redacted=())
    problems += _absent(files, found) if not problems else ()
    unjudged = ""
    if not problems:
        unjudged = _cross_checks(files, problems, notes, derived=False)
    return Checked(
        run_id=run_id,
        files=len(files),
        events=found.events,
        last_hash=found.last_hash,
        bundle=False,
        problems=tuple(problems),
        notes=tuple(notes),
        signature="unsigned",
        unjudged=unjudged,
    )


def _signature(
    everything: Mapping[str, bytes], manifest: Manifest, trust: Trust, problems: list[Problem]
) -> tuple[str, str | None]:
    from gameday.adapters.evidence_signature import prove_manifest

    raw = everything.get(SIGNATURE)
    if raw is None:
        if manifest.signed:
            problems.append(Problem(file=SIGNATURE, text="is missing: this bundle was signed"))
        elif trust.signers is not None:
            text = "is missing: the bundle is not signed, so none of the signers vouches for it"
            problems.append(Problem(file=SIGNATURE, text=text))
        return "unsigned", None
    if not manifest.signed:
        problems.append(Problem(file=SIGNATURE, text="was added: this bundle was not signed"))
        return "unsigned", None
    try:
        signer = prove_manifest(
            everything[MANIFEST], raw, signers=trust.signers, signer=trust.signer
        )
    except RefusedError as error:
        problems.append(Problem(file=SIGNATURE, text=str(error)))
        return "unproven", None
    return ("proven" if signer else "unproven"), signer


def _journal(
    files: Mapping[str, bytes], problems: list[Problem], *, redacted: tuple[int, ...]
) -> Audit:
    """Add the events that were touched; the journal's own line says which."""
    found = audit(files.get(JOURNAL, b""), redacted=redacted)
    changed = next((p for p in problems if p.file == JOURNAL), None)
    rows = list(found.problems)
    if changed is not None and not rows:
        rows = list(found.torn)
    problems += [Problem(file=JOURNAL, text=r.text, line=r.line, seq=r.seq) for r in rows]
    if changed is not None and not rows and JOURNAL in files:
        text = (
            "every event fits the one before it, so which were changed cannot be told: it is "
            "another journal, or one that was computed anew"
        )
        problems.append(Problem(file=JOURNAL, text=text))
    return found


def _redacted_events(
    files: Mapping[str, bytes], manifest: Manifest, problems: list[Problem]
) -> tuple[int, ...]:
    if not manifest.redacted:
        return ()
    taken = _taken(files.get(NOTE, b""))
    if taken is None:
        text = "cannot be read: it is not known what was taken out"
        problems.append(Problem(file=NOTE, text=text))
    return taken or ()


def _taken(note: bytes) -> tuple[int, ...] | None:
    """The events of which a note of redactions tells; None if it cannot be read."""
    try:
        rows = json.loads(note)["taken"]
        events = {row["event"] for row in rows if row["file"] == JOURNAL}
    except (KeyError, ValueError, TypeError, RecursionError):
        return None
    return tuple(sorted(e for e in events if type(e) is int))


def _cross_checks(
    files: Mapping[str, bytes], problems: list[Problem], notes: list[str], *, derived: bool
) -> str:
    """Whether the files agree with each other: all of it rests on the journal.

    Gives why the journal could not be judged again; empty if it was, or if it was not asked.
    """
    from gameday.journal import of_bytes
    from gameday.programme.evidence.about import approval_rows

    journal = of_bytes(files[JOURNAL])
    if journal.problem is not None or not journal.events:
        text = journal.problem or "holds no event"
        problems.append(Problem(file=JOURNAL, text=text))
        return ""
    timeline = Timeline(journal.events)
    opened = timeline.first("run.opened")
    data = opened.data if opened else {}
    plan_sha256 = hashlib.sha256(files[PLAN].removesuffix(b"\n")).hexdigest()
    if data.get("plan_sha256") != plan_sha256:
        text = "is not the plan that was run: the journal has another SHA-256 of it"
        problems.append(Problem(file=PLAN, text=text))
        return ""
    there = {hashlib.sha256(raw).hexdigest() for p, raw in files.items() if p.startswith(APPROVALS)}
    for row in approval_rows(timeline):
        if row.get("sha256") not in there:
            notes.append(f"the approval as {row.get('role')} is not here, only its SHA-256")
    return _remade(files, problems, notes, derived=derived)


def _remade(
    files: Mapping[str, bytes], problems: list[Problem], notes: list[str], *, derived: bool
) -> str:
    """Judge the journal again, and compare. Gives why that was not possible; empty if it was."""
    try:
        result, drawn = _made_again(files)
    except GamedayError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whoever made it may have put anything into it
        return f"{type(error).__name__}, by a bug of ours or by what is in it"
    if RESULT in files:
        _compare_result(files[RESULT], result, problems, notes)
    for name, raw in drawn.items() if derived else ():
        if name in files and files[name] != raw:
            problems.append(Problem(file=name, text="is not what the journal gives"))
    return ""


def _made_again(files: Mapping[str, bytes]) -> tuple[Mapping[str, Any], Mapping[str, bytes]]:
    """The result that the journal gives, and what is drawn from it."""
    from gameday.app.evidence_files import laid_out
    from gameday.app.judge import judge_run
    from gameday.programme.evidence.about import about, series
    from gameday.report.json_ import render

    with laid_out(files) as where:
        judged = judge_run(where)
    drawn = {
        ABOUT: json_text(about(judged.plan, judged.timeline)),
        SERIES: series(judged.timeline).encode(),
    }
    return json.loads(render(judged.report)), drawn


def _compare_result(
    raw: bytes, made: Mapping[str, Any], problems: list[Problem], notes: list[str]
) -> None:
    """Another verdict than the journal gives is a problem; another number is told.

    The version in a result is that of the run: another one than the journal has was written there
    by somebody, and so is a problem before it is a reason not to compare.
    """
    try:
        said = json.loads(raw)
        verdict = _verdict(said)
    except (ValueError, KeyError, TypeError, RecursionError):
        problems.append(Problem(file=RESULT, text="is no result"))
        return
    if said.get("gameday") != made.get("gameday"):
        text = (
            f"says that it is of gameday {said.get('gameday')}, and the journal is of "
            f"{made.get('gameday')}: it was changed"
        )
        problems.append(Problem(file=RESULT, text=text))
    elif said.get("gameday") != __version__:
        notes.append(
            f"the run is of gameday {said.get('gameday')}, this is {__version__}: "
            "its result was not compared with what the journal gives"
        )
    elif verdict != _verdict(made):
        text = (
            "does not say what the journal gives: its verdict is "
            f"{said['verdict']['outcome']}, that of the journal is {made['verdict']['outcome']}, "
            "or an expectation differs; `gameday report` makes it again"
        )
        problems.append(Problem(file=RESULT, text=text))
    elif said != made:
        differs = sorted(k for k in {*said, *made} if said.get(k) != made.get(k))
        notes.append(
            "the result has the same verdict as the journal gives, and differs in "
            + ", ".join(f"`{name}`" for name in differs)
        )


def _verdict(result: Mapping[str, Any]) -> object:
    rows = [(e["check"], e["subject"], e["outcome"]) for e in result["expectations"]]
    answer = result["verdict"]
    return answer["outcome"], answer["status"], answer["exit_code"], answer["clean"], rows
