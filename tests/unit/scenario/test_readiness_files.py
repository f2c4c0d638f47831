"""The files of readiness: what they say, and where what is wrong with them stands."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from pathlib import Path

import pytest

from gameday.model.diagnostics import Diagnostic
from gameday.model.project import Project, Service, Slo
from gameday.model.readiness import ReadyItem as Item
from gameday.model.readiness_policy import USUAL_TIERS, FailFrom, ReadyPolicy, SameVersion
from gameday.scenario import readiness_docs
from gameday.scenario.build import read_project, read_scenario
from gameday.scenario.readiness import read_policy, read_service, read_waivers
from gameday.scenario.readiness_docs import TierDoc

ROOT = Path(__file__).parents[3]
SERVICE = """\
gameday_service: 1
service: shop
owner: team-checkout
tier: 1
slos: {availability: 99.9%}
dependencies: [payments]
failure_modes:
  dependency-slow: {scenario: payments-slow, alert: PaymentsSlow, within: 60s}
  retry-storm: {scenario: retry-storm, no_alert: it is absorbed}
  region-loss: {not_applicable: there is one region}
alerts: {PaymentsSlow: runbooks/payments-slow.md, DatabaseDown: none}
peak: 100/s
capacity: rising
rollback: bad-deploy
budget: {file: budget.txt}
not_applicable: {restore: it keeps nothing}
records:
  - {item: escalation, on: 2026-11-01, result: passed, role: sre, evidence: A, took: 5m, within: 9m}
  - item: runbook_proof
    runbook: runbooks/payments-slow.md
    on: 2026-11-02
    result: failed
    role: sre
    evidence: OPS-2
"""


def said(found: list[Diagnostic]) -> list[str]:
    return [f"{d.where}: {d.code}: {d.summary}" for d in found]


def service_of(tmp_path: Path, text: str, project: Project | None = None):  # type: ignore[no-untyped-def]
    path = tmp_path / "shop.yaml"
    path.write_text(text)
    return read_service(path, shown="shop.yaml", project=project)


def test_a_service_says_everything(tmp_path: Path) -> None:
    read, found = service_of(tmp_path, SERVICE)

    assert not found
    shop = read.service
    assert (shop.name, shop.owner, shop.tier, shop.peak_per_s) == ("shop", "team-checkout", 1, 100)
    assert shop.slos == (Slo(name="availability", share=0.999),)
    assert shop.modes["dependency-slow"].within_ms == 60_000
    assert shop.modes["retry-storm"].no_alert == "it is absorbed"
    assert shop.modes["region-loss"].not_applicable == "there is one region"
    assert shop.alerts == {"PaymentsSlow": "runbooks/payments-slow.md", "DatabaseDown": ""}
    assert (shop.capacity, shop.rollback) == ("rising", "bad-deploy")
    assert shop.not_applicable == {Item.RESTORE: "it keeps nothing"}
    drill, followed = shop.records
    assert (drill.on, drill.took_ms, drill.within_ms) == (date(2026, 11, 1), 300_000, 540_000)
    assert drill.where == "shop.yaml:18"
    assert (followed.subject, followed.passed) == ("runbooks/payments-slow.md", False)
    assert read.budget is not None
    assert read.budget.file == "budget.txt"


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("owner: team-checkout\n", "", "shop.yaml:1:1: document/missing-key: `owner` is missing"),
        ("gameday_service: 1", "gameday_service: 2", "shop.yaml:1:18: document/version"),
        (
            "scenario: payments-slow,",
            "scenaro: payments-slow,",
            "shop.yaml:8:21: document/unknown-key",
        ),
        (
            "scenario: payments-slow, ",
            "",
            "shop.yaml:8:3: document/missing-key: `dependency-slow` has no `scenario`",
        ),
        (
            ", no_alert: it is absorbed",
            "",
            "shop.yaml:9:3: document/missing-key: `retry-storm` has no `alert`",
        ),
        (
            "no_alert: it is",
            "alert: X, no_alert: it is",
            "shop.yaml:9:3: document/missing-key: `retry-storm` has both",
        ),
        (
            "no_alert: it is",
            "within: 5s, no_alert: it is",
            "shop.yaml:9:3: document/missing-key: `retry-storm` has `within`",
        ),
        (
            "{not_applicable: there",
            "{alert: X, not_applicable: there",
            "shop.yaml:10:27: document/unknown-key",
        ),
        ("peak: 100/s", "peak: 100", "shop.yaml:12:7: value/rate"),
        (
            "budget: {file: budget.txt}",
            "budget: {file: b, query: q}",
            "shop.yaml:15:1: policy/budget",
        ),
        ("{restore: it keeps", "{slo: it keeps", "shop.yaml:16:18: value/choice"),
        ("item: escalation", "item: slo", "shop.yaml:18:12: value/choice"),
        ("2026-11-01", "2026-02-30", "shop.yaml:18:28: value/date"),
        ("role: sre, evidence: A", "role: Jo Doe, evidence: A", "shop.yaml:18:62: value/name"),
        (
            "    runbook: runbooks/payments-slow.md\n",
            "",
            "shop.yaml:19:5: document/missing-key: `runbook` is missing",
        ),
        (
            "{item: escalation",
            "{runbook: x, item: escalation",
            "shop.yaml:18:6: document/unknown-key",
        ),
    ],
)
def test_what_is_wrong_has_its_place(tmp_path: Path, old: str, new: str, where: str) -> None:
    assert old in SERVICE

    read, found = service_of(tmp_path, SERVICE.replace(old, new, 1))

    assert read is None
    assert any(line.startswith(where) for line in said(found)), said(found)


def project_with(tier: int | None, *slos: Slo) -> Project:
    return Project(services={"shop": Service(name="shop", tier=tier, slos=slos)})


def test_tier_and_objectives_may_stand_in_the_project_file_and_never_differ(tmp_path: Path) -> None:
    bare = SERVICE.replace("tier: 1\n", "").replace("slos: {availability: 99.9%}\n", "")
    other = Slo(name="availability", share=0.99)

    read, found = service_of(tmp_path, bare, project_with(0, other))
    assert not found
    assert (read.service.tier, read.service.slos) == (0, (other,))
    assert "nothing says the tier" in said(service_of(tmp_path, bare)[1])[0]
    assert "others" in said(service_of(tmp_path, SERVICE, project_with(1, other))[1])[0]
    assert "`tier` says `1`" in said(service_of(tmp_path, SERVICE, project_with(0))[1])[0]


def test_a_policy_is_laid_over_the_usual_one(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(
        """\
