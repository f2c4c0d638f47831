"""Faults by functions of Chaos Toolkit extensions, shown with chaostoolkit-toxiproxy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from generic_support import HURRY_MS, takes_at_most
from toxiproxy_support import Lab, silent_server

from gameday.adapters.generic.fault import GenericFault
from gameday.adapters.generic.undo import UNDOER
from gameday.errors import AdapterError, CannotSeeError, NoEffectError
from gameday.model.project import Target
from gameday.model.scenario import ActionSpec, FaultSpec

ALLOWED = ("python:chaostoxi", "python:ext")


def of(
    directory: Path, commands: tuple[str, ...] = ALLOWED, **calls: dict[str, Any]
) -> GenericFault:
    options = {name: {"timeout_ms": 15_000, **call} for name, call in calls.items()}
    action = ActionSpec(family="python", type="python", options=options)
    spec = FaultSpec(id="ctk", target="pay", action=action)
    return GenericFault(directory, "run-1", Target(name="pay"), spec, commands=commands)


def down(url: str) -> dict[str, dict[str, Any]]:
    """The proxy `payments` disabled, as an experiment of the Chaos Toolkit would do it."""
    with_url = {"configuration": {"toxiproxy_url": url}}
    proxy = {"arguments": {"proxy_name": "payments"}, **with_url}
    look = {"proxy_name": "payments", "attribute": "enabled"}
    return {
        "inject": {"module": "chaostoxi.proxy.actions", "func": "disable_proxy", **proxy},
        "revert": {"module": "chaostoxi.proxy.actions", "func": "enable_proxy", **proxy},
        "present": {
            "module": "chaostoxi.proxy.probes",
            "func": "get_proxy_attribute",
            "arguments": look,
            "match": "@ == `false`",
            **with_url,
        },
    }


def late(url: str) -> dict[str, dict[str, Any]]:
    """A latency toxic on it."""
    with_url = {"configuration": {"toxiproxy_url": url}}
    on = {"for_proxy": "payments", "toxic_name": "late"}
    actions = "chaostoxi.toxic.actions"
    return {
        "inject": {
            "module": actions,
            "func": "create_latency_toxic",
            "arguments": {**on, "latency": 200},
            **with_url,
        },
        "revert": {"module": actions, "func": "delete_toxic", "arguments": on, **with_url},
        "present": {
            "module": "chaostoxi.proxy.probes",
            "func": "get_proxy_attribute",
            "arguments": {"proxy_name": "payments", "attribute": "toxics"},
            "match": "[?name=='late']",
            **with_url,
        },
    }


@pytest.mark.parametrize("calls", [down, late])
def test_an_extension_puts_a_fault_in_and_takes_it_out(
    lab: Lab, tmp_path: Path, calls: Any
) -> None:
    lab.create()
    before = lab.client.proxies()
    fault = of(tmp_path, **calls(lab.url))
    undo = fault.prepare()
    assert lab.client.proxies() == before
    fault.inject(undo)
    there = lab.payments()
    assert there is not None
    assert (there.enabled, len(there.toxics)) == ((False, 0) if calls is down else (True, 1))
    assert UNDOER.present(undo)
    UNDOER.revert(undo)
    UNDOER.revert(undo)
    assert not UNDOER.present(undo)
    assert lab.client.proxies() == before
    assert not [name for name in sys.modules if name.startswith(("chaostoxi", "chaoslib"))]


def test_what_an_extension_keeps_to_itself_is_found_out(lab: Lab, tmp_path: Path) -> None:
    """It returns None on every error: no proxy, a server that refuses. That is not `gone`."""
    with pytest.raises(NoEffectError, match="its result is None, which says nothing"):
        of(tmp_path, **late(lab.url)).prepare()
    lab.create()
    fault = of(tmp_path, **late(lab.url))
    undo = fault.prepare()
    lab.client.delete("payments")
    with pytest.raises(AdapterError, match="TypeError") as caught:
        fault.inject(undo)
    assert not isinstance(caught.value, NoEffectError)
    with pytest.raises(CannotSeeError, match="None"):
        UNDOER.present(undo)


def test_an_extension_without_timeouts_is_cut_off(lab: Lab, tmp_path: Path) -> None:
    lab.create()
    undo = dict(of(tmp_path, **down(lab.url)).prepare())
    with silent_server() as url:
        calls = {n: {**down(url)[n], "timeout_ms": HURRY_MS} for n in ("revert", "present")}
        with takes_at_most(5):
            with pytest.raises(AdapterError, match="did not end within"):
                UNDOER.revert({**undo, "calls": calls})
            with pytest.raises(CannotSeeError, match="did not end within"):
                UNDOER.present({**undo, "calls": calls})
    with silent_server(status=500) as url:
        calls = {n: {**down(url)[n], "timeout_ms": 15_000} for n in ("revert", "present")}
        with pytest.raises(CannotSeeError, match="None"):
            UNDOER.present({**undo, "calls": calls})
        with pytest.raises(AdapterError, match="AssertionError"):
            UNDOER.revert({**undo, "calls": calls})


EXT = """
import os, sys, threading, time

