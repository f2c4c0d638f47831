"""The page `docs/writing-a-fault.md` is true, and the contract finds every way to break it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from host_support import state, wait

from gameday import registry
from gameday.errors import AdapterError, CannotSeeError, NoEffectError
from gameday.ports import Undo, Undoer
from gameday.testing import contract
from gameday.testing.contract import (
    Case,
    check_all,
    check_hanging,
    check_in_and_out,
    check_nothing_put_in,
)

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "writing-a-fault.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def python_files() -> dict[str, str]:
    """The blocks of Python on the page, by the name in their first line."""
    found = [text for language, text in BLOCKS if language == "python"]
    return {text.partition("\n")[0].removeprefix("# "): text for text in found}


def install(folder: Path, module: str) -> None:
    """The page's package in *folder*, with the entry point of its `pyproject.toml`."""
    (folder / "switches.py").write_text(module)
    (block,) = (text for language, text in BLOCKS if language == "toml")
    groups = tomllib.loads(block)["project"]["entry-points"]
    lines = [
        line
        for group, rows in groups.items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in rows.items()))
    ]
    info = folder / "switches-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: switches\nVersion: 1\n")
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


# -- the page ---------------------------------------------------------------------------------


def test_the_example_keeps_the_contract_as_the_page_says(tmp_path: Path) -> None:
    files = python_files()
    assert set(files) == {"switches.py", "test_switches.py", "hung.py"}
    install(tmp_path, files["switches.py"])
    (tmp_path / "test_switches.py").write_text(files["test_switches.py"])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_switches.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_the_way_to_hang_a_server_is_one() -> None:
    names: dict[str, Any] = {}
    exec(compile(python_files()["hung.py"], "hung.py", "exec"), names)
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            with names["hung"](process.pid):
                wait(lambda: state(process.pid) == "T")
            wait(lambda: state(process.pid) == "S")
        finally:
            process.kill()


def test_the_tables_name_what_there_is() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    checks = [name for name in rows if name.startswith("check_")]
    assert [getattr(contract, name) for name in checks] == [
        check_nothing_put_in,
        check_in_and_out,
        check_hanging,
    ]
    assert [name for name in rows if name in {f.name for f in fields(Case)}] == [
        f.name for f in fields(Case)
    ]
    for path in re.findall(r"`((?:gameday|tests|docs)/[\w./]+)`", PAGE):
        assert (ROOT / path).exists(), path


# -- what the checks find ---------------------------------------------------------------------


@dataclass(frozen=True)
class Mutant:
    """The page's example with a line or two changed, and what is said of it."""

    name: str
    old: str
    new: str
    said: str
    also: tuple[str, str] | None = None

    @property
    def module(self) -> str:
        text = python_files()["switches.py"]
        for old, new in ((self.old, self.new), *([self.also] if self.also else ())):
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        return text


