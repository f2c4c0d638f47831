"""The load process lives and dies with its runner, and says clearly why it cannot run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from load_support import Recorder, Server, alive, journey, running

from gameday.adapters.locust import driver, process
from gameday.adapters.locust.driver import LocustLoad
from gameday.errors import NoEffectError
from gameday.model.scenario import LoadSpec

SPEC = LoadSpec(target="shop", arrivals_per_s=20, timeout_ms=300, journeys=(journey("all", "/a"),))
BUSY = """
from locust import HttpUser, task
class Busy(HttpUser):
    @task
    def spin(self):
        while True:
            pass
"""
RUNNER = """
import sys, time
from pathlib import Path
from gameday.adapters.locust.driver import LocustLoad
from gameday.model.scenario import Journey, LoadSpec, RequestStep
url, directory, file = sys.argv[1:]
steps = (RequestStep(method="GET", path="/a", name="/a"),)
spec = LoadSpec(
    target="shop", arrivals_per_s=50, locustfile=file or None,
    journeys=() if file else (Journey(name="all", steps=steps),),
)
load = LocustLoad(spec, url, Path(directory))
facts = load.start(
    lambda event: None, origin_wall_ms=int(time.time() * 1000), origin_mono_ns=time.monotonic_ns()
)
print(facts["pid"], flush=True)
time.sleep(60)
"""


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


def until(true: Callable[[], object], within_s: float = 120) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def start(load: LocustLoad, heard: Recorder | None = None) -> Recorder:
    heard = heard or Recorder()
    load.start(heard, origin_wall_ms=0, origin_mono_ns=time.monotonic_ns())
    return heard


def test_the_runner_imports_neither_locust_nor_gevent() -> None:
    names = "driver", "once", "process", "protocol", "pacing"
    code = (
        "import sys\n"
        + "".join(f"import gameday.adapters.locust.{name}\n" for name in names)
        + "bad = {'locust', 'gevent', 'geventhttpclient', 'zope'} & set(sys.modules)\n"
        "sys.exit(f'imported: {bad}' if bad else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("busy", [False, True], ids=["idle loop", "busy loop"])
def test_the_load_ends_with_its_runner(server: Server, tmp_path: Path, busy: bool) -> None:
    file = tmp_path / "busy.py"
    file.write_text(BUSY)
    args = [sys.executable, "-c", RUNNER, server.url, str(tmp_path), str(file) if busy else ""]
    with subprocess.Popen(args, stdout=subprocess.PIPE, text=True) as runner:
        try:
            assert runner.stdout is not None
            pid = int(runner.stdout.readline())
            assert alive(pid)
        finally:
            runner.kill()
    until(lambda: not alive(pid), 5)


def test_the_load_outlives_the_thread_that_started_it(server: Server, tmp_path: Path) -> None:
    load, heard = LocustLoad(SPEC, server.url, tmp_path), Recorder()
    try:
        thread = threading.Thread(target=start, args=(load, heard))
        thread.start()
        thread.join()
        heard.wait(lambda r: r.ticks)
    finally:
        load.stop()
    assert not heard.lost


def test_a_load_that_dies_is_lost(server: Server, tmp_path: Path) -> None:
    with running(SPEC, server.url, tmp_path) as run:
        os.kill(run.facts["pid"], signal.SIGKILL)
        run.heard.wait(lambda r: r.lost)
        run.load.edge(opening=True)  # must not raise: somebody may be reverting a fault
        facts = run.load.stop()
    assert run.heard.lost == ["the load process ended by signal 9"]
    assert facts["exit_code"] == -9


@pytest.mark.slow
def test_a_load_that_falls_silent_is_lost_and_ended(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "FAREWELL_S", 0.1)
    monkeypatch.setattr(process, "SILENCE_S", 1.7)
    with running(SPEC, server.url, tmp_path) as run:
        pid = run.facts["pid"]
        os.kill(pid, signal.SIGSTOP)
        run.heard.wait(lambda r: r.lost)
        facts = run.load.stop()
    assert run.heard.lost == ["the load has not been heard of for 1.7 s"]
    assert facts["forced"]
    assert not alive(pid)


def test_what_a_user_started_is_ended_too(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "spawner.py"
    file.write_text(
        "import subprocess\nfrom pathlib import Path\nfrom locust import HttpUser, task\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        "Path(__file__).with_name('pid').write_text(str(child.pid))\n"
        "class Shopper(HttpUser):\n    @task\n    def browse(self): self.client.get('/a')\n"
    )
    spec = LoadSpec(target="shop", users=1, timeout_ms=300, locustfile=str(file))
    with running(spec, server.url, tmp_path) as run:
        pid = int((tmp_path / "pid").read_text())
        assert alive(pid)
        assert run.load.stop()["exit_code"] == 0
    until(lambda: not alive(pid), 5)


WRONG: list[tuple[str | None, tuple[str, ...], str]] = [
    (None, (), "there is no locustfile `{file}`"),
    ("x = (\n", (), "{file}:1: syntax error: '(' was never closed"),
    ("import os\n\nimport no_such\n", (), "{file}:3: ModuleNotFoundError: No module named"),
    ("def f():\n    return 1 / 0\nf()\n", (), "{file}:2: ZeroDivisionError: division by"),
    ("import sys\nsys.exit('no')\n", (), "{file}:2: SystemExit: no"),
    ("\nopen('data.csv')\n", (), "{file}:2: FileNotFoundError: "),
    ("open('data.csv')\n", (), "so open files next to `__file__`"),
    ("x = 1\n", (), "`{file}` has no user class; write one, a subclass of `HttpUser`"),
    (BUSY, ("Shopper",), "`{file}` has no class `Shopper`; it has Busy"),
    (BUSY + "    weight = 0\n", (), "every user class in `{file}` has weight 0"),
    (
        "from locust import HttpUser\nclass Idle(HttpUser): pass\n",
        (),
        "class `Idle` in `{file}` has no task; mark one with `@task`",
    ),
]
READ = """
import json, sys
from gameday.adapters.locust.agent_users import UserCodeError, from_file
for path, classes in json.load(sys.stdin):
    try:
        from_file(path, tuple(classes))
        print(json.dumps(""))
    except UserCodeError as error:
        print(json.dumps(str(error)))
