"""A GameDay as people hold it: a service, a blind plan of two parts, a terminal, three browsers.

`play` is the whole story; it is told of a stage: the small service of `tests/e2e`, or the shop.
"""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

TESTS = Path(__file__).parents[1]
for _folder in (TESTS, TESTS / "console", TESTS / "e2e"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from browser_support import DESKTOP, PHONE, Browser  # noqa: E402
from console_support import Browser as Http  # noqa: E402
from console_support import Server, console, listening  # noqa: E402
from lab_support import GAMEDAY, Lab, get_json, run_gameday  # noqa: E402
from ports_support import free_port  # noqa: E402
from test_console_in_chromium import Desk, desk  # noqa: E402

from gameday.app.day_journal import DayFile, days_of  # noqa: E402
from gameday.journal import read  # noqa: E402

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


#: Takes a picture of that name.
Snap = Callable[[str], None]


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


@dataclass
class Terminal:
    """The coordinator's terminal."""

    stage: Stage

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = run_gameday(*arguments, cwd=self.stage.directory, within_s=PATIENCE_S)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done

    @contextlib.contextmanager
    def next(self) -> Iterator[subprocess.Popen[bytes]]:
        """The next part of the day, which waits for the go of the page."""
        told = (self.stage.directory / "terminal.txt").open("ab")
        with told, subprocess.Popen(
            [*GAMEDAY, "day", "next", "day.yaml", "--wait", "--run-runbooks", "-q"],
            cwd=self.stage.directory, stdin=subprocess.DEVNULL, stdout=told, stderr=told,
        ) as child:  # fmt: skip
            try:
                yield child
            finally:
                child.kill()

    def told(self) -> str:
        return (self.stage.directory / "terminal.txt").read_text()

    @property
    def day(self) -> DayFile:
        return days_of(self.stage.directory / "reports")[-1]

    def run(self, item: str) -> Path | None:
        """The directory of the run of an item."""
        found = [e for e in self.day.events() if e.kind == "day.run" and e.data["item"] == item]
        return self.stage.directory / "reports" / found[-1].subject if found else None

    def journal(self, item: str) -> list[tuple[str, str, str]]:
        """What people said in the run of an item."""
        where = self.run(item)
        assert where is not None
        return [
            (e.kind, e.subject, str(e.data.get("text", "")))
            for e in read(where / "journal.jsonl").events
            if e.kind.startswith(("human.", "stop."))
        ]


@dataclass
class People:
    """Who is at the browsers."""

    commander: Desk
    responder: Desk
    scribe: Desk

    @property
    def all(self) -> tuple[Desk, ...]:
        return (self.commander, self.responder, self.scribe)


@dataclass
class Ears:
    """Every byte that a page was sent, but for its stream."""

    bodies: list[str] = field(default_factory=list)

    def listen(self, one: Desk) -> None:
        def keep(response: Any) -> None:
            if "/events" not in response.url and "chart.js" not in response.url:
                with contextlib.suppress(Exception):  # gone with its page
                    self.bodies.append(response.text())

        one.page.on("response", keep)


def secrets_in(text: str) -> list[str]:
    """The words of *text* that tell what is broken."""
    return [word for word in SECRET if word in text.lower()]


def no_secret_reached(one: Desk, server: Server, heard: Ears) -> None:
    """Neither what the page shows, nor what it was sent, nor its stream says what is broken."""
    cookies = one.page.context.cookies()
    cookie = "; ".join(f"{c['name']}={c['value']}" for c in cookies)
    with listening(Http(server, cookie)) as stream:
        stream.until("the run", lambda s: s.state and s.state["run"])
        raw = stream.raw
    found = {
        "page": secrets_in(one.page.content()),
        "sent": secrets_in("".join(heard.bodies)),
        "stream": secrets_in(raw),
    }
    assert found == {"page": [], "sent": [], "stream": []}, found
    assert heard.bodies


def numbers(one: Desk) -> list[str]:
    found: list[str] = one.page.eval_on_selector_all("#log li", "all => all.map(e => e.dataset.n)")
    return found


def waits(one: Desk, selector: str, **options: Any) -> None:
    one.page.wait_for_selector(selector, timeout=PATIENCE_S * 1000, **options)


def go(people: People, part: str) -> None:
    """The commander decides that it begins; the others see the question, and may not."""
    waits(people.commander, f"#go >> text=Shall {part} begin?")
    waits(people.responder, "#go-card:not([hidden])")
    assert people.responder.page.is_disabled("#go button >> nth=0")
    people.commander.page.click("#go >> text=/^Go$/")
    waits(people.commander, "#go-card", state="hidden")


def take_roles(terminal: Terminal, people: People) -> None:
    terminal.command("day", "take", "day.yaml", "owner", "coordinator")
    for one in people.all:
        one.page.click("#day-roles >> text=I am here")
    for role in ("owner", "coordinator", "commander", "responder", "scribe"):
        waits(people.scribe, f"#day-roles >> text={role}: taken")


def clock_of(one: Desk) -> str:
    return one.page.inner_text("#alerts .tick")


def first_part(stage: Stage, terminal: Terminal, people: People, snap: Snap) -> None:
    """Alert, acknowledgement, notes, runbook, decision, the stop."""
    commander, responder, scribe = people.all
    with terminal.next() as child:
        waits(scribe, f"#go >> text=Shall {FIRST} begin?")
        snap("go")
        go(people, "part 1")
        waits(responder, "#alerts >> text=Acknowledge")
        first = clock_of(responder)
        wait("the clock runs", lambda: clock_of(responder) != first)
        responder.page.click("#alerts >> text=Acknowledge")
        scribe.sees(f"responder acknowledges: {stage.alert}")
        waits(scribe, "#alerts >> text=detected in")
        scribe.writes("Note", "all on the bridge; upstream answers late, as planned")
        scribe.writes("To do", "a dashboard for the way to the back")
        responder.writes("Note", "answers are late since a minute")
        waits(responder, "#step-card:not([hidden])")
        snap("step")
        responder.page.fill("#step-note", "reached at the second try")
        responder.page.click("#step-do >> text=Done")
        waits(responder, "#step-card", state="hidden")
        commander.writes("Decision", "enough seen, we stop this part")
        scribe.sees("commander decides: enough seen, we stop this part")
        waits(commander, "#word >> text=RED LIGHT")
        responder.page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
        responder.page.click("#stop")
        assert "RED LIGHT" in responder.page.inner_text("#stop-word")
        snap("stop")
        responder.page.fill("#stop-why", "customers feel it")
        responder.page.click("#stop-ask >> text=Stop now")
        scribe.sees("customers feel it")
        waits(scribe, "#day-items .line:nth-child(1) >> text=/inconclusive|fail|pass/")
        assert child.wait(PATIENCE_S) == 130, terminal.told()
    stage.clean()
    assert [k for k, *_ in terminal.journal(FIRST)] == [
        "human.ack", "human.note", "human.todo", "human.note", "human.step", "human.decide",
        "stop.tripped",
    ]  # fmt: skip


def second_part(stage: Stage, terminal: Terminal, people: People, snap: Snap) -> None:
    """The runner is killed; its sentinel takes the fault out, and nothing that was said is lost."""
    responder, scribe = people.responder, people.scribe
    with terminal.next() as child:
        go(people, "part 2")
        waits(scribe, "#faults >> text=ON")
        waits(responder, "#alerts >> text=Acknowledge")
        scribe.writes("Note", "the last words before it broke")
        child.kill()
        child.wait(10)
    waits(scribe, "#banner >> text=The runner is gone")
    waits(responder, "#banner >> text=cut short")
    before = scribe.log()
    scribe.page.reload()
    scribe.sees("the last words before it broke")
    assert scribe.log()[-len(before) :] == before
    responder.writes("Note", "said while no run is under way")
    scribe.sees("said while no run is under way")
    waits(scribe, "#banner >> text=Its sentinel took the faults out")
    waits(responder, "#banner >> text=What was changed is as it was")
    comes_clean(stage)
    snap("gone")
    assert ("human.note", "scribe", "the last words before it broke") in terminal.journal(SECOND)


def write_up(stage: Stage, terminal: Terminal, people: People) -> None:
    """What was cut short is said to be, and the day is written up."""
    assert "nothing is left" in terminal.command("day", "next", "day.yaml").stdout
    waits(people.scribe, "#day-items .line:nth-child(2) >> text=unknown")
    told = terminal.command("day", "debrief", "day.yaml").stdout
    assert re.search(r"to be published before \d{4}-\d\d-\d\d", told)
    waits(people.commander, "#banner >> text=The day is over")
    folder = terminal.day.folder
    hotwash, debrief = ((folder / f"{name}.md").read_text() for name in ("hotwash", "debrief"))
    assert "a dashboard for the way to the back" in hotwash
    for text in ("RED LIGHT", "the last words before it broke", "said while no run is under way"):
        assert text in debrief or text == "RED LIGHT"
    for item in (FIRST, SECOND):
        where = terminal.run(item)
        assert where is not None
        assert "DRAFT" in (where / "postmortem.md").read_text()
        assert f"../../{where.name}/postmortem.md" in debrief
    assert read(terminal.day.path).problem is None


def play(
    stage: Stage,
    browser: Browser,
    snap: Callable[[People, str], None] = lambda _people, _name: None,
) -> None:
    """The whole day."""
    terminal, port, heard = Terminal(stage), str(free_port()), Ears()
    terminal.command("day", "start", "day.yaml")
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(contextlib.ExitStack())
        server = first.enter_context(console("--port", port, cwd=stage.directory))
        assert set(server.links) == {"owner", "coordinator", "commander", "responder", "scribe"}
        people = People(
            stack.enter_context(desk(browser, server, "commander", DESKTOP)),
            stack.enter_context(desk(browser, server, "responder", PHONE)),
            stack.enter_context(desk(browser, server, "scribe", DESKTOP)),
        )
        heard.listen(people.responder)
        take_roles(terminal, people)
        first_part(stage, terminal, people, lambda name: snap(people, name))
        no_secret_reached(people.responder, server, heard)
        second_part(stage, terminal, people, lambda name: snap(people, name))
        before = [one.log() for one in people.all]
        first.close()  # the console's process is gone
        for one in people.all:
            waits(one, "#link-state[data-on=no]")
        again = stack.enter_context(console("--port", port, cwd=stage.directory))
        for one, known in zip(people.all, before, strict=True):
            waits(one, "#link-state[data-on=yes]")
            wait("everything is there again", lambda one=one, known=known: one.log() == known)
        late = stack.enter_context(desk(browser, again, "owner", DESKTOP))
        wait("the late one sees all", lambda: late.log() == people.scribe.log())
        no_secret_reached(people.responder, again, heard)
        write_up(stage, terminal, people)
        snap(people, "over")
        assert [one.too_wide() for one in people.all] == [0, 0, 0]


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
