"""Scenario files as pytest items: `pytest scenarios/ -m smoke` (docs/pytest.md).

Each scenario is run once, by `gameday run` in a process of its own; each expectation is an item,
and one more stands for the run as a whole. What is inconclusive is an error, never a pass.

A plain `pytest` breaks nothing: files are collected only where they, or the folder that they lie
in, are named on the command line, in `testpaths` or in `gameday_scenarios`, or with `--gameday`.
Nothing of gameday is imported before there is a scenario file to collect.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import pytest

if TYPE_CHECKING:
    from gameday.app.pytest_scenarios import Answer, Collected
    from gameday.app.scenario_run import RunAsked, ScenarioRun

WHOLE = "the run as a whole"
_ROOTS = pytest.StashKey[tuple[tuple[Path, ...], tuple[Path, ...]]]()
_STORE = pytest.StashKey[Path]()


class GamedayRun(Protocol):
    """The type of the fixture `gameday_run`."""

    def __call__(
        self,
        path: str | Path,
        *,
        profile: str | None = None,
        environment: str | None = None,
        project: str | Path | None = None,
        seed: int = 0,
    ) -> ScenarioRun:
        """Run one scenario file; a relative path starts from pytest's root directory.

        The test is skipped where something is not there that the scenario needs.
        """


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options, all named `--gameday…`, and one setting."""
    group = parser.getgroup("gameday", "scenarios of gameday")
    group.addoption(
        "--gameday",
        action="store_true",
        help="collect every scenario file below the given paths, however they were named",
    )
    for name, meaning in (
        ("profile", "a profile of the scenarios, e.g. `smoke`"),
        ("environment", "an environment of the project file; `local` unless given"),
        ("project", "the project file; the nearest gameday.yaml unless given"),
        ("report-dir", "where run directories are written; `reports` in the root unless given"),
    ):
        group.addoption(f"--gameday-{name}", metavar=name.upper(), default=None, help=meaning)
    group.addoption(
        "--gameday-seed", metavar="N", type=int, default=0, help="seed of everything random"
    )
    group.addoption(
        "--gameday-wait",
        metavar="SECONDS",
        type=float,
        default=3600.0,
        help="how long to wait for other runs that touch the same targets",
    )
    parser.addini("gameday_scenarios", "files and folders of scenarios", "paths", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Work out where scenarios may be collected; the workers of xdist are told."""
    given = getattr(config, "workerinput", None)
    if given is not None and "gameday_named" in given:
        named, below = given["gameday_named"], given["gameday_below"]
        config.stash[_STORE] = Path(given["gameday_store"])
    else:
        asked = config.args_source is not pytest.Config.ArgsSource.INVOCATION_DIR
        base = config.invocation_params.dir
        named = [base / arg.partition("::")[0] for arg in config.args] if asked else []
        below = list(config.getini("gameday_scenarios"))
        below += [base / arg.partition("::")[0] for arg in config.args] if _all(config) else []
    config.stash[_ROOTS] = (tuple(map(Path, named)), tuple(map(Path, below)))


def _all(config: pytest.Config) -> bool:
    return bool(config.getoption("--gameday"))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """One store for all workers: a scenario is run once, whoever needs it first."""
    named, below = node.config.stash[_ROOTS]
    node.workerinput["gameday_named"] = [str(path) for path in named]
    node.workerinput["gameday_below"] = [str(path) for path in below]
    node.workerinput["gameday_store"] = str(_store(node.config))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Only whoever made the store takes it away."""
    if not hasattr(config, "workerinput") and _STORE in config.stash:
        shutil.rmtree(config.stash[_STORE], ignore_errors=True)


def _store(config: pytest.Config) -> Path:
    if _STORE not in config.stash:
        config.stash[_STORE] = Path(tempfile.mkdtemp(prefix="gameday-pytest-"))
    return config.stash[_STORE]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Scenario files that were asked for; nothing else is looked into."""
    if file_path.suffix not in (".yaml", ".yml") or not _asked_for(file_path, parent.config):
        return None
    from gameday.app.pytest_scenarios import is_scenario

    return ScenarioFile.from_parent(parent, path=file_path) if is_scenario(file_path) else None


def _asked_for(path: Path, config: pytest.Config) -> bool:
    named, below = config.stash[_ROOTS]
    if path in named or any(path.is_relative_to(root) for root in below):
        return True
    return any(path.is_relative_to(root) and _holds_scenarios(root) for root in named)


@cache
def _holds_scenarios(folder: Path) -> bool:
    """Whether scenarios lie in the folder itself; a folder of tests with some below is another."""
    from gameday.app.pytest_scenarios import is_scenario

    return folder.is_dir() and any(
        is_scenario(path) for path in folder.iterdir() if path.suffix in (".yaml", ".yml")
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Know of which files an item stands for the run as a whole: others may be chosen alone."""
    for item in session.items:
        if isinstance(item, ScenarioItem) and item.is_whole:
            cast("ScenarioFile", item.parent).has_whole = True


class ScenarioFile(pytest.File):
    """One scenario file: run once, however many of its items are asked."""

    has_whole = False  # whether the item of the run as a whole is among those that are asked

    @cached_property
    def asked(self) -> RunAsked:
        """The run as the options have it."""
        return _asked(self.config, self.path)

    def collect(self) -> Iterable[pytest.Item]:
        """The run as a whole, and each expectation. A file with errors is one error with all."""
        from gameday.app.pytest_scenarios import collected

        chosen = str(self.config.getoption("markexpr", default="") or "")
        found = collected(self.asked, chosen)
        if found is None:
            return []
        if isinstance(found, str):
            raise self.CollectError(found)
        return list(self._items(found))

    def _items(self, found: Collected) -> Iterator[pytest.Item]:
        names: dict[str, int] = {}
        for wanted in (None, *found.expectations):
            name = WHOLE if wanted is None else wanted[2] or f"{wanted[0]} {wanted[1]}"
            names[name] = names.get(name, 0) + 1
            name += f" ({names[name]})" if names[name] > 1 else ""
            item = ScenarioItem.from_parent(self, name=name, wanted=wanted)
            for tag in found.tags:
                self.config.addinivalue_line("markers", f"{tag}: a tag of scenarios")
                item.add_marker(tag)
            yield item

    @cached_property
    def played(self) -> ScenarioRun:
        """The run, made now if nobody has yet."""
        from gameday.app.pytest_scenarios import played

        return played(self.asked, _store(self.config))


class ScenarioItem(pytest.Item):
    """One expectation of a scenario; without one, the run as a whole."""

    def __init__(self, *, wanted: tuple[str, str, str] | None, **rest: Any) -> None:
        super().__init__(**rest)
        self._wanted = wanted
        self._failed = ""

    @property
    def is_whole(self) -> bool:
        """Whether it stands for the run as a whole."""
        return self._wanted is None

    def setup(self) -> None:
        """Run the scenario, or read its run. What it could not show is an error of the setup."""
        from gameday.app.pytest_scenarios import properties_of

        run = cast("ScenarioFile", self.parent).played
        answer = self._answer(run)
        if self._wanted is None:
            self.user_properties += properties_of(run)
        if run.run_dir is not None:
            self.user_properties.append(("run_dir", str(run.run_dir)))
        match answer.outcome.value:
            case "skip":
                pytest.skip(answer.text)
            case "inconclusive":
                pytest.fail(f"inconclusive: {answer.text}", pytrace=False)
            case "fail":
                self._failed = answer.text

    def _answer(self, run: ScenarioRun) -> Answer:
        from gameday.app.pytest_scenarios import answer_of, answer_of_whole

        if self._wanted is None:
            return answer_of_whole(run)
        alone = not cast("ScenarioFile", self.parent).has_whole
        return answer_of(run, self._wanted, alone=alone)

    def runtest(self) -> None:
        """What was seen not to hold fails."""
        if self._failed:
            pytest.fail(self._failed, pytrace=False)

    def reportinfo(self) -> tuple[Path, None, str]:
        """The file and the expectation."""
        return self.path, None, f"{self.path.name}: {self.name}"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Where the runs lie."""
    found: dict[str, None] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "run_dir":
                    found[str(value)] = None
    if found:
        terminalreporter.section("gameday")
        for where in found:
            terminalreporter.line(where)


@pytest.fixture
def gameday_run(pytestconfig: pytest.Config) -> GamedayRun:
    """Runs scenario files from tests in Python; see `GamedayRun` and `ScenarioRun.check`."""

    def run(
        path: str | Path,
        *,
        profile: str | None = None,
        environment: str | None = None,
        project: str | Path | None = None,
        seed: int = 0,
    ) -> ScenarioRun:
        from gameday.app.scenario_run import run_scenario

        asked = _asked(pytestconfig, pytestconfig.rootpath / path)
        asked = replace(
            asked,
            profile=profile or asked.profile,
            environment=environment or asked.environment,
            project=pytestconfig.rootpath / project if project else asked.project,
            seed=seed or asked.seed,
        )
        played = run_scenario(asked)
        if played.skipped:
            pytest.skip(played.reason)
        return played

    return run


def _asked(config: pytest.Config, path: Path) -> RunAsked:
    from gameday.app.scenario_run import RunAsked

    base = config.invocation_params.dir
    project, reports = (
        config.getoption("--gameday-project"),
        config.getoption("--gameday-report-dir"),
    )
    return RunAsked(
        path=path,
        project=base / project if project else None,
        environment=config.getoption("--gameday-environment"),
        profile=config.getoption("--gameday-profile"),
        seed=config.getoption("--gameday-seed"),
        reports=base / reports if reports else config.rootpath / "reports",
        wait_s=config.getoption("--gameday-wait"),
    )
