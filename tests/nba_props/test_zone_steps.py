"""The two zone analyses on games small enough to be computed by hand."""

from datetime import date, timedelta

import pytest

from nba_props.raw import RawRow
from tests.support.step_warehouse import DAY, SCHEDULE, SHOTS, Warehouse, line, upcoming

TEAM, PLAYER = "team_defense_zone_analysis", "player_shot_zone_analysis"
STEPS = ("upcoming_team_game_context", TEAM, "upcoming_player_game_context", PLAYER)
STAR, MATE, RIVAL = "Blorabbix Fneeyvvik", "Mrul Glaxommuz", "Qued Zwetommuz"
ZONES = ("paint", "mid_range", "corner_three", "above_break_three")
# 5 of 12 twos, 2 of 4 threes, 4 of 6 free throws: 20 points
LINE = {
    "field_goals_made": 7, "field_goals_attempted": 16, "three_pointers_made": 2, "three_pointers_attempted": 4,
    "free_throws_made": 4, "free_throws_attempted": 6, "turnovers": 2,
}  # fmt: skip


def ago(days: int) -> date:
    return DAY - timedelta(days=days)


def met(days: int, mine: str = "BOS", other: str = "NYK", **changes: object) -> list[RawRow]:
    """Give the star's game `days` ago, and the rival's who does nothing."""
    mate = line(f"{MATE} {mine}", ago(days), mine, other)
    return [line(STAR, ago(days), mine, other, **(LINE | changes)), mate, line(RIVAL, ago(days), other, mine)]


def shot(days: int, zone: str, *, made: bool = False, name: str = STAR, teams: str = "BOS NYK") -> dict[str, object]:
    row = line(name, ago(days), *teams.split())
    kept = {key: row[key] for key in ("game_date", "game_id", "player_lookup", "player_id", "team_abbr")}
    return kept | {"zone": zone, "made": made}


def analysed(rows: list[RawRow], shots: list[dict[str, object]] | None = None) -> Warehouse:
    """Give the analyses of a date on which Boston meets New York."""
    warehouse = Warehouse()
    warehouse.play(*rows)
    warehouse.add(SCHEDULE, [upcoming(DAY, "BOS", "NYK")])
    warehouse.add(SHOTS, shots or [])
    for step in STEPS:
        warehouse.build(step, DAY)
    return warehouse


def new_york(warehouse: Warehouse) -> dict[str, object]:
    return warehouse.one(TEAM, "team_abbr = 'NYK'")


def star(warehouse: Warehouse) -> dict[str, object]:
    return warehouse.one(PLAYER, "player_lookup = 'blorabbixfneeyvvik'")


def zones_of(row: dict[str, object], ending: str = "") -> dict[str, list[object]]:
    return {zone: [row[f"{zone}_{what}{ending}"] for what in ("attempts", "makes", "pct")] for zone in ZONES}


NOTHING: dict[str, list[object]] = {zone: [None] * 3 for zone in ZONES}


def test_a_team_s_row_says_what_its_opponents_scored_and_how() -> None:
    row = new_york(analysed([*met(3), *met(2, turnovers=0)]))
    assert {key: value for key, value in row.items() if not key.startswith(ZONES)} == {
        "analysis_date": DAY, "team_abbr": "NYK", "game_id": "0110-BOS-NYK", "season": "2024-25",
        "games_in_window": 2, "points_allowed": 40, "points_allowed_avg": 20.0,
        "defensive_rating": 101.833,  # 100 * 40 / (2 * (16 + 0.44 * 6) + 2)
        "opp_two_pt_attempts": 24, "opp_two_pt_makes": 10, "opp_two_pt_pct": 0.4167,
        "opp_two_pt_share_of_points": 0.5,
        "opp_three_pt_attempts": 8, "opp_three_pt_makes": 4, "opp_three_pt_pct": 0.5,
        "opp_three_pt_share_of_points": 0.3,
        "opp_ft_attempts": 12, "opp_ft_makes": 8, "opp_ft_pct": 0.6667, "opp_ft_share_of_points": 0.2,
        "opp_ft_attempt_rate": 0.375,  # 12 / 32
        "league_two_pt_pct": 0.4167, "league_three_pt_pct": 0.5, "league_ft_attempt_rate": 0.375,
        "league_two_pt_makes": 10, "league_two_pt_attempts": 24, "league_three_pt_makes": 4,
        "league_three_pt_attempts": 8, "league_ft_attempts": 12,
        "zone_reason": "no shots recorded",
    }  # fmt: skip
    assert zones_of(row) == NOTHING


