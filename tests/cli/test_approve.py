"""`gameday approve` as two people use it: one approves in a checkout, the other runs in another."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gameday.app.check import PlanRequest, make_plan
from gameday.app.policy_gate import (
    Gate,
    PolicyRequest,
    approved_sha256,
    check_policy,
    read_budget_again,
)
from gameday.app.stored import without_secrets
from gameday.cli.main import run as command_line
from gameday.scenario.planfile import dump_plan, load_plan

GAMEDAY = [sys.executable, "-m", "gameday"]
ENVIRONMENT = """\
environments:
  production:
    policy:
      targets: [shop, payments]
      max_duration: 2m
      budget: {floor: 25%, file: budget.txt}
      approvals: {needed: 1, signers: allowed_signers, roles: [safety]}
    targets:
      shop: {url: "http://127.0.0.1:8000"}
      payments: {proxy: payments, listen: "127.0.0.1:18080", upstream: "127.0.0.1:8080"}
"""
ALICE, CAROL, DAVE = (f"{name}@example.org" for name in ("alice", "carol", "dave"))


def run(*command: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60,
        check=False, env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull,
                          "GIT_CONFIG_NOSYSTEM": "1", **env},
    )  # fmt: skip


def gameday(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command in this process, which is much quicker."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = command_line(list(arguments))
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def commit(folder: Path, who: str = CAROL) -> None:
    for command in (("add", "-A"), ("commit", "-q", "-m", "x")):
        ended = run(
            "git", "-c", "commit.gpgsign=false", *command, cwd=folder,
            GIT_AUTHOR_NAME="x", GIT_AUTHOR_EMAIL=who,
            GIT_COMMITTER_NAME="x", GIT_COMMITTER_EMAIL=who,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr


@dataclass(frozen=True)
class Desk:
    """A project of Carol's, and the key of Alice, who may approve."""

    root: Path
    key: Path
    other: Path

    @property
    def scenario(self) -> Path:
        return self.root / "scenarios" / "first.yaml"

    def approve(
        self, *more: str, key: Path | None = None, path: str = "scenarios/first.yaml"
    ) -> subprocess.CompletedProcess[str]:
        arguments = {
            "--env": "production", "--role": "safety", "--as": ALICE, "--change": "CHG-1",
            "--key": str(key or self.key),
        }  # fmt: skip
        given = dict(zip(more[::2], more[1::2], strict=True))
        words = [w for pair in (arguments | given).items() for w in pair if pair[1]]
        return gameday("approve", path, "--yes", *words, cwd=self.root)

    def gate(self, root: Path | None = None, **request: object) -> Gate:
        return gate_of(root or self.root, **request)


def gate_of(
    root: Path, *, seed: int = 0, after: timedelta = timedelta(), **request: object
) -> Gate:
    plan = make_plan(
        PlanRequest(path=root / "scenarios/first.yaml", environment="production", seed=seed)
    )
    asked = PolicyRequest(go=True, change_id="CHG-1", operator=DAVE)
    return check_policy(plan, replace(asked, **request), now=datetime.now(UTC) + after)  # type: ignore[arg-type]


def rules(gate: Gate) -> list[str]:
    return [refusal.rule for refusal in gate.refusals]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, real_server: Callable[..., str]) -> Desk:
    real_server("ssh-keygen")
    real_server("git")
    top = tmp_path_factory.mktemp("made")
    for name in ("alice", "other"):
        ended = run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(top / name), cwd=top)
        assert ended.returncode == 0, ended.stderr
    root = top / "project"
    root.mkdir()
    assert run(*GAMEDAY, "init", cwd=root).returncode == 0
    project = root / "gameday.yaml"
    text = project.read_text()
    start, end = text.index("environments:"), text.index("services:")
    project.write_text(text[:start] + ENVIRONMENT + text[end:])
    public = " ".join((top / "alice.pub").read_text().split()[:2])
    (root / "allowed_signers").write_text(f"{ALICE} {public}\n")
    (root / "budget.txt").write_text("42 %\n")
    assert run("git", "-c", "init.defaultBranch=main", "init", "-q", cwd=root).returncode == 0
    commit(root)
    return Desk(root=root, key=top / "alice", other=top / "other")


