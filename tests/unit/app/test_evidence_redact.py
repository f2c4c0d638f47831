"""A redacted copy: without what was named, wherever it stands, and honest about it."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from evidence_support import write_run
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday import __version__
from gameday.app.evidence import BundleRequest, bundle_command, read_bundle
from gameday.app.evidence_redact import RedactRequest, redact_command
from gameday.app.evidence_verify import Checked, Trust, check_bundle
from gameday.app.rundir import RunDir
from gameday.cli.main import run as cli
from gameday.errors import RefusedError, UsageError
from gameday.model.event import Event
from gameday.programme.evidence.manifest import (
    JOURNAL,
    MANIFEST,
    NOTE,
    PLAN,
    manifest_of,
    manifest_text,
)
from gameday.programme.evidence.redaction import CHAIN, parse_field

SECRET = "Zoë Müller of “Payments”"
NOTES = (
    Event(kind="human.note", subject="scribe", data={"text": f"asked {SECRET} to look"}),
    Event(kind="human.note", subject="scribe", data={"text": "calm", "who": SECRET}),
    Event(kind="human.decide", subject="commander", data={"text": "go on", SECRET: 1}),
)


def a_run(folder: Path) -> RunDir:
    where = write_run(folder / "reports", more=NOTES)
    (folder / "findings").mkdir()
    (folder / "findings" / "F-1.yaml").write_text(
        f"run: {where.run_id}\nseen_by: {SECRET}\n", encoding="utf-8"
    )
    return where


def redacted(where: RunDir, out: Path, *fields: str) -> dict[str, bytes]:
    assert redact_command(RedactRequest(what=str(where.path), fields=fields, out=out)) == 0
    files, around = read_bundle(out)
    assert around == ()
    return files


def check(files: dict[str, bytes]) -> Checked:
    return check_bundle(files, Trust())


@cache
def copy() -> dict[str, bytes]:
    with TemporaryDirectory(prefix="gameday-redacted-") as name:
        folder = Path(name)
        return redacted(a_run(folder), folder / "copy.zip", "human.note:data.who")


def test_what_was_named_stands_nowhere_in_any_form() -> None:
    for name, raw in copy().items():
        for form in (SECRET, json.dumps(SECRET)[1:-1], "Zoë", "Zo\\u00eb"):
            assert form.encode() not in raw, (name, form)
    assert b"human.note" in copy()[JOURNAL]
    assert b"asked redacted sha256:" in copy()[JOURNAL]
    assert not [name for name in copy() if name.endswith((".html", ".md", ".xml", ".svg"))]


def test_the_note_tells_what_was_taken_by_hash_and_from_where() -> None:
    note = json.loads(copy()[NOTE])
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    rows = [row for row in note["taken"] if "whole" not in row]
    assert {row["sha256"] for row in rows} == {digest}
    assert {row["file"] for row in rows} >= {JOURNAL, "findings/F-1.yaml"}
    whole = [row["file"] for row in note["taken"] if "whole" in row]
    assert {"run/report.md", "run/junit.xml", "run/summary.txt"} <= set(whole)
    assert note["original"][JOURNAL] != hashlib.sha256(copy()[JOURNAL]).hexdigest()


def test_verify_says_redacted_and_which_events(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = a_run(tmp_path)
    out = tmp_path / "copy.zip"
    redacted(where, out, "human.note:data.who")
    capsys.readouterr()

    assert cli(["evidence", "verify", str(out)]) == 0
    said = capsys.readouterr().out
    assert "redacted: something was taken out" in said
    found = check(read_bundle(out)[0])
    assert found.is_redacted
    last = found.events - 1
    assert found.redacted == (last - 2, last - 1, last)


@settings(max_examples=100)
@given(st.data())
def test_a_byte_that_is_flipped_in_a_copy_is_found(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(n for n, raw in copy().items() if raw)))
    raw = bytearray(copy()[name])
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))

    found = check({**copy(), name: bytes(raw)})

    assert name in {problem.file for problem in found.problems}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({JOURNAL: None}, "run/journal.jsonl: is missing: no run is without it"),
        ({PLAN: None}, "run/plan.json: is missing: no run is without it"),
        ({JOURNAL: b""}, "run/journal.jsonl: holds no event"),
        ({JOURNAL: b"", PLAN: None}, "run/plan.json: is missing: no run is without it"),
    ],
)
def test_a_copy_without_a_run_in_it_is_not_whole(
    change: dict[str, bytes | None], problem: str
) -> None:
    """Whoever leaves them out can also write a manifest that does not name them."""
    files = {**copy(), **change}
    inner = {n: raw for n, raw in files.items() if raw is not None and n != MANIFEST}
    manifest = manifest_of("x", inner, gameday=__version__, redacted=True)

    found = check({**inner, MANIFEST: manifest_text(manifest)})

    assert problem in [str(one) for one in found.problems]
    assert int(found.exit_code) == 1


def test_an_event_that_was_not_redacted_is_still_named() -> None:
    lines = copy()[JOURNAL].split(b"\n")
    lines[4] = lines[4].replace(b'"at_ms":', b'"at_ms":1', 1)

    found = check({**copy(), JOURNAL: b"\n".join(lines)})

    assert [(p.line, p.seq) for p in found.problems if p.line] == [(5, 4)]


def test_an_event_cannot_be_called_redacted_afterwards() -> None:
    note = json.loads(copy()[NOTE])
    note["taken"].append({"file": JOURNAL, "field": "data", "sha256": "0" * 64, "event": 4})

    found = check({**copy(), NOTE: json.dumps(note).encode()})

    assert NOTE in {problem.file for problem in found.problems}


def test_the_original_stays_as_it_is(tmp_path: Path) -> None:
    where = a_run(tmp_path)
    bundle = tmp_path / "whole.zip"
    bundle_command(BundleRequest(run=str(where.path), out=bundle))
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

    redact_command(RedactRequest(what=str(bundle), fields=("data.who",), out=tmp_path / "copy.zip"))

    assert {p: p.read_bytes() for p in before} == before
    for out in (bundle, tmp_path / "link.zip"):
        if out != bundle:
            out.symlink_to(bundle)
        with pytest.raises(UsageError, match="never takes the place"):
            redact_command(
                RedactRequest(what=str(bundle), fields=("data.who",), out=out, force=True)
            )
    assert bundle.read_bytes() == before[bundle]


def test_from_a_run_and_from_its_bundle_comes_the_same_copy(tmp_path: Path) -> None:
    where = a_run(tmp_path)
    bundle = tmp_path / "whole.zip"
    bundle_command(BundleRequest(run=str(where.path), out=bundle))
    one, other = tmp_path / "one.zip", tmp_path / "other.zip"
    redact_command(RedactRequest(what=str(bundle), fields=("data.who",), out=one))
    redact_command(RedactRequest(what=str(where.path), fields=("data.who",), out=other))
    assert one.read_bytes() == other.read_bytes()


def test_a_field_of_raw_payloads(tmp_path: Path) -> None:
    files = redacted(a_run(tmp_path), tmp_path / "copy.zip", "labels.instance")

    assert not [name for name, raw in files.items() if b"db-7.example.org" in raw]
    (line,) = files["run/evidence/deliveries.jsonl"].splitlines()
    assert json.loads(line)["body"]["labels"]["instance"].startswith("redacted sha256:")
    assert check(files).problems == ()


def test_numbers_and_whole_parts_are_taken_where_they_are_named_only(tmp_path: Path) -> None:
    files = redacted(a_run(tmp_path), tmp_path / "copy.zip", "run.opened:data.seed", "body")

    first = json.loads(files[JOURNAL].split(b"\n")[0])
    assert first["data"]["seed"].startswith("redacted sha256:")
    assert json.loads(files["run/plan.json"])["seed"] == 7
    assert check(files).problems == ()


@pytest.mark.parametrize("name", sorted(CHAIN))
def test_what_the_chain_rests_on_cannot_be_taken_out(name: str) -> None:
    with pytest.raises(UsageError, match="chain"):
        parse_field(name)


@pytest.mark.parametrize("text", ["", " ", "a b", ".a", "a..b", "note:text:x", "Note:a"])
def test_what_names_no_field_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="names no field"):
        parse_field(text)


def test_a_field_that_stands_nowhere_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = a_run(tmp_path)
    out = tmp_path / "copy.zip"
    arguments = ["evidence", "redact", str(where.path), "-o", str(out)]
    assert cli([*arguments, "--field", "data.who", "--field", "data.whom"]) == 2
    assert "`data.whom` stands nowhere" in capsys.readouterr().err
    assert not out.exists()


def test_what_cannot_be_taken_out_everywhere_writes_nothing(tmp_path: Path) -> None:
    note = Event(kind="human.note", subject="scribe", data={"text": "run.opened"})
    where = write_run(tmp_path / "reports", more=(note,))
    with pytest.raises(UsageError, match="still stands"):
        redacted(where, tmp_path / "copy.zip", "human.note:data.text")
    assert not (tmp_path / "copy.zip").exists()


def test_a_copy_of_a_copy_and_of_something_damaged_is_refused(tmp_path: Path) -> None:
    where = a_run(tmp_path)
    out = tmp_path / "copy.zip"
    redacted(where, out, "data.who")
    again = RedactRequest(what=str(out), fields=("data.text",), out=tmp_path / "two.zip")
    with pytest.raises(RefusedError, match="redacted already"):
        redact_command(again)
    raw = bytearray(out.read_bytes())
    raw[raw.index(b'"kind":"run.opened"')] ^= 1
    out.write_bytes(raw)
    with pytest.raises(RefusedError, match="not whole"):
        redact_command(again)
