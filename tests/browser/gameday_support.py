"""A GameDay as people hold it: a service, a blind plan of two parts, a terminal, three browsers.

`play` is the whole story; where it is told says its stage.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
for _folder in (TESTS, TESTS / "console", TESTS / "e2e"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from browser_support import DESKTOP, PHONE, Browser  # noqa: E402
from console_support import Browser as Http  # noqa: E402
from console_support import Server, console, listening  # noqa: E402
from gameday_stages import FIRST, PATIENCE_S, SECOND, SECRET, Stage, comes_clean, wait  # noqa: E402
from lab_support import GAMEDAY, run_gameday  # noqa: E402
from ports_support import free_port  # noqa: E402
from test_console_in_chromium import Desk, desk  # noqa: E402

from gameday.app.day_journal import DayFile, days_of  # noqa: E402
from gameday.journal import read  # noqa: E402

#: Takes a picture of that name.
Snap = Callable[[str], None]


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
