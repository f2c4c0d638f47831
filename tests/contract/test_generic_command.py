"""Faults by a program: what may run, in what surroundings, and that it always ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from generic_support import FAKE_KUBECTL, HURRY_MS, Kit, command_kit, program, takes_at_most

from gameday.adapters.generic.fault import GenericFault
from gameday.adapters.generic.undo import UNDOER
from gameday.errors import AdapterError, CannotSeeError, NoEffectError
from gameday.model.project import Target
from gameday.model.scenario import ActionSpec, FaultSpec


@pytest.fixture
def kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kit:
    monkeypatch.setenv("FLAG_TOKEN_SECRET", "s3cr3t")
    return command_kit(tmp_path)


def of(directory: Path, commands: tuple[str, ...] = (), **calls: dict[str, Any]) -> GenericFault:
    options = {name: {"timeout_ms": 10_000, **call} for name, call in calls.items()}
    action = ActionSpec(family="command", type="command", options=options)
    spec = FaultSpec(id="it", target="shop", action=action)
    return GenericFault(directory, "run-1", Target(name="shop"), spec, commands=commands)


def script(directory: Path, name: str, text: str) -> list[str]:
    program(directory / name, f"#!/bin/sh\n{text}\n")
    return [f"./{name}"]


def wait_until(what: str, condition: Callable[[], bool], within_s: float = 120.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


# -- what may run -----------------------------------------------------------------------------


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "on", "#!/bin/sh\n")
    (tmp_path / "bin" / "plain").write_text("not executable")
    fault = of(
        tmp_path,
        ("./bin/on", "./bin/plain", "/no/such/program", "../outside"),
        inject={"run": ["./bin/on"], "env": {"TOKEN": {"env": "GAMEDAY_TEST_NOT_SET"}}},
        revert={"run": ["./bin/off"], "cwd": "../.."},
        present={"run": ["./bin/plain"], "stdout": "(", "gone_exit": [0]},
        effect={"run": ["../outside"]},
    )
    with pytest.raises(NoEffectError) as caught:
        fault.prepare()
    text = str(caught.value)
    for words in (
        "`inject`: the secret in `GAMEDAY_TEST_NOT_SET` is missing",
        "`revert`: `./bin/off` is not in the `commands`",
        "`revert`: `cwd: ../..` is no folder in the project",
        "`present`: there is no program `./bin/plain` here that can be run",
        "`present`: `stdout: (` is not a regular expression",
        "`present`: exit code 0 cannot stand in both",
        "`effect`: `../outside` leads out of the project",
    ):
        assert words in text
    with pytest.raises(NoEffectError, match="`run` has to be a list of words"):
        of(tmp_path, inject={"run": "rm -rf"}, revert={"run": []}, present={}).prepare()


def test_only_the_exact_word_is_allowed(kit: Kit) -> None:
    for commands in ((), ("bin/flag.sh",), ("./bin",), ("./bin/flag.sh on",), ("sh",)):
        kit.commands = commands
        with pytest.raises(NoEffectError, match="not in the `commands`"):
            kit.fault().prepare()


def test_a_link_out_of_the_project_is_not_followed(kit: Kit, tmp_path: Path) -> None:
    (tmp_path / "bin" / "flag.sh").unlink()
    (tmp_path / "bin" / "flag.sh").symlink_to("/bin/true")
    with pytest.raises(NoEffectError, match="leads out of the project"):
        kit.fault().prepare()


def test_the_allow_list_counts_at_the_undo_too(kit: Kit) -> None:
    fault = kit.fault()
    undo = dict(fault.prepare())
    fault.inject(undo)
    forged = {**undo, "calls": {**undo["calls"], "revert": {"run": ["rm", "-f", "switch"]}}}
    with pytest.raises(AdapterError, match="`rm` is not in the `commands`"):
        UNDOER.revert(forged)
    assert kit.switch.exists()


def test_a_program_that_is_missing_at_the_undo_is_loud(kit: Kit, tmp_path: Path) -> None:
    fault = kit.fault()
    undo = fault.prepare()
    fault.inject(undo)
    (tmp_path / "bin" / "flag.sh").rename(tmp_path / "bin" / "away")
    kit.switch.unlink()  # gone or not: whoever cannot look must not say so
    with pytest.raises(AdapterError, match=r"`revert` of .*no program `./bin/flag.sh`"):
        UNDOER.revert(undo)
    with pytest.raises(CannotSeeError, match=r"no program `./bin/flag.sh`"):
        UNDOER.present(undo)
    assert kit.notes()


def test_a_project_folder_that_is_gone_is_loud(kit: Kit, tmp_path: Path) -> None:
    fault = kit.fault()
    undo = {**fault.prepare(), "directory": str(tmp_path / "moved")}
    with pytest.raises(AdapterError):
        UNDOER.revert(undo)
    with pytest.raises(CannotSeeError):
        UNDOER.present(undo)


def test_an_inject_that_cannot_be_started_changed_nothing(kit: Kit, tmp_path: Path) -> None:
    fault = kit.fault()
    undo = fault.prepare()
    (tmp_path / "bin" / "flag.sh").write_bytes(b"\0\0no program")
    with pytest.raises(NoEffectError, match="could not be started: exec format error"):
        fault.inject(undo)
    assert kit.notes() == []


def test_a_program_on_path_is_found_from_another_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Undo must not depend on the PATH, HOME or folder of whoever undoes."""
    tools = tmp_path / "tools"
    program(
        tools / "flagctl", '#!/bin/sh\necho "$HOME" >> home\n[ "$1" = is-on ] && exit 1\nexit 0'
    )
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", "/home/before")
    calls = {n: {"run": ["flagctl", w]} for n, w in (("revert", "off"), ("present", "is-on"))}
    undo = of(project, ("flagctl",), inject={"run": ["flagctl", "on"]}, **calls).prepare()
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("HOME", "/home/after")
    monkeypatch.chdir("/")
    UNDOER.revert(json.loads(json.dumps(undo)))
    assert UNDOER.present(undo) is False
    assert set((project / "home").read_text().split()) == {"/home/before"}


