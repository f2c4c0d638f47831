"""Every code that a diagnostic about a file can have: the closed table.

`docs/diagnostics.md` has a part for each, and `tests/golden/diagnostics` a case. There is no
catch-all: a problem without a row here cannot be reported.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gameday.model.diagnostics import Diagnostic, Mark, Severity

_LONGEST = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One rule: what it says about a file (`what`), and whether it refuses the file."""

    what: str
    severity: Severity = Severity.ERROR


def _e(what: str) -> Code:
    return Code(what=what)


def _w(what: str) -> Code:
    return Code(what=what, severity=Severity.WARNING)


_FILES = {
    "file/unreadable": _e("the file cannot be opened"),
    "file/no-scenario": _e("there is no scenario file under this path"),
    "file/too-large": _e("a file may have at most 1 MiB"),
    "file/not-utf8": _e("files are UTF-8"),
    "file/not-printable": _e("a control character that YAML does not allow"),
    "file/empty": _e("nothing but blanks and comments"),
    "yaml/syntax": _e("the text is not YAML"),
    "yaml/tab": _e("YAML is indented with spaces"),
    "yaml/too-deep": _e("at most 40 levels of mappings and lists"),
    "yaml/duplicate-key": _e("a key may stand once; YAML would silently drop the first"),
    "yaml/alias": _e("no anchors and aliases: every value stands where it is used"),
    "yaml/tag": _e("no tags"),
    "yaml/several-documents": _e("one document a file"),
    "yaml/key-not-text": _e("a key is a word, not a list, a mapping or nothing"),
}
_DOCUMENTS = {
    "document/version": _e("`gameday:` is the version of the file format; there is 1"),
    "document/unknown-key": _e("a key that means nothing here; mostly a slip of the pen"),
    "document/missing-key": _e("a key that is needed"),
    "document/wrong-type": _e("text, a number, a list or a mapping where another is needed"),
    "value/empty": _e("text or a list with nothing in it"),
    "value/name": _e("a name with characters that file names, labels or reports could not carry"),
    "value/duration": _e("a duration without or with a wrong unit"),
    "value/whole-seconds": _e("phases and edges of faults fall on whole seconds of the load"),
    "value/share": _e("a share without `%`, or more than the whole"),
    "value/rate": _e("an arrival rate without a unit, or of zero"),
    "value/arrivals": _e("not a stretch of arrivals"),
    "value/size": _e("a size without or with a wrong unit"),
    "value/bandwidth": _e("a bandwidth without or with a wrong unit"),
    "value/number": _e("a number out of its bounds, or no whole number"),
    "value/choice": _e("not one of the words that are possible here"),
    "value/url": _e("not an address that can be used here"),
    "value/address": _e("not `host:port`"),
    "value/path": _e("the path of a request begins with `/` and has no blanks"),
    "value/probe": _e("not a way to look at a target"),
    "value/argument": _e("text that no program can be given"),
    "value/regex": _e("not a regular expression"),
    "value/match": _e("not a JMESPath expression"),
    "value/label": _e("not a label with its value"),
    "value/time": _e("not a time of the day"),
    "value/date": _e("not a date"),
    "value/timezone": _e("not a time zone"),
    "value/slo": _e("not an objective"),
    "value/effect": _e("not an effect of a fault"),
    "value/json": _e("a number that JSON cannot carry"),
    "criterion/syntax": _e("not a condition"),
    "criterion/metric": _e("a condition on something that is not measured"),
    "criterion/limit": _e("a condition whose limit or window has no or a wrong unit"),
    "criterion/steady": _e("`steady within` where it has no meaning"),
    "criterion/window": _e("`over` and `for` where the phase is the window"),
    "profile/unknown": _e("a profile that this scenario does not have"),
    "profile/fixed-key": _e("a profile may not change what the scenario is"),
}
_SCENARIOS = {
    "scenario/no-stop-condition": _e("no stop condition, no run"),
    "scenario/duplicate-id": _e("two scenarios with the same id"),
    "load/model": _e("`arrivals` or `users`: exactly one of them"),
    "load/shape": _e("stretches of arrivals that do not fit together"),
    "load/preset": _e("a preset with parameters that it does not take, or without room for it"),
    "load/breakpoint": _e("a search for the breakpoint beside faults, or without objectives"),
    "load/longer-than-run": _w("arrivals are written for longer than the run"),
    "load/think": _e("`think` belongs to `users`; arrivals do not think"),
    "load/workers": _e("workers on other hosts that cannot make this load here"),
    "load/spread": _e("`spread` belongs to `arrivals`; users come by themselves"),
    "load/journeys": _e("`journeys` or `locustfile`: exactly one of them"),
    "load/classes": _e("`classes` belongs to `locustfile`"),
    "load/locustfile": _e("the locustfile is not there"),
    "load/method": _e("a step is exactly one request"),
    "load/body": _e("`json`, `body` or `form`: at most one of them; `files` belong to a form"),
    "load/auth": _e("`bearer` or `basic`: exactly one of them"),
    "load/journeys-only": _e("what belongs to `journeys`, beside a locustfile"),
    "load/data": _e("a file that cannot feed the journeys, or be sent by them"),
    "load/value": _e("a `{{ value }}` that no step before has captured"),
    "load/capture": _e("a captured value is taken from exactly one place of the answer"),
    "load/unbounded-name": _e("a request whose name would be another one for each visitor"),
    "load/ambiguous-name": _e("a request has the name of another journey"),
    "criterion/subject": _e("a condition on a journey or request that the load does not have"),
    "fault/none": _e("a scenario without a fault tests nothing"),
    "fault/kind": _e("a fault breaks exactly one thing"),
    "fault/duplicate-id": _e("two faults with the same id"),
    "fault/unknown-toxic": _e("a type of toxic that Toxiproxy does not have"),
    "fault/attribute": _e("a value that a Toxiproxy server could not bear, or would misread"),
    "fault/doubtful-toxic": _w("a toxic that is possible, but hardly meant"),
    "fault/unknown-action": _e("a type that this family of faults does not have"),
    "fault/option": _e("an option that the fault could not bear"),
    "fault/no-option": _e("a fault without the options that make it one"),
    "fault/call": _e("a call that could not be made, or whose answer would say nothing"),
    "fault/no-end": _e("a fault that would never end"),
    "fault/longer-than-phase": _e("a fault that is still in when the fault phase ends"),
    "fault/after-phase": _e("a fault that starts when the fault phase is over"),
    "stage/gate": _e("`after`, `when` or `gate`: exactly one of them a stage"),
    "stage/kind": _e("a fault grows only in strength, and not every fault can"),
    "stage/cannot-come": _w("a stage that would come after the fault is over"),
    "command/shell": _e("a command is a list: there is no shell"),
    "secret/place": _e("`env` or `file`: a secret is in exactly one place"),
    "secret/in-file": _w("a secret that stands in the file"),
    "expect/none": _e("nothing is expected of the fault: the run could prove nothing"),
    "expect/no-baseline": _e("without an expected baseline nothing says that the run began well"),
    "expect/cannot-fail": _e("an expectation that no run could break"),
    "expect/cannot-hold": _e("an expectation that no run could meet"),
    "expect/not-measurable": _e("too few requests in the phase to measure this"),
    "expect/closed-tail": _w(
        "tail latency under a fault, of users who ask nothing while they wait"
    ),
    "expect/steady-not-observable": _w("`steady within` is longer than the recovery phase"),
    "expect/resolve-not-observable": _w("`resolves_within` is longer than the recovery phase"),
    "stop/cannot-trip": _e("a stop condition that never trips"),
    "stop/always-trips": _e("a stop condition that trips at once"),
    "stop/signal": _e("a stop condition that is not exactly one signal"),
    "stop/expected-alert": _e("an alert that is expected and would end the run"),
    "stop/not-measurable": _w("too few requests in the window to measure this"),
    "stop/trips-while-expectations-hold": _e("it can trip while all expectations hold"),
    "stop/trips-on-a-burst": _w("a short burst can trip it while the phase's expectation holds"),
    "alert/unknown-fault": _e("an alert expected of a fault that is not there"),
    "alert/fires-after-fault": _w("`fires_within` is longer than the fault"),
    "alert/quiet-expected": _e("an alert that is expected and must be quiet"),
}
_PROJECTS = {
    "project/not-found": _e("no `gameday.yaml` here or above"),
    "project/unknown-environment": _e("an environment that the project does not have"),
    "project/alertmanager-alone": _e("an Alertmanager alone cannot say when an alert fired"),
    "project/choose-environment": _e("several environments, none of them `local`"),
    "project/no-environment": _e("a project needs at least one environment"),
    "service/unknown": _e("a service that the project does not have"),
    "target/unknown": _e("a target that the environment does not have"),
    "target/no-url": _e("the load needs the target's `url`"),
    "target/no-proxy": _e("a fault needs the target's `proxy`, `listen` and `upstream`"),
    "target/no-container": _e("the fault needs the target's `container`"),
    "target/no-process": _e("the fault needs the target's `process`"),
    "target/no-certificate": _e("the fault needs the target's `certificate`"),
    "target/no-restart": _e("a process that is killed needs a way to come back"),
    "target/no-clock": _e("a clock can be moved only where it was prepared for that"),
    "target/no-ca": _e("a certificate that clients would accept needs its issuer"),
    "stop/unreadable": _e("a stop signal that the environment cannot read"),
    "docker/no-helper": _e("the fault needs a helper container, whose image is not named"),
    "command/not-allowed": _e("a program that the environment does not list"),
    "target/incomplete-proxy": _e("`proxy`, `listen` and `upstream` belong together"),
    "target/same-proxy": _e("two targets with the same proxy or the same `listen`"),
    "target/bypasses-proxy": _w("the load's `url` goes around the proxy in which the fault is"),
    "target/unused": _w("a target that no scenario loads or breaks"),
    "target/same-place": _e("two targets that are the same container, process or certificate"),
    "target/container": _e("a container has a name, or a label"),
    "target/process": _e("a process has a pidfile, or is started by gameday"),
    "target/certificate": _e("`ca` and `ca_key` belong together"),
    "path/outside": _e("a path that leads out of the project"),
    "policy/target": _e("a policy for a target that the environment does not have"),
    "policy/fault": _e("a policy for a kind of fault that there is not"),
    "policy/hours": _e("hours that end before they begin"),
    "policy/freeze": _e("a freeze that ends before it begins"),
    "policy/budget": _e("an error budget that could not be read"),
    "policy/production": _e("what no policy can switch off in production"),
    "policy/no-signers": _w("a production in which nobody could approve a run"),
    "notice/url": _e("the address of a notice holds tokens, and stands in the file"),
    "notice/environment": _e("a notice about an environment that is not there"),
    "ticket/system": _e("`jira` or `servicenow`: exactly one of them"),
    "ticket/address": _e("an address of tickets to which a token would go in the clear"),
    "ticket/field": _e("a field of a ticket that gameday fills in itself"),
    "alerting/source": _e("a source of alerts that has no address, or is not known"),
    "alerting/name": _e("a source with the name of another one"),
    "alerting/incomplete": _e("a source of alerts of which something is missing"),
    "alerting/auth": _e("a source of alerts that could not authenticate"),
    "alerting/value": _e("a `{{ value }}` in the request of a source that nothing gives"),
    "alerting/proof": _e("a proof of the pipeline without the server that it asks"),
    "alerting/no-firing": _e("no source can say when an alert fired"),
    "alert/unknown": _e("an expected alert that the built-in alerts do not have"),
    "alert/labels-differ": _e("the built-in alert has other labels than expected"),
    "alert/receiver-differs": _e("the built-in alert goes to another receiver than expected"),
    "alert/cannot-fire": _e("the built-in alert looks at requests that this load does not make"),
    "runbook/missing": _e("the runbook is not there"),
    "runbook/host": _e("a link to a host that is not in `runbook_hosts`"),
    "runbook/not-local": _e("a runbook to be proven that is not a file of the project"),
    "runbook/fault": _e("a runbook to be proven against a fault that is not there"),
    "runbook/folder": _w("a folder of runbooks that is not there"),
}

