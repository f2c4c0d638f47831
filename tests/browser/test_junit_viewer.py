"""`junit.xml` in a viewer that is not ours: each expectation is seen there, with its state.

The viewer is junit2html from PyPI, of one version, kept in the cache of this machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from browser_support import DESKTOP, RUNS, Browser, MissingError, missing, opened, report_of

from gameday.report.junit import document, suite_of

pytestmark = pytest.mark.real
VERSION = "31.1.4"
SHA256 = "dfd100dfdc0ee91e1ffbd1774669b209dec115b285e06af9e31d8743db8931e6"
#: What is in the file, and how the viewer calls it. It knows no error: that is a failure there,
#: as in Jenkins, so the text of an inconclusive one has to say what it is.
STATES = {None: "Passed", "failure": "Failed", "error": "Failed", "skipped": "Skipped"}
CASES = """all => all.filter(e => e.checkVisibility()).map(e => {
  const cell = name => [...e.querySelectorAll('tr')]
    .find(r => r.cells[0].innerText.trim() === name)?.cells[1].innerText.trim();
  return [cell('Test case:'), cell('Outcome:'), e.innerText];
})"""


def viewer() -> Path:
    """Where junit2html is. Raises `MissingError`."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gameday-ci"
    place = cache / f"junit2html-{VERSION}"
    if (place / "junit2htmlreport").exists():
        return place
    cache.mkdir(parents=True, exist_ok=True)
    draft = cache / f".junit2html-{os.getpid()}"
    draft.mkdir(exist_ok=True)
    wanted = draft / "wanted.txt"
    wanted.write_text(f"junit2html=={VERSION} --hash=sha256:{SHA256}\n")
    pip(["--no-deps", "--require-hashes", "--target", str(draft), "-r", str(wanted)])
    if not place.exists():
        draft.rename(place)
    return place


def pip(arguments: Sequence[str]) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        raise MissingError("pip did not answer within 120 s") from None
    if done.returncode:
        raise MissingError(f"pip could not install junit2html: {done.stderr.strip()[-300:]}")


def written(folder: Path) -> tuple[Path, ET.Element]:
    """One suite of each kind of run, and what the viewer makes of them."""
    suites = []
    for name in RUNS:
        report = report_of(RUNS[name]())
        scenario = replace(report.scenario, id=name)
        suites.append(suite_of(replace(report, scenario=scenario)))
    source, page = folder / "junit.xml", folder / "junit.html"
    source.write_text(document(suites), encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "junit2htmlreport", str(source), str(page)],
        env={**os.environ, "PYTHONPATH": str(viewer()), "PYTHONUTF8": "1"},
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    return page, ET.fromstring(source.read_text(encoding="utf-8"))


def test_each_expectation_is_seen_with_its_state(browser: Browser, tmp_path: Path) -> None:
    try:
        page, root = written(tmp_path)
    except MissingError as error:
        missing(error)
        raise
    wanted = [
        (" ".join(case.get("name", "").split()), next((child.tag for child in case), None))
        for case in root.iter("testcase")
    ]
    with opened(browser, page, DESKTOP) as one:
        cases = one.page.eval_on_selector_all("div.test", CASES)
        one.quiet()
    unknown = [name for name, _, text in cases if "inconclusive" in text.lower()]

    assert {state for _, state in wanted} == set(STATES), "one of each was tried"
    assert Counter((name, state) for name, state, _ in cases) == Counter(
        (name, STATES[state]) for name, state in wanted
    )
    assert sorted(unknown) == sorted(name for name, state in wanted if state == "error")
