"""A scenario as somebody wrote it, checked: what breaks, under which load, what should be noticed.

All times are milliseconds, all shares are between 0 and 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gameday.model.answers import AnswerExpectation
from gameday.model.criteria import Criterion, Steady
from gameday.model.effect import Effect
from gameday.model.secret import SecretRef
from gameday.model.shape import Shape, Stretch, constant


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What an answer to one request must look like. No status means: any below 400.

    `under_ms`: a longer one has failed, counted from the intended start for the first request of an
    arrival and from the send for later ones. `headers` by name; `json` by JMESPath expression;
    `text` is somewhere in the body.
    """

    status: int | None = None
    under_ms: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Mapping[str, Any] = field(default_factory=dict)
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """Where in an answer a value is: exactly one is set.

    `json` is a JMESPath expression, `header` a name; of `regex` (on the body) it is the first
    group, or the whole match if there is none.
    """

    json: str | None = None
    header: str | None = None
    regex: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file of the project that a step sends as a field of its form.

    `content` (base64) is read when the load is made ready, and is in no plan.
    """

    path: str
    content: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestStep:
    """One request of a journey. `name` is what it is called in numbers and criteria.

    `capture` takes values from the answer, which later steps use as `{{ name }}` (see
    `gameday.model.template`) in path, json, body, headers, and what they expect.
    """

    method: str
    path: str
    name: str
    json: Any = None
    body: str | None = None
    form: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Upload] = field(default_factory=dict)
    headers: Mapping[str, str | SecretRef] = field(default_factory=dict)
    expect: Expect = Expect()
    capture: Mapping[str, Capture] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """What one visitor does: steps in order. `weight` is its share among the journeys.

    Between two steps the visitor thinks for a time between the two of `think_ms`, which is drawn.
    """

    name: str
    steps: tuple[RequestStep, ...]
    weight: int = 1
    think_ms: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeder:
    """A column of a CSV file in the project, of which each visit gets a value.

    `pick` is `sequential` (and begins again), `random` or `unique` (each row once). `values` are
    read when the load is made ready, and are in no plan.
    """

    csv: str
    column: str
    pick: str = "sequential"
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """How all requests of the journeys authenticate: `bearer`, or `user` and `password`."""

    bearer: SecretRef | str | None = None
    user: str | None = None
    password: SecretRef | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakpoint:
    """That the load rises step by step until an objective of the fault phase breaks.

    The stretches of `LoadSpec.shape` between the first and the last are the steps; both of those
    are at `from_per_s`. One step is at `expected_per_s`, the peak that has to be borne, if given.
    """

    from_per_s: float
    expected_per_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSpec:
    """The traffic. Exactly one of `arrivals_per_s`, `shape` (open model), `users` (closed) is set.

    `arrivals_per_s` never changes, `shape` does. Whoever asks for the rate asks `rates`. `spread`
    of arrivals is `even`, or `poisson`: independent of one another, as the seed draws them.
    """

    target: str
    arrivals_per_s: float | None = None
    shape: tuple[Stretch, ...] = ()
    spread: str = "even"
    breakpoint: Breakpoint | None = None
    users: int | None = None
    think_ms: int = 0  # of a closed user, between two iterations
    timeout_ms: int = 10_000
    journeys: tuple[Journey, ...] = ()
    locustfile: str | None = None
    classes: tuple[str, ...] = ()
    data: Mapping[str, Feeder] = field(default_factory=dict)
    auth: Auth | None = None
    setup: tuple[RequestStep, ...] = ()  # once in each load process, and in no number
    teardown: tuple[RequestStep, ...] = ()
    processes: int = 1  # on this host; 0 (`auto`): as many as the rate needs
    workers: int = 0  # on other hosts, instead of processes here

    @property
    def steps(self) -> tuple[RequestStep, ...]:
        """All requests that are written out: of journeys, setup and teardown."""
        return (*self.setup, *(s for j in self.journeys for s in j.steps), *self.teardown)

    def with_steps(self, change: Callable[[RequestStep], RequestStep]) -> LoadSpec:
        """The same load with every one of `steps` as *change* makes it."""
        return replace(
            self,
            setup=tuple(map(change, self.setup)),
            journeys=tuple(replace(j, steps=tuple(map(change, j.steps))) for j in self.journeys),
            teardown=tuple(map(change, self.teardown)),
        )

    @property
    def rates(self) -> Shape:
        """The arrival rate over the time since the start of the load; empty in a closed model."""
        return self.shape if self.arrivals_per_s is None else constant(self.arrivals_per_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """Lengths. Warm-up is never judged; recovery starts when the last fault is confirmed off."""

    warmup_ms: int = 3_000
    baseline_ms: int
    fault_ms: int
    recovery_ms: int

    @property
    def fault_start_ms(self) -> int:
        """When the fault phase begins, at the earliest, since the start of the load."""
        return self.warmup_ms + self.baseline_ms

    @property
    def played_ms(self) -> int:
        """All phases together."""
        return self.fault_start_ms + self.fault_ms + self.recovery_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class ToxicSpec:
    """A Toxiproxy toxic; `attributes` carry the names and units of the Toxiproxy API.

    Whole milliseconds for latency, jitter, timeout and the delay of slow_close; KB/s for rate;
    bytes for sizes; whole microseconds for the delay of slicer.
    """

    type: str
    stream: str = "downstream"
    toxicity: float = 1.0
    attributes: Mapping[str, int | float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSpec:
    """A fault of `gameday.model.faults.FAMILIES`; `options` in the units of its table.

    For `command`, `http` and `python` the options are calls as plain JSON: `inject`, `revert`,
    `present` and where given `effect`, each with `timeout_ms`; `docs/faults/generic.md` has them.
    """

    family: str
    type: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The next strength of a fault, put in while the fault is in. Exactly one gate is set.

    `after_ms` counts from the confirmation of the stage before; `when` must hold on the load since
    then; `gate` is opened by a person. A stage whose gate does not open is left out.
    """

    toxic: ToxicSpec | None = None
    action: ActionSpec | None = None
    after_ms: int | None = None
    when: Criterion | None = None
    gate: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSpec:
    """One failure: a toxic, `down` (the proxy refuses connections), or an action.

    `start_ms` counts from the start of the fault phase, `length_ms` from there; without a length it
    lasts to the end of the fault phase. With `hold` it is taken out as soon as it was mitigated,
    and at the latest then.
    """

    id: str
    target: str
    toxic: ToxicSpec | None = None
    down: bool = False
    action: ActionSpec | None = None
    start_ms: int = 0
    length_ms: int | None = None
    stages: tuple[Stage, ...] = ()
    hold: bool = False

    @property
    def kind(self) -> str:
        """What it is called in policies and reports: `latency`, `down`, `container.pause`."""
        if self.action is not None:
            generic = self.action.family == self.action.type
            return self.action.type if generic else f"{self.action.family}.{self.action.type}"
        return self.toxic.type if self.toxic is not None else "down"

    @property
    def strengths(self) -> tuple[FaultSpec, ...]:
        """The fault as it begins, and as each of its stages makes it, without further stages."""
        first = replace(self, stages=())
        return (first, *(replace(first, toxic=s.toxic, action=s.action) for s in self.stages))

    def end_ms(self, phase_ms: int) -> int:
        """When it is to be taken out in a fault phase of *phase_ms*, from the phase's start."""
        return phase_ms if self.length_ms is None else self.start_ms + self.length_ms

    @property
    def on_proxy(self) -> bool:
        """Whether it is put on the Toxiproxy proxy of its target."""
        return self.action is None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSignal:
    """A stop condition on something else than the load. `text` is how it is shown.

    `kind` `http`: trips when a GET of `url` has not been answered with a status below 400 for
    `for_ms`. `promql`: trips when the `query` has been above (`op` `>`) or below (`<`) `limit` for
    `for_ms`. `alert`: trips when an alert of that `name` with these `labels` fires. Each of the
    first two is asked every `every_ms`.
    """

    text: str
    kind: str
    url: str | None = None
    query: str | None = None
    op: str = ">"
    limit: float = 0.0
    name: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    for_ms: int = 0
    every_ms: int = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertExpectation:
    """An alert that should catch the fault. `labels` is a subset of the alert's labels.

    `fires_within_ms` counts from the fault confirmed on to the evaluation that fired (and, where a
    `receiver` is named, to the delivery); `resolves_within_ms` from the fault confirmed off.
    """

    alert: str
    labels: Mapping[str, str] = field(default_factory=dict)
    fires_within_ms: int
    resolves_within_ms: int | None = None
    receiver: str | None = None
    runbook: str | None = None
    fault: str | None = None  # the fault whose start is meant; the first one unless named
    effect: Effect | None = None  # what requests are taken to feel of it, to look ahead


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookExpectation:
    """A runbook that must resolve and have its sections.

    With `prove` its steps are run against `fault` (the first one unless named), with `params` in
    their environment.
    """

    path: str
    restores_within_ms: int | None = None
    prove: bool = False
    fault: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectations:
    """What should hold in each phase, which alerts should fire, and which must stay quiet."""

    baseline: tuple[Criterion, ...] = ()
    fault: tuple[Criterion, ...] = ()
    recovery: tuple[Criterion | Steady, ...] = ()
    alerts: tuple[AlertExpectation, ...] = ()
    quiet: tuple[Mapping[str, str], ...] = ()  # label matchers of alerts that must not fire
    tolerate: tuple[Mapping[str, str], ...] = ()  # of alerts that may fire, and count as nothing
    runbooks: tuple[RunbookExpectation, ...] = ()
    answers: tuple[AnswerExpectation, ...] = ()  # once the load has stopped


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSpec:
    """What a control run leaves out: the ids of the `faults`.

    The targets whose proxies they would be on are opened, and those `started` by us are started.
    """

    faults: tuple[str, ...]
    proxies: tuple[str, ...] = ()
    started: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One scenario with its profile applied. `file` is where it was read.

    `control` says that this is its control run: the faults have been taken out.
    """

    id: str
    title: str
    service: str
    owner: str
    hypothesis: str
    tags: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()  # of gameday.model.needs; skipped where one is not there
    load: LoadSpec
    phases: Phases
    faults: tuple[FaultSpec, ...]
    expect: Expectations
    stop_when: tuple[Criterion, ...]
    stop_signals: tuple[StopSignal, ...] = ()
    call_limit_ms: int = 10_000  # how long one inject or revert may take; generic faults may add
    revert_for_ms: int = 60_000
    profile: str = ""
    file: str = ""
    control: ControlSpec | None = None
