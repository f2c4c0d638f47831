"""The image of the Containerfile, really built and really used: minutes, so only in `nox -s full`.

No registry is asked: the base is Debian with its own Python, see `.ci/container-base`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from docker_support import missing
from lab_support import Lab
from set_support import as_wanted, quick_scenario

pytestmark = [pytest.mark.real, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
BASE, IMAGE = "gameday-test/python:3.11-bookworm", "gameday-test/gameday:1"
USER = 10001
#: What gameday and all that it needs may add to its base.
ADDED_MB = 300


def docker(*arguments: str, within_s: float = 120.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", *arguments],
        cwd=ROOT,
        env={**os.environ, "DOCKER_HOST": os.environ["GAMEDAY_TEST_DOCKER"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    url = os.environ.get("GAMEDAY_TEST_DOCKER")
    if not url:
        missing("GAMEDAY_TEST_DOCKER is not set: the image was NOT built")
    if shutil.which("debootstrap") is None:
        missing("debootstrap is not on PATH: the image was NOT built")
    made = subprocess.run(
        [str(ROOT / ".ci" / "container-base"), BASE],
        env={**os.environ, "DOCKER_HOST": str(url)},
        capture_output=True, text=True, timeout=1200, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr[-2000:]
    # the private engine has no way out of its own: pip sees the network of this machine
    built = docker(
        "build", "--network", "host", "--build-arg", f"BASE={BASE}", "-f", "Containerfile",
        "-t", IMAGE, ".", within_s=1800,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    yield IMAGE
    docker("image", "rm", "-f", IMAGE)


def size_mb(name: str) -> float:
    found = docker("image", "inspect", "-f", "{{.Size}}", name)
    return int(found.stdout) / 1e6


def test_it_starts_and_is_not_root(image: str) -> None:
    version = docker("run", "--rm", image, "--version")
    user = docker("run", "--rm", "--entrypoint", "id", image, "-u")
    write = docker("run", "--rm", "--entrypoint", "touch", image, "/opt/gameday/x", "/work/x")

    assert version.stdout.startswith("gameday "), version.stderr
    assert user.stdout.strip() == str(USER)
    assert write.returncode != 0
    assert "/opt/gameday/x" in write.stderr
    assert "/work/x" not in write.stderr
    assert size_mb(image) - size_mb(BASE) < ADDED_MB


def test_it_lists_and_checks_the_scenarios_that_come_with_it(image: str) -> None:
    listed = docker("run", "--rm", image, "scenarios", "list")

    assert listed.returncode == 0, listed.stderr
    assert "payments-slow" in listed.stdout


def test_a_whole_run_in_it(image: str, small_lab: Lab) -> None:
    """Against services and a Toxiproxy on this machine's loopback; all of it is taken out."""
    small_lab.write()
    path = small_lab.directory / "scenario.yaml"
    path.write_text(yaml.safe_dump(quick_scenario("contained"), sort_keys=False))
    (small_lab.directory / "reports").mkdir()
    (small_lab.directory / "reports").chmod(0o777)
    small_lab.directory.chmod(0o755)  # the user of the image is another one
    inside = ["run", "--rm", "--network", "host", "-v", f"{small_lab.directory}:/work", image]

    checked = docker(*inside, "check", "scenario.yaml", "--profile", "smoke")
    run = docker(*inside, "run", "scenario.yaml", "--profile", "smoke", within_s=300)

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert as_wanted(0, small_lab.result()["verdict"]), run.stdout + run.stderr
    small_lab.assert_clean()
    files = {file.name: file for file in small_lab.last_run.iterdir()}
    assert {"report.html", "junit.xml", "result.json", "overview.svg"} <= set(files)
    assert files["report.html"].stat().st_uid == USER
    assert small_lab.result()["verdict"]["exit_code"] == run.returncode


def test_files_that_its_user_may_not_read_are_told(image: str, small_lab: Lab) -> None:
    small_lab.write()
    small_lab.directory.chmod(0o700)

    found = docker(
        "run", "--rm", "-v", f"{small_lab.directory}:/work", image, "check", "scenario.yaml"
    )

    assert found.returncode == 2
    assert "permission denied" in found.stdout + found.stderr
    assert "Traceback" not in found.stderr
