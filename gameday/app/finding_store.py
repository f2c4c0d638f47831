"""Which findings register is meant: a folder, a SQLite file, or a PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from gameday.app.projects import project_at
from gameday.errors import UsageError
from gameday.model.finding_record import FindingRecord, FindingsPolicy
from gameday.ports import FindingStore

_LEAST_OF_AN_ID = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """A store with the policy that holds for it."""

    store: FindingStore
    policy: FindingsPolicy


def register_of(*, store: str | None = None, project: Path | None = None) -> Register:
    """The register that `--store` names, else that of the project, else the folder `findings`.

    A path given here is relative to where we are, one of the project file to its folder. Raises
    `ScenarioError` where the project file has errors, `UsageError` for a place that cannot be.
    """
    from gameday.scenario.build import find_project

    path = project or find_project(Path.cwd())
    policy, base = FindingsPolicy(), Path()
    if path is not None:
        read = project_at(path)
        policy, base = read.findings, Path(read.directory)
    if store:
        policy, base = replace(policy, store=store), Path()
    return Register(store=store_at(policy.store, base), policy=policy)


def store_at(place: str, base: Path) -> FindingStore:
    """The store at *place*, whose path is relative to *base*."""
    from gameday.adapters.findings_files import FindingFiles
    from gameday.adapters.findings_sql import FindingTable

    kind, colon, rest = place.partition(":")
    if colon and kind in ("postgresql", "postgres"):
        return FindingTable.postgres(place)
    if colon and kind == "sqlite":
        if not rest.removeprefix("//"):
            raise UsageError("`sqlite:` names no file; write `sqlite:findings.db`")
        return FindingTable.sqlite(base / rest.removeprefix("//"))
    if "://" in place:
        raise UsageError(
            f"`{kind}://` is no place for findings; write a folder, `sqlite:FILE`, or "
            "`postgresql://host/database`"
        )
    return FindingFiles(base / place)


def found(store: FindingStore, text: str) -> FindingRecord:
    """The finding that *text* means: its id, or the beginning of it, with or without `F-`."""
    wanted = text if text.startswith("F-") else f"F-{text}"
    records = store.all()
    close = [one for one in records if one.id == wanted]
    if len(wanted) >= _LEAST_OF_AN_ID + len("F-"):
        close = close or [one for one in records if one.id.startswith(wanted)]
    if len(close) == 1:
        return close[0]
    if close:
        names = ", ".join(one.id for one in close[:5])
        raise UsageError(f"`{text}` means several findings ({names}); write more of the id")
    raise UsageError(
        f"there is no finding `{text}` in `{store.name}`; `gameday findings list --all` has all; "
        f"write an id, or at least {_LEAST_OF_AN_ID} characters of one"
    )