gameday_readiness: 1
environments: [staging]
approvers: [service-owner]
fail_from: conditions
tiers:
  tier-1:
    scenarios: {fresh: 30d, version: same, smoke: true, modes: [dependency-slow]}
    capacity: {factor: 2, headroom: 10%}
    restore: {required: false}
  tier-2:
    tabletop: {fresh: 200d}
"""
    )

    policy, found = read_policy(path, shown="policy.yaml")

    assert not found
    assert policy is not None
    assert (policy.environments, policy.approvers) == (("staging",), ("service-owner",))
    assert policy.fail_from is FailFrom.CONDITIONS
    rules = policy.rules(1)
    scenarios = rules[Item.SCENARIOS]
    assert (scenarios.fresh_days, scenarios.version) == (30, SameVersion.SAME)
    assert (scenarios.smoke, scenarios.modes) == (True, ("dependency-slow",))
    assert (rules[Item.CAPACITY].factor, rules[Item.CAPACITY].headroom) == (2, 0.1)
    assert not rules[Item.RESTORE].required
    assert rules[Item.ALERTS] == USUAL_TIERS[1][Item.ALERTS]
    tabletop = policy.rules(2)[Item.TABLETOP]
    assert tabletop.required
    assert tabletop.fresh_days == 200
    assert policy.rules(0) == ReadyPolicy().rules(0)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("tiers: {tier-9: {}}", "policy.yaml:2:9: document/unknown-key"),
        ("tiers: {tier-1: {restore: {smoke: true}}}", "policy.yaml:2:28: document/unknown-key"),
        ("tiers: {tier-1: {restore: {fresh: 3h}}}", "policy.yaml:2:35: value/duration"),
        ("tiers: {tier-1: {capacity: {factor: 0.5}}}", "policy.yaml:2:37: value/number"),
        ("tiers: {tier-1: {findings: {severities: [huge]}}}", "policy.yaml:2:42: value/choice"),
        ("environments: [moon]", "policy.yaml:2:16: value/choice"),
        ("environments: []", "policy.yaml:2:15: value/empty"),
        ("tiers: {tier-1: {findings: {severities: []}}}", "policy.yaml:2:41: value/empty"),
        ("tiers: {tier-0: {alerts: {modes: []}}}", "policy.yaml:2:34: value/empty"),
        ("tiers: {tier-2: {scenarios: {modes: []}}}", "policy.yaml:2:37: value/empty"),
        ("approvers: [Jo Doe]", "policy.yaml:2:13: value/name"),
        ("fail_from: maybe", "policy.yaml:2:12: value/choice"),
    ],
)
def test_what_is_wrong_in_a_policy_has_its_place(tmp_path: Path, text: str, where: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(f"gameday_readiness: 1\n{text}\n")

    policy, found = read_policy(path, shown="policy.yaml")

    assert policy is None
    assert any(line.startswith(where) for line in said(found)), said(found)


WAIVER = """\
gameday_waivers: 1
waivers:
  - service: shop
    item: restore
    reason: the drill is on the 3rd
    owner: team-checkout
    approver: business-owner
    expires: 2026-12-03
