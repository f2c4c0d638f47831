"""Journeys as people write them: what visitors do, and what answers must look like."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Any

from gameday.scenario import fields as f
from gameday.scenario import fields_calls as c
from gameday.scenario import fields_load as w
from gameday.scenario.call_docs import Secret, SecretDoc
from gameday.scenario.validate import GIVEN, about, document

Text = Annotated[str, f.TEXT]


@document
class AnswerDoc:
    """What an answer must look like."""

    status: Annotated[
        int | None, f.whole(100, 599, "an HTTP status"), about("the status that is right")
    ] = None
    under: Annotated[
        int | None,
        w.UNDER,
        about("an answer that takes longer is wrong; for the first step from the intended start"),
    ] = None
    header: Annotated[
        dict[Text, Text], about("headers that it must have, with their exact values")
    ] = field(default_factory=dict)
    json: Annotated[
        dict[Annotated[str, c.MATCH], Annotated[Any, f.JSON]],
        about("JMESPath expressions on its JSON, each with the value that it must give"),
    ] = field(default_factory=dict)
    text: Annotated[str | None, w.CONTAINED, about("text that it must contain")] = None


@document
class CaptureDoc:
    """Where in an answer a value is. Exactly one of the ways."""

    json: Annotated[str | None, c.MATCH, about("a JMESPath expression on its JSON")] = None
    header: Annotated[str | None, f.TEXT, about("the name of a header")] = None
    regex: Annotated[
        str | None, c.REGEX, about("a regular expression on the body; its first group, if any")
    ] = None


@document
class StepDoc:
    """One request. Exactly one of the methods."""

    get: Annotated[str | None, w.STEP_PATH, about("the path to GET")] = None
    post: Annotated[str | None, w.STEP_PATH, about("the path to POST to")] = None
    put: Annotated[str | None, w.STEP_PATH, about("the path to PUT to")] = None
    patch: Annotated[str | None, w.STEP_PATH, about("the path to PATCH")] = None
    delete: Annotated[str | None, w.STEP_PATH, about("the path to DELETE")] = None
    head: Annotated[str | None, w.STEP_PATH, about("the path to ask the HEAD of")] = None
    name: Annotated[
        str | None,
        f.TEXT,
        about("its name in numbers and conditions; method and path unless given"),
    ] = None
    json: Annotated[Any, f.JSON, about("the body, sent as JSON")] = None
    body: Annotated[str | None, f.TEXT, about("the body, sent as it is")] = None
    form: Annotated[
        dict[Text, Annotated[str, c.AS_WRITTEN]] | None,
        GIVEN,
        about("the fields of a form, sent as one"),
    ] = None
    files: Annotated[
        dict[Text, Text], about("files to send, relative to the project, by the field of the form")
    ] = field(default_factory=dict)
    headers: Annotated[dict[Text, Secret], about("headers to send")] = field(default_factory=dict)
    expect: Annotated[AnswerDoc, about("a right answer; any status below 400 unless given")] = (
        field(default_factory=AnswerDoc)
    )
    capture: Annotated[
        dict[Annotated[str, w.VALUE], CaptureDoc],
        about("values taken from the answer, for later steps to use as `{{ name }}`"),
    ] = field(default_factory=dict)


@document
class BasicDoc:
    """A user and where the password is."""

    user: Annotated[str, f.TEXT, about("the name of the user, without `:`")]
    password: Annotated[SecretDoc, about("where the password is")]


@document
class AuthDoc:
    """How all requests authenticate. Exactly one of the ways."""

    bearer: Annotated[SecretDoc | None, GIVEN, about("where the token is")] = None
    basic: Annotated[BasicDoc | None, GIVEN, about("a user with a password")] = None


@document
class FeederDoc:
    """A column of a CSV file, of which each visit gets a value."""

    csv: Annotated[str, f.TEXT, about("the file, relative to the project")]
    column: Annotated[str, f.TEXT, about("the column, as the first line of the file names it")]
    pick: Annotated[
        str,
        f.choice(("sequential", "random", "unique")),
        about("`sequential` (and begins again), `random`, or `unique` (each row once)"),
    ] = "sequential"


@document
class JourneyDoc:
    """What one visitor does."""

    weight: Annotated[
        int, f.whole(1, 1_000_000, "a weight"), about("its share among the journeys")
    ] = 1
    think: Annotated[
        tuple[int, int], w.THINK, about("the visitor's pause between two steps: `1s`, `0.5s..2s`")
    ] = (0, 0)
    steps: Annotated[list[StepDoc], about("requests, in order")]