def test_a_team_s_window_is_its_last_fifteen_games_and_the_league_s_is_the_season() -> None:
    rows = [row for days in range(1, 17) for row in met(days, field_goals_made=10 if days == 16 else 7)]
    row = new_york(analysed(rows))
    assert (row["games_in_window"], row["points_allowed"], row["opp_two_pt_pct"]) == (15, 300, 0.4167)
    assert row["league_two_pt_pct"] == 0.4323  # (15 * 5 + 8) / (16 * 12)


def test_last_season_counts_neither_for_the_team_nor_for_the_league() -> None:
    old = [row | {"season": "2023-24"} for row in met(9, field_goals_made=4)]
    row = new_york(analysed([*old, *met(2)]))
    assert (row["games_in_window"], row["points_allowed"], row["league_two_pt_pct"]) == (1, 20, 0.4167)


def test_before_the_first_game_a_team_s_row_has_no_number() -> None:
    row = new_york(analysed([]))
    known = {"analysis_date", "team_abbr", "game_id", "season", "games_in_window", "zone_reason"}
    assert {key for key, value in row.items() if value is not None} == known
    assert (row["games_in_window"], row["zone_reason"]) == (0, "no shots recorded")


def test_opponents_who_never_shot_leave_shares_and_rates_empty() -> None:
    row = new_york(analysed([line(STAR, ago(1), "BOS", "NYK"), line(RIVAL, ago(1), "NYK", "BOS")]))
    assert (row["opp_two_pt_attempts"], row["points_allowed"], row["points_allowed_avg"]) == (0, 0, 0.0)
    ratios = [key for key in row if "pct" in key or "share" in key or "rat" in key]
    assert [row[key] for key in ratios if key != "zone_reason"] == [None] * len(ratios)


SHOTS_OF_ONE_GAME = [
    shot(2, "Restricted Area", made=True),
    shot(2, "In The Paint (Non-RA)"),
    shot(2, "In The Paint (Non-RA)", name=f"{MATE} BOS"),
    shot(2, "Left Corner 3", made=True),
    shot(2, "Right Corner 3"),
    shot(2, "Right Corner 3"),
    shot(2, "Above the Break 3", name=f"{MATE} BOS"),
    shot(2, "Backcourt"),
    shot(2, "Mid-Range", made=True, name=RIVAL, teams="NYK BOS"),
]


def test_where_shots_are_recorded_a_team_s_zones_are_those_of_its_opponents() -> None:
    row = new_york(analysed(met(2), SHOTS_OF_ONE_GAME))
    assert row["zone_reason"] == "ok"
    assert zones_of(row) == {
        "paint": [3, 1, 0.3333],
        "mid_range": [0, 0, None],
        "corner_three": [3, 1, 0.3333],
        "above_break_three": [1, 0, 0.0],
    }


def test_zones_of_some_games_say_of_how_many() -> None:
    warehouse = analysed([*met(3), *met(2), *met(1, "BOS", "MIA")], SHOTS_OF_ONE_GAME)
    assert new_york(warehouse)["zone_reason"] == "partial: 1 of 2 games"
    assert [star(warehouse)[f"zone_reason_last_{games}"] for games in (10, 20)] == ["partial: 1 of 3 games"] * 2


def test_shots_of_the_date_of_games_out_of_the_window_and_of_one_side_only_count_for_nobody_else() -> None:
    rows = [row for days in range(1, 17) for row in met(days)]
    others = [shot(0, "Mid-Range"), shot(-1, "Mid-Range"), shot(16, "Mid-Range"), shot(300, "Mid-Range")]
    row = new_york(analysed(rows, others))
    assert (row["zone_reason"], zones_of(row)) == ("no shots recorded", NOTHING)
    boston = analysed(met(2), [shot(2, "Mid-Range")]).one(TEAM, "team_abbr = 'BOS'")
    assert boston["zone_reason"] == "no shots recorded"