def fine(a, b=2): return a
def spam(): print("x" * 5_000_000); return True
def leaves(): sys.exit(3)
def dies(): os._exit(4)
def lingers():
    threading.Thread(target=time.sleep, args=(60,)).start()
    return True
def writes():
    os.write(1, b"not the answer"); return [1]
def big(): return ["x"] * 1_000_000
def size(x): return len(x)
def odd(): return object()
def none(): return None
def raises(): raise ValueError("no such thing")
def nested(): return {"items": [{"phase": "Failed"}]}
def settings(configuration, secrets): return [configuration, secrets]
async def later(): return True
value = 7
"""


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "ext.py").write_text(EXT)
    (tmp_path / "broken.py").write_text("import no_such_module_at_all")
    fault = of(
        tmp_path,
        (*ALLOWED, "python:broken"),
        inject={"module": "ext", "func": "later"},
        revert={"module": "ext", "func": "fine", "arguments": {"c": 1}},
        present={"module": "broken", "func": "x"},
        effect={"module": "ext", "func": "nothing", "match": "a["},
    )
    with pytest.raises(NoEffectError) as caught:
        fault.prepare()
    for words in (
        "`inject`: `later` of `ext` is asynchronous",
        "`revert`: `fine` of `ext` cannot be called like this",
        "`present`: `broken` cannot be imported: ModuleNotFoundError",
        "`effect`: `match: a[` is not JMESPath",
    ):
        assert words in str(caught.value)
    for func in ("nothing", "value"):
        call = {"module": "ext", "func": func}
        with pytest.raises(NoEffectError, match=f"`ext` has no function `{func}`"):
            of(tmp_path, inject=call, revert=call, present=call).prepare()


@pytest.mark.parametrize("commands", [(), ("ext",), ("python:ex",), ("python:other",)])
def test_modules_are_allow_listed_as_programs_are(
    tmp_path: Path, commands: tuple[str, ...]
) -> None:
    call = {"module": "ext.actions", "func": "x"}
    with pytest.raises(NoEffectError, match=r"`python:ext.actions` is not in the `commands`"):
        of(tmp_path, commands, inject=call, revert=call, present=call).prepare()


@pytest.mark.parametrize(
    ("call", "sees"),
    [
        ({"func": "fine", "arguments": {"a": 1}}, True),
        ({"func": "fine", "arguments": {"a": 0}}, False),
        ({"func": "fine", "arguments": {"a": []}}, False),
        ({"func": "nested", "match": "items[?phase=='Failed']"}, True),
        ({"func": "nested", "match": "items[?phase=='Running']"}, False),
        ({"func": "spam"}, True),
        ({"func": "lingers"}, True),
        ({"func": "writes"}, True),
        ({"func": "big"}, "no answer of at most 1 MiB"),
        ({"func": "size", "arguments": {"x": "y" * 300_000}, "match": "@ == `300000`"}, True),
        ({"func": "odd"}, "no JSON but a object"),
        ({"func": "none"}, "None"),
        ({"func": "none", "match": "x"}, "None"),
        ({"func": "raises"}, "ValueError: no such thing"),
        ({"func": "leaves"}, "SystemExit: 3"),
        ({"func": "dies"}, "exit code 4 and no answer"),
        ({"func": "settings", "configuration": {"a": 1}, "match": "[0].a"}, True),
        (
            {"func": "settings", "secrets": {"k8s": {"token": "t0ken"}}, "match": "[1].k8s.token"},
            True,
        ),
    ],
    ids=lambda value: value["func"] if isinstance(value, dict) else "",
)
def test_what_present_says(tmp_path: Path, call: dict[str, Any], sees: bool | str) -> None:
    (tmp_path / "ext.py").write_text(EXT)
    gone = {"module": "ext", "func": "fine", "arguments": {"a": 0}}
    undo = dict(of(tmp_path, inject=gone, revert=gone, present=gone).prepare())
    look = {"module": "ext", "timeout_ms": 15_000, **call}
    undo["calls"] = {**undo["calls"], "present": look}
    if isinstance(sees, str):
        with pytest.raises(CannotSeeError, match=sees):
            UNDOER.present(undo)
    else:
        assert UNDOER.present(undo) is sees
