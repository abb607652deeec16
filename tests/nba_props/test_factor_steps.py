"""player_composite_factors: each formula by hand, its bounds, and the reason where a factor cannot be known."""

from datetime import date, timedelta

import pytest

from nba_props.raw import RawRow
from tests.support.step_warehouse import DAY, FORECASTS, SCHEDULE, Warehouse, line, upcoming

STEP = "player_composite_factors"
STAR, RIVAL = "Blorabbix Fneeyvvik", "Qued Zwetommuz"
# 40 twos tried, 20 threes tried, 10 free throws made
SHOTS = {
    "field_goals_made": 25, "field_goals_attempted": 60, "three_pointers_made": 5, "three_pointers_attempted": 20,
    "free_throws_made": 10, "free_throws_attempted": 15,
}  # fmt: skip


def ago(days: int) -> date:
    return DAY - timedelta(days=days)


def met(days: int, *teams: str, minutes: int = 30, shots: dict[str, int] | None = None) -> list[RawRow]:
    """Give the star's game `days` ago against a rival who plays the same minutes and never shoots."""
    mine, other = teams or ("BOS", "NYK")
    given: dict[str, object] = {**(SHOTS if shots is None else shots), "minutes": minutes}
    return [line(STAR, ago(days), mine, other, **given), line(RIVAL, ago(days), other, mine, minutes=minutes)]


def forecast(rows: list[RawRow], *, without: str = "", site: dict[str, object] | None = None) -> Warehouse:
    """Give the forecasts of a date on which Boston meets New York; `without` names a step that has no row yet."""
    warehouse = Warehouse()
    warehouse.play(*rows)
    warehouse.add(SCHEDULE, [upcoming(DAY, "BOS", "NYK", **(site or {}))])
    for step, table in FORECASTS.items():
        warehouse.build(step, DAY)
        if step == without:
            warehouse.db.execute(f"DELETE FROM {table}")
    return warehouse


def star(warehouse: Warehouse) -> dict[str, object]:
    return warehouse.one(STEP, "player_lookup = 'blorabbixfneeyvvik'")


def fatigue(*played: tuple[int, int]) -> object:
    return star(forecast([row for days, minutes in played for row in met(days, minutes=minutes)]))["fatigue_score"]


@pytest.mark.parametrize(
    ("played", "score"),
    [
        ([(14, 0)], 1.25),  # games: 10 * 1 / 8
        ([(15, 40)], 0.0),
        ([(4, 0)], 5.0),  # games: 15 * 1 / 4 + 10 * 1 / 8
        ([(3, 0)], 15.0),  # and rest 10
        ([(2, 0)], 25.0),  # and rest 20
        ([(1, 0)], 50.0),  # and rest 30, back-to-back 15
        ([(4, 40)], 11.25),  # and minutes: 20 * 40 / 160 + 10 * 40 / 320
        ([(8, 32)], 2.25),  # only of the last 14 days: 10 / 8 + 10 * 32 / 320
        ([(1, 40), (3, 40), (5, 40), (7, 40), (9, 40), (11, 40), (13, 40), (14, 40)], 100.0),
    ],
)
def test_fatigue_is_the_sum_of_its_parts(played: list[tuple[int, int]], score: float) -> None:
    assert fatigue(*played) == score


def test_fatigue_is_at_most_100_however_much_is_played() -> None:
    assert fatigue(*[(days, 48) for days in range(1, 15)]) == 100.0


def test_fatigue_never_falls_when_another_game_or_more_minutes_are_played() -> None:
    played: list[tuple[int, int]] = [(14, 20)]
    scores = [fatigue(*played)]
    for days in (9, 7, 3, 2, 1):
        played.append((days, 10 + days))
        scores.append(fatigue(*played))
    assert scores == sorted(scores, key=float)  # type: ignore[arg-type]
    assert scores[0] != scores[-1]


def test_the_pace_factor_is_the_game_s_pace_over_the_team_s_own() -> None:
    # Boston's possessions: 20 then ten times 10; New York's ten times 30 in games with Miami. All of 48 minutes.
    slow, fast = {"field_goals_attempted": 10}, {"field_goals_attempted": 30}
    rows = met(12, "BOS", "ORL", minutes=48, shots={"field_goals_attempted": 20})
    for days in range(1, 11):
        rows += met(days, "BOS", "ORL", minutes=48, shots=slow)
        rows += [line(f"{name} Thommuz", ago(days), *sides, minutes=48, **shots) for name, sides, shots in (
            ("Mrul", ("NYK", "MIA"), fast), ("Vrax", ("MIA", "NYK"), {}))]  # fmt: skip
    row = star(forecast(rows))
    # paces: 5 * 10, 5 * 30, and of the season 5 * 120 / 11
    assert (row["pace_factor"], row["pace_reason"]) == (1.8333, "ok")  # (50 + 150) / 2 / (600 / 11)


