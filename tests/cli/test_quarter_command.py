"""`gameday quarter`, as people write it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from quarter_support import make_year, write_runs

from gameday.cli.main import run
from gameday.report import quarter_files


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    year = make_year(runs=40, services=3, findings=0)
    write_runs(year, tmp_path / "reports")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(quarter_files, "figures", lambda _quarter: {})
    return tmp_path


def test_a_quarter_is_written_beside_the_runs(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["quarter", "2026q3", "--as-of", "2027-01-10"]) == 0
    out = capsys.readouterr().out
    assert "40 of 40 runs were read anew; wrote reports/2026Q3/report.html" in out
    assert (project / "reports/2026Q3/kpis.csv").is_file()
    assert run(["quarter", "last", "--as-of", "2026-12-01", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["period"], told["as_of"]) == ("2026Q3", "2026-09-30T23:59:59Z")


def test_both_spellings_of_the_plan_say_the_same(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["quarter", "plan", "--json"]) == 0
    first = capsys.readouterr().out
    assert run(["plan", "quarter", "--json"]) == 0
    assert capsys.readouterr().out == first
    assert json.loads(first.splitlines()[0])["place"] == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["2026Q7"], "`2026Q7` is no quarter; write `2026Q4`, `this`, `last`, or `plan`"),
        (["2099Q1"], "2099Q1 has not begun"),
        (["this", "--as-of", "soon"], "`soon` is no day"),
        (["this", "--incidents", "none.csv"], "`none.csv` cannot be read"),
        (["this", "--findings", "nowhere"], "there is no findings register at `nowhere`"),
        (["this", "--findings", "sqlite:none.db"], "no findings register at `sqlite:none.db`"),
        (["this", "--findings", "sqlite:///no/f.db"], "no findings register at `sqlite:/no/f.db`"),
        (["plan", "--env", "moon"], "no run was in `moon`; there are `ci`, `prod`, `staging`"),
        (["this", "--reports", "none"], "there is no folder `none`"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert run(["quarter", *arguments]) == 2
    assert told in capsys.readouterr().err
    assert not list((project / "reports").glob("20*Q*"))


def test_every_problem_of_an_import_has_its_place(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "d.csv").write_text("id,time,service,outcome\na,soon,x,ok\nb,2026-01-01,x,great\n")
    assert run(["quarter", "this", "--deployments", "d.csv"]) == 2
    err = capsys.readouterr().err
    assert "d.csv:2:3: `soon` is no time" in err
    assert "d.csv:3:16: `great` is none of `ok`, `failed`, `rolled_back`" in err
