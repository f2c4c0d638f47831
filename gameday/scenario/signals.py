"""Stop conditions on something else than the load: how they are written, and what they mean."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import Annotated, Any

from gameday.model.criteria import Criterion
from gameday.model.diagnostics import Diagnostic
from gameday.model.scenario import StopSignal
from gameday.model.units import format_ms
from gameday.scenario import fields as f
from gameday.scenario import fields_calls as c
from gameday.scenario.node import Marks, Path
from gameday.scenario.validate import Either, FieldError, Scalar, about, document, shown

KINDS = ("http", "promql", "alert")
_ONLY = {"above": "promql", "below": "promql", "labels": "alert"}
EVERY_MS = 1_000


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise FieldError(
            "value/number", f"`{shown(value)}` is not a number", "write for example `0.5`"
        )
    return float(value)


_NUMBER = Scalar(_number, {"type": "number"})


@document
class StopSignalDoc:
    """A stop condition on a probe, a query or an alert. Exactly one of these keys."""

    http: Annotated[
        str | None, c.CALL_URL, about("an address that has to answer with a status below 400")
    ] = None
    promql: Annotated[str | None, f.TEXT, about("a query that the Prometheus answers")] = None
    alert: Annotated[str | None, f.TEXT, about("an alert that must not fire")] = None
    above: Annotated[float | None, _NUMBER, about("the query trips above this")] = None
    below: Annotated[float | None, _NUMBER, about("the query trips below this")] = None
    labels: Annotated[
        dict[Annotated[str, f.TEXT], Annotated[str, f.TEXT]], about("labels of the alert")
    ] = field(default_factory=dict)
    for_: Annotated[
        int | None, f.DURATION, about("so long without a break; at once unless given", key="for")
    ] = None
    every: Annotated[
        int | None, f.between(200, 60_000, "`200ms` to `60s`"), about("how often it is asked")
    ] = None


#: A condition on the load, or a signal.
Stop = Annotated[Criterion | StopSignalDoc, Either(StopSignalDoc, f.CONDITION)]


def signals_of(
    docs: Sequence[Criterion | StopSignalDoc], marks: Marks
) -> tuple[tuple[StopSignal, ...], list[Diagnostic]]:
    """The signals among the stop conditions, and what is wrong with them."""
    taken = {one.text for one in docs if isinstance(one, Criterion)}
    found: list[Diagnostic] = []
    signals = []
    for position, doc in enumerate(docs):
        if isinstance(doc, Criterion):
            continue
        path: Path = ("stop_when", position)
        wrong = list(_wrong(doc, path, marks))
        found.extend(wrong)
        if not wrong:
            signals.append(_signal(doc, taken))
    return tuple(signals), found


def _wrong(doc: StopSignalDoc, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    given = [kind for kind in KINDS if getattr(doc, kind) is not None]
    if len(given) != 1:
        how = " and ".join(f"`{kind}`" for kind in given) or "no `http`, `promql` or `alert`"
        yield marks.problem(
            "stop/signal",
            (*path, given[1]) if given else path,
            f"this stop condition has {how}",
            "write one of `http`, `promql`, `alert`, or a condition such as `errors > 50% for 10s`",
            key=True,
        )
        return
    for key, of in _ONLY.items():
        if marks.has((*path, key)) and given != [of]:
            yield _misplaced(key, of, path, marks)
    if given == ["alert"]:
        for key in ("for", "every"):
            if marks.has((*path, key)):
                yield _misplaced(key, "http` and `promql", path, marks)
    if given == ["promql"] and (doc.above is None) == (doc.below is None):
        how = "neither `above` nor" if doc.above is None else "both `above` and"
        yield marks.problem(
            "stop/signal",
            path,
            f"this query has {how} `below`",
            "write the limit, such as `above: 0.5`",
            key=True,
        )


def _misplaced(key: str, of: str, path: Path, marks: Marks) -> Diagnostic:
    return marks.problem(
        "stop/signal", (*path, key), f"`{key}` belongs to `{of}`", "remove it", key=True
    )


def _signal(doc: StopSignalDoc, taken: set[str]) -> StopSignal:
    for_ms = doc.for_ or 0
    lasting = f" for {format_ms(for_ms)}" if for_ms else ""
    op, limit = ("<", doc.below) if doc.below is not None else (">", doc.above or 0.0)
    if doc.http is not None:
        kind, text = "http", f"no answer from {doc.http}{lasting}"
    elif doc.promql is not None:
        kind, text = "promql", f"{doc.promql} {op} {limit:g}{lasting}"
    else:
        labels = ", ".join(f'{name}="{value}"' for name, value in sorted(doc.labels.items()))
        kind, text = "alert", f"alert {doc.alert}" + (f"{{{labels}}}" if labels else "")
    return StopSignal(
        text=_unique(text, taken),
        kind=kind,
        url=doc.http,
        query=doc.promql,
        op=op,
        limit=limit,
        name=doc.alert,
        labels=doc.labels,
        for_ms=for_ms,
        every_ms=doc.every or EVERY_MS,
    )


def _unique(text: str, taken: set[str]) -> str:
    """*text*, with a number when it is there already: it names the signal in the journal."""
    found, number = text, 1
    while found in taken:
        number += 1
        found = f"{text} ({number})"
    taken.add(found)
    return found
