"""Notices: who is told outside of a run that an exercise begins, is stopped, is dirty, is over.

Pure: what is told when, in which words, and what of it the journal knows already. Each moment is
told at most once a run; `notice.asked` stands in the journal before anything is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gameday.model.event import Event
from gameday.model.secret import SecretRef
from gameday.model.units import format_ms

#: In front of every title, whatever the environment.
MARK = "[EXERCISE]"
TITLE_MAX, BODY_MAX, LINE_MAX = 150, 2_000, 400
DETAILS = ("brief", "full")


class NoticeMoment(StrEnum):
    """When others are told."""

    START = "start"
    STOP = "stop"
    DIRTY = "dirty"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSpec:
    """One address that is told: where its Apprise URL is, in which environments, and when.

    `brief` says neither what is broken nor the name of the scenario, so that nobody is told who
    must not know it; `full` does.
    """

    name: str
    url: SecretRef
    environments: tuple[str, ...] = ()
    at: tuple[str, ...] = tuple(NoticeMoment)
    detail: str = "brief"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is told at one moment: the facts that the message is made of."""

    moment: NoticeMoment
    reason: str = ""
    dirty: tuple[str, ...] = ()
    by: str = ""  # `sentinel` or `recover`, where it was not the run itself

    def to_json(self) -> dict[str, Any]:
        """Plain data, for the journal."""
        facts = {"reason": self.reason, "dirty": list(self.dirty), "by": self.by}
        return {name: value for name, value in facts.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What one address gets."""

    title: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """What of a plan is told, and to whom. `directory` is where relative secret files lie."""

    run: str
    scenario: str
    title: str
    service: str
    environment: str
    length_ms: int
    faults: tuple[str, ...] = ()
    directory: str = ""
    notices: tuple[NoticeSpec, ...] = ()

    @classmethod
    def of(cls, plan: Mapping[str, Any], run: str) -> Exercise:
        """From the JSON of a plan. Raises ValueError, KeyError or TypeError for anything else."""
        scenario, phases = plan["scenario"], plan["scenario"]["phases"]
        lengths = ("warmup_ms", "baseline_ms", "fault_ms", "recovery_ms")
        return cls(
            run=run,
            scenario=str(scenario["id"]),
            title=str(scenario["title"]),
            service=str(scenario["service"]),
            environment=str(plan["environment"]["name"]),
            length_ms=sum(int(phases.get(name) or 0) for name in lengths),
            faults=tuple(f"{one['id']} on {one['target']}" for one in scenario["faults"]),
            directory=str(plan["directory"]),
            notices=tuple(_notice(one) for one in plan.get("notices") or ()),
        )

    def to(self, moment: NoticeMoment) -> tuple[NoticeSpec, ...]:
        """Who is told at *moment*."""
        return tuple(one for one in self.notices if moment in one.at)

    def message(self, told: Told, detail: str) -> Message:
        """The words for one address."""
        what = {
            NoticeMoment.START: "has started",
            NoticeMoment.STOP: "was stopped",
            NoticeMoment.DIRTY: "is over, but NOT CLEAN",
            NoticeMoment.CLEAR: "is over, all clear",
        }[told.moment]
        title = f"{MARK} gameday on {self.service} ({self.environment}) {what}"
        lines = [*self._lines(told), *(self._named(told.moment) if detail == "full" else ())]
        return Message(
            title=one_line(title, TITLE_MAX),
            body="\n".join(one_line(line, LINE_MAX) for line in lines)[:BODY_MAX],
        )

    def _lines(self, told: Told) -> Iterable[str]:
        """What everybody is told."""
        yield "This is an exercise. Nobody has to act on this message alone."
        match told.moment:
            case NoticeMoment.START:
                yield f"It takes about {format_ms(self.length_ms)}. It ends by itself."
            case NoticeMoment.STOP:
                yield f"Reason: {told.reason or 'not known'}."
                yield "Faults are being taken out. A last message says whether they are."
            case NoticeMoment.DIRTY:
                yield f"MAY STILL BE BROKEN: {', '.join(told.dirty) or 'not known'}."
                yield f"To clean up: gameday recover {self.run}"
            case NoticeMoment.CLEAR:
                yield f"Nothing of it is in place any more; that was read back{_by(told)}."

    def _named(self, moment: NoticeMoment) -> Iterable[str]:
        """What only those are told who may know what is broken."""
        yield f"Scenario: {self.scenario}: {self.title}"
        if moment is NoticeMoment.START and self.faults:
            yield f"Faults: {', '.join(self.faults)}"
        yield f"Run: {self.run}"


def key_of(run: str, moment: NoticeMoment) -> str:
    """What a message is known by: two with the same key are the same."""
    return f"{run}/{moment.value}"


def is_asked(events: Iterable[Event], moment: NoticeMoment) -> bool:
    """Whether the journal says that *moment* was told already, or was about to be."""
    return any(e.kind == "notice.asked" and e.subject == moment.value for e in events)


def trial_message() -> Message:
    """What `gameday notices test --send` sends."""
    body = "This is a test of the address. No exercise is under way. Nobody has to act on it."
    return Message(title=f"{MARK} gameday: a test message", body=body)


def one_line(text: str, longest: int) -> str:
    """*text* without line ends and control characters, cut to *longest*."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return flat if len(flat) <= longest else flat[: longest - 1] + "…"


def _by(told: Told) -> str:
    words = {"sentinel": " by the sentinel, because the runner was gone", "recover": " by hand"}
    return words.get(told.by, "")


def _notice(raw: Mapping[str, Any]) -> NoticeSpec:
    url = raw["url"]
    return NoticeSpec(
        name=str(raw["name"]),
        url=SecretRef(env=url.get("env"), file=url.get("file"), prefix=str(url.get("prefix", ""))),
        environments=tuple(str(one) for one in raw.get("environments") or ()),
        at=tuple(str(one) for one in raw.get("at") or ()),
        detail=str(raw.get("detail", "brief")),
    )
