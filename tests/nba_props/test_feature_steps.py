"""ml_feature_store_v2: every feature's value, where it comes from and how good it is."""

from datetime import date, timedelta

import pytest

from nba_props.raw import RawRow
from tests.support.step_warehouse import DAY, FORECASTS, PROPS, SCHEDULE, Warehouse, line, upcoming

STEP = "ml_feature_store_v2"
STAR, RIVAL, LOOKUP = "Blorabbix Fneeyvvik", "Qued Zwetommuz", "blorabbixfneeyvvik"
IDENTITY = {
    "game_date", "player_lookup", "game_id", "player_id", "team_abbr", "opponent_team_abbr", "season",
    "feature_version", "feature_quality_score", "feature_sources", "feature_quality",
}  # fmt: skip
# feature -> its source's column, where that has another name
RENAMED = {
    "back_to_back": "back_to_back_flag",
    "opponent_points_allowed_avg": "points_allowed_avg",
    "opponent_two_pt_pct_allowed": "opp_two_pt_pct",
    "opponent_three_pt_pct_allowed": "opp_three_pt_pct",
    "opponent_ft_attempt_rate_allowed": "opp_ft_attempt_rate",
}
TRENDS = {"points_trend": "points_avg", "minutes_trend": "minutes_avg"}


def met(days: int, **changes: object) -> list[RawRow]:
    """Give Boston's game against New York `days` ago; both shoot, a little differently each day."""
    when, odd = DAY - timedelta(days=days), days % 3
    shots: dict[str, object] = {
        "field_goals_made": 6 + odd, "field_goals_attempted": 15, "three_pointers_made": 2,
        "three_pointers_attempted": 5 + odd, "free_throws_made": 3, "free_throws_attempted": 4 + odd,
    }  # fmt: skip
    mine = {**shots, "minutes": 30 + days % 4, **changes}
    return [line(STAR, when, "BOS", "NYK", **mine), line(RIVAL, when, "NYK", "BOS", **shots)]


def stored(games: int, *, books: int = 2, home: str | None = "BOS", without: tuple[str, ...] = ()) -> Warehouse:
    """Give the features of a date before which Boston and New York met `games` times, on successive days."""
    warehouse = Warehouse()
    warehouse.play(*(row for days in range(1, games + 1) for row in met(days)))
    warehouse.add(SCHEDULE, [upcoming(DAY, "BOS", "NYK", home_team_abbr=home)])
    lines = [
        {"game_date": DAY, "player_lookup": LOOKUP, "bookmaker": str(n), "points_line": 20.5} for n in range(books)
    ]
    warehouse.add(PROPS, lines)
    for step, table in FORECASTS.items():
        warehouse.build(step, DAY)
        if step in without:
            warehouse.db.execute(f"DELETE FROM {table}")
    return warehouse


def star(warehouse: Warehouse) -> dict[str, object]:
    return warehouse.one(STEP, f"player_lookup = '{LOOKUP}'")


def words(row: dict[str, object], column: str) -> dict[str, str]:
    """Take the compact spelling apart."""
    text = str(row[column])
    assert text[0] == text[-1] == ";"
    pairs = [part.split(":") for part in text[1:-1].split(";")]
    assert all(len(pair) == 2 for pair in pairs)
    return dict(pairs)


def features(row: dict[str, object]) -> list[str]:
    return [name for name in row if name not in IDENTITY]


@pytest.fixture(scope="module")
def full() -> Warehouse:
    return stored(21)


def test_each_feature_has_a_column_a_source_and_a_quality_in_the_same_order(full: Warehouse) -> None:
    row = star(full)
    assert len(features(row)) == 32
    assert row["feature_version"] == "v2_32"
    assert list(words(row, "feature_sources")) == list(words(row, "feature_quality")) == features(row)


def test_each_feature_is_a_float_and_the_value_of_its_source(full: Warehouse) -> None:
    row = star(full)
    for name, source in words(row, "feature_sources").items():
        who = "team_abbr = 'NYK'" if source == "team_defense_zone_analysis" else f"player_lookup = '{LOOKUP}'"
        found = full.one(source, who)
        if name in TRENDS:
            value = round(float(str(found[f"{TRENDS[name]}_last_5"])) - float(str(found[f"{TRENDS[name]}_season"])), 3)
        else:
            value = float(found[RENAMED.get(name, name)])  # type: ignore[arg-type]
        assert type(row[name]) is float
        assert row[name] == value, name


def test_with_all_windows_full_all_features_are(full: Warehouse) -> None:
    row = star(full)
    assert set(words(row, "feature_quality").values()) == {"full"}
    assert row["feature_quality_score"] == 100.0