def test_the_defense_factor_is_his_shots_at_the_rates_allowed_over_the_same_at_the_league_s() -> None:
    # New York allowed the star 20 of 40 twos, 5 of 20 threes, 15 free throws on 60 shots. Orlando allowed Miami
    # 10 of 40, 15 of 20 and 45 on 60: the league's rates are 30 of 80, 20 of 40, 60 on 120.
    other: dict[str, object] = {
        "field_goals_made": 25, "field_goals_attempted": 60, "three_pointers_made": 15,
        "three_pointers_attempted": 20, "free_throws_made": 45, "free_throws_attempted": 45,
    }  # fmt: skip
    rows = [*met(3), line("Mrul Glaxommuz", ago(3), "MIA", "ORL", **other), line("Vrax Thommuz", ago(3), "ORL", "MIA")]
    row = star(forecast(rows))
    allowed = 2 * 40 * 0.5 + 3 * 20 * 0.25 + 10 * (0.25 / 0.5)
    league = 2 * 40 * 0.375 + 3 * 20 * 0.5 + 10
    assert (row["defense_factor"], row["defense_reason"]) == (round(allowed / league, 4), "ok")


def test_factors_are_of_rates_that_are_not_rounded() -> None:
    # Rates of 1 in 3,000 would be 0.0003 where they are rounded, a tenth too little.
    few = {"field_goals_made": 1, "field_goals_attempted": 3_000, "minutes": 48}
    other: dict[str, object] = {"field_goals_made": 2, "field_goals_attempted": 3_000}
    rows = met(3, shots={name: few[name] for name in ("field_goals_made", "field_goals_attempted")})
    rows += [line("Mrul Glaxommuz", ago(3), "MIA", "ORL", **other), line("Vrax Thommuz", ago(3), "ORL", "MIA")]
    assert star(forecast(rows))["defense_factor"] == round((1 / 3_000) / (3 / 6_000), 4)


def test_a_defense_that_allows_what_the_league_allows_is_no_factor() -> None:
    assert star(forecast(met(3)))["defense_factor"] == 1.0


@pytest.mark.parametrize(
    "shots",
    [
        {"field_goals_made": 5, "field_goals_attempted": 10},
        {f"{shot}_{how}": 4 for shot in ("field_goals", "three_pointers") for how in ("made", "attempted")},
    ],
    ids=["no threes", "no twos"],
)
def test_a_player_without_threes_or_twos_needs_no_rate_of_them_and_they_weigh_nothing(shots: dict[str, int]) -> None:
    assert star(forecast(met(3, shots=shots)))["defense_factor"] == 1.0


@pytest.mark.parametrize(
    ("known", "factor", "reason"),
    [
        ({"home_team_abbr": "BOS", "away_team_abbr": "NYK"}, 1.01, "ok"),
        ({"home_team_abbr": "NYK", "away_team_abbr": "BOS"}, 0.99, "ok"),
        ({"home_team_abbr": "NYK", "away_team_abbr": "BOS", "neutral_site": True}, 1.0, "ok"),
        ({"neutral_site": True}, 1.0, "ok"),
        ({}, None, "home side unknown"),
    ],
)
def test_the_home_factor_is_one_on_neutral_ground(known: dict[str, object], factor: object, reason: str) -> None:
    row = star(forecast(met(3), site=known))
    assert (row["home_factor"], row["home_reason"]) == (factor, reason)


def test_who_never_shot_has_no_defense_factor() -> None:
    row = star(forecast(met(3, shots={})))
    assert (row["defense_factor"], row["defense_reason"]) == (None, "no shots of the player")


def test_an_opponent_without_a_game_has_neither_pace_nor_rates() -> None:
    row = star(forecast(met(3, "BOS", "MIA")))
    assert (row["pace_factor"], row["pace_reason"]) == (None, "no pace of the opponent")
    assert (row["defense_factor"], row["defense_reason"]) == (None, "no rates of the opponent")
    assert row["fatigue_reason"] == "ok"


def test_a_team_whose_pace_is_nothing_has_no_pace_factor() -> None:
    row = star(forecast(met(3, minutes=0)))
    assert (row["pace_factor"], row["pace_reason"]) == (None, "no pace of the team")
    row = star(forecast(met(3, shots={})))
    assert (row["pace_factor"], row["pace_reason"]) == (None, "no pace of the season")


@pytest.mark.parametrize(
    ("without", "reasons"),
    [
        ("player_shot_zone_analysis", {"defense_reason": "no profile of the player"}),
        ("team_defense_zone_analysis", {"defense_reason": "no rates of the opponent"}),
    ],
)
def test_a_factor_whose_table_has_no_row_is_empty_and_says_so(without: str, reasons: dict[str, str]) -> None:
    row = star(forecast(met(3), without=without))
    assert {name: row[name] for name in reasons} == reasons
    assert row["defense_factor"] is None
    assert row["fatigue_score"] is not None


def test_without_the_team_s_context_pace_and_home_are_unknown() -> None:
    warehouse = forecast(met(3), site={"home_team_abbr": "BOS"})
    warehouse.db.execute("DELETE FROM nba_analytics.upcoming_team_game_context")
    warehouse.db.execute("UPDATE nba_analytics.upcoming_player_game_context SET home_flag = NULL, days_rest = NULL")
    warehouse.build(STEP, DAY)
    row = star(warehouse)
    assert [row[f"{name}_reason"] for name in ("pace", "home")] == ["no pace of the team", "home side unknown"]
    assert (row["fatigue_score"], row["fatigue_reason"]) == (None, "no game before")
