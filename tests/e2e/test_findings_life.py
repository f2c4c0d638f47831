"""The whole life of a finding on real runs: raised, claimed fixed, not verified by a weaker run,
verified by an equal one, opened again by a regression."""

from __future__ import annotations

from pathlib import Path

import yaml
from lab_support import Lab, findings, lab, the_finding
from set_support import QUICK, quick_scenario

ASKED = "slo/criterion fault: p50 <"


def write(lab: Lab, latency: str) -> None:
    """600 ms late unless weaker; a request may take 300 ms."""
    lab.write()
    made = quick_scenario("back-late")
    made["faults"][0]["toxic"]["latency"] = latency
    made["expect"]["fault"] = ["errors < 50%", "p50 < 300ms"]
    made["phases"] = dict(QUICK["phases"])
    made["load"] = {**made["load"], **QUICK["load"]}
    del made["profiles"]
    (lab.directory / "scenario.yaml").write_text(yaml.safe_dump(made, sort_keys=False))


def run(lab: Lab, wanted: int, *arguments: str) -> Path:
    """A run that ends as wanted; one that the machine was too busy for is made again."""
    for _ in range(3):
        ended = lab.run(*arguments)
        assert ended.returncode in (wanted, 3), ended.stdout + ended.stderr
        if ended.returncode == wanted:
            return lab.last_run
    raise AssertionError(ended.stdout)


def test_the_whole_life_of_a_finding(tmp_path: Path) -> None:
    with lab(tmp_path) as naive:
        write(naive, "600ms")
        failing = run(naive, 1)
        assert not (tmp_path / "findings").exists()
        assert "raised" in findings(naive.directory, "collect", "last")
        assert "known already" in findings(naive.directory, "collect", failing.name)
        one = the_finding(naive.directory, ASKED)
        assert (one["state"], one["owner_team"]) == ("open", "team-front")
        assert one["class"] == "resilience_defect"
        assert one["entries"][0]["run"] == failing.name
        for words in (("assign",), ("start",), ("claim", "--why", "gives up at 100 ms")):
            findings(naive.directory, words[0], one["id"], *words[1:])
        assert "did not pass" in findings(naive.directory, "verify", "last", ends=1)

    with lab(tmp_path, fallback=True) as fixed:
        write(fixed, "400ms")
        run(fixed, 0)
        said = findings(fixed.directory, "verify", "last", ends=1)
        assert "NOT verified" in said
        assert "`latency` of the latency of `back` was 400, not 600" in said
        assert the_finding(fixed.directory, ASKED)["state"] == "fix_claimed"

        write(fixed, "600ms")
        equal = run(fixed, 0)
        assert "  verified:" in findings(fixed.directory, "verify", "last")
        after = the_finding(fixed.directory, ASKED)
        assert (after["state"], after["entries"][-1]["run"]) == ("verified", equal.name)
        assert "no findings" in findings(fixed.directory, "list")

    with lab(tmp_path) as naive:
        write(naive, "600ms")
        again = run(naive, 1, "--findings")
        last = the_finding(naive.directory, ASKED)
        assert (last["state"], last["entries"][-1]["what"]) == ("open", "regressed")
        assert last["entries"][-1]["run"] == again.name
        assert "regressed" in findings(naive.directory, "show", last["id"][:8])