"""


def test_a_waiver_has_all_that_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "waivers.yaml"
    path.write_text(WAIVER)

    waivers, found = read_waivers(path, shown="waivers.yaml")

    assert not found
    (one,) = waivers["shop"]
    assert (one.item, one.expires, one.where) == (
        Item.RESTORE,
        date(2026, 12, 3),
        "waivers.yaml:3",
    )


@pytest.mark.parametrize("key", ["reason", "owner", "approver", "expires", "item", "service"])
def test_a_waiver_that_lacks_something_is_refused(tmp_path: Path, key: str) -> None:
    path = tmp_path / "waivers.yaml"
    lines = [line for line in WAIVER.splitlines() if f"{key}:" not in line]
    if key == "service":
        lines.insert(2, "  -")
    path.write_text("\n".join(lines) + "\n")

    waivers, found = read_waivers(path, shown="waivers.yaml")

    assert not waivers
    assert any(f"`{key}` is missing" in line for line in said(found)), said(found)


def test_every_item_can_be_written_in_a_policy() -> None:
    assert [one.name for one in fields(TierDoc)] == [item.value for item in Item]


def test_every_key_is_in_the_docs() -> None:
    text = (ROOT / "docs" / "readiness.md").read_text()
    classes = [
        kind
        for name, kind in vars(readiness_docs).items()
        if name.endswith("Doc") and kind.__module__ == readiness_docs.__name__
    ]
    keys = {one.name for kind in classes for one in fields(kind)} - {"tier_0", "tier_1", "tier_2"}

    assert len(classes) > 10
    assert not [key for key in sorted(keys) if f"`{key}`" not in text]


def test_the_service_file_of_the_shop_names_what_there_is() -> None:
    project, _, problems = read_project(ROOT / "scenarios" / "gameday.yaml")
    path = ROOT / "scenarios" / "readiness" / "services" / "shop.yaml"

    read, found = read_service(path, shown="shop.yaml", project=project)

    assert said([*problems, *found]) == []
    assert read is not None
    assert project is not None
    shop = read.service
    assert set(USUAL_TIERS[0][Item.SCENARIOS].modes) <= set(shop.modes)
    assert set(shop.dependencies) <= set(project.environments["local"].targets)
    for mode in shop.modes.values():
        scenario, _, _ = read_scenario(ROOT / "scenarios" / f"{mode.scenario}.yaml")
        assert scenario is not None
        expected = {alert.alert for alert in scenario.expect.alerts}
        assert mode.alert in expected or (mode.no_alert and not expected), mode
    paging = {one.name: one.runbook for one in project.alerts if one.labels["severity"] == "page"}
    assert shop.alerts == paging
    assert (ROOT / "scenarios" / f"{shop.rollback}.yaml").is_file()
    day = (ROOT / "scenarios" / "days" / "restore-drill.yaml").read_text()
    assert shop.drills == {Item.RESTORE: "shop-restore/restore-orders"}
    assert "day: shop-restore\n" in day
    assert "  - id: restore-orders\n" in day