# -- in what surroundings ---------------------------------------------------------------------


def test_the_environment_is_small_and_standard_input_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing of theirs")
    monkeypatch.setenv("OTHER", "other value")
    look = script(tmp_path, "look.sh", "cat; pwd > where; env > env.txt; exit 1")
    (tmp_path / "sub").mkdir()
    env = {"FLAG": "of ours", "NAMED": {"env": "OTHER"}}
    call = {"run": [*look, "$HOME", "; touch bad", "*"], "env": env}
    of(tmp_path, ("./look.sh",), inject=call, revert=call, present=call).prepare()
    seen = dict(
        line.partition("=")[::2] for line in (tmp_path / "env.txt").read_text().splitlines()
    )
    passed = {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR"}
    of_the_shell = {"PWD", "OLDPWD", "SHLVL", "_"}
    assert set(seen) <= passed | of_the_shell | {"FLAG", "NAMED", "GAMEDAY_RUN", "GAMEDAY_FAULT"}
    assert (seen["FLAG"], seen["NAMED"]) == ("of ours", "other value")
    assert (seen["GAMEDAY_RUN"], seen["GAMEDAY_FAULT"]) == ("run-1", "it")
    assert (tmp_path / "where").read_text().strip() == str(tmp_path)
    assert not (tmp_path / "bad").exists()


def test_it_runs_in_the_folder_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    look = script(tmp_path, "look.sh", "pwd > where; exit 1")
    call = {"run": look, "cwd": "sub"}
    of(tmp_path, ("./look.sh",), inject=call, revert=call, present=call).prepare()
    assert (tmp_path / "sub" / "where").read_text().strip() == str(tmp_path / "sub")


@pytest.mark.parametrize(
    ("present", "text", "sees"),
    [
        ({}, "exit 0", True),
        ({}, "exit 1", False),
        ({}, "exit 2", None),
        ({}, "kill -9 $$", None),
        ({"exit": [3], "gone_exit": [4, 5]}, "exit 3", True),
        ({"exit": [3], "gone_exit": [4, 5]}, "exit 5", False),
        ({"exit": [3], "gone_exit": [4, 5]}, "exit 0", None),
        ({"exit": [137]}, "kill -9 $$", True),
        ({"stdout": "^bad$"}, "echo good; echo bad", True),
        ({"stdout": "^bad$"}, "echo not bad", False),
        ({"stdout": "bad"}, "echo bad >&2", False),
        ({"stdout": "bad"}, "exit 1", None),  # kubectl without a cluster ends with 1
        ({"stdout": "bad", "gone_exit": [1]}, "exit 1", False),
        ({"stdout": "bad"}, "echo bad; exit 1", None),
        ({"stdout": "first"}, "echo first; head -c 3000000 /dev/zero | tr '\\0' x", None),
        ({"stdout": "last$"}, "head -c 3000000 /dev/zero | tr '\\0' x; echo last", True),
    ],
)
def test_what_present_says(
    tmp_path: Path, present: dict[str, Any], text: str, sees: bool | None
) -> None:
    there = script(tmp_path, "there.sh", "exit 1")
    calls = {name: {"run": there} for name in ("inject", "revert", "present")}
    undo = dict(of(tmp_path, ("./there.sh",), **calls).prepare())
    script(tmp_path, "there.sh", text)
    look = {"run": there, "timeout_ms": 10_000, **present}
    undo = {**undo, "calls": {**undo["calls"], "present": look}}
    if sees is None:
        with pytest.raises(CannotSeeError):
            UNDOER.present(undo)
    else:
        assert UNDOER.present(undo) is sees


def test_an_error_shows_the_last_words_and_not_more(tmp_path: Path) -> None:
    look = script(tmp_path, "there.sh", "seq 1 100000; echo the reason >&2; exit 7")
    calls = {name: {"run": look} for name in ("inject", "revert", "present")}
    with pytest.raises(NoEffectError, match="exit code 7") as caught:
        of(tmp_path, ("./there.sh",), **calls).prepare()
    assert "the reason" in str(caught.value)
    assert len(str(caught.value)) < 2_600


# -- it always ends ---------------------------------------------------------------------------


def test_what_ignores_sigterm_is_killed_with_its_children(tmp_path: Path) -> None:
    text = "trap '' TERM; sleep 600 & echo $! > child; echo $$ > self; while :; do sleep 600; done"
    look = script(tmp_path, "there.sh", text)
    calls = {n: {"run": look, "timeout_ms": HURRY_MS} for n in ("inject", "revert", "present")}
    with takes_at_most(3), pytest.raises(NoEffectError, match="did not end within"):
        of(tmp_path, ("./there.sh",), **calls).prepare()
    for name in ("child", "self"):
        pid = int((tmp_path / name).read_text())
        wait_until(f"{name} is gone", lambda pid=pid: not alive(pid))


@pytest.mark.parametrize("leave", ["sleep 60 &", "setsid sleep 60 &", "(yes &) ; sleep 0.1"])
def test_a_grandchild_that_holds_the_pipe_is_not_waited_for(tmp_path: Path, leave: str) -> None:
    look = script(tmp_path, "there.sh", f"{leave}\necho $! > child\nexit 1")
    calls = {n: {"run": look, "timeout_ms": 30_000} for n in ("inject", "revert", "present")}
    with takes_at_most(5):
        undo = of(tmp_path, ("./there.sh",), **calls).prepare()
    assert undo["calls"]["present"]["timeout_ms"] == 30_000
    child = (tmp_path / "child").read_text().strip()
    if child:  # it may be the fault itself: it goes on
        assert alive(int(child))
        os.kill(int(child), signal.SIGKILL)


def test_a_program_that_never_stops_talking_ends_in_time(tmp_path: Path) -> None:
    look = script(tmp_path, "there.sh", "trap '' TERM PIPE; yes; exit 1")
    calls = {n: {"run": look, "timeout_ms": HURRY_MS} for n in ("inject", "revert", "present")}
    with takes_at_most(4), pytest.raises(NoEffectError, match="did not end within"):
        of(tmp_path, ("./there.sh",), **calls).prepare()


RUNNER = """
import json, sys
from pathlib import Path
from gameday.adapters.generic.fault import GenericFault
from gameday.model.project import Target
from gameday.model.scenario import ActionSpec, FaultSpec

calls = json.loads(sys.argv[2])
spec = FaultSpec(id="it", target="shop", action=ActionSpec(
    family=sys.argv[3], type=sys.argv[3], options=calls))
fault = GenericFault(Path(sys.argv[1]), "run-1", Target(name="shop"), spec,
                     commands=("./slow.sh", "./there.sh", "python:slowly"))
fault.inject(fault.prepare())
"""
SLOWLY = """
import os, time
from pathlib import Path

HERE = Path(__file__).parent

def inject():
    (HERE / "begun").write_text(str(os.getpid()))
    time.sleep(3)
    (HERE / "switch").touch()

def revert():
    (HERE / "switch").unlink(missing_ok=True)

def present():
    return (HERE / "switch").exists()
"""


@pytest.mark.parametrize("family", ["command", "python"])
def test_no_inject_goes_on_after_its_runner(tmp_path: Path, family: str) -> None:
    """Else it would land when somebody has taken the fault out already."""
    slow = script(tmp_path, "slow.sh", "echo $$ > new; mv new begun; sleep 3; touch switch")
    there = script(tmp_path, "there.sh", "test -e switch")
    (tmp_path / "slowly.py").write_text(SLOWLY)
    names = ("inject", "revert", "present")
    runs = {"inject": slow, "revert": ["./there.sh"], "present": there}
    calls: dict[str, Any] = {
        "command": {n: {"run": runs[n], "timeout_ms": 20_000} for n in names},
        "python": {n: {"module": "slowly", "func": n, "timeout_ms": 20_000} for n in names},
    }[family]
    command = [sys.executable, "-c", RUNNER, str(tmp_path), json.dumps(calls), family]
    with subprocess.Popen(command) as runner:
        try:
            begun = tmp_path / "begun"
            wait_until("the inject began", lambda: begun.exists() and begun.read_text().strip())
        finally:
            runner.kill()
    pid = int(begun.read_text())
    wait_until("the program is gone", lambda: not alive(pid), 2.5)
    assert not (tmp_path / "switch").exists()


# -- things people do with it -----------------------------------------------------------------


def test_a_bad_deploy_with_its_rollback(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "kubectl", FAKE_KUBECTL)
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster" / "now").write_text("shop:1.0\n")
    kubectl = "./bin/kubectl"
    get = [kubectl, "get", "deployment", "shop", "-o", "jsonpath={..image}"]
    fault = of(
        tmp_path,
        (kubectl,),
        inject={"run": [kubectl, "set", "image", "deployment/shop", "shop=shop:bad"]},
        revert={"run": [kubectl, "rollout", "undo", "deployment/shop", "--to-revision=1"]},
        present={"run": get, "stdout": ":bad$"},
    )
    undo = fault.prepare()
    assert fault.inject(undo)["read_back"]
    assert UNDOER.present(undo)
    (tmp_path / "cluster").rename(tmp_path / "unreachable")
    with pytest.raises(CannotSeeError, match="connection to the server was refused"):
        UNDOER.present(undo)
    (tmp_path / "unreachable").rename(tmp_path / "cluster")
    UNDOER.revert(undo)
    assert not UNDOER.present(undo)
    assert (tmp_path / "cluster" / "now").read_text() == "shop:1.0\n"
