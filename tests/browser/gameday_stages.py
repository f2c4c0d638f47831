"""Where a GameDay is held in tests: the small service of `tests/e2e`, or the sample shop."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

TESTS = Path(__file__).parents[1]
for _folder in (TESTS, TESTS / "console", TESTS / "e2e"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from lab_support import GAMEDAY, Lab, get_json  # noqa: E402

#: On a busy machine everything takes longer, and nothing else.
PATIENCE_S = 180.0
#: What is broken, in words that stand nowhere else: whoever reads one of them knows.
FIRST, SECOND = "amber-river", "copper-hill"
SECRET = (FIRST, SECOND, "late-by-us", "toxi", "upstream answers")
DAY = """
gameday: 1
day: autumn
title: How we cope on a bad day
objective: Whether on-call sees it in time, and whether the runbook helps.
scope: [front]
roles: [owner, coordinator, commander, responder, scribe]
knows: [owner, coordinator, scribe]
impact_limit: no order is lost
abort: {word: RED LIGHT, who: [owner, coordinator, commander]}
comms: {channel: "#gameday", every: 20m}
items:
  - {scenario: amber-river.yaml}
  - {scenario: copper-hill.yaml}
"""
BOOK = """# Answers come late

## Diagnosis

Look at how long answers take, and since when.

```bash {name=look timeout=10s expect_stdout="seen"}
echo seen
```

## Escalation

Somebody has to know.

```bash {name=call-the-owner manual=true timeout=600s}
Call whoever owns what is behind the front, and say since when it is slow.
```
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the day is held. `alert` is the one that fires, `clean` asserts that nothing is in."""

    directory: Path
    alert: str
    clean: Callable[[], None]


def wait(what: str, condition: Callable[[], Any], within_s: float = PATIENCE_S) -> Any:
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.1)
    return found


def comes_clean(stage: Stage) -> None:
    """Nothing is in, once whoever cleans up is done."""

    def clean() -> bool:
        with contextlib.suppress(AssertionError):
            stage.clean()
            return True
        return False

    wait("nothing is in", clean)
    stage.clean()


def scenario(name: str) -> dict[str, Any]:
    """One of the day: its fault stays in until somebody stops it."""
    return {
        "gameday": 1,
        "id": name,
        "title": "Upstream answers late" + (", once more" if name == SECOND else ""),
        "service": "front",
        "owner": "team-front",
        "hypothesis": "When upstream answers late, orders still go through, and on-call is paged.",
        "load": {
            "target": "front",
            "arrivals": "20/s",
            "timeout": "3s",
            "journeys": {"work": {"steps": [{"get": "/work", "expect": {"status": 200}}]}},
        },
        "phases": {"warmup": "1s", "baseline": "4s", "fault": "300s", "recovery": "5s"},
        "faults": [
            {
                "id": "late-by-us",
                "target": "back",
                "toxic": {"type": "latency", "latency": "700ms"},
                "hold": "until mitigated",
            }
        ],
        "expect": {
            "baseline": ["errors < 20%"],
            "fault": ["errors < 50%"],
            "alerts": [
                {"alert": "BackSlow", "fires_within": "120s", "runbook": "runbooks/answers.md"}
            ],
            "runbooks": [{"path": "runbooks/answers.md", "prove": True, "restores_within": "250s"}],
        },
        "stop_when": ["errors > 90% for 20s"],
    }


def small_stage(lab: Lab) -> Stage:
    """The service of a few lines."""
    lab.environment = {"commands": ["bash"]}
    lab.alerts = {
        "BackSlow": {
            "when": "p50 > 300ms over 2s for 1s",
            "labels": {"severity": "page", "service": "front"},
            "runbook": "runbooks/answers.md",
            "receiver": "pager",
        }
    }
    lab.write().unlink()
    write_day(lab.directory, scenario)
    return Stage(lab.directory, "BackSlow", lab.assert_clean)


def write_day(directory: Path, made: Callable[[str], Mapping[str, Any]]) -> None:
    (directory / "runbooks" / "answers.md").write_text(BOOK)
    for name in (FIRST, SECOND):
        text = yaml.safe_dump(dict(made(name)), sort_keys=False)
        (directory / f"{name}.yaml").write_text(text)
    (directory / "day.yaml").write_text(DAY)


@contextlib.contextmanager
def shop_stage(directory: Path) -> Iterator[Stage]:
    """The sample shop, as `gameday demo --serve` starts it; payments answers late."""
    told = directory / "shop.txt"
    with told.open("wb") as out, subprocess.Popen(
        [*GAMEDAY, "demo", "--serve"],
        cwd=directory, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
    ) as child:  # fmt: skip
        try:
            wait(
                "the shop stands",
                lambda: "Ctrl-C ends it" in told.read_text() or child.poll() is not None,
            )
            assert child.poll() is None, told.read_text()
            place = directory / "reports" / "demo"
            project = yaml.safe_load((place / "gameday.yaml").read_text())
            project["environments"]["local"]["commands"].append("bash")
            (place / "gameday.yaml").write_text(yaml.safe_dump(project, sort_keys=False))
            usual = yaml.safe_load((place / "scenarios" / "payments-slow.yaml").read_text())
            write_day(place, lambda name: of_shop(name, usual))
            yield Stage(place, "PaymentsSlow", lambda: no_toxics(told.read_text()))
        finally:
            child.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(60)
            child.kill()


def of_shop(name: str, usual: Mapping[str, Any]) -> dict[str, Any]:
    """The shop's scenario of slow payments, under a name that tells nothing."""
    mine = scenario(name)
    fault = {**usual["faults"][0], "id": "late-by-us", "hold": "until mitigated"}
    kept = {key: usual[key] for key in ("service", "owner", "load")}
    expect = {
        "baseline": ["errors < 20%"],
        "fault": ["errors < 50%"],
        "alerts": [{"alert": "PaymentsSlow", "fires_within": "120s"}],
        "runbooks": mine["expect"]["runbooks"],
    }
    return {**mine, **kept, "faults": [fault], "expect": expect}


def no_toxics(told: str) -> None:
    """No proxy of the shop has a toxic, and each is on."""
    found = re.search(r"Toxiproxy at (http://\S+)", told)
    assert found is not None, told
    proxies = get_json(f"{found[1]}/proxies")
    assert len(proxies) > 3
    assert {n: p["toxics"] for n, p in proxies.items() if p["toxics"]} == {}
    assert [n for n, p in proxies.items() if not p["enabled"]] == []
