"""The source that NBA_DATA names: what it may be, and what is said of what it may not."""

from datetime import date
from pathlib import Path

import pytest

from nba_props.calendar import game_dates
from nba_props.errors import DataError
from nba_props.sources.named import environment, named_source

DAY = date(2026, 2, 3)


@pytest.mark.parametrize(("text", "name"), [("synthetic", "synthetic"), ("live", "live"), ("recorded:.", "recorded")])
def test_a_word_names_a_source(text: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "body.json").write_text("{}")
    assert named_source(text).name == name


def test_a_folder_is_one_of_box_scores(nba_data: Path) -> None:
    assert named_source(str(nba_data)).name == "parquet"


@pytest.mark.parametrize("text", ["nowhere", "recorded:nowhere"])
def test_a_folder_that_is_not_there_is_refused(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="nowhere"):
        named_source(text)


def test_the_plan_s_calendar_asks_the_source_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBA_DATA", "synthetic")
    assert [(day.date, day.state) for day in game_dates(DAY, DAY)] == [("2026-02-03", "games")]


def test_without_one_it_is_said_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NBA_DATA", raising=False)
    with pytest.raises(DataError, match="NBA_DATA: is not set, so no date is known; set NBA_DATA to a folder of box"):
        game_dates(DAY, DAY)
    with pytest.raises(DataError, match="--data: is missing and NBA_DATA is not set; set NBA_DATA to"):
        environment(where="--data")
