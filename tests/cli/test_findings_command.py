"""`gameday findings` without a run: by hand, by words that are wrong, from store to store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gameday.cli.main import run

ADD = (
    "findings", "add", "nobody found the runbook", "--service", "shop",
    "--class", "runbook_missing",
    "--failure-mode", "payments.latency", "--expectation", "the runbook is found", "--as", "scribe",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("GAMEDAY_FINDINGS", "GAMEDAY_ROLE"):
        monkeypatch.delenv(name, raising=False)


def rows(capsys: pytest.CaptureFixture[str], *more: str) -> list[dict]:
    capsys.readouterr()
    assert run(["findings", "list", "--all", "--json", *more]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_by_hand_from_open_to_put_aside(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*ADD, "--team", "team-checkout"]) == 0
    (one,) = rows(capsys)
    assert (one["severity"], one["state"]) == ("medium", "open")
    for words in (
        ("assign", one["id"], "--as", "owner", "--severity", "critical"),
        ("start", one["id"][:7]),
        ("claim", one["id"][2:8], "--why", "it is linked"),
        ("accept", one["id"], "--as", "approver", "--why", "rare", "--until", tomorrow()),
    ):
        assert run(["findings", *words]) == 0, capsys.readouterr().err

    (after,) = rows(capsys)
    assert (after["state"], after["severity"]) == ("risk_accepted", "critical")
    assert [entry["role"] for entry in after["entries"]] == [
        "scribe", "owner", "team-checkout", "team-checkout", "approver",
    ]  # fmt: skip
    assert run(["findings", "list"]) == 0
    assert "no findings in `findings`" in capsys.readouterr().out
    assert run(["findings", "show", one["id"]]) == 0
    assert f"risk accepted until {tomorrow()}" in capsys.readouterr().out


def tomorrow() -> str:
    import datetime

    return (datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=1)).isoformat()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "F-123"], "there is no finding"),
        (
            ["start", "{id}", "--as", "owner"],
            "is open, so `start` is not possible; first `gameday findings assign",
        ),
        (["claim", "{id}", "--as", "owner", "--why", "x"], "first `gameday findings start"),
        (["claim", "{id}", "--why", "x"], "has no owner team, so say who acts"),
        (["assign", "{id}"], "has no owner team"),
        (["assign", "{id}", "--team", "Jane Doe"], "findings name no people"),
        (["assign", "{id}", "--team", "a", "--severity", "bad"], "there are critical, high"),
        (["accept", "{id}", "--as", "approver", "--why", "x", "--until", "soon"], "is no day"),
        (["accept", "{id}", "--as", "boss", "--why", "x", "--until", "2099-01-01"], "may not"),
        (["wont-fix", "{id}", "--as", "owner", "--why", " "], "a reason is needed"),
        (["supersede", "{id}", "--by", "{id}", "--as", "owner"], "cannot stand for itself"),
        (["list", "--state", "closed"], "there are open, assigned"),
        (["list", "--class", "x"], "there are detection_gap"),
        (["list", "--store", "mysql://x/y"], "is no place for findings"),
        (["list", "--store", "sqlite:/nowhere/x.db"], "there is no folder `/nowhere`"),
        (["collect", "last"], "there is no run `last`"),
        (["verify", "last"], "there is no run `last`"),
        (["import", "none.json"], "cannot be read"),
        (["export", "--out", "none/x.json"], "cannot be written"),
        (["add", "x", *ADD[3:]], "which is open"),
        (["add", "x", *ADD[3:], "--env-kind", "moon"], "there are local, ci"),
    ],
)
def test_what_is_wrong_is_said(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(list(ADD)) == 0
    (one,) = rows(capsys)

    code = run(["findings", *(word.format(id=one["id"]) for word in words)])

    told = capsys.readouterr()
    assert "Traceback" not in told.err
    assert code == 2
    assert said in told.err
    assert rows(capsys) == [one]


def test_from_store_to_store(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(list(ADD)) == 0
    before = rows(capsys)
    assert run(["findings", "export", "--out", "all.json"]) == 0
    assert run(["findings", "import", "all.json", "--store", "sqlite:f.db"]) == 0

    assert rows(capsys, "--store", "sqlite:f.db") == before
    assert run(["findings", "import", "all.json", "--store", "sqlite:f.db"]) == 0
    assert "1 were there already" in capsys.readouterr().out


def test_what_was_changed_on_both_sides_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    run(list(ADD))
    run(["findings", "export", "--out", "all.json"])
    run(["findings", "import", "all.json", "--store", "other"])
    (one,) = rows(capsys)
    for store, team in (("findings", "a"), ("other", "b")):
        run(["findings", "assign", one["id"], "--team", team, "--store", store])
    run(["findings", "export", "--out", "all.json"])
    before = rows(capsys, "--store", "other")

    assert run(["findings", "import", "all.json", "--store", "other"]) == 2

    assert "changed on both sides" in capsys.readouterr().err
    assert rows(capsys, "--store", "other") == before


def test_the_policy_of_the_project_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gameday.yaml").write_text(
        "gameday: 1\n"
        'environments: {local: {targets: {a: {url: "http://127.0.0.1:1"}}}}\n'
        "findings: {store: register, accept: {roles: [cto], longest: 30d}, due: {medium: 1d}}\n"
    )
    (tmp_path / "deep").mkdir()
    assert run([*ADD, "--team", "t"]) == 0
    (one,) = rows(capsys)

    assert (tmp_path / "register" / f"{one['id']}.yaml").exists()
    assert one["due"] == tomorrow()
    said = ["accept", one["id"], "--why", "x", "--until", tomorrow()]
    assert run(["findings", *said, "--as", "approver"]) == 2
    assert run(["findings", *said, "--as", "cto"]) == 0


@pytest.mark.parametrize(
    ("findings", "said"),
    [
        ("{store: 'postgresql://u:pw@h/d'}", "holds a password"),
        ("{stor: x}", "did you mean `store`"),
        ("{due: {high: 3h}}", "whole days"),
        ("{due: {high: 3}}", "whole days"),
        ("{accept: {roles: [A B]}}", "is not a role"),
    ],
)
def test_a_wrong_key_is_told_with_its_place(
    findings: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gameday.yaml").write_text(
        "gameday: 1\n"
        'environments: {local: {targets: {a: {url: "http://127.0.0.1:1"}}}}\n'
        f"findings: {findings}\n"
    )

    assert run(["findings", "list"]) == 2

    told = capsys.readouterr().err
    assert said in told
    assert "gameday.yaml:3:" in told
