"""`postmortem.md`: a draft in which every sentence names the journal's events it rests on.

Written by rules from the record alone: it says what was seen, in roles and never in names, and asks
people for what no record can know. A sentence without evidence cannot be written: `Said` has its
numbers, and what is for people to write is an `Ask`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from gameday.kpi import seen
from gameday.model.event import Timeline
from gameday.model.report import Report, State
from gameday.model.units import format_ms, format_ratio
from gameday.model.verdict import Finding, Outcome
from gameday.report import answer
from gameday.report.console import answer_word, safe_text, undo_text
from gameday.report.mdtext import at_start, clock, one_line
from gameday.report.postmortem_cites import Cites
from gameday.report.postmortem_due import Calendar, due, felt
from gameday.report.postmortem_parts import Ask, Said
from gameday.report.postmortem_people import (
    by_people,
    names_to_look_for,
    reactions,
    todos,
    told,
)

#: More moments than these nobody reads; `report.md` has them all.
MOMENTS_MAX = 400
#: The most numbers that one sentence lists.
CITED_MAX = 12
FILL_IN = "**To fill in:**"
HEADING = "# DRAFT postmortem"
#: An event that tells of the end of an alert comes so soon after it.
_NEAR_MS = 5_000
#: Of a run that belongs to no day.
UNPLANNED = Calendar()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """One heading and what stands under it; the first has none."""

    title: str
    lines: tuple[Said | Ask, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Postmortem:
    """The whole draft."""

    title: str
    chapters: tuple[Chapter, ...]


def draft_of(timeline: Timeline, report: Report, calendar: Calendar = UNPLANNED) -> Postmortem:
    """The draft of a run. A chapter that cannot be made says so; the others stand."""
    cites = Cites(timeline)
    makers: Sequence[tuple[str, Callable[[], Iterable[Said | Ask]]]] = (
        ("", lambda: _top(cites, report, calendar)),
        ("Summary", lambda: _summary(cites, report)),
        ("Impact", lambda: _impact(cites, report)),
        ("Detection", lambda: _detection(cites, report)),
        ("Response", lambda: _response(cites, report)),
        ("Timeline", lambda: _timeline(cites, report)),
        ("What went well", lambda: _found(cites, report, well=True)),
        ("What went badly", lambda: _found(cites, report, well=False)),
        ("Contributing factors", lambda: _factors(cites, report)),
        ("Action items", lambda: _actions(cites, report)),
    )
    return Postmortem(
        title=report.scenario.title or report.scenario.id,
        chapters=tuple(Chapter(title=t, lines=tuple(_made(make, cites))) for t, make in makers),
    )


def _made(make: Callable[[], Iterable[Said | Ask]], cites: Cites) -> list[Said | Ask]:
    try:
        return list(make())
    except Exception as error:  # noqa: BLE001 - what is dirty must be told anyway
        what = f"{type(error).__name__}: {error}"
        text = f"this chapter could not be made, by a bug of ours, please report it: {what}"
        return [Said(text=text, seqs=cites.whole)]


def render(draft: Postmortem) -> str:
    """The file."""
    lines = [f"{HEADING}: {one_line(draft.title)}"]
    for chapter in draft.chapters:
        lines += ["", f"## {chapter.title}"] if chapter.title else []
        lines += ["", *(_line(one) for one in chapter.lines)]
    return "\n".join(lines) + "\n"


def _line(one: Said | Ask) -> str:
    if isinstance(one, Ask):
        return f"- [ ] {FILL_IN} {one_line(one.text)}{_cited(one.seqs)}"
    text = at_start(one.text).rstrip(" .")
    if text[:1].isalpha() and not text[1:2].isdigit():
        text = text[:1].upper() + text[1:]
    return f"- {'[ ] ' if one.todo else ''}{text}{_cited(one.seqs)}."


def _cited(seqs: Sequence[int]) -> str:
    """In code, so that no viewer takes a number for that of an issue."""
    if not seqs:
        return ""
    names = [f"#{seq}" for seq in seqs]
    if len(names) > CITED_MAX:
        half = CITED_MAX // 2
        names = [*names[:half], "…", *names[-half:]]
    return f" `[{', '.join(names)}]`"


def _top(cites: Cites, report: Report, calendar: Calendar) -> Iterator[Said | Ask]:
    n = len(cites.timeline)
    text = (
        f"**DRAFT**: written by rules from the {n} events in the journal of run `{report.run_id}`"
    )
    yield Said(text=f"{text}, and to be read and changed by people", seqs=cites.whole)
    if cites.timeline.last("run.closed") is None:
        text = "**Incomplete**: the journal ends in the middle of the run, at "
        text += f"{clock(report.duration_ms)}, so what came after is missing here"
        yield Said(text=text, seqs=cites.end)
    for left in report.leftovers:
        text = f"**May still be broken**: {left.text}; `{left.command}` takes it out"
        yield Said(text=text, seqs=cites.of(_OPENED, left.subject))
    yield due(cites, report, calendar)


_OPENED = ("fault.inject", "fault.revert", "target.open", "target.close")


def _summary(cites: Cites, report: Report) -> Iterator[Said | Ask]:
    scenario = report.scenario
    for row in report.faults:
        seqs = cites.of(("fault.inject",), row.id)
        if row.on_ms is None:
            text = f"fault `{row.id}` ({row.what}) on `{row.target}` was never confirmed to be in"
            yield Said(text=text, seqs=seqs or cites.whole)
            continue
        text = f"fault `{row.id}` ({row.what}) was put into `{row.target}`, below the service "
        text += f"{scenario.service} in the environment {report.environment}, and read back as in "
        yield Said(text=f"{text}at {answer.when(report, row.on_ms)}", seqs=seqs)
    decided = [f for f in (*report.expectations, *report.validity) if f.outcome is not Outcome.SKIP]
    worst = [f for f in decided if f.outcome is not Outcome.PASS] or decided
    text = f"the run ended as {answer_word(report)}: {report.verdict.reason}"
    yield Said(text=text, seqs=cites.tidy([*cites.findings(worst), *cites.end]))
    if report.scenario.hypothesis:
        text = f"it was believed before the run: “{scenario.hypothesis}”"
        yield Said(text=text, seqs=cites.of(("run.opened",)) or cites.whole)
    yield Ask(text="the story in three sentences, for somebody who was not there")


def _impact(cites: Cites, report: Report) -> Iterator[Said | Ask]:
    for row in report.phases:
        if row.subject != "all" or not row.n:
            continue
        kinds = ", ".join(f"{n} {kind}" for kind, n in row.failures.items())
        text = f"in the {row.phase} phase, {row.n - row.good} of {row.n} requests failed"
        text += f" ({format_ratio(row.error_ratio or 0)}{': ' if kinds else ''}{kinds})"
        if row.p95_ms is not None:
            text += f"; 95 % of the good answers came within {format_ms(row.p95_ms)}"
        yield Said(text=text, seqs=cites.phase(row.phase))
    for fault, at_ms in dict(felt(report)).items():
        text = f"users felt fault `{fault}` from {answer.when(report, at_ms)} on"
        seqs = [*cites.of(("fault.inject",), fault), *cites.load_at(at_ms)]
        yield Said(text=text, seqs=cites.tidy(seqs))
    for event in cites.timeline.of("budget.read"):
        left = event.data.get("left")
        if isinstance(left, (int, float)):
            when = event.data.get("when", "start")
            text = f"{format_ratio(float(left))} of the error budget was left at the {when}"
            yield Said(text=text, seqs=(event.seq,))
    yield Ask(text="what users saw, in their words; what was lost and what could be put right")


def _detection(cites: Cites, report: Report) -> Iterator[Said | Ask]:
    for one in report.alerts:
        text = f"`{one.name}` was expected and is {one.verdict.text}: {one.reason}"
        if one.delivered_after_ms is not None:
            text += f"; it was delivered {format_ms(one.delivered_after_ms)} after the fault was in"
        seqs = cites.tidy(one.evidence) or cites.of(("alert.read",)) or cites.whole
        yield Said(text=text, seqs=seqs)
    if not report.alerts:
        yield Said(text="no alert was expected", seqs=cites.of(("run.opened",)) or cites.whole)
    for other in report.other_alerts:
        text = f"`{other.alert}` fired at {clock(other.firing_ms)}, and is {other.word.value}"
        seqs = cites.tidy(other.evidence) or cites.of(("alert.read",)) or cites.whole
        yield Said(text=text, seqs=seqs)
    yield Ask(text="what told people first, and what would have told them had it not been a test")


def _response(cites: Cites, report: Report) -> Iterator[Said | Ask]:
    safety = report.safety
    if safety.stopped_by:
        why = safety.reason or safety.stopped_by
        yield Said(text=f"the run was stopped by `{safety.stopped_by}`: {why}", seqs=cites.stop)
        seqs = [*cites.stop, *(s for n in safety.in_place for s in cites.of(("fault.revert",), n))]
        yield Said(text=safe_text(safety), seqs=cites.tidy(seqs) or cites.whole)
    yield from reactions(cites, report)
    yield from told(cites.timeline)
    for event in cites.timeline.of("runbook.mitigated"):
        text = f"runbook `{event.data.get('runbook', '')}` helped against fault `{event.subject}`"
        yield Said(text=text, seqs=(event.seq,))
    for undo in safety.undos:
        if undo.took_ms is not None:
            text = (
                f"fault `{undo.fault}` was read back as gone {undo_text(undo)} after it was asked"
            )
            if undo.state is State.CENSORED:
                text = (
                    f"fault `{undo.fault}` was asked off, and {undo_text(undo)} read back as gone"
                )
            yield Said(text=text, seqs=cites.of(("fault.revert",), undo.fault) or cites.whole)
    if not by_people(cites.timeline):
        yield Said(text="nobody told gameday of anything that people did", seqs=cites.whole)
    yield Ask(text="who was called, by role; what they looked at first, and what held them up")


def _timeline(cites: Cites, report: Report) -> Iterator[Said | Ask]:
    sources = _of_sources(cites.timeline)
    shown = report.timeline[:MOMENTS_MAX]
    for moment in shown:
        seqs = (
            (moment.seq,)
            if moment.seq is not None
            else sources.get((moment.at_ms, moment.text.partition(" (")[0]), ())
        )
        text = f"{clock(moment.at_ms)} {moment.text}"
        yield Said(text=text, seqs=cites.tidy(seqs) or cites.of(("alert.read",)) or cites.whole)
    left = len(report.timeline) - len(shown)
    if left:
        yield Said(text=f"{left} more moments are in `report.html`", seqs=cites.end)
    yield from names_to_look_for(cites.timeline)
    yield Ask(text="what happened that gameday could not see: calls, chats, decisions, with times")


def _of_sources(timeline: Timeline) -> dict[tuple[int, str], tuple[int, ...]]:
    """Run time and first words -> evidence of what was made from the samples of alert sources."""
    found: dict[tuple[int, str], tuple[int, ...]] = {}
    if timeline.first("run.opened") is None:
        return found
    for one in seen.sightings_of(timeline):
        found[one.firing_ms, f"{one.alert} fires"] = one.evidence
        if one.ended_ms is not None:
            told = timeline.of("alert.resolved", one.alert)
            near = [e.seq for e in told if abs(e.at_ms - (one.ended_ms or 0)) <= _NEAR_MS]
            found[one.ended_ms, f"{one.alert} resolves"] = (*one.evidence, *near[:1])
    return found


def _found(cites: Cites, report: Report, *, well: bool) -> Iterator[Said | Ask]:
    """What held, or what did not and what is not known; a run that proves nothing says so."""
    proves = report.verdict.outcome in (Outcome.PASS, Outcome.FAIL)
    every = report.expectations if well and proves else (*report.expectations, *report.validity)
    wanted = (Outcome.PASS,) if well else (Outcome.FAIL, Outcome.INCONCLUSIVE)
    for finding in (f for f in every if f.outcome in wanted):
        word = "not known: " if finding.outcome is Outcome.INCONCLUSIVE else ""
        if finding.outcome is Outcome.FAIL and not proves:
            word = "seen in a run that proves nothing: "
        yield Said(text=f"{word}{finding.summary}", seqs=cites.findings([finding]))
    ask = (
        "what else helped, and where there was luck" if well else "what else hurt, or was confusing"
    )
    yield Ask(text=ask)


def _factors(cites: Cites, report: Report) -> Iterator[Said | Ask]:
    """Questions of how, never of who."""
    for finding in _bad(report):
        yield Ask(
            text=f"how did it come to this: {finding.summary}", seqs=cites.findings([finding])
        )
    for fault, _ in felt(report):
        text = f"how did fault `{fault}` reach users, and what kept it from hurting more?"
        yield Ask(text=text, seqs=cites.of(("fault.inject",), fault))
    yield Ask(text="what about the system, the tools or the way of working made this likely?")
    yield Ask(text="where else would the same happen?")


def _bad(report: Report) -> list[Finding]:
    every = (*report.expectations, *report.validity)
    return [f for f in every if f.outcome is Outcome.FAIL]


def _actions(cites: Cites, report: Report) -> Iterator[Said | Ask]:
    for finding in _bad(report):
        text = f"make it hold: {finding.expectation or finding.check} (now: {finding.summary})"
        yield Said(text=text, seqs=cites.findings([finding]), todo=True)
        yield Ask(text="owner (a team or a role) and date of the item above")
    if _bad(report) and report.scenario.file:
        text = "an item is done when the same scenario passes: "
        text += f"`gameday run {report.scenario.file}`"
        yield Said(text=text, seqs=cites.of(("run.opened",)) or cites.whole)
    yield from todos(cites.timeline)
    yield Ask(
        text="what comes to mind after some days; that nothing is to be done is an answer too"
    )