#: Code -> what it says. In the order of the page in the docs.
_DAYS = {
    "day/item": _e("an item of a day is one scenario, tabletop or drill, with a name of its own"),
    "day/scenario": _e("a scenario of a day has to be one that could be run"),
    "day/cards": _e("a tabletop has cards, in the order of their times"),
    "day/drill": _e("a drill brings something back, and shows that it is whole"),
    "day/roles": _e("the roles that the items of a day need, and only those of the day"),
    "day/window": _e("the window of a day begins before it ends, and is no longer than a week"),
    "day/debrief": _e("the days on which nobody works cannot be known"),
}
CODES: Mapping[str, Code] = MappingProxyType(
    {**_FILES, **_DOCUMENTS, **_SCENARIOS, **_PROJECTS, **_DAYS}
)


def problem(
    code: str, summary: str, hint: str = "", *, mark: Mark | None = None, source_line: str = ""
) -> Diagnostic:
    """A diagnostic with the severity of its code, its texts in one printable line each."""
    return Diagnostic(
        code=code,
        summary=one_line(summary),
        hint=one_line(hint),
        mark=mark,
        severity=CODES[code].severity,
        source_line=source_line,
    )


def one_line(text: str) -> str:
    """*text* on one line, without control characters, cut when very long."""
    text = " ".join(text.split())
    if not text.isprintable():
        text = "".join(c if c.isprintable() else unicodedata_name(c) for c in text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def unicodedata_name(char: str) -> str:
    """How an unprintable character is shown: `<U+001B>`."""
    return f"<U+{ord(char):04X}>" if unicodedata.category(char) != "Zs" else " "