@pytest.fixture
def desk(made: Desk, tmp_path: Path) -> Desk:
    root = tmp_path / "project"
    shutil.copytree(made.root, root)
    return replace(made, root=root)


def test_an_approved_run_is_allowed_and_its_journal_gets_roles_not_names(desk: Desk) -> None:
    assert rules(desk.gate()) == ["policy.approvals"]

    ended = desk.approve()

    assert ended.returncode == 0, ended.stderr
    gate = desk.gate()
    assert gate.lines == ()
    (row,) = gate.opened["approvals"]
    assert row["role"] == "safety"
    assert row["expires_wall_ms"] - row["at_wall_ms"] == 8 * 3_600_000
    assert len(row["sha256"]) == 64
    assert row["plan_sha256"] == approved_sha256(
        make_plan(PlanRequest(path=desk.scenario, environment="production"))
    )
    assert gate.opened["change_id"] == "CHG-1"
    assert gate.budget == {
        "floor": 0.25, "left": 0.42, "source": "file budget.txt", "when": "start",
    }  # fmt: skip
    assert "example.org" not in json.dumps([gate.opened, gate.budget])


def test_the_plan_is_shown_with_its_hash_before_it_is_signed(desk: Desk) -> None:
    ended = desk.approve("--expires", "90m")
    (written,) = (desk.root / "approvals").glob("*.json")
    data = json.loads(written.read_text())

    assert "first: Payments answers 800 ms late" in ended.stdout
    assert f"plan {data['plan_sha256']}" in ended.stdout
    assert f"written by {CAROL}; {ALICE} approves it as safety for CHG-1, until " in ended.stdout
    assert written.name == f"{data['plan_sha256'][:12]}-safety.json"
    assert data["author"] == CAROL


def test_the_checkout_of_somebody_else_in_another_place_takes_it(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert desk.approve().returncode == 0
    commit(desk.root, ALICE)
    ended = run("git", "clone", "-q", str(desk.root), "theirs", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    monkeypatch.chdir(tmp_path / "theirs" / "scenarios")

    assert gate_of(Path("..")).lines == ()


def test_a_stored_plan_is_approved_as_the_scenario_is(desk: Desk) -> None:
    ended = gameday(
        "plan", "scenarios/first.yaml", "--env", "production", "--out", "plan.json", cwd=desk.root
    )
    assert ended.returncode == 0, ended.stderr
    plan = load_plan((desk.root / "plan.json").read_text())
    wrong = desk.approve("--profile", "smoke", path="plan.json")

    assert f"plan {approved_sha256(plan)}" in ended.stdout
    assert wrong.returncode == 2
    assert "is a plan with the `--profile` none, not `smoke`" in wrong.stderr
    assert desk.approve(path="plan.json").returncode == 0
    assert desk.gate().lines == ()


def test_in_production_a_control_run_is_approved_by_its_own_plan(desk: Desk) -> None:
    """The load meets real users there; what was approved with faults is another plan."""
    assert desk.approve().returncode == 0
    where = {"path": desk.scenario, "environment": "production"}
    control = make_plan(PlanRequest(**where, control=True))  # type: ignore[arg-type]
    asked = PolicyRequest(go=True, change_id="CHG-1", operator=DAVE)
    assert rules(check_policy(control, asked)) == ["policy.approvals"]

    words = ("scenarios/first.yaml", "--env", "production", "--control", "--out", "plan.json")
    assert gameday("plan", *words, cwd=desk.root).returncode == 0
    assert desk.approve(path="plan.json").returncode == 0

    assert check_policy(control, asked).lines == ()


def test_the_hash_is_that_of_the_stored_plan_of_a_run(desk: Desk) -> None:
    plan = make_plan(PlanRequest(path=desk.scenario, environment="production"))

    stored = load_plan(dump_plan(without_secrets(plan)))

    assert approved_sha256(stored) == approved_sha256(plan)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("scenarios/first.yaml", "latency: 800ms", "latency: 801ms"),
        ("scenarios/first.yaml", "arrivals: 50/s", "arrivals: 51/s"),
        ("gameday.yaml", "127.0.0.1:8080", "127.0.0.1:8081"),
        ("gameday.yaml", "max_duration: 2m", "max_duration: 3m"),
    ],
)
def test_what_was_changed_afterwards_is_not_approved(
    desk: Desk, file: str, old: str, new: str
) -> None:
    assert desk.approve().returncode == 0
    edit(desk.root / file, old, new)
    commit(desk.root)

    gate = desk.gate()

    assert rules(gate) == ["policy.approvals"]
    assert "none is in `approvals` for the plan" in gate.lines[0]