REVERT = "        switch(undo, on=True)\n"
INJECT = "        switch(undo, on=False)\n"
RECORD = '"target": "shop",'
MUTANTS = [
    Mutant("prepare-acts", "            off = UNDOER", "            switch(undo, on=False)\n"
           "            off = not UNDOER", "prepare changed something"),
    Mutant("no-json", RECORD, RECORD + ' "path": self._file,', "cannot be stored as JSON"),
    Mutant("not-the-same-json", RECORD, RECORD + ' "two": (1, 2),', "different when read again"),
    Mutant("no-target", RECORD, "", "no text under `target`"),
    Mutant("facts-are-no-json", 'return {"read_back": True}', 'return {"read_back": {1, 2}}',
           "the facts of inject cannot be stored"),
    Mutant("inject-forgets", f"{INJECT}        if not UNDOER.present(undo)", "        if False",
           "its effect is not to be felt"),
    Mutant("present-never", "        if not UNDOER.present(undo)", "        if False",
           "with the fault in, `present` says False",
           also=(" is False\n", " is None\n")),
    Mutant("present-always", "        if off:", "        if False:",
           "before the inject, `present` says True",
           also=(" is False\n", " is not None\n")),
    Mutant("revert-forgets", REVERT, "        pass\n", "in the new process, `present` says True"),
    Mutant("revert-from-memory", REVERT, f"        if MEMORY:\n    {REVERT}",
           "in the new process, `present` says True",
           also=("        self._file", "        MEMORY.append(1)\n        self._file")),
    Mutant("revert-acts", REVERT, REVERT +
           '        Path(undo["file"]).with_name("reverted").write_text("{}")\n',
           "a revert without an inject changed something"),
    Mutant("revert-leaves-something", REVERT, "        off = UNDOER.present(undo)\n" + REVERT +
           '        if off: Path(undo["file"]).with_name("left").write_text("{}")\n',
           "after the revert in a new process, something is not as it was"),
    Mutant("revert-only-once", REVERT, "        MEMORY.append(1)\n"
           "        switch(undo, on=len(MEMORY) < 2)\n",
           "after the second revert, `present` says True"),
]  # fmt: skip


@contextmanager
def imported(folder: Path, text: str) -> Iterator[ModuleType]:
    install(folder, text + "\n\nMEMORY: list[int] = []\n")
    sys.path.insert(0, str(folder))
    invalidate_caches()
    try:
        yield import_module("switches")
    finally:
        sys.path.remove(str(folder))
        del sys.modules["switches"]


def case_of(module: ModuleType, folder: Path) -> Case:
    folder.mkdir()
    file = folder / "features.json"
    file.write_text('{"checkout": true, "search": false}')
    return Case(
        make=lambda: module.SwitchedOff(file, "checkout"),
        snapshot=lambda: {p.name: json.loads(p.read_text()) for p in folder.iterdir()},
        broken=lambda: not json.loads(file.read_text())["checkout"],
        limit_s=5,
        felt_s=0.3,
    )


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_a_fault_that_breaks_the_contract_is_found(tmp_path: Path, mutant: Mutant) -> None:
    with imported(tmp_path, mutant.module) as module:
        case = case_of(module, tmp_path / "shop")
        with pytest.raises(AssertionError, match=mutant.said):
            check_all(case)


# -- with another side that hangs -------------------------------------------------------------


class World:
    """Something at the other end of a wire, which can hang."""

    def __init__(self) -> None:
        self.on, self.hangs, self.late = False, False, False

    @contextmanager
    def hang(self) -> Iterator[None]:
        self.hangs = True
        try:
            yield
        finally:
            self.hangs = False
            self.on = self.on or self.late

    def ask(self, error: type[Exception]) -> None:
        if self.hangs:
            raise error("no answer in time")


class Remote:
    """A fault and its undoer that keep the contract; the mutants below change one call."""

    def __init__(self, world: World) -> None:
        self.world = world

    def prepare(self) -> Undo:
        self.world.ask(NoEffectError)
        return {"kind": "remote", "target": "t"}

    def inject(self, undo: Undo) -> Mapping[str, Any]:
        self.world.ask(AdapterError)
        self.world.on = True
        return {}

    def revert(self, undo: Undo) -> Mapping[str, Any]:
        self.world.ask(AdapterError)
        self.world.on = False
        return {}

    def present(self, undo: Undo) -> bool:
        self.world.ask(CannotSeeError)
        return self.world.on


def raises(error: Exception) -> Callable[[World], Any]:
    def call(world: World) -> Any:
        raise error

    return call


def says(what: object) -> Callable[[World], Any]:
    return lambda world: what


def lands_late(world: World) -> Any:
    world.late = True
    raise NoEffectError("nothing came of it")


def never_ends(world: World) -> Any:
    wait(lambda: not world.hangs, within_s=60)