def test_a_player_s_row_says_what_he_scored_and_how() -> None:
    row = star(analysed([*met(3), *met(2, three_pointers_made=0)]))
    profile = {
        "games": 2, "two_pt_attempts": 24, "two_pt_makes": 12, "two_pt_pct": 0.5, "two_pt_share_of_points": 0.6316,
        "three_pt_attempts": 8, "three_pt_makes": 2, "three_pt_pct": 0.25, "three_pt_share_of_points": 0.1579,
        "ft_attempts": 12, "ft_makes": 8, "ft_pct": 0.6667, "ft_share_of_points": 0.2105,  # of 20 + 18 points
        "zone_reason": "no shots recorded",
    }  # fmt: skip
    whole = {f"{name}_last_{games}": value for games in (10, 20) for name, value in profile.items()}
    assert {name: row[name] for name in whole} == whole
    assert zones_of(row, "_last_10") == zones_of(row, "_last_20") == NOTHING
    assert [row[name] for name in ("analysis_date", "team_abbr", "season")] == [DAY, "BOS", "2024-25"]


def test_a_player_s_windows_are_his_last_ten_and_twenty_games_for_whichever_team() -> None:
    rows = [row for days in range(1, 23) for row in met(days, "UTA" if days > 5 else "BOS", free_throws_made=days % 7)]
    row = star(analysed(rows))
    assert (row["games_last_10"], row["games_last_20"]) == (10, 20)
    assert row["ft_makes_last_10"] == sum(days % 7 for days in range(1, 11))
    assert row["ft_makes_last_20"] == sum(days % 7 for days in range(1, 21))


def test_where_shots_are_recorded_a_player_s_zones_are_his_own() -> None:
    warehouse = analysed(met(2), SHOTS_OF_ONE_GAME)
    row = star(warehouse)
    assert row["zone_reason_last_10"] == row["zone_reason_last_20"] == "ok"
    assert zones_of(row, "_last_10") == zones_of(row, "_last_20") == {
        "paint": [2, 1, 0.5], "mid_range": [0, 0, None], "corner_three": [3, 1, 0.3333],
        "above_break_three": [0, 0, None],
    }  # fmt: skip
    assert zones_of(warehouse.one(PLAYER, "team_abbr = 'NYK'"), "_last_10")["mid_range"] == [1, 1, 1.0]


def test_a_recorded_game_in_which_he_took_no_shot_is_recorded_all_the_same() -> None:
    row = star(analysed(met(2), [shot(2, "Mid-Range", name=f"{MATE} BOS")]))
    assert (row["zone_reason_last_10"], row["mid_range_attempts_last_10"]) == ("ok", 0)


def test_games_recorded_before_the_last_ten_leave_the_ten_empty() -> None:
    rows = [row for days in range(1, 13) for row in met(days)]
    row = star(analysed(rows, [shot(12, "Mid-Range", made=True)]))
    assert (row["zone_reason_last_10"], zones_of(row, "_last_10")) == ("no shots recorded", NOTHING)
    assert row["zone_reason_last_20"] == "partial: 1 of 12 games"
    assert zones_of(row, "_last_20")["mid_range"] == [1, 1, 1.0]


@pytest.mark.parametrize("games", [10, 20])
def test_a_player_who_never_shot_has_no_shares(games: int) -> None:
    row = analysed(met(1)).one(PLAYER, "player_lookup = 'mrulglaxommuzbos'")
    shots = [
        row[f"{shot}_{what}_last_{games}"] for shot in ("two_pt", "three_pt", "ft") for what in ("attempts", "makes")
    ]
    assert shots == [0] * 6
    assert [row[f"{shot}_{what}_last_{games}"] for shot in ("two_pt", "ft") for what in ("pct", "share_of_points")] == [
        None
    ] * 4
