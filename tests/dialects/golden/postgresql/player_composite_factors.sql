WITH "inputs" AS (SELECT "player"."game_date",
"player"."player_lookup",
"player"."game_id",
"player"."player_id",
"player"."team_abbr",
"player"."opponent_team_abbr",
"player"."season",
"player"."home_flag",
"player"."days_rest",
"player"."games_last_7_days" AS "games_7",
"player"."games_last_14_days" AS "games_14",
"player"."minutes_last_7_days" AS "minutes_7",
"player"."minutes_last_14_days" AS "minutes_14",
"team"."neutral_site",
"team"."pace_last_10",
"team"."opponent_pace_last_10",
CAST("team"."possessions_last_10" AS DOUBLE PRECISION) / NULLIF("team"."team_minutes_last_10", 0) AS "own_pace",
CAST("team"."opponent_possessions_last_10" AS DOUBLE PRECISION) / NULLIF("team"."opponent_team_minutes_last_10", 0) AS "other_pace",
CAST("team"."possessions_season" AS DOUBLE PRECISION) / NULLIF("team"."team_minutes_season", 0) AS "usual_pace",
"shots"."player_id" AS "profile",
"shots"."two_pt_attempts_last_20" AS "twos",
"shots"."three_pt_attempts_last_20" AS "threes",
"shots"."ft_makes_last_20" AS "free_throws",
CAST("defense"."opp_two_pt_makes" AS DOUBLE PRECISION) / NULLIF(CAST("defense"."opp_two_pt_attempts" AS DOUBLE PRECISION), 0) AS "two_pct",
CAST("defense"."opp_three_pt_makes" AS DOUBLE PRECISION) / NULLIF(CAST("defense"."opp_three_pt_attempts" AS DOUBLE PRECISION), 0) AS "three_pct",
CAST("defense"."opp_ft_attempts" AS DOUBLE PRECISION) / NULLIF(CAST("defense"."opp_two_pt_attempts" + "defense"."opp_three_pt_attempts" AS DOUBLE PRECISION), 0) AS "ft_rate",
CAST("defense"."league_two_pt_makes" AS DOUBLE PRECISION) / NULLIF(CAST("defense"."league_two_pt_attempts" AS DOUBLE PRECISION), 0) AS "league_two_pct",
CAST("defense"."league_three_pt_makes" AS DOUBLE PRECISION) / NULLIF(CAST("defense"."league_three_pt_attempts" AS DOUBLE PRECISION), 0) AS "league_three_pct",
CAST("defense"."league_ft_attempts" AS DOUBLE PRECISION) / NULLIF(CAST("defense"."league_two_pt_attempts" + "defense"."league_three_pt_attempts" AS DOUBLE PRECISION), 0) AS "league_ft_rate"
FROM "nba_analytics"."upcoming_player_game_context" AS "player"
LEFT
JOIN "nba_analytics"."upcoming_team_game_context" AS "team" ON "team"."game_date" = CAST(%(run_date)s AS DATE) AND "team"."team_abbr" = "player"."team_abbr"
LEFT
JOIN "nba_precompute"."player_shot_zone_analysis" AS "shots" ON "shots"."analysis_date" = CAST(%(run_date)s AS DATE) AND "shots"."player_lookup" = "player"."player_lookup"
LEFT
JOIN "nba_precompute"."team_defense_zone_analysis" AS "defense" ON "defense"."analysis_date" = CAST(%(run_date)s AS DATE) AND "defense"."team_abbr" = "player"."opponent_team_abbr"
WHERE "player"."game_date" = CAST(%(run_date)s AS DATE)),
"factors" AS (SELECT *,
CASE WHEN NOT "days_rest" IS NULL AND NOT "games_7" + "games_14" + "minutes_7" + "minutes_14" IS NULL THEN 10 * LEAST(GREATEST(4 - "days_rest", 0), 3) + CASE WHEN "days_rest" = 1 THEN 15 ELSE 0 END + CAST(CAST(15 AS DOUBLE PRECISION) * LEAST("games_7", 4) AS DOUBLE PRECISION) / 4 + CAST(CAST(10 AS DOUBLE PRECISION) * LEAST("games_14", 8) AS DOUBLE PRECISION) / 8 + CAST(CAST(20 AS DOUBLE PRECISION) * LEAST("minutes_7", 160) AS DOUBLE PRECISION) / 160 + CAST(CAST(10 AS DOUBLE PRECISION) * LEAST("minutes_14", 320) AS DOUBLE PRECISION) / 320 END AS "fatigue",
CAST("own_pace" + "other_pace" AS DOUBLE PRECISION) / NULLIF(2 * "usual_pace", 0) AS "pace",
CAST(CASE WHEN "twos" = 0 THEN 0 ELSE 2 * "twos" * "two_pct" END + CASE WHEN "threes" = 0 THEN 0 ELSE 3 * "threes" * "three_pct" END + CASE WHEN "free_throws" = 0 THEN 0 ELSE CAST("free_throws" * "ft_rate" AS DOUBLE PRECISION) / NULLIF("league_ft_rate", 0) END AS DOUBLE PRECISION) / NULLIF(CASE WHEN "twos" = 0 THEN 0 ELSE 2 * "twos" * "league_two_pct" END + CASE WHEN "threes" = 0 THEN 0 ELSE 3 * "threes" * "league_three_pct" END + "free_throws", 0) AS "defense",
CASE WHEN "neutral_site" THEN 1.0 WHEN "home_flag" THEN 1.01 WHEN NOT "home_flag" THEN 0.99 END AS "home"
FROM "inputs") SELECT CAST("game_date" AS DATE) AS "game_date",
CAST("player_lookup" AS TEXT) AS "player_lookup",
CAST("game_id" AS TEXT) AS "game_id",
CAST("player_id" AS BIGINT) AS "player_id",
CAST("team_abbr" AS TEXT) AS "team_abbr",
CAST("opponent_team_abbr" AS TEXT) AS "opponent_team_abbr",
CAST("season" AS TEXT) AS "season",
CAST("fatigue" AS DOUBLE PRECISION) AS "fatigue_score",
CAST(CASE WHEN "fatigue" IS NULL THEN 'no game before' ELSE 'ok' END AS TEXT) AS "fatigue_reason",
CAST("pace" AS DOUBLE PRECISION) AS "pace_factor",
CAST(CASE WHEN NOT "pace" IS NULL THEN 'ok' WHEN "pace_last_10" IS NULL THEN 'no pace of the team' WHEN "opponent_pace_last_10" IS NULL THEN 'no pace of the opponent' ELSE 'no pace of the season' END AS TEXT) AS "pace_reason",
CAST("defense" AS DOUBLE PRECISION) AS "defense_factor",
CAST(CASE WHEN NOT "defense" IS NULL THEN 'ok' WHEN "profile" IS NULL THEN 'no profile of the player' WHEN "twos" = 0 AND "threes" = 0 AND "free_throws" = 0 THEN 'no shots of the player' ELSE 'no rates of the opponent' END AS TEXT) AS "defense_reason",
CAST("home" AS DOUBLE PRECISION) AS "home_factor",
CAST(CASE WHEN "home" IS NULL THEN 'home side unknown' ELSE 'ok' END AS TEXT) AS "home_reason"
FROM "factors"
