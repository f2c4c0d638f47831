"""What lists and presets of arrivals mean: the shape of the rate, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gameday.model.diagnostics import Diagnostic
from gameday.model.scenario import Breakpoint, Phases
from gameday.model.shape import Shape, Stretch, constant, length_ms
from gameday.model.units import format_ms
from gameday.scenario.node import Marks, Path
from gameday.scenario.scope import Scope, rule
from gameday.scenario.shape_docs import HINT, MOST, PRESETS, Line, PresetDoc, Written

AT: Path = ("load", "arrivals")
#: Phases begin on a whole second, and the fault only when the baseline was judged. So much later
#: than planned it may be; presets change nothing before that, and are back before the fault ends.
LEEWAY_MS = 5_000
SECOND_MS = 1_000
#: The share of the peak that a smoke test has, and at which stress and spike begin.
SMOKE, GROUND = 0.1, 0.25
STEPS = {"stress": 5, "breakpoint": 10}


def rates_of(
    doc: Written | None, phases: Phases | None, marks: Marks
) -> tuple[float | None, Shape, list[Diagnostic]]:
    """The constant rate or the shape that is meant, and what is wrong with it.

    Without *phases* (they could not be read) a preset is taken for its peak all along.
    """
    if isinstance(doc, list):
        found = list(_wrong_list(doc, marks))
        return (1.0, (), found) if found else (None, _shape_of(doc), found)
    if not isinstance(doc, PresetDoc):
        return doc, (), []
    found = list(_wrong_preset(doc, marks))
    if found or phases is None:
        return doc.peak, (), found
    shape = _preset(doc, phases)
    if isinstance(shape, str):
        hint = "lengthen `phases.fault`, or make it shorter"
        return doc.peak, (), [marks.problem("load/preset", AT, shape, hint, key=True)]
    if len(shape) == 1:
        return shape[0].to_per_s, (), found
    return None, shape, found


def _wrong_list(lines: Sequence[Line], marks: Marks) -> Iterator[Diagnostic]:
    if not lines:
        yield marks.problem("value/empty", AT, "the list of arrivals is empty", HINT)
    if len(lines) > MOST:
        summary = f"the list of arrivals has {len(lines)} stretches"
        yield marks.problem("load/shape", AT, summary, f"write at most {MOST}")
    for position, line in enumerate(lines):
        if line.kind == "spike" and not any(one.kind != "spike" for one in lines[:position]):
            yield marks.problem(
                "load/shape",
                (*AT, position),
                "a spike needs a rate before it, to which it returns",
                "begin with a stretch such as `20/s for 30s`",
            )
        if line.length_ms is None and position < len(lines) - 1:
            yield marks.problem(
                "load/shape",
                (*AT, position),
                "nothing comes after the end",
                "write `until end` in the last stretch only",
            )


def _shape_of(lines: Sequence[Line]) -> Shape:
    shape, before = [], 0.0
    for line in lines:
        first = before if line.kind == "ramp to" else line.per_s
        shape.append(Stretch(from_per_s=first, to_per_s=line.per_s, length_ms=line.length_ms))
        if line.kind != "spike":
            before = line.per_s
    if lines[-1].kind == "spike":
        shape.extend(constant(before))
    return tuple(shape)


def _wrong_preset(doc: PresetDoc, marks: Marks) -> Iterator[Diagnostic]:
    given = {"from": doc.from_, "steps": doc.steps, "length": doc.length, "expected": doc.expected}
    takes = PRESETS[doc.preset]
    for name, value in given.items():
        if value is not None and name not in takes:
            words = ", ".join(f"`{one}`" for one in ("peak", *takes))
            yield marks.problem(
                "load/preset",
                (*AT, name),
                f"`{doc.preset}` takes no `{name}`",
                f"remove it; `{doc.preset}` takes {words}",
                key=True,
            )
    if doc.from_ is not None and doc.from_ >= doc.peak:
        yield marks.problem(
            "load/preset",
            (*AT, "from"),
            "`from` is not below `peak`",
            "write the rate from which it rises to the peak",
            key=True,
        )
    if doc.expected is not None and not _ground(doc) < doc.expected <= doc.peak:
        yield marks.problem(
            "load/preset",
            (*AT, "expected"),
            f"`expected` is not between `from` ({_ground(doc):g}/s) and `peak`",
            "it is the rate that has to be borne: write a lower `from`, or a higher `peak`",
            key=True,
        )


def _preset(doc: PresetDoc, phases: Phases) -> Shape | str:
    """The shape, or why the phases have no room for it."""
    begin_ms = phases.fault_start_ms + LEEWAY_MS
    room_ms = phases.fault_ms - LEEWAY_MS
    ground = _ground(doc)
    match doc.preset:
        case "smoke":
            return constant(doc.peak * SMOKE)
        case "soak":
            ramp = Stretch(from_per_s=0.0, to_per_s=doc.peak, length_ms=max(1, phases.warmup_ms))
            return (*([ramp] if phases.warmup_ms else []), *constant(doc.peak))
        case "stress" | "breakpoint":
            steps = doc.steps or STEPS[doc.preset]
            each_ms = room_ms // steps // SECOND_MS * SECOND_MS
            if each_ms < SECOND_MS:
                return _no_room(f"{steps} steps", phases)
            rates = _rates(ground, doc.peak, steps, doc.expected)
            lengths_ms = [*[each_ms] * (steps - 1), room_ms - each_ms * (steps - 1)]
            up = [_flat(rate, ms) for rate, ms in zip(rates, lengths_ms, strict=True)]
            return (_flat(ground, begin_ms), *up, *constant(ground))
        case _:
            start_ms = max(LEEWAY_MS, phases.fault_ms // 3 // SECOND_MS * SECOND_MS)
            ms = doc.length or max(SECOND_MS, phases.fault_ms // 3 // SECOND_MS * SECOND_MS)
            if start_ms + ms > phases.fault_ms:
                return _no_room(f"a spike of {format_ms(ms)}", phases)
            before = _flat(ground, phases.fault_start_ms + start_ms)
            return (before, _flat(doc.peak, ms), *constant(ground))


def breakpoint_of(doc: Written | None) -> Breakpoint | None:
    """That the load rises until an objective breaks, if that is what is asked of it."""
    if not isinstance(doc, PresetDoc) or doc.preset != "breakpoint":
        return None
    return Breakpoint(from_per_s=_ground(doc), expected_per_s=doc.expected)


def _ground(doc: PresetDoc) -> float:
    return doc.from_ or doc.peak * GROUND


def _rates(ground: float, peak: float, steps: int, expected: float | None) -> list[float]:
    """Equal steps up to the peak; the one nearest to *expected* is at exactly that rate."""
    rates = [ground + (peak - ground) * (n + 1) / steps for n in range(steps)]
    if expected is not None:
        nearest = min(range(steps), key=lambda n: abs(rates[n] - expected))
        rates[nearest] = expected
    return rates


def _no_room(what: str, phases: Phases) -> str:
    return (
        f"the fault phase of {format_ms(phases.fault_ms)} is too short for {what}, "
        f"{format_ms(LEEWAY_MS)} after it has begun"
    )


def _flat(per_s: float, ms: int) -> Stretch:
    return Stretch(from_per_s=per_s, to_per_s=per_s, length_ms=ms)


def shape_is_played(scope: Scope) -> Iterator[Diagnostic]:
    """The run is long enough for what is written."""
    shape, played_ms = scope.scenario.load.shape, scope.scenario.phases.played_ms
    if length_ms(shape) <= played_ms:
        return
    end_ms = 0
    for position, stretch in enumerate(shape):
        end_ms += stretch.length_ms or 0
        if end_ms > played_ms:
            yield scope.marks.problem(
                "load/longer-than-run",
                (*AT, position),
                f"the arrivals are written for {format_ms(length_ms(shape))}, "
                f"but the run ends after {format_ms(played_ms)}, within this stretch",
                "shorten the list, or lengthen the phases",
            )
            return


RULES = (rule(shape_is_played, "load/longer-than-run", needs=("load", "phases")),)