def remote(
    monkeypatch: pytest.MonkeyPatch, call: str = "", hung: Callable[[World], Any] | None = None
) -> Case:
    """A case whose *call* does something else while the world hangs."""
    world = World()
    monkeypatch.setattr(contract, "SLACK_S", 0.2)

    class Mutated(Remote):
        pass

    if hung is not None:
        right = getattr(Remote, call)

        def wrong(self: Remote, *undo: Undo) -> Any:
            return hung(world) if world.hangs else right(self, *undo)

        setattr(Mutated, call, wrong)
    made: Undoer = Mutated(world)
    monkeypatch.setattr(contract, "undoer", lambda kind: made)
    return Case(
        make=lambda: Mutated(world),
        snapshot=lambda: world.on,
        broken=lambda: world.on,
        hang=world.hang,
        limit_s=0.3,
        felt_s=0.3,
    )


def test_a_fault_that_says_what_it_knows_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    check_hanging(remote(monkeypatch))


@pytest.mark.parametrize(
    ("call", "hung", "said"),
    [
        ("prepare", says({"kind": "remote", "target": "t"}), "prepare says that all is well"),
        ("prepare", raises(TimeoutError("slow")), "prepare raises TimeoutError"),
        ("prepare", never_ends, "prepare has not ended after 0.5 s"),
        ("inject", says({}), "inject says that all is well"),
        ("inject", raises(OSError("gone")), "inject raises OSError, which is no GamedayError"),
        ("inject", never_ends, "inject has not ended"),
        ("inject", lands_late, r"inject raised NoEffectError .* but its effect is to be felt"),
        ("revert", says({}), "revert says that all is well"),
        ("revert", raises(KeyError("x")), "revert raises KeyError"),
        ("revert", never_ends, "revert has not ended"),
        ("present", says(False), "in doubt, and nothing answers, but `present` says False"),
        ("present", raises(AdapterError("?")), "present raises AdapterError, which is no Cannot"),
        ("present", never_ends, "present has not ended"),
    ],
)
def test_a_call_that_does_wrong_in_a_hang_is_found(
    monkeypatch: pytest.MonkeyPatch, call: str, hung: Callable[[World], Any], said: str
) -> None:
    with pytest.raises(AssertionError, match=said):
        check_hanging(remote(monkeypatch, call, hung))


def test_a_fault_that_cannot_be_taken_out_after_a_hang_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = remote(monkeypatch)
    mender = contract.undoer("remote")
    monkeypatch.setattr(type(mender), "revert", lambda self, undo: raises(AdapterError("no"))(self))
    with pytest.raises(AssertionError, match="after the hang, it cannot be taken out: no"):
        check_hanging(case)


def test_only_with_the_fault_in_a_wrong_answer_is_found_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An inject that is sure of itself makes False right; with the fault in it is wrong."""
    case = remote(monkeypatch, "present", says(False))
    fault = type(case.make())
    right = fault.inject

    def sure(self: Any, undo: Undo) -> Any:
        self.world.ask(NoEffectError)
        return right(self, undo)

    monkeypatch.setattr(fault, "inject", sure)
    with pytest.raises(AssertionError, match="with the fault in, and nothing answers"):
        check_hanging(case)


def test_what_happened_once_is_no_trouble_for_the_next_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = remote(monkeypatch)
    once: list[bool] = []

    def happened() -> bool:
        once.extend([True] if case.broken() else [])
        return bool(once)

    once.append(True)
    with pytest.raises(AssertionError, match="its effect is to be felt"):
        check_hanging(replace(case, broken=happened))
    check_hanging(replace(case, broken=happened, lasts=False))


def test_a_case_without_another_side_has_nothing_to_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    check_hanging(Case(make=lambda: pytest.fail("made"), snapshot=dict, broken=bool))


def test_the_registry_finds_the_kind_of_a_package(tmp_path: Path) -> None:
    with imported(tmp_path, python_files()["switches.py"]) as module:
        assert registry.undoer("switched-off") is module.UNDOER
        assert "switched-off" in registry.undo_kinds()
