"""A bundle says of itself what is not as it was written: which file, and which event."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from evidence_support import write_run, zipped
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.adapters.evidence_archive import read_archive, read_folder, write_archive
from gameday.app.evidence import BundleRequest, bundle_command, packed, read_bundle, verify_command
from gameday.app.evidence_files import Places, collect
from gameday.app.evidence_verify import Checked, Trust, check_bundle, check_run
from gameday.app.rundir import RunDir
from gameday.cli.main import run as cli
from gameday.errors import RefusedError, UsageError
from gameday.journal import GENESIS, encode, of_bytes
from gameday.model.event import Event
from gameday.programme.evidence.audit import audit
from gameday.programme.evidence.manifest import (
    BYTES_MAX,
    FILES_MAX,
    JOURNAL,
    MANIFEST,
    manifest_of,
    manifest_text,
    name_problem,
)

RUN_ID = "20260101T000001Z-slow-ab01"


@cache
def bundle() -> dict[str, bytes]:
    """The files of one bundle, manifest and all; nobody changes them."""
    with TemporaryDirectory(prefix="gameday-evidence-") as folder:
        collected = collect(write_run(Path(folder, "reports")), Places())
    return packed(collected.run_id, collected.files, missing=collected.missing)


def check(files: dict[str, bytes]) -> Checked:
    return check_bundle(files, Trust())


def line_of(raw: bytes, offset: int) -> int:
    return raw.count(b"\n", 0, offset) + 1


def test_what_was_not_touched_is_whole() -> None:
    found = check(bundle())

    assert found.problems == ()
    assert found.signature == "unsigned"
    assert int(found.exit_code) == 0
    assert found.events == len(of_bytes(bundle()[JOURNAL]).events) > 50
    assert {"about.json", "series.csv", JOURNAL, "run/plan.json", "run/scenario.yaml",
            "run/result.json", "run/evidence/deliveries.jsonl"} <= bundle().keys()  # fmt: skip
    assert not [name for name in bundle() if "token" in name or "owner" in name]


@settings(max_examples=150)
@given(st.data())
def test_any_byte_of_any_file_that_is_flipped_is_found_and_its_file_named(
    data: st.DataObject,
) -> None:
    name = data.draw(st.sampled_from(sorted(n for n, raw in bundle().items() if raw)))
    raw = bytearray(bundle()[name])
    offset = data.draw(st.integers(0, len(raw) - 1))
    raw[offset] ^= data.draw(st.integers(1, 255))

    found = check({**bundle(), name: bytes(raw)})

    assert int(found.exit_code) == 1
    assert name in {problem.file for problem in found.problems}
    if name != MANIFEST:
        assert {problem.file for problem in found.problems} == {name}


@settings(max_examples=250)
@given(st.data())
def test_any_byte_of_the_journal_that_is_flipped_names_its_event(data: st.DataObject) -> None:
    raw = bytearray(bundle()[JOURNAL])
    offset = data.draw(st.integers(0, len(raw) - 1))
    line = line_of(raw, offset)
    raw[offset] ^= data.draw(st.integers(1, 255))

    found = check({**bundle(), JOURNAL: bytes(raw)})

    named = [p for p in found.problems if p.line is not None]
    assert named, found.problems
    assert named[0].line == line
    assert named[0].seq == line - 1
    assert len(named) <= 3  # others are not blamed for it


def test_several_events_that_were_touched_are_all_named() -> None:
    lines = bundle()[JOURNAL].split(b"\n")
    for number in (3, 9, 30):
        lines[number - 1] = lines[number - 1].replace(b'"at_ms":', b'"at_ms":1', 1)

    found = audit(b"\n".join(lines))

    assert [(p.line, p.seq) for p in found.problems] == [(3, 2), (9, 8), (30, 29)]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda lines: [*lines[:5], *lines[6:]], 6),  # one removed
        (lambda lines: [*lines[:5], lines[6], lines[5], *lines[7:]], 6),  # two exchanged
        (lambda lines: [*lines[:5], lines[4], *lines[5:]], 6),  # one twice
        (lambda lines: lines[1:], 1),
    ],
)
def test_lines_that_were_removed_exchanged_or_doubled_are_found(change, line: int) -> None:  # type: ignore[no-untyped-def]
    raw = b"\n".join(change(bundle()[JOURNAL].split(b"\n")))

    found = [p for p in check({**bundle(), JOURNAL: raw}).problems if p.line]

    assert found[0].line == line
    assert "removed or added" in found[0].text


def test_a_line_that_a_crash_tore_is_no_tampering() -> None:
    raw = bundle()[JOURNAL]
    first, second = of_bytes(raw).events[:2]
    one, digest = encode(first, GENESIS)
    two, _ = encode(second, digest)

    found = audit(one + b'{"at_ms":1,"ca' + b"\n" + two)

    assert found.problems == ()
    assert [(row.line, row.seq) for row in found.torn] == [(2, 1)]


def recomputed(raw: bytes) -> bytes:
    """The journal of somebody who knows how the chain is made."""
    prev, out = GENESIS, b""
    for event in of_bytes(raw).events:
        forged = Event(
            **{**{f: getattr(event, f) for f in event.__slots__}, "at_ms": event.at_ms + 1}
        )
        line, prev = encode(forged, prev)
        out += line
    return out


def test_a_journal_computed_anew_is_found_by_the_manifest_and_said_to_be_another() -> None:
    found = check({**bundle(), JOURNAL: recomputed(bundle()[JOURNAL])})

    assert any("computed anew" in problem.text for problem in found.problems)


def test_a_bundle_computed_anew_from_end_to_end_is_not_found_and_verify_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = write_run(tmp_path / "reports")
    where.journal.write_bytes(recomputed(where.journal.read_bytes()))
    assert cli(["report", str(where.path)]) == 0
    out = tmp_path / "forged.zip"
    assert bundle_command(BundleRequest(run=str(where.path), out=out)) == 0
    capsys.readouterr()

    assert verify_command(str(out), reports=tmp_path, trust=Trust()) == 0
    said = capsys.readouterr().out
    assert "unsigned: this shows damage, not a recomputation" in said


def test_missing_added_swapped_and_cut_files_are_each_named_with_what_happened() -> None:
    whole = bundle()
    one, other = "run/summary.txt", "run/report.md"

    gone = check({n: raw for n, raw in whole.items() if n != one})
    assert [str(p) for p in gone.problems] == [f"{one}: is missing"]

    added = check({**whole, "run/extra.txt": b"x"})
    assert [str(p) for p in added.problems] == [
        "run/extra.txt: is not in the manifest: it was added"
    ]

    swapped = check({**whole, one: whole[other], other: whole[one]})
    assert {p.file: p.text for p in swapped.problems} == {
        one: f"was exchanged: it holds what belongs to `{other}`",
        other: f"was exchanged: it holds what belongs to `{one}`",
    }

    renamed = {n: raw for n, raw in whole.items() if n != one} | {"run/other.txt": whole[one]}
    assert f"{one}: is missing; what was in it is in `run/other.txt`" in [
        str(p) for p in check(renamed).problems
    ]

    cut = check({**whole, one: whole[one][:10]})
    assert f"has 10 of {len(whole[one])} bytes" in cut.problems[0].text


def test_a_journal_cut_between_two_lines_is_found_by_its_size() -> None:
    raw = bundle()[JOURNAL]
    cut = raw[: raw.rindex(b"\n", 0, -1) + 1]

    found = check({**bundle(), JOURNAL: cut})

    assert found.problems[0].file == JOURNAL
    assert "cut" in found.problems[0].text


def remanifested(files: dict[str, bytes]) -> dict[str, bytes]:
    """The bundle of somebody who also writes the manifest anew."""
    inner = {n: raw for n, raw in files.items() if n != MANIFEST}
    from gameday import __version__

    return {**inner, MANIFEST: manifest_text(manifest_of(RUN_ID, inner, gameday=__version__))}


def test_a_verdict_that_the_journal_does_not_give_is_found_even_with_a_new_manifest() -> None:
    result = json.loads(bundle()["run/result.json"])
    assert result["verdict"]["outcome"] == "pass"
    result["verdict"]["outcome"] = "fail"
    forged = remanifested({**bundle(), "run/result.json": json.dumps(result).encode()})

    found = check(forged)

    assert [p.file for p in found.problems] == ["run/result.json"]


def test_a_plan_that_was_not_run_is_found_even_with_a_new_manifest() -> None:
    plan = bundle()["run/plan.json"].replace(b'"seed":7', b'"seed":1')
    assert plan != bundle()["run/plan.json"]

    found = check(remanifested({**bundle(), "run/plan.json": plan}))

    assert [p.file for p in found.problems] == ["run/plan.json"]


@pytest.mark.parametrize("name", ["about.json", "series.csv"])
def test_what_is_drawn_from_the_journal_is_drawn_again(name: str) -> None:
    found = check(remanifested({**bundle(), name: bundle()[name].replace(b"1", b"2")}))

    assert [(p.file, p.text) for p in found.problems] == [(name, "is not what the journal gives")]


# -- the archive -----------------------------------------------------------------------------------


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    where = write_run(tmp_path / "reports")
    digests = []
    for name in ("one.zip", "two.zip"):
        assert bundle_command(BundleRequest(run=str(where.path), out=tmp_path / name)) == 0
        digests.append(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
        os.utime(where.journal, (1_000_000, 1_000_000))

    assert digests[0] == digests[1]
    files, around = read_bundle(tmp_path / "one.zip")
    assert around == ()
    assert check(files).problems == ()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("small") / "small.zip"
    inner = {JOURNAL: bundle()[JOURNAL][:600], "run/a.txt": b"abc" * 40}
    write_archive(path, {**inner, MANIFEST: manifest_text(manifest_of("r", inner, gameday="0"))})
    return path.read_bytes()


@settings(max_examples=200)
@given(data=st.data())
def test_any_byte_of_the_archive_itself_that_is_flipped_is_found(
    small: bytes, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    raw = bytearray(small)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.getbasetemp() / "flipped.zip"
    path.write_bytes(raw)

    try:
        files, around = read_bundle(path)
        problems = check_bundle(files, Trust(), around=around).problems
    except RefusedError:
        return
    assert problems


def test_an_archive_that_is_cut_anywhere_is_found(small: bytes, tmp_path: Path) -> None:
    for size in range(0, len(small), 7):
        path = tmp_path / "cut.zip"
        path.write_bytes(small[:size])
        with pytest.raises(RefusedError, match="cut short or damaged"):
            read_bundle(path)


@pytest.mark.parametrize(
    "name",
    ["../evil", "/etc/evil", "run/../../evil", "run\\evil", "C:evil", "run//evil", "run/./a",
     "a" * 201, "a/" * 9 + "b", "run/\x1b[2Jevil", "run/ev\u202eil"],
)  # fmt: skip
def test_names_that_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.zip"
    path.write_bytes(zipped({**bundle(), name: b"x"}))

    def look() -> None:
        files, around = read_bundle(path)
        check_bundle(files, Trust(), around=around)

    with pytest.raises(RefusedError) as caught:
        look()

    assert str(caught.value).isprintable()
    assert not (tmp_path.parent / "evil").exists()
    assert name_problem(name)


def hostile(info: zipfile.ZipInfo, content: bytes = b"/etc/passwd") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(info, content)
    return out.getvalue()


def test_links_folders_bombs_and_doubles_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("run/plan.json")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    bomb = zipfile.ZipInfo("run/bomb")
    bomb.compress_type = zipfile.ZIP_DEFLATED
    many = zipped({f"f{n}": b"" for n in range(FILES_MAX + 1)})
    doubled = io.BytesIO()
    with zipfile.ZipFile(doubled, "w") as archive:
        archive.writestr("A.txt", b"1")
        archive.writestr("a.txt", b"2")
    cases = {
        "a link or a folder": [hostile(link), hostile(zipfile.ZipInfo("run/"), b"")],
        "compressed or encrypted": [hostile(bomb, b"0" * 5_000_000)],
        "too many files": [many],
        "twice": [doubled.getvalue()],
    }
    path = tmp_path / "bad.zip"
    for why, raws in cases.items():
        for raw in raws:
            path.write_bytes(raw)
            with pytest.raises(RefusedError, match=why):
                read_bundle(path)


def test_a_size_that_lies_and_files_that_are_too_big_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.zip"
    raw = bytearray(zipped({"a": b"x" * 50}))
    at = raw.index(b"PK\x01\x02")
    raw[at + 20 : at + 28] = (0x7FFFFFFF).to_bytes(4, "little") * 2
    path.write_bytes(raw)
    with pytest.raises(RefusedError, match="too big"):
        read_bundle(path)
    path.write_bytes(zipped({"a": b"x" * 50}))
    with pytest.raises(RefusedError, match="too big"):
        read_archive(path, files_max=5, bytes_max=40)
    assert BYTES_MAX < 2**31  # what a bundle is read into


def test_bytes_hidden_before_between_and_after_the_files_are_found(
    small: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "hidden.zip"
    for raw in (b"hidden" + small, small + b"hidden"):
        path.write_bytes(raw)
        try:
            _, around = read_bundle(path)
        except RefusedError:
            continue
        assert around == ("the archive around the files is not as gameday writes it",)


def test_an_unpacked_bundle_is_checked_and_links_in_it_are_refused(tmp_path: Path) -> None:
    for name, raw in bundle().items():
        path = tmp_path / "unpacked" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    files, _ = read_bundle(tmp_path / "unpacked")
    assert check(files).problems == ()

    (tmp_path / "unpacked" / "run" / "link").symlink_to("/etc/passwd")
    with pytest.raises(RefusedError, match="link"):
        read_folder(tmp_path / "unpacked", files_max=FILES_MAX, bytes_max=BYTES_MAX)


def test_a_pipe_or_a_folder_is_no_bundle(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RefusedError, match="no file"):
        read_archive(tmp_path / "pipe", files_max=1, bytes_max=1)


# -- what is bundled, and what is not --------------------------------------------------------------


def test_another_file_is_not_overwritten_unless_asked(tmp_path: Path) -> None:
    where = write_run(tmp_path / "reports")
    out = tmp_path / "b.zip"
    out.write_text("mine")
    request = BundleRequest(run=str(where.path), out=out)
    with pytest.raises(UsageError, match="--force"):
        bundle_command(request)
    assert out.read_text() == "mine"

    forced = BundleRequest(run=str(where.path), out=out, force=True)
    assert bundle_command(forced) == 0
    assert bundle_command(request) == 0  # the same bytes are there
    assert not list(tmp_path.glob(".b.zip*"))


def test_a_damaged_journal_and_a_result_that_is_out_of_date_are_not_bundled(
    tmp_path: Path,
) -> None:
    where = write_run(tmp_path / "reports", 1)
    raw = where.journal.read_bytes()
    where.journal.write_bytes(raw.replace(b'"kind":"', b'"kind":"x', 1))
    with pytest.raises(RefusedError, match="line 1 was changed"):
        bundle_command(BundleRequest(run=str(where.path), out=tmp_path / "b.zip"))

    where = write_run(tmp_path / "reports", 2)
    result = json.loads((where.path / "result.json").read_text())
    result["verdict"]["outcome"] = "fail"
    (where.path / "result.json").write_text(json.dumps(result))
    with pytest.raises(RefusedError, match="gameday report"):
        bundle_command(BundleRequest(run=str(where.path), out=tmp_path / "b.zip"))
    assert not (tmp_path / "b.zip").exists()


def test_links_in_a_run_directory_are_not_followed(tmp_path: Path) -> None:
    where = write_run(tmp_path / "reports")
    (where.evidence / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(RefusedError, match="passwd"):
        collect(where, Places())


def test_approvals_and_findings_of_the_run_come_along(tmp_path: Path) -> None:
    approval = tmp_path / "approvals" / "0123456789ab-safety.json"
    approval.parent.mkdir()
    approval.write_bytes(b'{"role":"safety"}')
    approval.with_suffix(".json.sig").write_bytes(b"signature")
    sha256 = hashlib.sha256(approval.read_bytes()).hexdigest()
    rows = [{"role": "safety", "at_wall_ms": 1, "expires_wall_ms": 2, "sha256": sha256,
             "plan_sha256": "p"}, {"role": "owner", "sha256": "f" * 64}]  # fmt: skip
    where = write_run(tmp_path / "reports", opened={"approvals": rows, "change_id": "CHG-7"})
    findings = tmp_path / "findings"
    findings.mkdir()
    (findings / "F-1.yaml").write_text(f"run: {where.run_id}\n")
    (findings / "F-2.yaml").write_text("run: another\n")

    collected = collect(where, Places())

    assert {n for n in collected.files if n.startswith(("approvals/", "findings/"))} == {
        "approvals/0123456789ab-safety.json", "approvals/0123456789ab-safety.json.sig",
        "findings/F-1.yaml",
    }  # fmt: skip
    about = json.loads(collected.files["about.json"])
    assert about["change_id"] == "CHG-7"
    assert about["approvals"][0]["sha256"] == sha256
    assert ["ffffffffffff" in m.why for m in collected.missing if m.what == "approvals/"] == [True]
    checked = check(packed(collected.run_id, collected.files, missing=collected.missing))
    assert checked.problems == ()
    assert "the approval as owner is not here, only its SHA-256" in checked.notes


def test_findings_of_a_copy_under_another_name_and_of_both_registers_come_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = write_run(tmp_path / "reports")
    copied = where.path.rename(tmp_path / "reports" / "kept-for-the-audit")
    for folder, name in (("findings", "F-1.yaml"), ("others", "F-2.yaml")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(f"run: {where.run_id}\n")
    monkeypatch.setenv("GAMEDAY_FINDINGS", str(tmp_path / "others"))

    collected = collect(RunDir(path=copied), Places())

    found = {name for name in collected.files if name.startswith("findings/")}
    assert found == {"findings/F-1.yaml", "findings/F-2.yaml"}

    monkeypatch.setenv("GAMEDAY_FINDINGS", str(tmp_path / "othrs"))
    missing = {m.what: m.why for m in collect(RunDir(path=copied), Places()).missing}
    assert "othrs" in missing["findings/"]
    assert "GAMEDAY_FINDINGS" in missing["findings/"]


def test_a_run_directory_is_checked_as_far_as_it_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = write_run(tmp_path / "reports")
    assert cli(["evidence", "verify", str(where.path)]) == 0
    assert "no manifest" in capsys.readouterr().out

    raw = bytearray(where.journal.read_bytes())
    raw[len(raw) // 2] ^= 1
    where.journal.write_bytes(raw)
    line = line_of(bytes(raw), len(raw) // 2)
    assert cli(["evidence", "verify", str(where.path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["problems"][0]["line"], found["problems"][0]["seq"]) == (line, line - 1)


def with_version(version: str) -> dict[str, bytes]:
    """A result that says that it is of another version."""
    result = json.loads(bundle()["run/result.json"])
    return {**bundle(), "run/result.json": json.dumps({**result, "gameday": version}).encode()}


def test_a_result_of_another_version_than_the_journal_is_found_even_with_a_new_manifest() -> None:
    """Else nobody would compare it, and it could say anything."""
    for found in (check(remanifested(with_version("0.0.9"))), check_run(RUN_ID, with_version("9"))):
        assert [p.file for p in found.problems] == ["run/result.json"]
        assert "the journal is of" in found.problems[0].text
        assert int(found.exit_code) == 1


def test_a_run_of_another_version_is_not_compared() -> None:
    files = {**with_version("0.0.9"), JOURNAL: opened_with(gameday="0.0.9")}

    found = check_run(RUN_ID, files)

    assert found.problems == ()
    assert any("0.0.9" in note for note in found.notes)


def test_what_cannot_be_judged_again_is_not_called_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = write_run(tmp_path / "reports")
    plan = b'{"not": "a plan"}'
    where.plan.write_bytes(plan)
    events = of_bytes(where.journal.read_bytes()).events
    digest, prev, journal = hashlib.sha256(plan).hexdigest(), GENESIS, b""
    for event in events:
        opened = event.kind == "run.opened"
        data = {**event.data, "plan_sha256": digest} if opened else event.data
        line, prev = encode(replace(event, data=data), prev)
        journal += line
    where.journal.write_bytes(journal)

    assert cli(["evidence", "verify", str(where.path)]) == 3
    said = capsys.readouterr().out
    assert "UNJUDGED" in said
    assert "it is not known whether the result is what the journal gives" in said
    assert cli(["evidence", "verify", str(where.path), "--json"]) == 3
    row = json.loads(capsys.readouterr().out)
    assert row["unjudged"]
    assert row["problems"] == []

    inner = {**bundle(), JOURNAL: journal, "run/plan.json": plan}
    path = tmp_path / "forged.zip"
    path.write_bytes(zipped(remanifested(inner)))
    assert cli(["evidence", "verify", str(path)]) == 3
    assert cli(["evidence", "controls", str(path)]) == 2
    assert "could not be judged again" in capsys.readouterr().err


# -- a bundle that somebody made who knows how -----------------------------------------------------


def rewritten(change: Callable[[Event], Event]) -> bytes:
    """A journal whose chain fits, with events that no run writes."""
    prev, out = GENESIS, b""
    for event in of_bytes(bundle()[JOURNAL]).events:
        line, prev = encode(change(event), prev)
        out += line
    return out


def opened_with(**data: object) -> bytes:
    return rewritten(lambda e: replace(e, data={**e.data, **data}) if e.kind == "run.opened" else e)


def nonsense() -> list[dict[str, bytes | None]]:
    return [
        {JOURNAL: b""}, {JOURNAL: b"[]\n"}, {JOURNAL: b"{}\n"}, {JOURNAL: b'{"seq": 1e999}\n'},
        {JOURNAL: b'{"hash": ' + b"[" * 100_000}, {JOURNAL: b"1" * 5_000},
        {JOURNAL: opened_with(approvals=5)}, {JOURNAL: opened_with(approvals=[5, {}])},
        {JOURNAL: opened_with(approvals=[{"at_wall_ms": 10**30, "role": [1]}])},
        {JOURNAL: opened_with(plan_sha256=[1], change_id={"a": 1})},
        {JOURNAL: rewritten(lambda e: replace(e, data={})), "run/plan.json": b"{}"},
        {JOURNAL: rewritten(lambda e: replace(e, data={}))},
        {"run/plan.json": b"[]"}, {"run/plan.json": b"\xff"}, {"run/result.json": b"[1]"},
        {"run/result.json": b'{"gameday": "x"}'}, {"run/result.json": b""},
        {"run/plan.json": None}, {JOURNAL: None}, {JOURNAL: None, "run/plan.json": None},
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(20))
def test_what_fits_its_manifest_and_is_nonsense_is_no_crash(number: int) -> None:
    files = nonsense()[number]
    inner = {n: raw for n, raw in {**bundle(), **files}.items() if raw is not None}
    forged = remanifested(inner)

    found = check(forged)

    assert found.problems or JOURNAL in files  # a recomputation, which is not found
    assert all(str(problem).isprintable() for problem in found.problems)


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[]", b"[" * 100_000, b'{"own_sha256": 1}', b"1" * 5_000, b"\xff"]
)
def test_a_manifest_that_is_nonsense_is_named(raw: bytes) -> None:
    assert check({**bundle(), MANIFEST: raw}).problems[0].file == MANIFEST


def test_a_run_without_a_plan_is_no_crash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = write_run(tmp_path / "reports")
    where.plan.unlink()
    assert cli(["evidence", "verify", str(where.path)]) == 1
    assert "run/plan.json: is missing" in capsys.readouterr().out
    assert cli(["evidence", "bundle", str(where.path)]) == 2
