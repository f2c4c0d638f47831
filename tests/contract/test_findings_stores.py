"""The findings register: a folder, SQLite, and a real PostgreSQL do the same, and lose nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from findings_postgres import place, server
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gameday.adapters.findings_files import FindingFiles
from gameday.adapters.findings_sql import FindingTable
from gameday.app.finding_acts import exported, imported
from gameday.app.finding_store import store_at
from gameday.errors import UsageError
from gameday.model.finding_codec import CodecError, from_plain, to_plain
from gameday.model.finding_record import (
    Entry,
    EntryKind,
    Evidence,
    FaultStrength,
    FindingClass,
    FindingRecord,
    FindingSeverity,
    FindingState,
    continues,
    fingerprint_of,
    id_of,
    in_findings_order,
)
from gameday.ports import FindingStore

__all__ = ["place", "server"]  # fixtures


def finding(name: str = "shop", *, entries: int = 1) -> FindingRecord:
    fingerprint = fingerprint_of(name, "payments.latency", "x y", FindingClass.CAPACITY)
    first = Entry(
        at="2026-10-01T09:00:00.000Z",
        what=EntryKind.RAISED,
        state=FindingState.OPEN,
        role="gameday",
        severity=FindingSeverity.HIGH,
        due="2026-10-31",
    )
    return FindingRecord(
        id=id_of(fingerprint),
        title=f"{name} is slow",
        service=name,
        failure_mode="payments.latency",
        expectation="x y",
        kind=FindingClass.CAPACITY,
        entries=(first, *(seen_again(n) for n in range(1, entries))),
    )


def seen_again(number: int) -> Entry:
    return Entry(
        at=f"2026-10-01T09:00:00.{number % 1000:03}Z",
        what=EntryKind.SEEN_AGAIN,
        state=FindingState.OPEN,
        role="gameday",
        run=f"run-{number}",
    )


def put(store: FindingStore, *records: FindingRecord) -> tuple[FindingRecord, ...]:
    return store.change([one.id for one in records], lambda _: records)


def test_what_is_stored_is_read_again(place: str) -> None:
    store = store_at(place, Path())
    assert store.all() == ()

    assert put(store, finding("b"), finding("a")) == (finding("b"), finding("a"))
    put(store, finding("a", entries=3))

    assert store_at(place, Path()).all() == in_findings_order(
        [finding("a", entries=3), finding("b")]
    )


def test_what_an_update_raises_leaves_everything_as_it_was(place: str) -> None:
    store = store_at(place, Path())
    put(store, finding())

    def update(stored):  # type: ignore[no-untyped-def]
        yield replace(stored[finding().id], entries=(*finding().entries, seen_again(1)))
        raise UsageError("no")

    with pytest.raises(UsageError, match="no"):
        store.change([finding().id], update)

    assert store.all() == (finding(),)


@pytest.mark.parametrize("how", ["shorter", "another", "stranger"])
def test_nothing_that_was_said_is_lost(place: str, how: str) -> None:
    store = store_at(place, Path())
    put(store, finding(entries=3))
    wrong = {
        "shorter": finding(entries=2),
        "another": replace(finding(entries=3), title="other"),
        "stranger": finding("unasked"),
    }[how]

    with pytest.raises(ValueError, match="would lose"):
        store.change([finding().id], lambda _: [wrong])

    assert store.all() == (finding(entries=3),)


WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from test_findings_stores import finding, seen_again
from gameday.app.finding_store import store_at
store = store_at(sys.argv[1], Path())
base, count = int(sys.argv[2]), int(sys.argv[3])
name = finding().id
def add(number):
    def update(stored):
        one = stored.get(name, finding())
        return [replace(one, entries=(*one.entries, seen_again(number)))]
    store.change([name], update)
for number in range(base, base + count):
    add(number)
"""


