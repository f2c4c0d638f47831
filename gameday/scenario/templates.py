"""Values that steps pass on: every `{{ name }}` is known by then, and names stay bounded."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from gameday.model.diagnostics import Diagnostic
from gameday.model.template import malformed_in, names_in
from gameday.scenario.journey_docs import StepDoc
from gameday.scenario.node import Marks, Path
from gameday.scenario.suggest import did_you_mean


def wrong_values(
    step: StepDoc, method: str, known: Collection[str], path: Path, marks: Marks
) -> Iterator[Diagnostic]:
    """What is wrong with the values that *step* uses, when those of *known* are there."""
    for where, value in _parts(step, method):
        for text in dict.fromkeys(malformed_in(value)):
            yield marks.problem(
                "load/value",
                (*path, *where),
                f"`{text}` is no place for a value",
                "write `{{ name }}`, with letters, digits and `_`",
            )
        for name in dict.fromkeys(names_in(value)):
            if name not in known:
                yield marks.problem(
                    "load/value",
                    (*path, *where),
                    f"there is no value `{name}` at this step",
                    did_you_mean(name, known, what="there is")
                    if known
                    else f"`capture: {{{name}: {{json: id}}}}` it in a step before",
                )
    yield from _unbounded(step, method, path, marks)


def wrong_captures(step: StepDoc, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    """A value is taken from one place of the answer."""
    for name, capture in step.capture.items():
        given = [way for way in ("json", "header", "regex") if getattr(capture, way) is not None]
        if len(given) != 1:
            how = " and ".join(f"`{way}`" for way in given) or "no place to take it from"
            yield marks.problem(
                "load/capture",
                (*path, "capture", name),
                f"the value `{name}` has {how}",
                "write one of `json`, `header`, `regex`",
                key=True,
            )


def _unbounded(step: StepDoc, method: str, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    if step.name is not None and any(names_in(step.name)):
        yield marks.problem(
            "load/unbounded-name",
            (*path, "name"),
            "a name with a value in it would be another one for each visitor",
            "write one name for all, such as `GET /orders/[id]`",
        )
    elif step.name is None and any(names_in(getattr(step, method))):
        yield marks.problem(
            "load/unbounded-name",
            (*path, method),
            "a path with a value in it needs a `name`, for its numbers",
            "add for example `name: GET /orders/[id]`",
        )


def _parts(step: StepDoc, method: str) -> Iterator[tuple[Path, Any]]:
    yield (method,), getattr(step, method)
    yield ("json",), step.json
    yield ("body",), step.body
    for name, text in (step.form or {}).items():
        yield ("form", name), text
    for name, value in step.headers.items():
        if isinstance(value, str):
            yield ("headers", name), value
    yield ("expect", "text"), step.expect.text
    for name, value in step.expect.header.items():
        yield ("expect", "header", name), value
    for name, value in step.expect.json.items():
        yield ("expect", "json", name), value
