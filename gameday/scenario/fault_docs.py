"""Faults and their stages as people write them, key by key."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Any

from gameday.model.criteria import Criterion
from gameday.model.faults import FAMILIES
from gameday.scenario import fields as f
from gameday.scenario.actions import PLAIN, action_field
from gameday.scenario.call_docs import CommandDoc, HttpDoc, PythonDoc
from gameday.scenario.toxic import TOXIC
from gameday.scenario.validate import GIVEN, FieldError, Scalar, about, document, shown

#: The keys of a fault that say what breaks: exactly one of them.
FAMILY_KEYS = ("toxic", "down", *FAMILIES)
#: Families of which some types can grow in stages.
STAGED_KEYS = (
    "toxic",
    *(family for family in PLAIN if any(kind.staged for kind in FAMILIES[family].values())),
)
_FIELDS = {family: action_field(family) for family in PLAIN}


def _not_staged(value: Any) -> Any:
    raise FieldError(
        "stage/kind",
        "a fault of this family cannot grow in stages",
        f"stages are for {', '.join(f'`{key}`' for key in STAGED_KEYS)}",
    )


#: The one thing that a fault may be held in for.
HOLD_TEXT = "until mitigated"


def _hold(value: Any) -> bool:
    if value != HOLD_TEXT:
        raise FieldError(
            "value/choice", f"`{shown(value)}` is not possible here", f"write `hold: {HOLD_TEXT}`"
        )
    return True


HOLD = Scalar(_hold, {"const": HOLD_TEXT})
_NOT_STAGED = Scalar(_not_staged, {"not": {}})
_NEVER = about("cannot grow in stages")


@document
class StageDoc:
    """The next strength of a fault. Exactly one of `after`, `when` and `gate`."""

    after: Annotated[
        int | None, f.SECONDS, about("so long after the strength before was confirmed on")
    ] = None
    when: Annotated[
        Criterion | None, f.CONDITION, about("as soon as this condition on the load holds")
    ] = None
    gate: Annotated[
        str | None, f.NAME, about("as soon as a person opens the gate of this name")
    ] = None
    toxic: Annotated[dict[str, Any] | None, TOXIC, about("the toxic, in full, as it is then")] = (
        None
    )
    container: Annotated[
        dict[str, Any] | None, _FIELDS["container"], about("the limit of the container then")
    ] = None
    clock: Annotated[
        dict[str, Any] | None, _FIELDS["clock"], about("the shift of the clock then")
    ] = None
    down: Annotated[Any, _NOT_STAGED, _NEVER] = None
    process: Annotated[Any, _NOT_STAGED, _NEVER] = None
    certificate: Annotated[Any, _NOT_STAGED, _NEVER] = None
    command: Annotated[Any, _NOT_STAGED, _NEVER] = None
    http: Annotated[Any, _NOT_STAGED, _NEVER] = None
    python: Annotated[Any, _NOT_STAGED, _NEVER] = None


@document
class FaultDoc:
    """One failure. Exactly one of the keys that say what breaks."""

    id: Annotated[str, f.NAME, about("its name in the report")]
    target: Annotated[str, f.NAME, about("what breaks: a target of the project file")]
    toxic: Annotated[dict[str, Any] | None, TOXIC, about("a Toxiproxy toxic")] = None
    down: Annotated[bool, f.TRUE, about("the target refuses connections")] = False
    container: Annotated[
        dict[str, Any] | None, _FIELDS["container"], about("a fault of its Docker container")
    ] = None
    process: Annotated[
        dict[str, Any] | None, _FIELDS["process"], about("a fault of its process on this host")
    ] = None
    certificate: Annotated[
        dict[str, Any] | None, _FIELDS["certificate"], about("a fault of its certificate")
    ] = None
    clock: Annotated[
        dict[str, Any] | None, _FIELDS["clock"], about("a fault of its process's clock")
    ] = None
    command: Annotated[CommandDoc | None, GIVEN, about("a fault by commands of yours")] = None
    http: Annotated[HttpDoc | None, GIVEN, about("a fault by HTTP requests of yours")] = None
    python: Annotated[PythonDoc | None, GIVEN, about("a fault by Python functions")] = None
    stages: Annotated[
        list[StageDoc], about("how it grows while it is in, each stage behind a gate")
    ] = field(default_factory=list)
    start: Annotated[int, f.SECONDS_FROM_0, about("after the fault phase began")] = 0
    length: Annotated[
        int | None, f.SECONDS_FROM_0, about("to the end of the fault phase unless given")
    ] = None
    hold: Annotated[
        bool, HOLD, about("taken out as soon as a runbook, or a person, has mitigated it")
    ] = False