"""


def test_what_is_wrong_with_a_locustfile(tmp_path: Path) -> None:
    asked = []
    for number, (text, classes, _) in enumerate(WRONG):
        file = tmp_path / f"shop{number}.py"
        if text is not None:
            file.write_text(text)
        asked.append([str(file), classes])
    done = subprocess.run(
        [sys.executable, "-c", READ],
        input=json.dumps(asked), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == len(WRONG)
    for (file, _), (_, _, message), words in zip(asked, WRONG, told, strict=True):
        assert message.format(file=file) in words
        assert "\n" not in words


def test_the_user_is_told_what_is_wrong_with_a_locustfile(tmp_path: Path) -> None:
    file = tmp_path / "shop.py"
    file.write_text("import os\nimport no_such\n")
    spec = LoadSpec(target="shop", users=1, locustfile=str(file))
    with pytest.raises(NoEffectError) as caught:
        start(LocustLoad(spec, "http://127.0.0.1:9", tmp_path))
    assert str(caught.value) == f"{file}:2: ModuleNotFoundError: No module named 'no_such'"


def test_locust_cannot_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locust").mkdir()
    (tmp_path / "locust" / "__init__.py").write_text("raise ImportError('needs urllib3 2')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(NoEffectError, match=r"Locust cannot be imported: .*needs urllib3 2"):
        start(LocustLoad(SPEC, "http://127.0.0.1:9", tmp_path))


@pytest.mark.parametrize(
    ("python", "message"),
    [
        ("/no/such/python", "could not be run: .*No such file"),
        (
            "#!/bin/sh\necho no module named gameday >&2\nexit 1\n",
            "ended with exit code 1\n    no module named gameday",
        ),
    ],
)
def test_the_interpreter_is_of_no_use(tmp_path: Path, python: str, message: str) -> None:
    if python.startswith("#!"):
        script = tmp_path / "python"
        script.write_text(python)
        script.chmod(0o700)
        python = str(script)
    heard = Recorder()
    with pytest.raises(NoEffectError, match=message):
        start(LocustLoad(SPEC, "http://127.0.0.1:9", tmp_path, python=python), heard)
    assert not heard.events
