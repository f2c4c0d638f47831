"""From the files of readiness to the values of `gameday.model`, with everything wrong in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import cache
from pathlib import Path as FilePath
from typing import Any, Generic, TypeVar

from gameday.model.diagnostics import Diagnostic, has_errors, in_order
from gameday.model.policy import BudgetSource
from gameday.model.project import Project, Service, Slo
from gameday.model.readiness import ReadyItem
from gameday.model.readiness_evidence import FailureMode, ReadyService, Record, Waiver
from gameday.model.readiness_policy import (
    USUAL_TIERS,
    FailFrom,
    ReadyPolicy,
    ReadyRule,
    Rules,
    SameVersion,
)
from gameday.scenario.fields_readiness import NO_RUNBOOK
from gameday.scenario.load import load_file
from gameday.scenario.node import Marks, Path
from gameday.scenario.readiness_docs import (
    ModeDoc,
    ReadinessDoc,
    RecordDoc,
    RuleDoc,
    ServiceFileDoc,
    TierDoc,
    WaiversDoc,
)
from gameday.scenario.validate import Reader

_Doc = TypeVar("_Doc")
#: Key of a rule -> the name that it has in the value.
_RULE_NAMES = {"fresh": "fresh_days", "within": "within_ms"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRead:
    """A service file: the service, and where its error budget is read."""

    service: ReadyService
    budget: BudgetSource | None = None


@cache
def _policies() -> Reader[ReadinessDoc]:
    return Reader(ReadinessDoc)


@cache
def _services() -> Reader[ServiceFileDoc]:
    return Reader(ServiceFileDoc)


@cache
def _waivers() -> Reader[WaiversDoc]:
    return Reader(WaiversDoc)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded(Generic[_Doc]):
    """A file as it was read; without a document where that has errors."""

    doc: _Doc | None
    marks: Marks
    found: list[Diagnostic]


def _read(reader: Reader[_Doc], path: FilePath, shown: str) -> _Loaded[_Doc]:
    document = load_file(path, shown=shown)
    found = list(document.diagnostics)
    if document.root is None:
        return _Loaded(doc=None, marks=document.marks, found=found)
    doc, problems = reader.read(document.root.plain())
    found += [
        document.marks.problem(one.code, one.path, one.summary, one.hint, key=one.at_key)
        for one in problems
    ]
    return _Loaded(doc=doc, marks=document.marks, found=list(in_order(found)))


def read_policy(path: FilePath, *, shown: str) -> tuple[ReadyPolicy | None, list[Diagnostic]]:
    """The policy, with the usual one for what it does not say. Never raises for what is in it."""
    loaded = _read(_policies(), path, shown)
    doc, marks, found = loaded.doc, loaded.marks, loaded.found
    if doc is None:
        return None, found
    written = {0: doc.tiers.tier_0, 1: doc.tiers.tier_1, 2: doc.tiers.tier_2}
    found += [_empty(marks, path) for path in _empty_lists(doc, written)]
    if has_errors(found):
        return None, list(in_order(found))
    usual = ReadyPolicy()
    policy = ReadyPolicy(
        tiers={tier: _rules(USUAL_TIERS[tier], one) for tier, one in written.items()},
        environments=usual.environments if doc.environments is None else tuple(doc.environments),
        approvers=usual.approvers if doc.approvers is None else tuple(doc.approvers),
        fail_from=usual.fail_from if doc.fail_from is None else FailFrom(doc.fail_from),
        file=shown,
    )
    return policy, found


def _empty_lists(doc: ReadinessDoc, tiers: Mapping[int, TierDoc | None]) -> Iterator[Path]:
    """Where an empty list stands: it would ask of nothing, and so be met by everything."""
    yield from ((key,) for key in ("environments", "approvers") if getattr(doc, key) == [])
    for tier, rules in tiers.items():
        for item in fields(rules) if rules is not None else ():
            rule = getattr(rules, item.name)
            for key in fields(rule) if rule is not None else ():
                if getattr(rule, key.name) == []:
                    yield "tiers", f"tier-{tier}", item.name, key.name


def _empty(marks: Marks, path: Path) -> Diagnostic:
    return marks.problem(
        "value/empty", path, f"`{path[-1]}` is an empty list", "write one, or remove the key"
    )


def _rules(usual: Rules, doc: TierDoc | None) -> Rules:
    """The usual rules of a tier, with what is written laid over them."""
    if doc is None:
        return usual
    written = {one.name: getattr(doc, one.name) for one in fields(doc)}
    return {item: _rule(rule, written[item.value]) for item, rule in usual.items()}


def _rule(usual: ReadyRule, doc: RuleDoc | None) -> ReadyRule:
    """An item that is written of is asked, unless it says `required: false`."""
    if doc is None:
        return usual
    given = {one.name: getattr(doc, one.name) for one in fields(doc)}
    values: dict[str, Any] = {
        _RULE_NAMES.get(name, name): tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if value is not None
    }
    if "version" in values:
        values["version"] = SameVersion(values["version"])
    return replace(usual, **{"required": True, **values})


def read_waivers(
    path: FilePath, *, shown: str
) -> tuple[Mapping[str, tuple[Waiver, ...]], list[Diagnostic]]:
    """The waivers by service. Never raises for what is in the file."""
    loaded = _read(_waivers(), path, shown)
    doc, marks, found = loaded.doc, loaded.marks, loaded.found
    waivers: dict[str, list[Waiver]] = {}
    for n, one in enumerate(doc.waivers if doc is not None else ()):
        mark = marks.at(("waivers", n))
        waiver = Waiver(
            item=ReadyItem(one.item),
            subject=one.subject or "",
            version=one.version or "",
            reason=one.reason,
            owner=one.owner,
            approver=one.approver,
            expires=date.fromisoformat(one.expires),
            where=f"{mark.file}:{mark.line}",
        )
        waivers.setdefault(one.service, []).append(waiver)
    return {name: tuple(ones) for name, ones in waivers.items()}, found


def read_service(
    path: FilePath, *, shown: str, project: Project | None, broken: bool = False
) -> tuple[ServiceRead | None, list[Diagnostic]]:
    """A service. Tier and objectives may stand in the project file instead, never differ from it.

    *broken*: there is a project file, and it has errors, so nothing is said of what it may say, and
    no service is given back. Never raises for what is in the file.
    """
    loaded = _read(_services(), path, shown)
    doc, marks, found = loaded.doc, loaded.marks, loaded.found
    if doc is None:
        return None, found
    known = project.services.get(doc.service) if project is not None else None
    found += [*([] if broken else _wrong_facts(doc, known, marks)), *_wrong_parts(doc, marks)]
    if has_errors(found) or broken:
        return None, list(in_order(found))
    tier = doc.tier if doc.tier is not None else (known.tier if known is not None else None)
    if tier is None:
        raise AssertionError("a service without a tier was let through")
    service = ReadyService(
        name=doc.service,
        owner=doc.owner,
        tier=tier,
        slos=_slos(doc) or (known.slos if known is not None else ()),
        dependencies=tuple(doc.dependencies),
        modes={name: _mode(name, one) for name, one in doc.failure_modes.items()},
        alerts={
            alert: "" if runbook == NO_RUNBOOK else runbook for alert, runbook in doc.alerts.items()
        },
        peak_per_s=doc.peak,
        capacity=doc.capacity or "",
        rollback=doc.rollback or "",
        not_applicable={ReadyItem(item): why for item, why in doc.not_applicable.items()},
        drills={ReadyItem(item): drill for item, drill in doc.drills.items()},
        records=tuple(_record(one, n, marks) for n, one in enumerate(doc.records)),
        file=shown,
    )
    source = doc.budget
    budget = None
    if source is not None:
        budget = BudgetSource(floor=0.0, query=source.query, file=source.file)
    return ServiceRead(service=service, budget=budget), found


def _slos(doc: ServiceFileDoc) -> tuple[Slo, ...]:
    return tuple(replace(slo, name=name) for name, slo in doc.slos.items())


def _mode(name: str, doc: ModeDoc) -> FailureMode:
    return FailureMode(
        name=name,
        scenario=doc.scenario or "",
        alert=doc.alert or "",
        within_ms=doc.within,
        no_alert=doc.no_alert or "",
        not_applicable=doc.not_applicable or "",
    )


def _record(doc: RecordDoc, n: int, marks: Marks) -> Record:
    mark = marks.at(("records", n))
    return Record(
        item=ReadyItem(doc.item),
        on=date.fromisoformat(doc.on),
        passed=doc.result == "passed",
        role=doc.role,
        evidence=doc.evidence,
        subject=doc.runbook or "",
        took_ms=doc.took,
        within_ms=doc.within,
        where=f"{mark.file}:{mark.line}",
    )


def _wrong_facts(doc: ServiceFileDoc, known: Service | None, marks: Marks) -> Iterator[Diagnostic]:
    """Tier and objectives: in one of two places, or the same in both."""
    if doc.tier is None and (known is None or known.tier is None):
        yield marks.problem(
            "document/missing-key",
            ("tier",),
            f"nothing says the tier of `{doc.service}`",
            "add `tier:` here, or to the service in gameday.yaml",
            key=True,
        )
    if known is None:
        return
    if doc.tier is not None and known.tier is not None and doc.tier != known.tier:
        yield _differs(marks, "tier", f"`{doc.tier}`", f"`{known.tier}`")
    if doc.slos and known.slos and set(_slos(doc)) != set(known.slos):
        yield _differs(marks, "slos", "these objectives", "others")


def _differs(marks: Marks, key: str, here: str, there: str) -> Diagnostic:
    return marks.problem(
        "value/choice",
        (key,),
        f"`{key}` says {here}, and gameday.yaml says {there} of this service",
        "write it in one of the two files",
    )


def _wrong_parts(doc: ServiceFileDoc, marks: Marks) -> Iterator[Diagnostic]:
    for name, mode in doc.failure_modes.items():
        yield from _wrong_mode(mode, ("failure_modes", name), marks)
    for n, record in enumerate(doc.records):
        yield from _wrong_record(record, ("records", n), marks)
    if doc.budget is not None and (doc.budget.query is None) == (doc.budget.file is None):
        yield marks.problem(
            "policy/budget",
            ("budget",),
            "the budget needs exactly one of `query` and `file`",
            "write the query, or the file, that gives the share that is left",
            key=True,
        )


def _wrong_mode(mode: ModeDoc, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    said: Callable[[str, str], Diagnostic] = lambda what, hint: marks.problem(  # noqa: E731
        "document/missing-key", path, f"`{path[-1]}` {what}", hint, key=True
    )
    if mode.not_applicable is not None:
        if mode.scenario or mode.alert or mode.no_alert or mode.within is not None:
            yield marks.problem(
                "document/unknown-key",
                (*path, "not_applicable"),
                "`not_applicable` stands alone",
                "remove it, or everything else of this failure mode",
                key=True,
            )
        return
    if mode.scenario is None:
        yield said("has no `scenario`", "name the scenario, or say why it is `not_applicable`")
    if (mode.alert is None) == (mode.no_alert is None):
        what = "has no `alert`" if mode.alert is None else "has both `alert` and `no_alert`"
        yield said(what, "name the `alert` that has to catch it, or say in `no_alert` why none")
    if mode.within is not None and mode.alert is None:
        yield said("has `within` and no `alert`", "name the alert, or remove `within`")


def _wrong_record(record: RecordDoc, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    followed = record.item == ReadyItem.RUNBOOK_PROOF.value
    if followed and record.runbook is None:
        yield marks.problem(
            "document/missing-key",
            (*path, "runbook"),
            "`runbook` is missing from a record of `runbook_proof`",
            "name the runbook that was followed, as under `alerts`",
            key=True,
        )
    elif not followed and record.runbook is not None:
        yield marks.problem(
            "document/unknown-key",
            (*path, "runbook"),
            f"`runbook` says nothing about `{record.item}`",
            "remove it, or write `item: runbook_proof`",
            key=True,
        )
