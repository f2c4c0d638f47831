"""What a real run tells other systems while it goes on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import yaml
from lab_support import GAMEDAY, Lab, process, run_gameday
from set_support import as_wanted, quick_scenario

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))
from collector_fake import collector
from grafana_fake import TOKEN, grafana


def scenario(lab: Lab) -> Path:
    path = lab.write()
    path.write_text(yaml.safe_dump(quick_scenario("short"), sort_keys=False))
    return path


class Scraper:
    """Asks for the metrics of a run again and again, until they are gone."""

    def __init__(self, stderr: Path) -> None:
        self._stderr = stderr
        self.texts: list[str] = []
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self.ended.wait(0.1):
            found = re.search(r"metrics at (\S+)", self._stderr.read_text())
            if found is None:
                continue
            try:
                with urllib.request.urlopen(found[1], timeout=5) as answer:
                    self.texts.append(answer.read().decode())
            except (OSError, urllib.error.URLError):
                continue  # before the first, or after the last

    def close(self) -> None:
        self.ended.set()
        self._thread.join(10)

    def saw(self, line: str) -> bool:
        return any(re.search(rf"^{line}$", text, re.MULTILINE) for text in self.texts)


def test_a_run_is_scraped_and_annotated_and_its_trace_sent(small_lab: Lab) -> None:
    scenario(small_lab)
    stderr = small_lab.directory / "stderr.txt"
    command = [*GAMEDAY, "run", "scenario.yaml", "--profile", "smoke", "--metrics", "0", "-q"]
    with grafana() as fake, collector() as traces, stderr.open("w") as err, process(
        [*command, "--grafana", fake.url, "--otlp-endpoint", traces.url], cwd=small_lab.directory,
        env={**os.environ, "GAMEDAY_GRAFANA_TOKEN": TOKEN},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err,
    ) as child:  # fmt: skip
        scraper = Scraper(stderr)
        try:
            code = child.wait(240)
        finally:
            scraper.close()

    verdict = small_lab.result()["verdict"]
    assert as_wanted(0, verdict), stderr.read_text()
    assert code == verdict["exit_code"]
    assert scraper.saw('gameday_phase{phase="baseline"} 1')
    assert scraper.saw('gameday_fault_active{fault="late",target="back"} 1')
    assert scraper.saw(r"gameday_arrivals_asked_total [1-9]\d*")
    last = scraper.texts[-1]
    assert 'gameday_fault_active{fault="late",target="back"} 0' in last, "served until the end"
    assert "gameday_metrics_events_dropped_total 0" in last
    assert f'run_id="{small_lab.last_run.name}"' in last
    found = fake.by_text()
    assert {"phase baseline", "phase fault", "fault late confirmed on"} <= set(found)
    fault = found["fault late confirmed on"]
    assert 1_000 < fault["timeEnd"] - fault["time"] < 60_000
    assert f"run:{small_lab.last_run.name}" in fault["tags"]
    ((_, _, sent),) = traces.posts
    for name in ("one.json", "two.json"):
        again = run_gameday("report", "last", "--otlp", name, cwd=small_lab.directory)
        assert again.returncode == 0, again.stderr
        assert (small_lab.directory / name).read_bytes() == sent, "the same bytes each time"
    ((resource,),) = [json.loads(sent)["resourceSpans"]]
    spans = {span["name"] for span in resource["scopeSpans"][0]["spans"]}
    assert {"run short", "phase fault", "fault late"} <= spans


def test_who_is_gone_is_a_warning_and_no_verdict(small_lab: Lab) -> None:
    scenario(small_lab)
    ended = subprocess.run(
        [*GAMEDAY, "run", "scenario.yaml", "--profile", "smoke", "--grafana", "http://127.0.0.1:9",
         "--otlp-endpoint", "http://127.0.0.1:9"],
        cwd=small_lab.directory, env={**os.environ, "GAMEDAY_GRAFANA_TOKEN": TOKEN},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip

    assert as_wanted(0, small_lab.result()["verdict"]), ended.stdout + ended.stderr
    lines = (small_lab.last_run / "journal.jsonl").read_text().splitlines()
    failed = [e for e in map(json.loads, lines) if e["kind"] == "export.failed"]
    assert {e["subject"] for e in failed} == {"grafana"}
    assert "annotations are missing" in failed[-1]["data"]["error"], "what came at the end, too"
    assert "gameday: the trace was not sent: the collector at" in ended.stderr
    assert "warning: grafana was not told" in ended.stdout
    assert "warning: grafana was not told" in (small_lab.last_run / "report.md").read_text()
    assert TOKEN not in "\n".join(lines)
