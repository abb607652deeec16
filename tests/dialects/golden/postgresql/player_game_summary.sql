WITH "namesakes" AS (SELECT "player_lookup"
FROM "nba_raw"."nbac_gamebook_player_stats"
WHERE "game_date" = CAST(%(run_date)s AS DATE)
GROUP BY "player_lookup" HAVING COUNT(DISTINCT "player_id") > 1),
"joined" AS (SELECT "raw".*,
"raw"."field_goals_attempted" + CAST(0.44 AS DOUBLE PRECISION) * "raw"."free_throws_attempted" AS "shooting_chances",
"team"."minutes_played" AS "team_minutes",
"team"."fg_attempts" + CAST(0.44 AS DOUBLE PRECISION) * "team"."ft_attempts" + "team"."turnovers" AS "team_chances"
FROM "nba_raw"."nbac_gamebook_player_stats" AS "raw"
LEFT
JOIN "nba_analytics"."team_offense_game_summary" AS "team" ON "team"."game_date" = "raw"."game_date" AND "team"."game_id" = "raw"."game_id" AND "team"."team_abbr" = "raw"."team_abbr"
WHERE "raw"."game_date" = CAST(%(run_date)s AS DATE) AND NOT "raw"."player_lookup" IN (SELECT "player_lookup"
FROM "namesakes")),
"derived" AS (SELECT *,
CASE WHEN "minutes" >= 3 THEN CAST(100 * ("shooting_chances" + "turnovers") * "team_minutes" AS DOUBLE PRECISION) / (5 * "minutes" * NULLIF("team_chances", 0)) END AS "usage"
FROM "joined") SELECT CAST("game_date" AS DATE) AS "game_date",
CAST("player_lookup" AS TEXT) AS "player_lookup",
CAST("game_id" AS TEXT) AS "game_id",
CAST("player_id" AS BIGINT) AS "player_id",
CAST("player_name" AS TEXT) AS "player_name",
CAST("team_abbr" AS TEXT) AS "team_abbr",
CAST("opponent_team_abbr" AS TEXT) AS "opponent_team_abbr",
CAST("season" AS TEXT) AS "season",
CAST("win_flag" AS BOOLEAN) AS "win_flag",
CAST("minutes" AS INT) AS "minutes_played",
CAST("points" AS INT) AS "points",
CAST("assists" AS INT) AS "assists",
CAST("offensive_rebounds" AS INT) AS "offensive_rebounds",
CAST("defensive_rebounds" AS INT) AS "defensive_rebounds",
CAST("steals" AS INT) AS "steals",
CAST("blocks" AS INT) AS "blocks",
CAST("turnovers" AS INT) AS "turnovers",
CAST("personal_fouls" AS INT) AS "personal_fouls",
CAST("plus_minus" AS INT) AS "plus_minus",
CAST("field_goals_made" AS INT) AS "fg_makes",
CAST("field_goals_attempted" AS INT) AS "fg_attempts",
CAST("three_pointers_made" AS INT) AS "three_pt_makes",
CAST("three_pointers_attempted" AS INT) AS "three_pt_attempts",
CAST("free_throws_made" AS INT) AS "ft_makes",
CAST("free_throws_attempted" AS INT) AS "ft_attempts",
CAST("usage" AS DOUBLE PRECISION) AS "usage_rate",
CAST(CASE WHEN "minutes" < 3 THEN 'short_stint' WHEN "usage" IS NULL THEN 'no_team_totals' WHEN "usage" > 100 THEN 'over_100' ELSE 'ok' END AS TEXT) AS "usage_quality",
CAST(CAST("points" AS DOUBLE PRECISION) / NULLIF(2 * "shooting_chances", 0) AS DOUBLE PRECISION) AS "ts_pct",
CAST(CAST(2 * "field_goals_made" + "three_pointers_made" AS DOUBLE PRECISION) / NULLIF(CAST(2 * "field_goals_attempted" AS DOUBLE PRECISION), 0) AS DOUBLE PRECISION) AS "efg_pct"
FROM "derived"
