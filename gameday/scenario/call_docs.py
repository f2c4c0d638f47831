"""Generic faults as people write them: calls by command, HTTP or Python; and secrets."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Any

from gameday.model.faults import CALL_TIMEOUT_MS
from gameday.scenario import fields as f
from gameday.scenario import fields_calls as c
from gameday.scenario.validate import GIVEN, Either, about, document


@document
class SecretDoc:
    """Where a secret is: in an environment variable, or the first line of a file."""

    env: Annotated[str | None, c.ENV_NAME, about("the environment variable that holds it")] = None
    file: Annotated[str | None, f.TEXT, about("the file whose first line it is")] = None
    prefix: Annotated[str, c.AS_WRITTEN, about("what is put in front of it, such as `Bearer `")] = (
        ""
    )


#: Text, or where a secret is.
Secret = Annotated[str | SecretDoc, Either(SecretDoc, f.TEXT)]
#: The same, with the blanks of the text.
Exact = Annotated[str | SecretDoc, Either(SecretDoc, c.ARGUMENT)]
Name = Annotated[str, f.TEXT]
Argument = Annotated[str, c.ARGUMENT]
Exit = Annotated[int, c.EXIT]
Status = Annotated[int, c.STATUS]
#: A program and its arguments, without a shell.
Command = Annotated[list[Argument], Either(list[Argument], c.NO_SHELL, schema=False)]


@document
class CommandCallDoc:
    """A program that is run."""

    run: Annotated[Command, about("the program and its arguments, as a list; there is no shell")]
    timeout: Annotated[int, c.CALL_TIMEOUT, about("how long it may take, at most 60s")] = (
        CALL_TIMEOUT_MS
    )
    exit: Annotated[
        list[Exit] | int | None,
        Either(list[Exit], c.EXIT),
        about("the exit codes that are right; 0 unless given"),
    ] = None
    stdout: Annotated[
        str | None, c.REGEX, about("a regular expression that its output must match somewhere")
    ] = None
    env: Annotated[
        dict[Annotated[str, c.ENV_NAME], Exact], about("environment variables for it")
    ] = field(default_factory=dict)
    cwd: Annotated[str | None, f.TEXT, about("the folder it is run in, in the project")] = None


@document
class CommandPresentDoc(CommandCallDoc):
    """A program that says whether the fault is in."""

    gone_exit: Annotated[
        list[Exit] | int | None,
        Either(list[Exit], c.EXIT),
        about("the exit codes that say that the fault is not in; 1 unless given"),
    ] = None


@document
class CommandDoc:
    """A fault by commands of yours."""

    inject: Annotated[CommandCallDoc, about("puts the fault in")]
    revert: Annotated[CommandCallDoc, about("takes it out; it may be run more than once")]
    present: Annotated[CommandPresentDoc, about("says whether it is in")]
    effect: Annotated[CommandCallDoc | None, GIVEN, about("shows that it does something")] = None


@document
class HttpCallDoc:
    """A request. Exactly one of the methods."""

    get: Annotated[str | None, c.CALL_URL, about("the address to GET")] = None
    post: Annotated[str | None, c.CALL_URL, about("the address to POST to")] = None
    put: Annotated[str | None, c.CALL_URL, about("the address to PUT to")] = None
    patch: Annotated[str | None, c.CALL_URL, about("the address to PATCH")] = None
    delete: Annotated[str | None, c.CALL_URL, about("the address to DELETE")] = None
    json: Annotated[Any, f.JSON, about("the body, sent as JSON")] = None
    body: Annotated[str | None, c.AS_WRITTEN, about("the body, sent as it is")] = None
    headers: Annotated[dict[Name, Secret], about("headers to send")] = field(default_factory=dict)
    timeout: Annotated[int, c.CALL_TIMEOUT, about("how long it may take, at most 60s")] = (
        CALL_TIMEOUT_MS
    )
    status: Annotated[
        list[Status] | int | None,
        Either(list[Status], c.STATUS),
        about("the statuses that are right; any 2xx unless given"),
    ] = None
    match: Annotated[
        str | None, c.MATCH, about("a JMESPath expression that must be true of the JSON answer")
    ] = None


@document
class HttpPresentDoc(HttpCallDoc):
    """A request that says whether the fault is in."""

    gone_status: Annotated[
        list[Status] | int | None,
        Either(list[Status], c.STATUS),
        about("the statuses that say that the fault is not in; 404 unless given"),
    ] = None


@document
class HttpDoc:
    """A fault by HTTP requests of yours."""

    inject: Annotated[HttpCallDoc, about("puts the fault in")]
    revert: Annotated[HttpCallDoc, about("takes it out; it may be sent more than once")]
    present: Annotated[HttpPresentDoc, about("says whether it is in")]
    effect: Annotated[HttpCallDoc | None, GIVEN, about("shows that it does something")] = None


@document
class PythonCallDoc:
    """A Python function, such as an action of a Chaos Toolkit extension."""

    module: Annotated[str, c.MODULE, about("where it is")]
    func: Annotated[str, c.FUNCTION, about("its name")]
    arguments: Annotated[dict[str, Any], c.JSON_MAPPING, about("what it is given, by name")] = (
        field(default_factory=dict)
    )
    configuration: Annotated[
        dict[str, Any], c.JSON_MAPPING, about("the configuration it is given")
    ] = field(default_factory=dict)
    secrets: Annotated[dict[Name, Secret], about("the secrets it is given, by name")] = field(
        default_factory=dict
    )
    timeout: Annotated[int, c.CALL_TIMEOUT, about("how long it may take, at most 60s")] = (
        CALL_TIMEOUT_MS
    )
    match: Annotated[
        str | None, c.MATCH, about("a JMESPath expression that must be true of its answer")
    ] = None


@document
class PythonDoc:
    """A fault by Python functions."""

    inject: Annotated[PythonCallDoc, about("puts the fault in")]
    revert: Annotated[PythonCallDoc, about("takes it out; it may be called more than once")]
    present: Annotated[PythonCallDoc, about("says whether it is in")]
    effect: Annotated[PythonCallDoc | None, GIVEN, about("shows that it does something")] = None
