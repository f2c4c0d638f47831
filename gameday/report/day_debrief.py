"""`hotwash.md` and `debrief.md` of a day: drafts made from its journal and those of its runs.

What is written here was seen, and names the events it rests on: `D12` is line 12 of the day's
journal, `RUN#41` line 41 of a run's. What no record can know is left for people, who find the
questions in its place. No name of a person is known here: people are roles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from gameday.kpi.day import CARD, DayState, ItemStatus
from gameday.kpi.workdays import deadline
from gameday.model.day import Day
from gameday.model.event import Event
from gameday.model.report import Report
from gameday.model.units import format_ms
from gameday.model.verdict import Outcome, RunStatus
from gameday.report.day_moments import SAID, day_moment, run_moment, text_of
from gameday.report.mdtext import at_start, one_line, table

HEADING = "# DRAFT"
_FILL_IN = "**To fill in:**"
#: A note that begins so is told at once, whatever comes later (NIST SP 800-84: critical now).
CRITICAL = "critical:"
_MOMENTS_MAX = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRun:
    """One run of the day: its report, its events, and how to reach its files from the day's."""

    report: Report
    events: tuple[Event, ...]
    link: str  # relative folder

    @property
    def origin_wall_ms(self) -> int:
        """Wall time of its run time 0."""
        opened = next((e for e in self.events if e.kind == "run.opened"), None)
        return int(opened.data.get("origin_wall_ms", 0)) if opened is not None else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Everything that a day left: `runs` by item."""

    day: Day
    state: DayState
    events: tuple[Event, ...]
    runs: Mapping[str, DayRun]

    @property
    def ended(self) -> datetime:
        """When it was over; the last that was heard of it, where nobody said so."""
        last = self.state.closed or self.events[-1]
        return datetime.fromtimestamp((self.state.origin_wall_ms + last.at_ms) / 1000, UTC)

    @property
    def hurt(self) -> tuple[str, ...]:
        """Why the debrief is due sooner: users were hurt, or something critical was found."""
        return tuple(_hurt(self))

    @property
    def due(self) -> datetime:
        """The moment before which the debrief has to be published, in UTC."""
        return deadline(self.ended, self.day.debrief, hurt=bool(self.hurt))

    @property
    def late(self) -> bool | None:
        """Whether it was published too late; None while it is not published."""
        published = self.state.published
        if published is None:
            return None
        return self.state.origin_wall_ms + published.at_ms >= self.due.timestamp() * 1000


def _hurt(record: Record) -> Iterator[str]:
    for name, run in record.runs.items():
        verdict = run.report.verdict
        if not verdict.clean:
            yield f"`{name}` could not be shown to be clean"
        if verdict.status is RunStatus.STOPPED:
            yield f"`{name}` was stopped by a stop condition"
        if any(
            f.outcome is Outcome.FAIL and f.check.startswith("slo/")
            for f in run.report.expectations
        ):
            yield f"users felt `{name}` more than was allowed"
    for event in (*record.events, *(e for run in record.runs.values() for e in run.events)):
        if event.kind in SAID and text_of(event).casefold().startswith(CRITICAL):
            yield f"somebody noted: {text_of(event)[len(CRITICAL) :].strip()}"


def hotwash(record: Record) -> str:
    """The page for the quarter of an hour right after the day."""
    lines = [
        f"{HEADING} hotwash: {one_line(record.day.title)}",
        "",
        "Right after the day, a quarter of an hour, everybody. First what is critical now.",
        "",
        "## Critical now",
        "",
        *_bullets([f"{one_line(why)}." for why in record.hurt], "nothing that was recorded"),
        f"- {_FILL_IN} what cannot wait for the debrief, and who was told",
        "",
        "## What happened",
        "",
        *_items(record),
        "",
        "## Was said to be done",
        "",
        *_bullets(list(_todos(record)), "nothing was noted with `todo`"),
        "",
        "## Each in turn, no discussion",
        "",
        f"- {_FILL_IN} what surprised you?",
        f"- {_FILL_IN} what hurt?",
        f"- {_FILL_IN} what would you not have known without today?",
        "",
    ]
    return "\n".join(lines)


def debrief(record: Record) -> str:
    """The page that is published within some business days."""
    day = record.day
    parts: Sequence[tuple[str, Iterable[str]]] = (
        ("Purpose (5 min)", _purpose(day)),
        ("What was done", _items(record)),
        ("What was expected and did not hold", _failed(record)),
        ("Decisions of the tabletop", _decisions(record)),
        ("Drills", _drills(record)),
        ("Timeline: read it and correct it (35 min)", _timeline(record)),
        ("What surprised us (10 min)", _asks(
            "what did we think would happen, and what did",
            "what was noticed by an alert, and what by luck",
            "what did people have to know that is written nowhere",
        )),
        ("Learnings (8 min)", _asks("what do we know now", "what held, and why")),
        ("Owners for ideas (2 min)", [
            *_bullets(list(_todos(record)), "nothing was noted with `todo`"),
            "",
            "Items are decided after two days, not in the meeting. No fix is a valid answer.",
        ]),
        ("Postmortems, reports and evidence", _links(record)),
    )  # fmt: skip
    lines = [f"{HEADING} debrief: {one_line(day.title)}", "", *_head(record), ""]
    for title, body in parts:
        written = list(body)
        if written:
            lines += [f"## {title}", "", *written, ""]
    return "\n".join(lines)


def deadline_text(record: Record) -> str:
    """Until when it is published, and why so soon."""
    rule = record.day.debrief
    local = record.due.astimezone(ZoneInfo(rule.timezone))
    days = rule.sooner_days if record.hurt else rule.within_days
    why = f", because {one_line(record.hurt[0])}" if record.hurt else ""
    weekend = ", ".join(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[d] for d in rule.weekend)
    free = f"{weekend or 'no day'} and {len(rule.holidays)} holidays are not counted"
    return (
        f"to be published before {local:%Y-%m-%d %H:%M} {rule.timezone}, {days} business days "
        f"after the day{why} ({free})"
    )


def _head(record: Record) -> Iterator[str]:
    day, state = record.day, record.state
    began = datetime.fromtimestamp(state.origin_wall_ms / 1000, UTC)
    blind = f"; blind: only {', '.join(day.knows)} knew" if day.blind else ""
    yield f"- {began:%Y-%m-%d %H:%M} to {record.ended:%H:%M} UTC on `{day.environment}`{blind}"
    if day.change_id:
        yield f"- change: {one_line(day.change_id)}"
    yield f"- roles taken: {', '.join(sorted(state.roles)) or 'none'}"
    if state.stopped and state.closed is not None:
        reason = one_line(str(state.closed.data.get("reason")))
        yield f"- stopped early: {reason} (D{state.closed.seq})"
    yield f"- {deadline_text(record)}"
    if record.late is not None:
        yield f"- published {'too late' if record.late else 'in time'}"
    yield "- blameless: ask how, not why; roles, not people; who leads it took no part"


def _purpose(day: Day) -> Iterator[str]:
    yield at_start(day.objective)
    rows = (
        ("In scope", day.scope),
        ("Out of scope", day.out_of_scope),
        ("Real", day.real),
        ("Played", day.simulated),
        ("Users may feel at most", (day.impact_limit,) if day.impact_limit else ()),
        ("To be learnt", [text for i in day.items if i.tabletop for text in i.tabletop.objectives]),
    )
    for name, texts in rows:
        if texts:
            yield f"- {name}: {one_line('; '.join(texts))}"


def _items(record: Record) -> Iterable[str]:
    rows = []
    for item in record.day.items:
        state = record.state.items[item.id]
        run = record.runs.get(item.id)
        done = state.status is ItemStatus.DONE
        said = state.outcome if done else state.status.value
        rows.append(
            (
                item.id,
                item.kind.value,
                run.report.verdict.outcome.value if done and run is not None else said,
                run.report.verdict.reason if done and run is not None else state.reason,
                "" if state.seq is None else f"D{state.seq}",
            )
        )
    return table(("item", "kind", "outcome", "why", "event"), rows)


def _failed(record: Record) -> Iterator[str]:
    for name, run in record.runs.items():
        for found in run.report.expectations:
            if found.outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE):
                cited = ", ".join(f"{run.report.run_id}#{seq}" for seq in found.evidence[:3])
                word = "failed" if found.outcome is Outcome.FAIL else "is not known"
                what = f"({found.check} {word}; {cited or '-'})"
                yield f"- `{name}`: {one_line(found.summary)} {what}"


def _decisions(record: Record) -> Iterator[str]:
    for item in record.day.items:
        if item.tabletop is None:
            continue
        rows = []
        for card in item.tabletop.cards:
            shown = [
                e for e in record.events if e.kind == CARD and e.subject == card.id
                and e.data.get("item") == item.id
            ][-1:]  # fmt: skip
            said = [
                e for e in record.events if e.kind == "human.decide"
                and e.data.get("item") == item.id and e.data.get("card") == card.id
                and (not shown or e.seq > shown[0].seq)
            ]  # fmt: skip
            first = said[0].data.get("after_ms") if said else None
            rows.append(
                (
                    f"{card.id}: {card.inject}",
                    "; ".join(f"{text_of(e)} (D{e.seq})" for e in said)
                    or ("none" if shown else "not played"),
                    "" if not isinstance(first, int) else format_ms(first),
                    "; ".join(card.expected),
                    card.objective,
                )
            )
        yield f"`{item.id}`:"
        yield ""
        yield from table(("card", "decided", "after", "a good answer has", "objective"), rows)
        yield ""


def _drills(record: Record) -> Iterator[str]:
    rows = []
    for item in record.day.items:
        state = record.state.items[item.id]
        if item.drill is None or state.status is not ItemStatus.DONE:
            continue
        facts = state.facts
        rows.append(
            (
                item.id,
                _of(facts.get("rto_ms"), facts.get("rto_allowed_ms")),
                _of(facts.get("rpo_ms"), facts.get("rpo_allowed_ms")),
                {True: "yes", False: "no"}.get(facts.get("whole"), "not known"),  # type: ignore[arg-type]
                "yes" if facts.get("cleaned_up") else "NO",
                state.outcome,
            )
        )
    if rows:
        yield from table(("drill", "RTO", "RPO", "whole", "cleaned up", "outcome"), rows)


def _of(got: object, allowed: object) -> str:
    measured = format_ms(got) if isinstance(got, int) else "not measured"
    return f"{measured} of {format_ms(allowed)}" if isinstance(allowed, int) else measured


def _timeline(record: Record) -> Iterable[str]:
    moments = [
        (record.state.origin_wall_ms + e.at_ms, text, f"D{e.seq}")
        for e in record.events
        if (text := day_moment(e))
    ]
    for run in record.runs.values():
        moments += [
            (run.origin_wall_ms + e.at_ms, text, f"{run.report.run_id}#{e.seq}")
            for e in run.events
            if (text := run_moment(e))
        ]
    moments.sort(key=lambda one: one[0])
    rows = [
        (f"{datetime.fromtimestamp(at / 1000, UTC):%H:%M:%S}", text, cited)
        for at, text, cited in moments[:_MOMENTS_MAX]
    ]
    left = len(moments) - len(rows)
    more = ["", f"… {left} more are in the journals."] if left else []
    return [*table(("UTC", "what", "event"), rows), *more]


def _todos(record: Record) -> Iterator[str]:
    for event in record.events:
        if _is_todo(event):
            yield f"{one_line(text_of(event))} (D{event.seq})"
    for run in record.runs.values():
        for event in run.events:
            if _is_todo(event):
                yield f"{one_line(text_of(event))} ({run.report.run_id}#{event.seq})"


def _is_todo(event: Event) -> bool:
    return event.kind == "human.todo" or (
        event.kind == "human.note" and text_of(event).casefold().startswith("todo:")
    )


def _links(record: Record) -> Iterator[str]:
    for name, run in record.runs.items():
        yield (
            f"- `{name}`: [postmortem]({run.link}/postmortem.md), "
            f"[report]({run.link}/report.html), [what failed]({run.link}/report.md)"
        )
    day = record.day
    if day.evidence or day.keep_days is not None:
        what = "; ".join(("journals and reports", *day.evidence))
        long = "" if day.keep_days is None else f", for {day.keep_days} days"
        yield f"- kept: {one_line(what)}{long}"


def _asks(*questions: str) -> list[str]:
    return [f"- {_FILL_IN} {one}" for one in questions]


def _bullets(rows: Sequence[str], none: str) -> list[str]:
    return [f"- {row}" for row in rows] or [f"- {none}"]
