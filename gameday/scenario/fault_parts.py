"""From the documents of faults and stages to the values of the model."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.model.diagnostics import Diagnostic, has_errors
from gameday.model.faults import FAMILIES
from gameday.model.scenario import ActionSpec, FaultSpec, Stage, ToxicSpec
from gameday.scenario.actions import PLAIN, read_action
from gameday.scenario.fault_docs import FAMILY_KEYS, STAGED_KEYS, FaultDoc, StageDoc
from gameday.scenario.generic_calls import generic_action
from gameday.scenario.node import Marks, Path
from gameday.scenario.toxic import read_toxic

_GATES = ("after", "when", "gate")


def faults_of(docs: list[FaultDoc], marks: Marks) -> tuple[tuple[FaultSpec, ...], list[Diagnostic]]:
    """The faults, and everything that is wrong in each of them."""
    found: list[Diagnostic] = []
    faults = []
    for position, doc in enumerate(docs):
        fault, wrong = _fault(doc, ("faults", position), marks)
        faults.append(fault)
        found.extend(wrong)
    return tuple(faults), found


def _fault(doc: FaultDoc, path: Path, marks: Marks) -> tuple[FaultSpec, list[Diagnostic]]:
    given = [key for key in FAMILY_KEYS if getattr(doc, key) not in (None, False)]
    found = list(_wrong_choice(doc, given, path, marks))
    toxic: ToxicSpec | None = None
    action: ActionSpec | None = None
    for key in given:
        one, other, wrong = _strength(doc, key, path, marks)
        toxic, action = toxic or one, action or other
        found.extend(wrong)
    stages: tuple[Stage, ...] = ()
    if doc.stages and len(given) == 1:
        first = Stage(toxic=toxic, action=action)
        stages, wrong = _stages(doc, given[0], first, path, marks)
        found.extend(wrong)
    fault = FaultSpec(
        id=doc.id,
        target=doc.target,
        toxic=toxic,
        down=doc.down,
        action=action,
        start_ms=doc.start,
        length_ms=doc.length,
        stages=stages,
        hold=doc.hold,
    )
    return fault, found


def _wrong_choice(
    doc: FaultDoc, given: list[str], path: Path, marks: Marks
) -> Iterator[Diagnostic]:
    if len(given) == 1:
        return
    how = " and ".join(f"`{key}`" for key in given)
    yield marks.problem(
        "fault/kind",
        (*path, given[1]) if given else path,
        f"the fault `{doc.id}` has {how}" if given else f"the fault `{doc.id}` breaks nothing",
        "keep one of them, and write a fault for each"
        if given
        else f"add one of {', '.join(f'`{key}`' for key in FAMILY_KEYS)}",
        key=True,
    )


def _strength(
    doc: FaultDoc | StageDoc, key: str, path: Path, marks: Marks
) -> tuple[ToxicSpec | None, ActionSpec | None, list[Diagnostic]]:
    """What stands under one of the keys that say what breaks."""
    value = getattr(doc, key)
    if key == "toxic":
        toxic, found = read_toxic(value, (*path, key), marks)
        return toxic, None, found
    if key == "down":
        return None, None, []
    reader = read_action if key in PLAIN else generic_action
    action, found = reader(key, value, (*path, key), marks)
    return None, action, found


def _stages(
    doc: FaultDoc, key: str, first: Stage, path: Path, marks: Marks
) -> tuple[tuple[Stage, ...], list[Diagnostic]]:
    action = first.action
    kind = None if action is None else FAMILIES[action.family][action.type]
    if key not in STAGED_KEYS or (kind is not None and not kind.staged):
        what = f"`{key if action is None else action.type}`"
        return (), [
            marks.problem(
                "stage/kind",
                (*path, "stages"),
                f"a {what} fault cannot grow in stages",
                "stages are for toxics, `cpu` and `memory` of a container, and the clock's `skew`",
                key=True,
            )
        ]
    found: list[Diagnostic] = []
    stages = []
    for position, stage in enumerate(doc.stages):
        at = (*path, "stages", position)
        found.extend(_wrong_gate(stage, at, marks))
        made, wrong = _stage(stage, key, first, at, marks)
        found.extend(wrong)
        stages.append(made)
    return tuple(stages), found


def _wrong_gate(doc: StageDoc, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    given = [gate for gate in _GATES if getattr(doc, gate) is not None]
    if len(given) != 1:
        how = " and ".join(f"`{gate}`" for gate in given) or "no gate: no `after`, `when` or `gate`"
        yield marks.problem(
            "stage/gate",
            (*path, given[1]) if given else path,
            f"this stage has {how}",
            "write one of `after: 20s`, `when: errors < 1% for 10s`, `gate: name`",
            key=True,
        )


def _stage(
    doc: StageDoc, key: str, first: Stage, path: Path, marks: Marks
) -> tuple[Stage, list[Diagnostic]]:
    given = [one for one in STAGED_KEYS if getattr(doc, one) is not None]
    bare = Stage(after_ms=doc.after, when=doc.when, gate=doc.gate)
    if given != [key]:
        how = " and ".join(f"`{one}`" for one in given) or "no new strength"
        other = next((one for one in given if one != key), None)
        return bare, [
            marks.problem(
                "stage/kind",
                (*path, other) if other else path,
                f"this stage has {how}, and the fault is a `{key}`",
                f"write the new strength under `{key}`, in full",
                key=True,
            )
        ]
    toxic, action, found = _strength(doc, key, path, marks)
    was, now = _type(first.toxic, first.action), _type(toxic, action)
    if not has_errors(found) and was is not None and was != now:
        found.append(
            marks.problem(
                "stage/kind",
                (*path, key, "type"),
                f"this stage is `{now}`, and the fault is `{was}`",
                f"a fault grows, but stays what it is: write `type: {was}`",
            )
        )
    stage = Stage(toxic=toxic, action=action, after_ms=doc.after, when=doc.when, gate=doc.gate)
    return stage, found


def _type(toxic: ToxicSpec | None, action: ActionSpec | None) -> str | None:
    return toxic.type if toxic is not None else action.type if action is not None else None
