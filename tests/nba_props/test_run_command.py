"""`nba-props run` where nothing was played: a day off is no alarm, a date that nobody knows is one."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from nba_props.cli import main
from nba_props.errors import DataError
from nba_props.sources import synthetic

Run = Callable[..., tuple[int, str]]
FRIDAY, SATURDAY, SUNDAY = "2025-01-10", "2025-01-11", "2025-01-12"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Nobody plays, and the schedule goes as far as Saturday."""
    monkeypatch.setattr(synthetic.SyntheticSource, "dates", lambda *_: [])
    monkeypatch.setattr(synthetic.SyntheticSource, "schedule", lambda *_: [])
    monkeypatch.setattr(
        synthetic.SyntheticSource, "coverage", lambda _, first, last: [(first, min(last, date.fromisoformat(SATURDAY)))]
    )

    def play(first: str, last: str, *more: str) -> tuple[int, str]:
        arguments = ["--synthetic", "--from", first, "--to", last, "--state", str(tmp_path / "state"), *more]
        monkeypatch.setattr("sys.argv", ["nba-props", "run", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return int(str(end.value.code)), capsys.readouterr().out

    return play


def test_days_off_that_the_schedule_knows_are_no_alarm(run: Run) -> None:
    code, out = run(FRIDAY, SATURDAY)
    assert code == 0
    assert "no games between these dates: nothing to do" in out.splitlines()
    assert json.loads(run(FRIDAY, SATURDAY, "--json")[1])["unknown_dates"] == []


def test_a_date_that_the_schedule_does_not_know_is_one_and_is_named(run: Run) -> None:
    code, out = run(SATURDAY, SUNDAY)
    assert code == 1
    assert f"nothing was done: the schedule does not show whether there are games on {SUNDAY}" in out.splitlines()
    assert json.loads(run(SATURDAY, SUNDAY, "--json")[1])["unknown_dates"] == [SUNDAY]


def test_dates_with_games_of_which_the_source_holds_nothing_are_named(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    games = synthetic.SyntheticSource()
    monkeypatch.undo()
    rows = games.schedule(date.fromisoformat(FRIDAY), date.fromisoformat(FRIDAY))
    monkeypatch.setattr(synthetic.SyntheticSource, "dates", lambda *_: [])
    monkeypatch.setattr(synthetic.SyntheticSource, "schedule", lambda *_: [dict(row) for row in rows])
    code, out = run(FRIDAY, SATURDAY)
    assert code == 1
    told = f"nothing was done: there are games on {FRIDAY}, and the source has none of them"
    assert told in out.splitlines()
    assert "no games between" not in out
    summary = json.loads(run(FRIDAY, SATURDAY, "--json")[1])
    assert (summary["missing_dates"], summary["unknown_dates"]) == ([FRIDAY], [])


def test_where_the_schedule_cannot_be_asked_afterwards_nothing_is_known_and_the_summary_is_there(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object) -> list[object]:
        raise DataError("the league", problem="does not answer", fix="try again later")

    monkeypatch.setattr(synthetic.SyntheticSource, "schedule", down)
    code, out = run(FRIDAY, SATURDAY, "--json")
    assert code == 1
    assert json.loads(out)["unknown_dates"] == [FRIDAY, SATURDAY]


def test_many_of_them_are_counted(run: Run) -> None:
    code, out = run(SUNDAY, "2025-01-31")
    assert code == 1
    assert "whether there are games on 20 dates, 2025-01-12 to 2025-01-31" in out