def test_two_processes_at_once_lose_nothing(place: str) -> None:
    each = 15
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", WRITER, place]
    writers = [
        subprocess.Popen(
            [*command, str(base), str(each), here],
            env={"PYTHONPATH": f"{here}:{Path(here).parent}", "PATH": "/usr/bin:/bin"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for base in (100, 200)
    ]
    try:
        said = [writer.communicate(timeout=60)[1] for writer in writers]
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()

    assert [writer.returncode for writer in writers] == [0, 0], said
    (record,) = store_at(place, Path()).all()
    wanted = {f"run-{base + n}" for base in (100, 200) for n in range(each)}
    assert record.runs == wanted
    assert len(record.entries) == 1 + 2 * each


# --- nothing is lost between them -----------------------------------------------------------------

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
_NAME = st.from_regex(r"[a-zA-Z0-9<>=%:. _-]{1,20}", fullmatch=True)
_ROLE = st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,10}", fullmatch=True)
_DAY = st.dates().map(lambda day: day.isoformat())
_NUMBER = st.floats(allow_nan=False, allow_infinity=False)
_SCALAR = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _NUMBER | _TEXT
_MOMENT = st.datetimes().map(lambda moment: moment.isoformat() + "Z")
_FAULT = st.builds(
    FaultStrength,
    target=_TEXT,
    kind=_TEXT,
    strengths=st.lists(st.dictionaries(_TEXT, _SCALAR, max_size=3), max_size=2).map(
        lambda rows: tuple(dict(sorted(row.items())) for row in rows)
    ),
    length_ms=st.integers(0, 2**53),
)
_EVIDENCE = st.builds(
    Evidence,
    run=_TEXT, started=_TEXT, scenario=_TEXT, check=_TEXT, expectation=_TEXT,
    limit=st.none() | _NUMBER, least=st.booleans(), summary=_TEXT, environment=_TEXT,
    environment_kind=_TEXT, profile=_TEXT, control=st.booleans(),
    faults=st.lists(_FAULT, max_size=2).map(tuple), fault_ms=st.integers(0, 2**53),
    load_model=_TEXT, load_peak=_NUMBER,
)  # fmt: skip
_ENTRY = st.builds(
    Entry,
    at=_MOMENT, what=st.sampled_from(EntryKind), state=st.sampled_from(FindingState), role=_ROLE,
    why=_TEXT, run=_TEXT, severity=st.none() | st.sampled_from(FindingSeverity),
    owner_team=st.none() | _NAME, due=st.none() | _DAY, until=st.none() | _DAY,
    by=st.none() | _NAME, evidence=st.none() | _EVIDENCE,
)  # fmt: skip


def _possible(entries: list[Entry]) -> tuple[Entry, ...]:
    """As runs and people leave them: `verified` is said by a run, and a failure may keep it."""
    made: list[Entry] = []
    for one in entries:
        kept = bool(made) and made[-1].state is FindingState.VERIFIED
        if one.what is EntryKind.VERIFIED:
            shown = one.evidence or Evidence(run="run-1")
            more = {"state": FindingState.VERIFIED, "run": one.run or "run-1", "evidence": shown}
            one = replace(one, **more)  # type: ignore[arg-type]  # noqa: PLW2901
        elif one.state is FindingState.VERIFIED and not (kept and one.what is EntryKind.SEEN_AGAIN):
            one = replace(one, state=FindingState.OPEN)  # noqa: PLW2901
        made.append(one)
    return tuple(made)


@st.composite
def findings(draw: st.DrawFn) -> FindingRecord:
    kind = draw(st.sampled_from(FindingClass))
    service, mode, expectation = draw(_NAME), draw(_NAME), draw(_NAME)
    first = replace(
        draw(_ENTRY),
        what=EntryKind.RAISED,
        severity=draw(st.sampled_from(FindingSeverity)),
        due=draw(_DAY),
    )
    return FindingRecord(
        id=id_of(fingerprint_of(service, mode, expectation, kind)),
        title=draw(_TEXT),
        service=service,
        failure_mode=mode,
        expectation=expectation,
        kind=kind,
        entries=_possible([first, *draw(st.lists(_ENTRY, max_size=3))]),
    )


_MANY = st.lists(findings(), max_size=3, unique_by=lambda one: one.id)
_SETTINGS = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@_SETTINGS
@given(records=_MANY)
def test_from_store_to_store_and_back_nothing_is_lost(
    records: list[FindingRecord], server: str
) -> None:
    wanted = in_findings_order(records)
    with tempfile.TemporaryDirectory() as folder:
        one: FindingStore = FindingFiles(Path(folder) / "one")
        put(one, *records)
        text = exported(one.all())
        stores: list[FindingStore] = [
            FindingTable.sqlite(Path(folder) / "two.db"),
            FindingTable.postgres(_emptied(server)),
            FindingFiles(Path(folder) / "three"),
        ]
        for store in stores:
            put(store, *imported(text.encode(), "x").values())
            assert store.all() == wanted
            assert exported(store.all()) == text
        for path in (Path(folder) / "one").glob("*.yaml"):
            assert path.read_bytes() == (Path(folder) / "three" / path.name).read_bytes()


def _emptied(url: str) -> str:
    import psycopg

    with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS gameday_findings")
    return f"{url}/postgres"


@_SETTINGS
@given(record=findings())
def test_plain_data_and_back(record: FindingRecord) -> None:
    assert from_plain(to_plain(record)) == record
    assert continues(record, record)


def test_the_top_of_a_file_cannot_say_more_than_its_entries() -> None:
    plain = to_plain(finding())

    with pytest.raises(CodecError, match="its entries say `open`"):
        from_plain({**plain, "state": "verified"})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": "F-000000000000"}, "is not the id of"),
        ({"id": "x"}, "no id of a finding"),
        ({"entries": []}, "is empty"),
        ({"entries": "x"}, "must be a list"),
        ({"class": "odd"}, "there are detection_gap"),
        ({"titel": "x"}, "`titel` means nothing here"),
        ({"title": True}, "must be text"),
    ],
)
def test_what_is_no_finding_says_why(change: dict, said: str) -> None:
    with pytest.raises(CodecError, match=said):
        from_plain({**to_plain(finding()), **change})


