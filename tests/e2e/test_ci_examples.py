"""The commands of the examples for CI servers are run as they stand, on a set of one scenario."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from lab_support import Lab
from set_support import as_wanted, write_set

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "ci"
#: What a CI server's machine does before: it is not ours to test.
SET_UP = (
    "pip install gameday",
    "python3 -m venv .venv && .venv/bin/pip install gameday",
    "docker compose up --detach --wait",
)
OURS = re.compile(r"(\.venv/bin/)?(gameday|pytest) ")


def github() -> Iterator[str]:
    jobs = yaml.safe_load((EXAMPLES / "github-actions.yml").read_text())["jobs"]
    for job in jobs.values():
        yield from (step["run"] for step in job["steps"] if "run" in step)


def gitlab() -> Iterator[str]:
    for job in yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text()).values():
        if isinstance(job, dict):
            yield from job.get("script", [])
            yield from job.get("after_script", [])


def jenkins() -> Iterator[str]:
    yield from re.findall(r"\bsh '([^']+)'", (EXAMPLES / "Jenkinsfile").read_text())


SERVERS = {"github": github, "gitlab": gitlab, "jenkins": jenkins}


def project(lab: Lab) -> None:
    """What the examples expect: `scenarios`, `runbooks`, and an environment `ci`."""
    write_set(lab, {"quick": {}, "long": {"tags": ()}})
    path = lab.directory / "scenarios" / "long.yaml"
    path.write_text(path.read_text().replace("- smoke\n", "- gameday\n", 1))
    file = lab.directory / "gameday.yaml"
    value = yaml.safe_load(file.read_text())
    value["environments"] = {"ci": value["environments"]["local"]}
    file.write_text(yaml.safe_dump(value, sort_keys=False))
    bin_ = lab.directory / ".venv" / "bin"
    bin_.mkdir(parents=True)
    for name in ("gameday", "pytest"):
        command = bin_ / name
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m {name} "$@"\n')
        command.chmod(0o755)


@pytest.mark.parametrize("server", SERVERS)
def test_the_commands_of_an_example_do_what_it_says(small_lab: Lab, server: str) -> None:
    project(small_lab)
    commands = [line for line in SERVERS[server]() if line.strip() not in SET_UP]
    assert len(commands) >= 4
    steps = small_lab.directory / "steps.md"
    path = f"{small_lab.directory / '.venv' / 'bin'}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "GITHUB_STEP_SUMMARY": str(steps)}
    codes: dict[str, int] = {}
    for command in commands:
        assert OURS.match(command), f"not ours, and not known: {command}"
        ended = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", command.partition("  #")[0]],
            cwd=small_lab.directory,
            env=env,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        codes[command] = ended.returncode
        breaks = " run " in command or "pytest " in command
        assert breaks or ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"
        assert ended.returncode in (0, 1, 3), f"{command}\n{ended.stdout}{ended.stderr}"

    (run,) = (p.parent for p in (small_lab.directory / "reports").glob("*/result.json"))
    verdict = json.loads((run / "result.json").read_text())["verdict"]
    assert as_wanted(0, verdict), verdict
    ran = next(code for line, code in codes.items() if " run " in line or "pytest " in line)
    assert ran == (int(verdict["exit_code"] != 0) if server == "jenkins" else verdict["exit_code"])
    check_what_is_collected(small_lab, server, steps)
    small_lab.assert_clean()


def check_what_is_collected(lab: Lab, server: str, steps: Path) -> None:
    """The files that the example names as artifacts are there."""
    if server == "jenkins":
        assert len(list(ET.parse(lab.directory / "junit.xml").getroot().iter("testcase"))) == 5
        assert "junit 'junit.xml'" in (EXAMPLES / "Jenkinsfile").read_text()
        return
    (junit,) = lab.directory.glob("reports/set-*/junit.xml")
    assert [suite.attrib["name"] for suite in ET.parse(junit).getroot()] == ["quick"]
    assert "| quick | " in steps.read_text()
    if server == "github":
        assert json.loads((lab.directory / "gameday.sarif").read_text())["version"] == "2.1.0"
    else:
        text = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text())
        assert (
            text["resilience smoke"]["artifacts"]["reports"]["junit"] == "reports/set-*/junit.xml"
        )


def test_a_job_that_breaks_things_runs_alone_and_always_cleans_up() -> None:
    jobs = yaml.safe_load((EXAMPLES / "github-actions.yml").read_text())["jobs"]
    recover = next(s for s in jobs["smoke"]["steps"] if s.get("run") == "gameday recover")

    assert recover["if"] == "always()"
    assert jobs["smoke"]["concurrency"]["cancel-in-progress"] is False
    gitlab_job = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text())["resilience smoke"]
    assert "gameday recover" in gitlab_job["after_script"]
    assert gitlab_job["resource_group"]
    text = (EXAMPLES / "Jenkinsfile").read_text()
    assert "disableConcurrentBuilds()" in text
    assert "gameday recover" in text[text.index("always {") :]


def instructions() -> list[tuple[str, str]]:
    """The Containerfile, one instruction a row, continued lines joined."""
    text = (ROOT / "Containerfile").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ")
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in whole.splitlines()]


def test_the_container_is_not_root_and_its_base_is_pinned() -> None:
    rows = instructions()
    given = dict(rest.split("=", 1) for word, rest in rows[:1] if word == "ARG")
    bases = [rest.split()[0].replace("${BASE}", given["BASE"]) for w, rest in rows if w == "FROM"]
    last = max(i for i, (word, _) in enumerate(rows) if word == "FROM")
    final = rows[last:]

    for base in bases:
        assert re.fullmatch(r"[a-z.]+/[a-z/]+:\d+\.\d+[a-z0-9.-]*", base), base
    users = [rest for word, rest in final if word == "USER"]
    assert users == ["10001:10001"], "a number, so that a cluster can see that it is not root"
    words = [word for word, _ in final]
    assert words.index("USER") < words.index("ENTRYPOINT")
    assert not {"RUN", "COPY", "ADD"} & set(words[words.index("USER") :])
    assert [json.loads(rest) for word, rest in final if word == "ENTRYPOINT"] == [["gameday"]]
    assert not any(word == "ADD" for word, _ in rows)
    assert not any("sudo" in rest or "chmod 777" in rest for _, rest in rows)


def test_the_container_is_built_from_files_that_there_are() -> None:
    """And from all that the package is made of."""
    import tomllib

    copied: set[str] = set()
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from="):
            *sources, _ = rest.split()
            copied |= set(sources)
    wheel: Any = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = {wheel["project"]["readme"], "pyproject.toml"}
    target = wheel["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed |= set(target["packages"]) | set(target["force-include"])

    assert needed <= copied
    assert all((ROOT / name).exists() for name in copied)
