"""`evidence controls`: which controls a run's evidence supports, and what is missing."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files as package_files
from pathlib import Path

from gameday.app.evidence import read_bundle
from gameday.app.evidence_files import Places, collect, laid_out
from gameday.app.evidence_verify import Trust, check_bundle
from gameday.app.judge import judge_run
from gameday.app.rundir import RunDir, find
from gameday.errors import RefusedError, UsageError
from gameday.model.verdict import ExitCode
from gameday.programme.evidence.controls import (
    Control,
    controls_json,
    controls_markdown,
    read_controls,
    supported,
)
from gameday.programme.evidence.drills import read_plain
from gameday.programme.evidence.items import Known, items_of
from gameday.programme.evidence.manifest import DRILLS, MANIFEST, RUN


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlsRequest:
    """Of which run or bundle, and for which frameworks; none means all."""

    what: str
    reports: Path = Path("reports")
    frameworks: tuple[str, ...] = ()
    places: Places = field(default_factory=Places)
    signers: Path | None = None


def controls_command(request: ControlsRequest, *, as_json: bool = False) -> ExitCode:
    """Print the tables."""
    table = _chosen(all_controls(), request.frameworks)
    known = _known(request)
    rows = supported(table, items_of(known))
    render = controls_json if as_json else controls_markdown
    sys.stdout.write(render(known.report.run_id, rows))
    return ExitCode.PASS


def _known(request: ControlsRequest) -> Known:
    path = Path(request.what)
    if path.is_file() or (path / MANIFEST).is_file():
        return _of_bundle(path, request.signers)
    where = find(request.what, request.reports)
    return _known_of(where, collect(where, request.places).files, None)


def _of_bundle(path: Path, signers: Path | None) -> Known:
    """Of a bundle that is whole, and of which nothing was taken out. Raises `RefusedError`."""
    files, around = read_bundle(path)
    checked = check_bundle(files, Trust(signers=signers), around=around)
    if checked.problems:
        raise RefusedError(f"`{path.name}` is not whole: {checked.problems[0]}")
    if checked.is_redacted:
        raise RefusedError(f"`{path.name}` is redacted: ask for the table of what it was made from")
    if checked.unjudged:
        raise RefusedError(f"`{path.name}` could not be judged again: {checked.unjudged}")
    with laid_out(files) as where:
        return _known_of(where, files, checked.signer)


def _known_of(where: RunDir, files: Mapping[str, bytes], signer: str | None) -> Known:
    judged = judge_run(where)
    return Known(
        plan=judged.plan,
        timeline=judged.timeline,
        report=judged.report,
        files=frozenset(files),
        reviewed=_reviewed(files.get(f"{RUN}postmortem.md")),
        signer=signer,
        restore=read_plain(files.get(DRILLS, b"")),
    )


def all_controls() -> tuple[Control, ...]:
    """The table of controls that comes with gameday."""
    source = package_files("gameday.programme.evidence").joinpath("controls.json")
    return read_controls(source.read_text(encoding="utf-8"))


def _chosen(table: tuple[Control, ...], frameworks: tuple[str, ...]) -> tuple[Control, ...]:
    known = list(dict.fromkeys(control.framework for control in table))
    wrong = [name for name in frameworks if name not in known]
    if wrong:
        names = ", ".join(f"`{name}`" for name in known)
        raise UsageError(f"there is no framework `{wrong[0]}`; there are {names}")
    return tuple(c for c in table if not frameworks or c.framework in frameworks)


def _reviewed(postmortem: bytes | None) -> bool:
    """Whether people have made it theirs: a draft still has the heading of a draft."""
    from gameday.report.postmortem import HEADING

    return postmortem is not None and not postmortem.startswith(HEADING.encode())