def test_the_spelling_finds_a_feature_exactly(full: Warehouse) -> None:
    assert len(full.rows(STEP, "feature_quality LIKE '%;points_avg_last_5:full;%'")) == 2
    assert full.rows(STEP, "feature_quality LIKE '%;avg_last_5:full;%'") == []
    rival = full.one(STEP, "feature_quality LIKE '%;points_line:missing;%'")
    assert (rival["player_lookup"], rival["points_line"]) == ("quedzwetommuz", None)
    assert rival["feature_quality_score"] == 96.875  # 31 of 32


FILLS = {
    5: {"points_avg_last_5", "minutes_avg_last_5"},
    10: {
        "points_avg_last_10", "minutes_avg_last_10", "usage_rate_avg_last_10", "ts_pct_last_10",
        "three_pt_makes_avg_last_10", "points_avg_season", "minutes_avg_season", "ts_pct_season", "points_trend",
        "minutes_trend", "opponent_defensive_rating_last_10", "opponent_pace_last_10", "pace_factor",
    },
    15: {
        "opponent_points_allowed_avg", "opponent_two_pt_pct_allowed", "opponent_three_pt_pct_allowed",
        "opponent_ft_attempt_rate_allowed",
    },
    20: {
        "two_pt_share_of_points_last_20", "three_pt_share_of_points_last_20", "ft_share_of_points_last_20",
        "three_pt_pct_last_20", "defense_factor",
    },
}  # fmt: skip


@pytest.mark.parametrize("games", FILLS)
def test_a_feature_is_partial_until_its_window_is_full(games: int) -> None:
    before, after = qualities(games - 1), qualities(games)
    assert set(before.values()) == {"full", "partial"}
    assert {name for name in after if (before[name], after[name]) == ("partial", "full")} == FILLS[games]
    assert {name for name in after if after[name] == "partial"} == set().union(
        *(names for later, names in FILLS.items() if later > games)
    )


def test_a_usage_rate_of_nine_games_is_partial_though_ten_were_played() -> None:
    warehouse = Warehouse()
    rows = [row for days in range(1, 12) for row in (met(days, minutes=2) if days == 4 else met(days))]
    warehouse.play(*rows)
    warehouse.add(SCHEDULE, [upcoming(DAY, "BOS", "NYK")])
    warehouse.forecast(DAY)
    quality = words(star(warehouse), "feature_quality")
    assert (quality["usage_rate_avg_last_10"], quality["points_avg_last_10"]) == ("partial", "full")


def qualities(games: int) -> dict[str, str]:
    return words(star(stored(games)), "feature_quality")


def test_one_bookmaker_alone_is_partial_and_none_is_missing() -> None:
    assert words(star(stored(1, books=1)), "feature_quality")["points_line"] == "partial"
    none = star(stored(1, books=0))
    assert words(none, "feature_quality")["points_line"] == "missing"
    assert (none["points_line"], none["feature_quality_score"]) == (None, 96.875)


def test_what_is_unknown_is_missing_and_lowers_the_score() -> None:
    row = star(stored(1, books=0, home=None))
    missing = {name for name, word in words(row, "feature_quality").items() if word == "missing"}
    assert missing == {name for name in features(row) if row[name] is None} == {"points_line", "home_factor"}
    assert row["feature_quality_score"] == 93.75


OTHERS = (
    "player_daily_cache", "team_defense_zone_analysis", "player_shot_zone_analysis", "player_composite_factors",
)  # fmt: skip


@pytest.mark.parametrize("without", [(other,) for other in OTHERS] + [OTHERS])
def test_a_table_that_has_no_row_leaves_its_features_missing_and_the_row_there(without: tuple[str, ...]) -> None:
    row = star(stored(21, without=without))
    quality, sources = words(row, "feature_quality"), words(row, "feature_sources")
    lost = {name for name, source in sources.items() if source in without}
    if without[0] in {"team_defense_zone_analysis", "player_shot_zone_analysis"}:
        lost |= {"defense_factor"}
    assert {name for name, word in quality.items() if word == "missing"} == lost
    assert row["feature_quality_score"] == 100 * (32 - len(lost)) / 32


def test_the_row_says_whose_game_it_is(full: Warehouse) -> None:
    row = star(full)
    context = full.one("upcoming_player_game_context", f"player_lookup = '{LOOKUP}'")
    same = ("game_date", "player_lookup", "game_id", "player_id", "team_abbr", "opponent_team_abbr", "season")
    assert {name: row[name] for name in same} == {name: context[name] for name in same}
    assert row["game_date"] == date(2025, 1, 10)