def verified(**more: object) -> dict:
    """The plain data of a finding whose last entry is `verified`."""
    plain = to_plain(finding())
    shown = {"run": "run-2", "evidence": {"run": "run-2"}, **more}
    last = {"at": "2026-10-02T09:00:00.000Z", "what": "verified", "state": "verified",
            "role": "gameday"}  # fmt: skip
    last |= {name: value for name, value in shown.items() if value is not None}
    return {**plain, "state": last["state"], "entries": [*plain["entries"], last]}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"run": None}, r"entries\[1\] says `verified`, and not by which `run`"),
        ({"run": ""}, r"entries\[1\] says `verified`"),
        ({"evidence": None}, r"entries\[1\] says `verified`"),
        ({"what": "assigned"}, r"entries\[1\]: `assigned` does not lead to `verified`"),
        ({"what": "seen_again"}, "`seen_again` does not lead to `verified`"),
        ({"state": "open"}, "`verified` does not lead to `open`"),
    ],
)
def test_nobody_makes_a_finding_verified_by_hand(
    tmp_path: Path, more: dict[str, object], said: str
) -> None:
    assert from_plain(verified()).verified_by == "run-2"

    with pytest.raises(CodecError, match=said):
        from_plain(verified(**more))
    path = tmp_path / f"{finding().id}.yaml"
    path.write_text(yaml.safe_dump(verified(**more)))
    with pytest.raises(UsageError, match=said):
        FindingFiles(tmp_path).all()
    document = {"gameday_findings": 1, "findings": [verified(**more)]}
    with pytest.raises(UsageError, match=said):
        imported(json.dumps(document).encode(), "x")


def test_a_failure_that_leaves_it_verified_is_read_again() -> None:
    plain = verified()
    again = {**plain["entries"][1], "what": "seen_again", "run": "run-1"}
    record = from_plain({**plain, "entries": [*plain["entries"], again]})

    assert record.state is FindingState.VERIFIED
    assert from_plain(to_plain(record)) == record


# --- files in git ---------------------------------------------------------------------------------


def git(folder: Path, *arguments: str) -> str:
    options = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=m"]
    return subprocess.run(
        ["git", *options, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_branches_that_change_different_findings_merge_without_a_conflict(tmp_path: Path) -> None:
    store = FindingFiles(tmp_path / "findings")
    put(store, finding("a"), finding("b"))
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    git(tmp_path, "checkout", "-qb", "left")
    put(store, finding("a", entries=2), finding("c"))
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "left")
    git(tmp_path, "checkout", "-q", "m")
    put(store, finding("b", entries=2), finding("d"))
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "right")

    git(tmp_path, "merge", "-q", "left", "-m", "both")

    assert store.all() == in_findings_order(
        [finding("a", entries=2), finding("b", entries=2), finding("c"), finding("d")]
    )
    assert git(tmp_path, "status", "--porcelain") == ""


def test_a_change_of_a_file_is_lines_at_its_end(tmp_path: Path) -> None:
    store = FindingFiles(tmp_path)
    put(store, finding())
    before = (tmp_path / f"{finding().id}.yaml").read_text()
    put(store, finding(entries=2))
    after = (tmp_path / f"{finding().id}.yaml").read_text()

    assert after.startswith(before)
    assert [p.name for p in tmp_path.iterdir()] == [f"{finding().id}.yaml"]
    assert list(yaml.safe_load(after))[:2] == ["id", "title"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<<<<<<< left\nid: x\n=======\n", "not YAML; if git left both sides"),
        ("- 1\n", "no finding: the finding must be a mapping"),
        ("a: !!python/object/apply:os.system [x]\n", "not YAML"),
        ("\xff", "is not UTF-8"),
        ("", "no finding"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / f"{finding().id}.yaml"
    path.write_bytes(text.encode("latin-1"))

    with pytest.raises(UsageError, match=said) as caught:
        FindingFiles(tmp_path).all()

    assert path.name in str(caught.value)


def test_a_file_with_the_name_of_another_finding_is_refused(tmp_path: Path) -> None:
    store = FindingFiles(tmp_path)
    put(store, finding())
    (tmp_path / f"{finding().id}.yaml").rename(tmp_path / f"{finding('b').id}.yaml")

    with pytest.raises(UsageError, match="give it that name"):
        store.all()


# --- databases ------------------------------------------------------------------------------------


def test_a_password_is_in_no_message(server: str) -> None:
    secret = server.partition("shop:")[2].partition("@")[0]
    store = FindingTable.postgres(f"{server}/nowhere")

    with pytest.raises(UsageError, match="does not exist") as caught:
        store.all()

    assert secret not in str(caught.value)
    assert "***" in str(caught.value)


def test_reading_makes_no_database(tmp_path: Path) -> None:
    assert store_at(f"sqlite:{tmp_path / 'none.db'}", Path()).all() == ()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("place", "said"),
    [("mysql://x/y", "is no place for findings"), ("sqlite:", "names no file")],
)
def test_a_place_that_cannot_be_is_refused(place: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        store_at(place, Path())


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("this is text, and long enough to be looked at" * 20)

    with pytest.raises(UsageError, match="not a database"):
        store_at(f"sqlite:{tmp_path / 'x.db'}", Path()).all()
