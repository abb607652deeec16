"""The source that NBA_DATA names: what it may be, and what is said of what it may not."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from stamina import instrumentation

from nba_props.calendar import game_dates
from nba_props.errors import DataError
from nba_props.sources.live import Limits, LiveSource
from nba_props.sources.named import environment, named_source

DAY = date(2026, 2, 3)


@pytest.mark.parametrize(("text", "name"), [("synthetic", "synthetic"), ("live", "live"), ("recorded:.", "recorded")])
def test_a_word_names_a_source(text: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "body.json").write_text("{}")
    assert named_source(text).name == name


@pytest.fixture(autouse=True)
def hooks() -> Iterator[None]:
    before = instrumentation.get_on_retry_hooks()
    yield
    instrumentation.set_on_retry_hooks(before)


def test_repeats_of_a_live_question_are_told_on_standard_error_and_leave_the_output_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def down(*_: object) -> dict[str, object]:
        raise ConnectionError("no route\nto the league")

    named_source("live")
    source = LiveSource(request=down, sleep=lambda _: None, limits=Limits(attempts_max=2, pause_s=0.0))
    with pytest.raises(DataError):
        source.dates(DAY, DAY)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"stats\.nba\.com: ConnectionError: no route to the league; asked again in \d\.\d s\n", err)


def test_a_folder_is_one_of_box_scores(nba_data: Path) -> None:
    assert named_source(str(nba_data)).name == "parquet"


@pytest.mark.parametrize("text", ["nowhere", "recorded:nowhere"])
def test_a_folder_that_is_not_there_is_refused(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="nowhere"):
        named_source(text)


def test_the_plan_s_calendar_asks_the_source_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBA_DATA", "synthetic")
    assert [(day.date, day.state) for day in game_dates(DAY, DAY)] == [("2026-02-03", "work")]


def test_without_one_it_is_said_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NBA_DATA", raising=False)
    with pytest.raises(DataError, match="NBA_DATA: is not set, so no date is known; set NBA_DATA to a folder of box"):
        game_dates(DAY, DAY)
    with pytest.raises(DataError, match="--data: is missing and NBA_DATA is not set; set NBA_DATA to"):
        environment(where="--data")
