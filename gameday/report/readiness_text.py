"""The answer about readiness for the terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from textwrap import wrap

from gameday.model.readiness import (
    Cited,
    Readiness,
    ReadyChange,
    ReadyCondition,
    ReadyPart,
    ReadyState,
    VoidWaiver,
)
from gameday.report.mdtext import Part, one_line, page, sentence, table
from gameday.report.text import printable

WIDTH = 100
#: Which mark stands before a state; the words are beside it, so that nothing rests on a picture.
MARKS: Mapping[ReadyState, str] = {
    ReadyState.MET: "✅",
    ReadyState.NOT_MET: "❌",
    ReadyState.NOT_MEASURED: "❔",
    ReadyState.NOT_APPLICABLE: "➖",
    ReadyState.WAIVED: "❔",
}
_PLAIN: Mapping[ReadyState, str] = {
    ReadyState.MET: "+",
    ReadyState.NOT_MET: "!",
    ReadyState.NOT_MEASURED: "?",
    ReadyState.NOT_APPLICABLE: "-",
    ReadyState.WAIVED: "~",
}
_COMMANDS_MAX = 12
_ABOUT_MAX = 4


def console(found: Readiness) -> str:
    """The answer, the matrix, what is left open, and what would change it."""
    return "".join(f"{printable(line)}\n" for line in _console(found))


def _console(found: Readiness) -> Iterator[str]:
    yield f"{found.answer.value}: {found.service} {found.version}, tier {found.tier}"
    yield from _wrapped(found.reason, "  ")
    if found.valid_until:
        yield f"  valid until {found.valid_until[:10]}, if nothing happens before"
    yield ""
    wide = max(len(part.item.value) for part in found.items)
    for part in found.items:
        head = f"  {_PLAIN[part.state]} {part.item.value.replace('_', ' '):<{wide}}  "
        yield from _wrapped(f"{part.state.text}: {part.reason}", head)
    yield from _list("conditions", map(condition_text, found.conditions))
    yield from _list("waivers that do not count", map(void_text, found.void_waivers))
    yield from _console_changes(found)
    yield from _list("notes", found.notes)


def _list(title: str, lines: Iterable[str]) -> Iterator[str]:
    """A heading and its lines; nothing without lines."""
    for n, line in enumerate(lines):
        if not n:
            yield from ("", title)
        yield from _wrapped(line, "  - ")


def _console_changes(found: Readiness) -> Iterator[str]:
    for n, change in enumerate(found.changes[:_COMMANDS_MAX]):
        if not n:
            yield from ("", "what would change the answer")
        yield from _wrapped(f"{change.what} (for {about_text(change)})", "  - ")
        if change.command:
            yield f"      {change.command}"
    more = len(found.changes) - _COMMANDS_MAX
    if more > 0:
        yield f"  … and {more} more (`--json` has all)"


def _wrapped(text: str, head: str) -> Iterable[str]:
    lines = wrap(text, WIDTH - len(head), break_long_words=False, break_on_hyphens=False) or [""]
    yield f"{head}{lines[0]}"
    yield from (f"{' ' * len(head)}{line}" for line in lines[1:])


def condition_text(one: ReadyCondition) -> str:
    """A condition in one line: what, until when, by whom."""
    about = one.item.value.replace("_", " ")
    if one.subject:
        about = f"{about}, {one.subject}"
    return (
        f"{about}: {one.reason}; until {one.until}, approved by {one.approver}, "
        f"to be closed by {one.owner or 'nobody'} ({one.where})"
    )


def void_text(one: VoidWaiver) -> str:
    """A waiver that does not count, and why."""
    about = one.item.value.replace("_", " ")
    if one.subject:
        about = f"{about}, {one.subject}"
    return f"{one.where}: {about}: {one.why}"


def about_text(one: ReadyChange) -> str:
    """The rows that a change is for, as far as they fit a line."""
    more = len(one.about) - _ABOUT_MAX
    return ", ".join(one.about[:_ABOUT_MAX]) + (f" and {more} more" if more > 0 else "")


def cited_text(cited: Iterable[Cited]) -> str:
    """Evidence in one line, each with its age."""
    return "; ".join(_cited(one) for one in cited)


def _cited(one: Cited) -> str:
    if one.age_days is None:
        return f"{one.what}, now"
    days = "today" if one.age_days == 0 else f"{one.age_days} d old"
    where = f", in {one.environment}" if one.environment else ""
    return f"{one.what}{where}, {days}"


def state_text(state: ReadyState) -> str:
    """Mark and word."""
    return f"{MARKS[state]} {state.text}"


def markdown(found: Readiness) -> str:
    """A page, or a comment on a pull request: never longer than GitHub takes."""
    head = [
        f"# {found.answer.value}: {one_line(found.service)} {one_line(found.version)}",
        "",
        sentence(found.reason),
        "",
        *_facts(found),
    ]
    parts = [
        Part(lines=head),
        Part(
            title="Conditions",
            lines=[f"- {one_line(condition_text(one))}" for one in found.conditions],
        ),
        Part(title="Matrix", lines=list(table(_HEAD, map(_matrix_row, found.items)))),
        Part(title="What would change the answer", lines=list(_changes(found)), weight=2),
        Part(
            title="Waivers that do not count",
            lines=[f"- {one_line(void_text(one))}" for one in found.void_waivers],
        ),
        Part(title="Evidence", lines=list(_rows(found)), folded=True, weight=3),
        Part(title="Notes", lines=[f"- {one_line(note)}" for note in found.notes], weight=4),
    ]
    return page(parts)


_HEAD = ("item", "answer", "why", "asked", "valid until")


def _facts(found: Readiness) -> Iterator[str]:
    yield f"- tier {found.tier}, owner {one_line(found.owner)}"
    runs = f"{found.runs_counted} of {found.runs_looked_at} runs"
    yield f"- made {found.made} from {runs}, by gameday {found.gameday}"
    if found.valid_until:
        yield f"- valid until {found.valid_until}, if nothing happens before"


def _matrix_row(part: ReadyPart) -> tuple[str, ...]:
    return (
        part.title,
        state_text(part.state),
        one_line(part.reason),
        one_line(part.asked),
        part.valid_until[:10],
    )


def _changes(found: Readiness) -> Iterator[str]:
    for one in found.changes:
        yield f"- {one_line(f'{one.what} (for {about_text(one)})')}"
        if one.command:
            yield f"  `{one_line(one.command).replace('`', '')}`"


def _rows(found: Readiness) -> Iterator[str]:
    rows = [
        (
            part.title,
            one_line(row.subject),
            state_text(row.state),
            one_line(row.reason),
            one_line(cited_text(row.evidence)),
        )
        for part in found.items
        for row in part.rows
    ]
    if rows:
        yield from table(("item", "about", "answer", "why", "evidence"), rows)
