"""Two runs over each other as tables: for the terminal, and for the page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

from gameday.model.report import Change
from gameday.model.units import format_ms
from gameday.model.verdict import Outcome
from gameday.report.compared import by_text, interval_text, value_text
from gameday.report.compared_runs import RunsCompared, TimePair
from gameday.report.markdown import CHANGES, RUNGS, WORDS
from gameday.report.page import Table
from gameday.report.text import printable

WIDTH = 78
#: Of the differences of the plans so many are told in the terminal; `--json` has all.
SHOWN_MAX = 20
_MARKS = {Change.WORSE: "!", Change.BETTER: "+"}
CHANCE = (
    "The intervals hold what is chance within the two runs, and not what runs differ by anyway: a "
    "change may be the machine's. Where it matters, run again, or compare with the last runs."
)


def sentence_of(found: RunsCompared) -> str:
    """The answer in one sentence."""
    same = "" if not found.differences else ", and not the same was done"
    match found.change:
        case Change.WORSE:
            return f"the run after is worse than the run before{same}"
        case Change.BETTER:
            return f"the run after is better than the run before, and nothing is worse{same}"
        case Change.NOT_SHOWN:
            return f"no change is shown between the two runs{same}"
    return f"nobody can say whether the run after is worse{same}"


def tables(found: RunsCompared) -> Sequence[Table]:
    """All tables, in order of the page."""
    return (
        Table(
            id="table-differences",
            caption="What differs in what was done",
            head=("", "before", "after"),
            rows=[(d.what, d.before, d.now) for d in found.differences],
        ),
        Table(
            id="table-expectations",
            caption="Expectations of both runs",
            head=("", "expected", "before", "after", "found before", "found after"),
            rows=[
                (
                    p.change,
                    p.expectation,
                    _word(p.before),
                    _word(p.now),
                    p.found_before,
                    p.found_now,
                )
                for p in found.expectations
            ],
        ),
        Table(
            id="table-numbers",
            caption="What users got in both runs",
            head=("", "phase", "requests", "", "before", "after", "change", "interval", "n"),
            rows=[*_numbers(found)],
        ),
        Table(
            id="table-ladders",
            caption="Detection ladders of both runs, from the fault confirmed on",
            head=("fault", "", "before", "after", "later by", "interval"),
            rows=[_times(pair) for pair in found.ladders],
        ),
        Table(
            id="table-faults",
            caption="How long faults took to be confirmed, from the call",
            head=("fault", "", "before", "after", "longer by", ""),
            rows=[(*_times(pair)[:5], "") for pair in found.faults],
        ),
    )


def _word(outcome: Outcome | None) -> str:
    return "not asked" if outcome is None else WORDS[outcome]


def _numbers(found: RunsCompared) -> Iterator[tuple[str, ...]]:
    for row in found.numbers:
        compared = row.change is not Change.NOT_COMPARED
        yield (
            CHANGES[row.change],
            row.phase,
            row.subject,
            row.metric,
            "withheld" if row.before is None else value_text(row, row.before),
            "withheld" if row.now is None else value_text(row, row.now),
            by_text(row) if compared else "-",
            interval_text(row) if compared else row.why,
            f"{row.n_least} and {row.n}",
        )


def _times(pair: TimePair) -> tuple[str, ...]:
    name = RUNGS.get(pair.name, pair.name)
    if pair.by_ms is None or pair.by_low_ms is None or pair.by_high_ms is None:
        return (pair.of, name, pair.before, pair.now, "-", "")
    interval = f"{_signed(pair.by_low_ms)} to {_signed(pair.by_high_ms)}"
    return (pair.of, name, pair.before, pair.now, _signed(pair.by_ms), interval)


def _signed(ms: int) -> str:
    return f"{'-' if ms < 0 else '+'}{format_ms(abs(ms))}"


def render(found: RunsCompared) -> str:
    """Plain text of at most 78 columns but for names; what differs in the plans comes first."""
    lines = [f"{_head_word(found)}  {found.scenario}"]
    lines += _wrapped(sentence_of(found))
    for reason in found.reasons:
        lines += _wrapped(reason, "  - ", "    ")
    for word, head in (("before", found.before), ("after", found.now)):
        lines += ["", *_wrapped(f"{word}: {head.run_id}, {head.started or 'start not known'}")]
        lines += _wrapped(f"{head.word}: {head.reason}", "    ", "    ")
    lines += ["", *_different(found), "", *_asked(found), "", *_numbers_text(found)]
    for title, pairs in (
        ("after the fault was in", found.ladders),
        ("faults, from the call", found.faults),
    ):
        if pairs:
            lines += ["", f"  {title:34}{'before':>14}{'after':>14}{'later by':>12}", *_rows(pairs)]
    lines += ["", *_wrapped(CHANCE), f"  exit code {int(found.exit_code)}"]
    return "\n".join(printable(line).rstrip() for line in lines) + "\n"


def _head_word(found: RunsCompared) -> str:
    return CHANGES[found.change].replace("*", "").upper()


def _different(found: RunsCompared) -> Iterator[str]:
    if not found.differences:
        yield "  the same was done in both"
        return
    yield "  what differs in what was done"
    for one in found.differences[:SHOWN_MAX]:
        yield from _wrapped(f"{one.what}: {one.before} → {one.now}", "    ", "      ")
    if len(found.differences) > SHOWN_MAX:
        yield f"    … and {len(found.differences) - SHOWN_MAX} more: see --json"


def _asked(found: RunsCompared) -> Iterator[str]:
    """What changed, and how many did not."""
    same = [p for p in found.expectations if p.change == "same"]
    yield f"  expectations: {len(same)} of {len(found.expectations)} answered as before"
    for pair in found.expectations:
        if pair.change != "same":
            was, now = (o.value if o else "not asked" for o in (pair.before, pair.now))
            text = f"{pair.change}: {pair.expectation}: {was} → {now}"
            yield from _wrapped(text, "    ", "      ")


def _numbers_text(found: RunsCompared) -> Iterator[str]:
    """All requests, and of each journey what changed; `!` is worse, `+` better."""
    yield f"    {'phase':9}{'of':9}{'':6}{'before':>9}{'after':>9}{'change':>14}  interval"
    for row in found.numbers:
        mark = _MARKS.get(row.change, " ")
        if row.subject != "all" and mark == " ":
            continue
        before, now = (
            "withheld" if v is None else value_text(row, v) for v in (row.before, row.now)
        )
        by, interval = "-", "not compared"
        if row.change is not Change.NOT_COMPARED:
            by, interval = by_text(row), _narrow(interval_text(row))
        head = f"  {mark} {row.phase:9}{row.subject[:8]:9}{row.metric:6}"
        yield f"{head}{before:>9}{now:>9}{by:>14}  {interval}"


def _narrow(interval: str) -> str:
    """`+1 % to +2 %` with its unit once."""
    low, _, high = interval.partition(" to ")
    if low.startswith("over"):
        return interval
    unit = low.partition(" ")[2]
    return f"{low.removesuffix(f' {unit}')} to {high}" if high.endswith(f" {unit}") else interval


def _rows(pairs: Iterable[TimePair]) -> Iterator[str]:
    """What they are of on a line of its own, then each of its times."""
    told = ""
    for pair in pairs:
        if pair.of != told:
            told = pair.of
            yield f"    {pair.of}"
        _, name, before, now, by, _ = _times(pair)
        yield f"      {name:30}{_short(before):>14}{_short(now):>14}{by:>12}"


def _short(text: str) -> str:
    return text.replace("not within ", "> ").replace("not measured", "-")


def _wrapped(text: str, first: str = "  ", rest: str = "  ") -> list[str]:
    return wrap(
        " ".join(printable(text).split()),
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