def test_the_content_of_a_locustfile_is_approved_with_the_plan(desk: Desk) -> None:
    text = desk.scenario.read_text()
    start, end = text.index("  journeys:"), text.index("phases:")
    desk.scenario.write_text(text[:start] + "  locustfile: load.py\n\n" + text[end:])
    edit(desk.scenario, "checkout p90 < 2s", "p90 < 2s")
    load = desk.root / "load.py"
    load.write_text("# gentle\n")
    commit(desk.root)
    ended = desk.approve()
    assert ended.returncode == 0, ended.stderr
    assert desk.gate().lines == ()

    load.write_text("# harsh\n")

    assert rules(desk.gate()) == ["policy.approvals"]


def test_the_content_of_data_and_uploads_is_approved_without_any_secret(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHOP_TOKEN", raising=False)
    text = desk.scenario.read_text()
    start, end = text.index("  journeys:"), text.index("phases:")
    load = (
        "  auth: {bearer: {env: SHOP_TOKEN}}\n"
        "  data: {sku: {csv: skus.csv, column: id}}\n"
        "  journeys: {checkout: {steps: [{post: /pay, form: {id: '{{ sku }}'}, "
        "files: {doc: doc.txt}}]}}\n\n"
    )
    desk.scenario.write_text(text[:start] + load + text[end:])
    skus, doc = desk.root / "skus.csv", desk.root / "doc.txt"
    skus.write_text("id\nA1\nB2\n")
    doc.write_text("a")
    commit(desk.root)
    ended = desk.approve()
    assert ended.returncode == 0, ended.stderr
    assert desk.gate().lines == ()

    for file, harsh in ((skus, "id\nA1\nB3\n"), (doc, "b")):
        before = file.read_text()
        file.write_text(harsh)
        assert rules(desk.gate()) == ["policy.approvals"]
        file.write_text(before)
    assert desk.gate().lines == ()


def test_an_approval_under_the_name_of_another_plan_does_not_count(desk: Desk) -> None:
    assert desk.approve().returncode == 0
    edit(desk.scenario, "800ms", "801ms")
    commit(desk.root)
    plan = make_plan(PlanRequest(path=desk.scenario, environment="production"))
    for path in list((desk.root / "approvals").iterdir()):
        path.rename(path.with_name(approved_sha256(plan)[:12] + path.name[12:]))

    gate = desk.gate()

    assert rules(gate) == ["policy.approvals"]
    assert "is for another plan" in gate.lines[0]


@pytest.mark.parametrize(
    ("request_", "expected", "words"),
    [
        ({"seed": 7}, ["policy.approvals"], "none is in `approvals` for the plan"),
        ({"after": timedelta(hours=9)}, ["policy.approvals"], "expired at"),
        ({"after": -timedelta(hours=1)}, ["policy.approvals"], "is valid only from"),
        ({"change_id": "CHG-2"}, ["policy.approvals"], "is for the change `CHG-1`"),
        ({"change_id": None}, ["policy.approvals", "policy.change_id"], "for no change"),
        ({"operator": ALICE}, ["policy.apart"], "the approver is also the operator"),
        ({"operator": "Carol@Example.org"}, ["policy.apart"], "the author is also the operator"),
        ({"go": False}, ["policy.go"], "nothing is run without `--go`"),
        ({"beside_plan": ("--toxiproxy",)}, ["policy.approvals"], "`--toxiproxy`"),
    ],
)  # fmt: skip
def test_an_approval_is_for_this_run_alone(
    desk: Desk, request_: dict[str, object], expected: list[str], words: str
) -> None:
    assert desk.approve().returncode == 0

    gate = desk.gate(**request_)

    assert rules(gate) == expected
    assert words in "\n".join(gate.lines)


def test_without_signers_or_budget_it_is_refused(desk: Desk) -> None:
    assert desk.approve().returncode == 0
    (desk.root / "allowed_signers").unlink()
    (desk.root / "budget.txt").write_text("3 %")
    gate = desk.gate()

    assert rules(gate) == ["policy.budget", "policy.approvals"]
    assert "the file of allowed signers `allowed_signers` is missing" in gate.lines[1]

    (desk.root / "budget.txt").unlink()
    gate = desk.gate()
    assert gate.budget is not None
    assert gate.budget["left"] is None
    assert "cannot be read: No such file" in gate.lines[0]
    plan = make_plan(PlanRequest(path=desk.scenario, environment="production"))
    assert read_budget_again(plan, when="end") == {**gate.budget, "when": "end"}


def test_the_operator_is_taken_from_the_environment_and_then_from_git(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert desk.approve().returncode == 0
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("GAMEDAY_OPERATOR", raising=False)

    assert "the operator is not known" in desk.gate(operator=None).lines[0]
    run("git", "config", "user.email", CAROL, cwd=desk.root)
    assert "the author is also the operator" in desk.gate(operator=None).lines[0]
    monkeypatch.setenv("GAMEDAY_OPERATOR", DAVE)
    assert desk.gate(operator=None).lines == ()


def test_the_author_is_asked_for_where_git_does_not_know(desk: Desk) -> None:
    edit(desk.scenario, "Payments answers", "Payments gives answers")
    unknown = desk.approve()
    own = desk.approve("--author", ALICE)
    said = desk.approve("--author", CAROL)

    assert unknown.returncode == own.returncode == 2
    assert "who wrote the scenario is not known" in unknown.stderr
    assert "wrote the scenario and cannot approve it" in own.stderr
    assert said.returncode == 0, said.stderr
    assert desk.gate().lines == ()
    assert "the author is also the operator" in desk.gate(operator=CAROL).lines[0]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--role", "owner"), "needs approvals as `safety`, not as `owner`"),
        (("--role", "../x"), "is no role"),
        (("--as", "Alice <alice@example.org>"), "names no person"),
        (("--as", CAROL), "wrote the scenario and cannot approve it"),
        (("--as", "bob@example.org"), "is not by a key that `allowed_signers` allows"),
        (("--change", ""), "needs a change: add `--change`"),
        (("--change", "a b"), "is no change"),
        (("--author", DAVE), "git says that"),
        (("--expires", "8"), "`--expires`: `8` is not a duration"),
        (("--expires", "31d"), "an approval is valid for up to `30d`"),
        (("--expires", "0s"), "an approval is valid for up to `30d`"),
        (("--key", "nokey"), "nothing was signed with"),
        (("--env", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_approved_is_refused_and_nothing_is_written(
    desk: Desk, more: tuple[str, str], words: str
) -> None:
    ended = desk.approve(*more)

    assert ended.returncode == 2, ended.stdout
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (desk.root / "approvals").exists()


def test_a_key_of_somebody_else_is_refused_before_anything_is_written(desk: Desk) -> None:
    ended = desk.approve(key=desk.other)

    assert ended.returncode == 2
    assert "is not by a key that `allowed_signers` allows" in ended.stderr
    assert not (desk.root / "approvals").exists()


def test_nothing_is_signed_without_a_yes(desk: Desk) -> None:
    ended = run(
        *GAMEDAY, "approve", "scenarios/first.yaml", "--env", "production", "--role", "safety",
        "--as", ALICE, "--key", str(desk.key), "--change", "CHG-1", cwd=desk.root,
    )  # fmt: skip

    assert ended.returncode == 2
    assert "nobody can be asked here: look at the plan, then say `--yes`" in ended.stderr
    assert not (desk.root / "approvals").exists()


@pytest.mark.parametrize(("said", "code"), [("y\n", 0), ("yes\n", 0), ("\n", 2), ("n\n", 2)])
def test_whoever_sits_there_is_asked(desk: Desk, said: str, code: int) -> None:
    main, child = os.openpty()
    try:
        with subprocess.Popen(
            [*GAMEDAY, "approve", "scenarios/first.yaml", "--env", "production", "--role", "safety",
             "--as", ALICE, "--key", str(desk.key), "--change", "CHG-1"],
            cwd=desk.root, stdin=child, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            os.write(main, said.encode())
            out, err = process.communicate(timeout=60)
    finally:
        os.close(main)
        os.close(child)

    assert process.returncode == code, err
    assert "approve exactly this? [y/N]" in out
    assert (desk.root / "approvals").exists() is (code == 0)
