"""The shop's own runbook is proven, and those that only look like one are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab_support import run_gameday

from gameday.app.demo import DemoRequest, Stand, standing

pytestmark = [pytest.mark.demo, pytest.mark.slow]

TEXT = "A few words on what to do and on what is to be seen when it was done."
SWITCH = """\
for gateway in $GATEWAYS; do
  curl -fsS -X POST -H 'Content-Type: application/json' -d '{"out": WHAT}' \\
    "http://$gateway/admin/payments"
done"""
STATUS = 'for gateway in $GATEWAYS; do curl -fsS "http://$gateway/status/payments"; done'


def book(*steps: tuple[str, str, str]) -> str:
    front = '---\nparams: {GATEWAYS: {required: true}, EDGE: {default: ""}}\n---\n'
    parts = [f"## {t}\n\n{TEXT}\n\n```bash {{{a}}}\n{s}\n```\n" for t, a, s in steps]
    return front + "# A runbook\n\n" + "\n".join(parts)


LIMITED = ("Diagnosis", "name=limited timeout=15s retry=1s expect_stdout=limited", STATUS)
OUT = SWITCH.replace("WHAT", "true")
VERIFY = ("Verify", "name=up timeout=5s", STATUS)
BOOKS = {
    # it says again what is so already
    "nothing": book(
        LIMITED,
        ("Mitigation", "timeout=9s mutates=true", SWITCH.replace("WHAT", "false")),
        VERIFY,
    ),
    "same": book(
        ("Diagnosis", "name=alive timeout=9s", 'curl -fsS -o /dev/null "$EDGE/products"'),
        ("Mitigation", "timeout=9s mutates=true", OUT),
        VERIFY,
    ),
    "unsafe": book(LIMITED, ("Mitigation", "timeout=9s", f"touch canary\n{OUT}"), VERIFY),
}


def prepared(stand: Stand) -> Path:
    """The shop's scenario, with runbooks to be proven and an alert whose link is dead."""
    topology = stand.shop.settings.topology
    params = {
        "EDGE": f"http://{topology.via('shop')}",
        "GATEWAYS": " ".join(topology.direct(f"gateway-{n}") for n in (1, 2, 3)),
    }
    project = yaml.safe_load((stand.directory / "gameday.yaml").read_text())
    project["environments"]["local"]["commands"] = ["bash", "python3"]
    dead = f"http://{topology.direct('shop')}/runbooks/payments-slow"
    project["alerts"]["PaymentsSlow"]["runbook"] = dead
    project["runbook_hosts"] = ["127.0.0.1"]
    (stand.directory / "gameday.yaml").write_text(yaml.safe_dump(project))
    for name, text in BOOKS.items():
        (stand.directory / "runbooks" / f"{name}.md").write_text(text)
    path = stand.scenario("payments-slow")
    scenario = yaml.safe_load(path.read_text())
    scenario["faults"][0]["hold"] = "until mitigated"
    scenario["profiles"]["smoke"]["phases"] = {"baseline": "10s", "fault": "90s", "recovery": "15s"}
    scenario["expect"]["alerts"][0].pop("runbook")
    scenario["expect"]["runbooks"] = [
        {
            "path": f"runbooks/{name}.md",
            "prove": True,
            "restores_within": within,
            "params": dict(params),
        }
        for name, within in (
            ("nothing", "8s"), ("same", "8s"), ("unsafe", "8s"), ("payments-slow", "40s"),
        )
    ]  # fmt: skip
    path.write_text(yaml.safe_dump(scenario))
    return path


def test_a_word_for_each_runbook_of_the_shop(tmp_path: Path) -> None:
    with standing(DemoRequest(reports=tmp_path), lambda _text: None) as stand:
        path = prepared(stand)
        ended = run_gameday(
            "run", str(path), "-p", "smoke", "--run-runbooks", cwd=stand.directory, within_s=300
        )
        canary = (stand.directory / "canary").exists()
        written = list(stand.directory.glob("reports/*/result.json"))
        assert written, ended.stdout + ended.stderr
        result = json.loads(written[0].read_text())

    found: dict[str, dict[str, Any]] = {
        Path(f["subject"]).stem: f for f in result["expectations"] if f["check"] == "runbook/proven"
    }
    words = {name: one["facts"]["verdict"] for name, one in found.items()}
    assert words == {
        "payments-slow": "proven",
        "nothing": "mitigation_ineffective",
        "same": "non_discriminating",
        "unsafe": "unsafe",
    }, json.dumps(found, indent=1) + ended.stdout + ended.stderr
    assert not canary
    assert not any(row["arm"] != "baseline" for row in found["unsafe"]["facts"]["steps"])
    linked = [f for f in result["expectations"] if f["check"] == "runbook/linked"]
    dead = next(f for f in linked if f["subject"] == "PaymentsSlow")
    assert dead["outcome"] == "fail"
    assert "404" in dead["summary"]
    proven = found["payments-slow"]["facts"]
    off_ms = result["faults"][0]["off_ms"]
    assert proven["mitigation_begun_ms"] + proven["steady_after_ms"] < off_ms
