"""What faults made by somebody else's program, service or function keep to, in all families."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from generic_support import (
    HURRY_MS,
    RUN,
    SECRET,
    Kit,
    command_kit,
    http_kit,
    hurried,
    python_kit,
    takes_at_most,
)

from gameday import registry
from gameday.adapters.generic.fault import GenericFault
from gameday.adapters.generic.undo import UNDOER
from gameday.errors import AdapterError, CannotSeeError, NoEffectError
from gameday.model.faults import call_limit_ms
from gameday.ports import Undo


@pytest.fixture(params=["command", "http", "python"])
def kit(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Kit]:
    monkeypatch.setenv("FLAG_TOKEN_SECRET", SECRET)
    if request.param == "http":
        with http_kit(tmp_path) as made:
            yield made
    else:
        yield {"command": command_kit, "python": python_kit}[request.param](tmp_path)


def limit_s(kit: Kit, timeout_ms: int = HURRY_MS) -> float:
    calls = {name: {"timeout_ms": timeout_ms} for name in kit.calls}
    return call_limit_ms(kit.family, kit.family, calls) / 1000


def test_prepare_changes_nothing(kit: Kit) -> None:
    before = kit.tree()
    undo = kit.fault().prepare()
    assert kit.tree() == before
    assert not kit.switch.exists()
    assert json.loads(json.dumps(undo)) == undo
    assert (undo["kind"], undo["run"], undo["fault"], undo["target"]) == (
        kit.family, RUN, "flag", "shop",
    )  # fmt: skip
    assert set(undo["calls"]) == {"revert", "present"}
    assert registry.undoer(undo["kind"]) is UNDOER
    assert not UNDOER.present(undo)


def test_it_goes_in_and_out_and_is_read_back(kit: Kit) -> None:
    fault = kit.fault()
    undo = fault.prepare()
    facts = fault.inject(undo)
    assert facts["read_back"] is True
    assert "effect" not in facts
    assert kit.switch.exists()
    assert UNDOER.present(undo)
    assert len(kit.notes()) == 1
    UNDOER.revert(undo)
    assert not kit.switch.exists()
    assert not UNDOER.present(undo)
    assert kit.notes() == []


def test_reverting_twice_and_before_the_inject_is_fine(kit: Kit) -> None:
    fault = kit.fault()
    undo = fault.prepare()
    UNDOER.revert(undo)
    fault.inject(undo)
    UNDOER.revert(undo)
    UNDOER.revert(undo)
    assert not UNDOER.present(undo)


def test_revert_works_from_the_record_in_another_process(kit: Kit, tmp_path: Path) -> None:
    fault = kit.fault()
    undo = fault.prepare()
    fault.inject(undo)
    record = tmp_path / "undo.json"
    record.write_text(json.dumps(undo))
    code = (
        "import json, sys; from gameday import registry;"
        "u = json.load(open(sys.argv[1])); r = registry.undoer(u['kind']);"
        "assert r.present(u); r.revert(u); assert not r.present(u)"
    )
    command = [sys.executable, "-W", "ignore::ResourceWarning", "-c", code, str(record)]
    subprocess.run(command, check=True, timeout=60, cwd="/")
    assert not kit.switch.exists()
    assert kit.notes() == []


def test_what_lies_in_the_folder_is_enough(kit: Kit) -> None:
    """The note alone, without a journal."""
    fault = kit.fault()
    fault.inject(fault.prepare())
    (note,) = kit.notes()
    undo = json.loads(note.read_text())["undo"]
    assert UNDOER.present(undo)
    UNDOER.revert(undo)
    assert not UNDOER.present(undo)
    assert kit.notes() == []


def test_what_cannot_be_seen_is_neither_there_nor_gone(kit: Kit) -> None:
    fault = kit.fault()
    undo = fault.prepare()
    for there in (False, True):
        if there:
            fault.inject(undo)
        assert UNDOER.present(undo) is there
        kit.mood("fail", "is-on")
        with pytest.raises(CannotSeeError, match="`present` of fault `flag`"):
            UNDOER.present(undo)
        kit.mood("", "is-on")
        assert UNDOER.present(undo) is there


def test_what_is_in_place_already_is_refused(kit: Kit) -> None:
    kit.switch.touch()
    with pytest.raises(NoEffectError, match="in place already"):
        kit.fault().prepare()
    assert kit.switch.exists()


def test_what_cannot_be_seen_before_is_refused(kit: Kit) -> None:
    kit.mood("fail", "is-on")
    with pytest.raises(NoEffectError, match="cannot be seen before"):
        kit.fault().prepare()


def test_an_inject_that_fails_is_in_doubt_and_owed_a_revert(kit: Kit) -> None:
    fault = kit.fault()
    undo = fault.prepare()
    kit.mood("fail", "on")
    with pytest.raises(AdapterError, match="went wrong") as caught:
        fault.inject(undo)
    assert not isinstance(caught.value, NoEffectError)
    assert len(kit.notes()) == 1
    UNDOER.revert(undo)
    assert kit.notes() == []


def test_an_inject_that_does_nothing_is_found_out(kit: Kit) -> None:
    undo = kit.fault().prepare()
    kit.mood("lazy", "on")
    with takes_at_most(limit_s(kit)), pytest.raises(AdapterError, match="was asked for, but"):
        kit.fault(HURRY_MS).inject(undo)


def test_an_inject_that_answers_before_it_is_so_is_waited_for(kit: Kit) -> None:
    fault = kit.fault()
    undo = fault.prepare()
    kit.mood("later", "on")
    assert fault.inject(undo)["took_ms"] >= 250
    assert kit.switch.exists()


def test_a_revert_that_does_nothing_is_seen(kit: Kit) -> None:
    fault = kit.fault()
    undo = fault.prepare()
    fault.inject(undo)
    kit.mood("lazy", "off")
    with takes_at_most(limit_s(kit)):
        UNDOER.revert(hurried(undo))
        assert UNDOER.present(undo)
    assert len(kit.notes()) == 1


def test_a_revert_that_fails_is_an_error_unless_the_fault_is_gone(kit: Kit) -> None:
    fault = kit.fault()
    undo = fault.prepare()
    fault.inject(undo)
    kit.mood("fail", "off")
    with pytest.raises(AdapterError, match="went wrong"):
        UNDOER.revert(undo)
    kit.switch.unlink()
    assert "went wrong" in UNDOER.revert(undo)["revert_said"]
    assert not UNDOER.present(undo)


def inject_or_mend(fault: GenericFault | None, undo: Undo) -> None:
    """One action of the engine: an inject, or a revert with its read-back."""
    if fault is not None:
        fault.inject(undo)
    else:
        UNDOER.revert(undo)
        UNDOER.present(undo)


@pytest.mark.parametrize("call", ["on", "off", "is-on"])
def test_a_call_that_hangs_ends_in_time(kit: Kit, call: str) -> None:
    fault = kit.fault()
    undo = fault.prepare()
    if call != "on":
        fault.inject(undo)
    kit.mood("hang", call)
    with takes_at_most(limit_s(kit)), pytest.raises(AdapterError, match="within 2 s") as caught:
        inject_or_mend(kit.fault(HURRY_MS) if call == "on" else None, hurried(undo))
    assert not isinstance(caught.value, NoEffectError)
    assert isinstance(caught.value, CannotSeeError) is (call == "is-on")
    kit.mood("", call)
    UNDOER.revert(undo)
    assert not UNDOER.present(undo)


def test_the_effect_is_looked_for(kit: Kit) -> None:
    look = dict(kit.calls["present"])
    fault = kit.fault(effect=look)
    undo = fault.prepare()
    assert fault.inject(undo)["effect"] is True
    UNDOER.revert(undo)
    assert "effect" not in undo["calls"]


def test_a_fault_without_effect_says_so(kit: Kit) -> None:
    nothing: dict[str, Any] = {
        "command": {"run": ["./bin/flag.sh", "what?"]},
        "http": {"url": kit.calls["present"].get("url"), "match": "nothing"},
        "python": {"module": "switches", "func": "off", "match": "nothing"},
    }[kit.family]
    kit.mood("lazy", "off")
    fault = kit.fault(effect={**nothing, "timeout_ms": 500})
    facts = fault.inject(fault.prepare())
    assert (facts["read_back"], facts["effect"]) == (True, False)
    assert "`effect` of fault `flag`" in facts["effect_error"]


def test_secrets_reach_the_call_and_nothing_else(kit: Kit) -> None:
    fault = kit.fault()
    undo = fault.prepare()
    texts = [json.dumps(undo)]
    texts.append(json.dumps(fault.inject(undo)))
    fault, undo = kit.fault(HURRY_MS), hurried(undo)
    texts += [note.read_text() for note in kit.notes()]
    for mood, word in (("fail", "is-on"), ("fail", "off"), ("", "is-on"), ("fail", "on")):
        kit.mood(mood, word)
        for act in (UNDOER.present, UNDOER.revert, fault.inject):
            try:
                texts.append(str(act(undo)))
            except AdapterError as error:
                texts.append(str(error))
    assert any("***" in text for text in texts)
    for text in texts:
        assert SECRET not in text
        assert SECRET.replace("/", "%2F").replace(" ", "%20") not in text
    assert f"token {'Bearer ' if kit.family == 'http' else ''}{SECRET} of" in kit.log


def test_a_secret_that_is_missing_is_refused_before_and_loud_after(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = kit.fault()
    undo = fault.prepare()
    fault.inject(undo)
    monkeypatch.delenv("FLAG_TOKEN_SECRET")
    with pytest.raises(CannotSeeError, match="FLAG_TOKEN_SECRET"):
        UNDOER.present(undo)
    with pytest.raises(AdapterError, match="FLAG_TOKEN_SECRET"):
        UNDOER.revert(undo)
    with pytest.raises(NoEffectError, match="FLAG_TOKEN_SECRET") as caught:
        kit.fault().prepare()
    assert str(caught.value).count("FLAG_TOKEN_SECRET") == 3  # all problems at once
    monkeypatch.setenv("FLAG_TOKEN_SECRET", SECRET)
    UNDOER.revert(undo)
    assert not UNDOER.present(undo)


def test_a_secret_may_lie_in_a_file_of_the_project(kit: Kit) -> None:
    (kit.directory / "token").write_text(f"{SECRET}\n")
    place = {"http": "headers", "command": "env", "python": "secrets"}[kit.family]
    name = {"http": "X-Token", "command": "FLAG_TOKEN", "python": "token"}[kit.family]
    more = {n: {place: {name: {"file": "token"}}} for n in kit.calls}
    fault = kit.fault(**more)
    undo = fault.prepare()
    fault.inject(undo)
    UNDOER.revert(undo)
    assert SECRET not in json.dumps(undo)


def test_a_missing_call_is_named(kit: Kit) -> None:
    kit.calls = {"inject": kit.calls["inject"]}
    with pytest.raises(NoEffectError, match="no call `revert`, `present`"):
        kit.fault().prepare()
