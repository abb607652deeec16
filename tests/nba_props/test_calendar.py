from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_props.calendar import days, game_dates
from nba_props.errors import DataError
from nba_props.raw import RawRow
from nba_props.sources import EASTERN
from nba_props.sources.synthetic import SyntheticSource
from phasegate import CalendarDay

DAY = date(2025, 1, 10)


class Planned(SyntheticSource):
    """A source whose schedule and coverage a test makes."""

    def __init__(self, *rows: RawRow, spans: list[tuple[date, date]] | None = None) -> None:
        super().__init__()
        self._rows, self._spans = rows, spans

    def schedule(self, first: date, last: date) -> list[RawRow]:
        return [row for row in self._rows if first <= row["game_date"] <= last]  # type: ignore[operator]

    def coverage(self, first: date, last: date) -> list[tuple[date, date]]:
        return super().coverage(first, last) if self._spans is None else self._spans


def game(day: date = DAY, **changes: object) -> RawRow:
    row: RawRow = {
        "game_date": day,
        "game_id": "0022400001",
        "season": "2024-25",
        "team_a_abbr": "BOS",
        "team_b_abbr": "NYK",
        "home_team_abbr": "NYK",
        "away_team_abbr": "BOS",
        "neutral_site": False,
        "tipoff_at": datetime(day.year, day.month, day.day, 23, 30, tzinfo=UTC),
        "postponed": False,
        "source": "test",
    }
    return row | changes


def one(*rows: RawRow, day: date = DAY) -> CalendarDay:
    [found] = days(Planned(*rows), day, day)
    return found


def test_anchors_are_the_first_tip_off_and_two_and_a_half_hours_after_the_last() -> None:
    late = datetime(2025, 1, 11, 3, tzinfo=UTC)
    found = one(game(), game(game_id="0022400002", tipoff_at=late))
    assert found.state == "work"
    assert found.date == "2025-01-10"
    assert found.anchors == {
        "season_start": datetime(2025, 1, 10, 17, tzinfo=UTC).timestamp(),
        "first_tip": datetime(2025, 1, 10, 23, 30, tzinfo=UTC).timestamp(),
        "last_game_end": datetime(2025, 1, 11, 5, 30, tzinfo=UTC).timestamp(),
    }


@pytest.mark.parametrize(
    ("day", "latest"),
    [
        (date(2024, 11, 2), datetime(2024, 11, 3, 2, 30, tzinfo=UTC)),  # summer time: four hours behind
        (date(2024, 11, 3), datetime(2024, 11, 4, 3, 30, tzinfo=UTC)),  # clocks went back this morning: five
        (date(2025, 3, 8), datetime(2025, 3, 9, 3, 30, tzinfo=UTC)),
        (date(2025, 3, 9), datetime(2025, 3, 10, 2, 30, tzinfo=UTC)),  # clocks went forward this morning
    ],
)
def test_a_game_without_a_tip_off_may_begin_at_noon_and_as_late_as_half_past_ten_in_new_york(
    day: date, latest: datetime
) -> None:
    found = one(game(day, tipoff_at=None), game(day, game_id="0022400002"), day=day)
    noon = latest - timedelta(hours=10.5)
    assert found.anchors == {
        "season_start": datetime(day.year, day.month, day.day, 12, tzinfo=EASTERN).timestamp(),
        "first_tip": noon.timestamp(),
        "last_game_end": (latest + timedelta(hours=2.5)).timestamp(),
    }


def test_a_season_starts_on_its_first_date_with_a_game_also_where_it_ends_in_august() -> None:
    first, restart = date(2019, 10, 22), date(2020, 8, 14)
    others = [game(date(2019, 4, 10), season="2018-19"), game(date(2019, 10, 21), season="2019-20", postponed=True)]
    played = [game(day, season="2019-20") for day in (first, date(2019, 12, 1), restart)]
    last = game(date(2020, 12, 22), season="2020-21")
    for day, start in ((first, first), (restart, first), (date(2020, 12, 22), date(2020, 12, 22))):
        found = one(*others, *played, last, day=day)
        assert (
            found.anchors["season_start"]
            == datetime(start.year, start.month, start.day, 12, tzinfo=EASTERN).timestamp()
        )
    assert (restart - first).days == 297


def test_a_season_without_a_year_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"'summer' is no season; give the season of its first year"):
        one(game(season="summer"))


def test_a_date_whose_games_are_all_postponed_is_void_and_says_which() -> None:
    found = one(game(postponed=True), game(postponed=True, game_id="0022400002", home_team_abbr=None))
    assert found == CalendarDay(
        date="2025-01-10", state="void", reason="postponed: BOS and NYK (0022400002), BOS at NYK (0022400001)"
    )


def test_one_game_that_is_played_makes_a_date_of_games() -> None:
    found = one(game(postponed=True, tipoff_at=None), game(game_id="0022400002"))
    assert found.state == "work"
    assert found.reason == "1 game(s); postponed: BOS at NYK (0022400001)"
    assert found.anchors["first_tip"] == datetime(2025, 1, 10, 23, 30, tzinfo=UTC).timestamp()


def test_a_covered_date_without_games_is_none_and_an_uncovered_one_is_left_out() -> None:
    source = Planned(game(), spans=[(DAY, DAY + timedelta(days=1))])
    found = days(source, DAY - timedelta(days=3), DAY + timedelta(days=3))
    assert [(day.date, day.state, bool(day.anchors)) for day in found] == [
        ("2025-01-10", "work", True),
        ("2025-01-11", "none", False),
    ]


@given(st.dates(date(2015, 1, 1), date(2035, 1, 1)), st.integers(0, 9))
def test_every_synthetic_date_has_games_that_end_after_they_begin(first: date, ahead: int) -> None:
    found = days(SyntheticSource(), first, first + timedelta(days=ahead))
    assert [day.date for day in found] == [(first + timedelta(days=n)).isoformat() for n in range(ahead + 1)]
    for day in found:
        assert day.state == "work"
        assert day.anchors["last_game_end"] >= day.anchors["first_tip"] + 2.5 * 3600


def test_without_a_folder_no_date_is_known_and_that_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("NBA_DATA", raising=False)
    with pytest.raises(DataError, match="NBA_DATA: is not set, so no date is known; set NBA_DATA to a folder"):
        game_dates(DAY, DAY)
    monkeypatch.setenv("NBA_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"has a file player_game_\*\.parquet"):
        game_dates(DAY, DAY)
