"""Alert sources over HTTP as people write them: a preset with what differs, or all of it."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Any

from gameday.model.source_presets import PRESETS
from gameday.model.sources import KEEPS, PAGINGS, STATES
from gameday.scenario import fields as f
from gameday.scenario import fields_calls as c
from gameday.scenario import fields_places as p
from gameday.scenario.call_docs import Secret, SecretDoc
from gameday.scenario.journey_docs import BasicDoc
from gameday.scenario.validate import GIVEN, Either, about, document

Name = Annotated[str, f.TEXT]
Texts = Annotated[str | list[Name], Either(list[Name], c.AS_WRITTEN)]


@document
class AwsDoc:
    """Keys with which requests to AWS are signed."""

    access_key: Annotated[SecretDoc, about("where the access key id is")]
    secret_key: Annotated[SecretDoc, about("where the secret access key is")]
    session_token: Annotated[
        SecretDoc | None, GIVEN, about("where the session token is, for keys that last a while")
    ] = None


@document
class SourceAuthDoc:
    """How requests authenticate. At most one of `bearer`, `basic` and `aws`, and `headers`."""

    bearer: Annotated[SecretDoc | None, GIVEN, about("where the token is")] = None
    basic: Annotated[BasicDoc | None, GIVEN, about("a user with a password")] = None
    aws: Annotated[AwsDoc | None, GIVEN, about("keys with which requests are signed")] = None
    headers: Annotated[dict[Name, Secret], about("headers that authenticate, by name")] = field(
        default_factory=dict
    )


@document
class SourceRequestDoc:
    """What is asked. Texts may hold `{{ since_ms }}`, `{{ until_iso }}` and options."""

    get: Annotated[str | None, c.AS_WRITTEN, about("the path to GET, below `url`")] = None
    post: Annotated[str | None, c.AS_WRITTEN, about("the path to POST to, below `url`")] = None
    query: Annotated[dict[Name, Texts], about("what stands behind `?`, by name")] = field(
        default_factory=dict
    )
    headers: Annotated[dict[Name, Name], about("headers to send that are no secrets")] = field(
        default_factory=dict
    )
    json: Annotated[Any, f.JSON, about("the body, sent as JSON")] = None


@document
class SourcePagingDoc:
    """How one page leads to the next."""

    kind: Annotated[str, f.choice(PAGINGS), about("how; `none` when there is one page")]
    read: Annotated[
        str, c.MATCH, about("where the next address or mark is in the answer (JMESPath)")
    ] = ""
    param: Annotated[
        str, f.TEXT, about("the parameter for the mark, the offset or the number of the page")
    ] = ""
    in_body: Annotated[
        bool, p.SWITCH, about("it is sent in the JSON body, at this dotted path")
    ] = False
    size: Annotated[
        int, f.whole(1, 10_000, "a number of alerts"), about("how many alerts a full page has")
    ] = 100
    first: Annotated[
        int, f.whole(0, 1, "the number of the first page"), about("the number of the first page")
    ] = 0
    more: Annotated[
        str, c.MATCH, about("an expression that is true while there is more (JMESPath)")
    ] = ""


@document
class SourceMapDoc:
    """Where each part of an alert is, as JMESPath expressions on one entry of `rows`."""

    id: Annotated[
        str | None, c.MATCH, about("what tells it from others; name and labels unless given")
    ] = None
    name: Annotated[str | None, c.MATCH, about("its name, or a title that has it")] = None
    state: Annotated[str | None, c.MATCH, about("its state, in the words of the source")] = None
    started: Annotated[str | None, c.MATCH, about("when it began to fire")] = None
    pending: Annotated[str | None, c.MATCH, about("when its condition became true")] = None
    ended: Annotated[str | None, c.MATCH, about("when it ended")] = None
    acknowledged: Annotated[str | None, c.MATCH, about("when somebody took it on")] = None
    ended_after: Annotated[
        str | None, c.MATCH, about("how many ms after `started` it ended, where that is said")
    ] = None
    acknowledged_after: Annotated[
        str | None, c.MATCH, about("how many ms after `started` somebody took it on")
    ] = None
    labels: Annotated[
        str | None,
        c.MATCH,
        about("its labels: a mapping, `name:value` texts, or name and value pairs"),
    ] = None
    annotations: Annotated[str | None, c.MATCH, about("its annotations, such as `runbook_url`")] = (
        None
    )
    severity: Annotated[str | None, c.MATCH, about("a label `severity`, where it stands apart")] = (
        None
    )
    url: Annotated[str | None, c.MATCH, about("where people look at it")] = None


@document
class SourceRuleMapDoc:
    """Where each part of a rule is, as JMESPath expressions on one entry of `rules`."""

    name: Annotated[str | None, c.MATCH, about("the name of the alerts that it makes")] = None
    health: Annotated[
        str | None, c.MATCH, about("whether it can be evaluated: `ok` or `error`")
    ] = None
    error: Annotated[str | None, c.MATCH, about("why it cannot")] = None
    labels: Annotated[str | None, c.MATCH, about("its labels")] = None
    annotations: Annotated[str | None, c.MATCH, about("its annotations")] = None
    interval: Annotated[str | None, c.MATCH, about("how often it is evaluated, in seconds")] = None


@document
class HttpSourceDoc:
    """A source of alerts that answers with JSON. What a preset says already can be left out."""

    preset: Annotated[
        str | None, f.choice(tuple(PRESETS)), about("the vendor whose answers it knows to read")
    ] = None
    url: Annotated[str | None, f.URL, about("its address")] = None
    auth: Annotated[SourceAuthDoc, about("how requests authenticate")] = field(
        default_factory=SourceAuthDoc
    )
    options: Annotated[
        dict[Annotated[str, c.ENV_NAME], Name], about("values for `{{ name }}` in the request")
    ] = field(default_factory=dict)
    request: Annotated[SourceRequestDoc | None, GIVEN, about("what is asked")] = None
    paging: Annotated[SourcePagingDoc | None, GIVEN, about("how pages follow each other")] = None
    rows: Annotated[
        str | None, c.MATCH, about("where the list of alerts is in the answer (JMESPath)")
    ] = None
    map: Annotated[SourceMapDoc, about("where each part of an alert is")] = field(
        default_factory=SourceMapDoc
    )
    states: Annotated[
        dict[Name, Annotated[str, f.choice(STATES)]],
        about("the states of the source in our words"),
    ] = field(default_factory=dict)
    name_pattern: Annotated[
        str | None, c.REGEX, about("the name of the alert in a title: the first group that matches")
    ] = None
    rules: Annotated[
        str | None, c.MATCH, about("where the list of rules is in the answer (JMESPath)")
    ] = None
    rule_map: Annotated[SourceRuleMapDoc, about("where each part of a rule is")] = field(
        default_factory=SourceRuleMapDoc
    )
    problem: Annotated[
        str | None, c.MATCH, about("an expression that is true of an answer that is an error")
    ] = None
    zone: Annotated[str | None, p.ZONE, about("the zone of times that do not say theirs")] = None
    keeps: Annotated[
        str | None,
        f.choice(KEEPS),
        about("`history`, `live` (only what is there now) or `changes` (of states)"),
    ] = None
    delivered: Annotated[
        bool | None, p.SWITCH, about("an alert that is listed there has reached people")
    ] = None
    every: Annotated[
        int | None, f.between(1_000, 600_000, "1s to 10m"), about("how often it is polled")
    ] = None
    lookback: Annotated[
        int | None,
        f.between(0, 7 * 86_400_000, "at most `7d`"),
        about("how far before the run is asked, for alerts that were firing already"),
    ] = None
    delay: Annotated[
        int | None,
        f.between(0, 600_000, "at most `10m`"),
        about("how late it lists what has happened"),
    ] = None
    error: Annotated[
        int | None,
        f.between(0, 600_000, "at most `10m`"),
        about("how much earlier an alert may have begun than it says"),
    ] = None
