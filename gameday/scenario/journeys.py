"""From journeys as people write them to those of the model, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from gameday.model.diagnostics import Diagnostic
from gameday.model.scenario import Auth, Capture, Expect, Feeder, Journey, RequestStep, Upload
from gameday.scenario.call_docs import SecretDoc
from gameday.scenario.journey_docs import AnswerDoc, AuthDoc, FeederDoc, JourneyDoc, StepDoc
from gameday.scenario.node import Marks, Path
from gameday.scenario.secret_rules import in_file, is_secret, secret_ref, unclear
from gameday.scenario.templates import wrong_captures, wrong_values

METHODS = ("get", "post", "put", "patch", "delete", "head")


def journeys_of(
    docs: Mapping[str, JourneyDoc], given: Collection[str], marks: Marks
) -> tuple[tuple[Journey, ...], list[Diagnostic]]:
    """The journeys of a load, and what is wrong with them; values of *given* are there before."""
    found: list[Diagnostic] = []
    journeys = []
    for name, journey in docs.items():
        path = ("load", "journeys", name)
        if not journey.steps:
            found.append(
                marks.problem(
                    "value/empty",
                    (*path, "steps"),
                    f"the journey `{name}` has no step",
                    "add one",
                )
            )
        known = set(given)
        for position, step in enumerate(journey.steps):
            found.extend(_wrong_step(step, known, (*path, "steps", position), marks))
            known |= set(step.capture)
        steps = tuple(_step(step) for step in journey.steps)
        journeys.append(
            Journey(name=name, weight=journey.weight, steps=steps, think_ms=journey.think)
        )
    return tuple(journeys), found


def aside_of(
    part: str, docs: Sequence[StepDoc], given: Collection[str], marks: Marks
) -> tuple[tuple[RequestStep, ...], frozenset[str], list[Diagnostic]]:
    """The steps of setup or teardown, the values known after them, and what is wrong with them."""
    found: list[Diagnostic] = []
    known = set(given)
    for position, step in enumerate(docs):
        wrong = _wrong_step(step, known, ("load", part, position), marks)
        # they are in no number, so their names may be as many as they like
        found.extend(one for one in wrong if one.code != "load/unbounded-name")
        known |= set(step.capture)
    return tuple(_step(step) for step in docs), frozenset(known), found


def drawn_twice(
    setup: Sequence[StepDoc], data: Collection[str], marks: Marks
) -> Iterator[Diagnostic]:
    """A value is captured in setup, or drawn for each visit, but not both."""
    for position, step in enumerate(setup):
        for name in step.capture:
            if name in data:
                yield marks.problem(
                    "load/capture",
                    ("load", "setup", position, "capture", name),
                    f"the value `{name}` is in `data` too",
                    "give one of them another name",
                    key=True,
                )


def auth_of(doc: AuthDoc | None) -> Auth | None:
    """How requests authenticate."""
    if doc is None:
        return None
    if doc.basic is not None:
        return Auth(user=doc.basic.user, password=secret_ref(doc.basic.password))
    return Auth(bearer=None if doc.bearer is None else secret_ref(doc.bearer))


def wrong_auth(doc: AuthDoc | None, marks: Marks) -> Iterator[Diagnostic]:
    """What is wrong with how requests authenticate."""
    if doc is None:
        return
    path = ("load", "auth")
    if (doc.bearer is None) == (doc.basic is None):
        how = "neither `bearer` nor `basic`" if doc.basic is None else "`bearer` and `basic`"
        yield marks.problem(
            "load/auth", path, f"`auth` has {how}", "write `bearer: {env: TOKEN}`", key=True
        )
    yield from unclear(doc.bearer, (*path, "bearer"), marks)
    if doc.basic is not None:
        yield from unclear(doc.basic.password, (*path, "basic", "password"), marks)
        if ":" in doc.basic.user:
            yield marks.problem(
                "load/auth",
                (*path, "basic", "user"),
                "a user of basic authentication has no `:` in the name",
                "write the name alone; the password is in `password`",
            )


def feeders_of(docs: Mapping[str, FeederDoc]) -> dict[str, Feeder]:
    """The columns of `data`."""
    return {
        name: Feeder(csv=doc.csv, column=doc.column, pick=doc.pick) for name, doc in docs.items()
    }


def _wrong_step(
    doc: StepDoc, known: Collection[str], path: Path, marks: Marks
) -> Iterator[Diagnostic]:
    given = [method for method in METHODS if getattr(doc, method) is not None]
    if len(given) != 1:
        how = " and ".join(f"`{method}`" for method in given) or "no method, such as `get`"
        yield marks.problem(
            "load/method",
            path if not given else (*path, given[1]),
            f"this step has {how}",
            "write one of `get`, `post`, `put`, `patch`, `delete`, `head` a step",
            key=bool(given),
        )
    else:
        yield from wrong_values(doc, given[0], known, path, marks)
    yield from wrong_captures(doc, path, marks)
    if doc.files and (doc.json is not None or doc.body is not None):
        yield marks.problem(
            "load/body",
            (*path, "files"),
            "`files` are sent as a form, and this step has another body",
            "write its other fields in `form`",
            key=True,
        )
    if doc.form == {}:
        yield marks.problem(
            "value/empty", (*path, "form"), "the form has no field", "add one, or remove it"
        )
    sent = [name for name in ("json", "body", "form") if getattr(doc, name) is not None]
    if len(sent) > 1:
        yield marks.problem(
            "load/body",
            (*path, sent[1]),
            f"this step has {' and '.join(f'`{name}`' for name in sent)}",
            "keep one",
            key=True,
        )
    for name, value in doc.headers.items():
        yield from unclear(value, (*path, "headers", name), marks)
        if isinstance(value, str) and is_secret(name):
            yield in_file(name, value, (*path, "headers", name), marks)


def _step(doc: StepDoc) -> RequestStep:
    method, path = next(
        ((name, getattr(doc, name)) for name in METHODS if getattr(doc, name) is not None),
        ("get", "/"),
    )
    return RequestStep(
        method=method.upper(),
        path=path,
        name=doc.name or f"{method.upper()} {path}",
        json=doc.json,
        body=doc.body,
        form=doc.form or {},
        files={name: Upload(path=file) for name, file in doc.files.items()},
        headers={
            name: secret_ref(value) if isinstance(value, SecretDoc) else value
            for name, value in doc.headers.items()
        },
        expect=_expect(doc.expect),
        capture={
            name: Capture(json=one.json, header=one.header, regex=one.regex)
            for name, one in doc.capture.items()
        },
    )


def _expect(doc: AnswerDoc) -> Expect:
    return Expect(
        status=doc.status,
        under_ms=doc.under,
        headers=doc.header,
        json=doc.json,
        text=doc.text,
    )
