-- The past of each player expected on the date before his game. Key (game_date, player_lookup).
-- Reads upcoming_team_game_context and odds_api_player_points_props of the date, player_game_summary before it.
--
-- Expected is who appeared in the 15 days before the date, for the team of his latest appearance: after a trade he is
-- expected with his new team once he has played for it. Injuries and signings are not in the data. An appearance is a
-- row of player_game_summary; one with 0 minutes (seconds played) counts, as in the league's GP.
-- A player is his player_id, over teams and spellings. Of two who share a lookup and are both expected neither has a
-- row: the key would store one of them, and rows joined by it might be the other's.
-- The past is the games of the season of the game, for whichever team, before the date.
--
--   days_rest, back_to_back_flag   the player's own: the date less the date of his latest appearance; whether that is 1
--   games_last_7_days              his games on the 7 dates before the date; likewise minutes, and 14
--   *_avg_*                        per game; usage_rate over the games that have one (short stints do not)
--   points_line                    the median of the bookmakers' lines, of an even number the mean of the middle two
--   line_spread                    the highest less the lowest line; 0 with one bookmaker, NULL with none
--
-- Rounded when written: to 3 decimals. Sums are of whole numbers or decimals, so the order in which the rows are read
-- changes nothing.
WITH recent AS (
    SELECT
        player_id, season, player_lookup, player_name, team_abbr, game_date,
        row_number() OVER (PARTITION BY player_id, season ORDER BY game_date DESC, game_id DESC) AS games_ago
    FROM nba_analytics.player_game_summary
    WHERE game_date >= CAST($run_date AS DATE) - INTERVAL 15 DAY AND game_date < CAST($run_date AS DATE)
),
expected AS (
    SELECT
        latest.player_id, latest.player_lookup, latest.player_name,
        date_diff('day', latest.game_date, CAST($run_date AS DATE)) AS days_rest,
        team.game_id, team.team_abbr, team.opponent_team_abbr, team.season, team.home_flag,
        team.opponent_offensive_rating_last_game, team.opponent_defensive_rating_last_game,
        team.opponent_pace_last_game, team.opponent_offensive_rating_last_10, team.opponent_defensive_rating_last_10,
        team.opponent_pace_last_10
    FROM recent AS latest
    JOIN nba_analytics.upcoming_team_game_context AS team
        ON team.team_abbr = latest.team_abbr AND team.season = latest.season
    WHERE latest.games_ago = 1 AND team.game_date = CAST($run_date AS DATE)
),
namesakes AS (
    SELECT player_lookup FROM expected GROUP BY player_lookup HAVING count(DISTINCT player_id) > 1
),
past AS (
    SELECT
        player_id, season, game_date, minutes_played, points, assists,
        offensive_rebounds + defensive_rebounds AS rebounds,
        CAST(usage_rate AS DECIMAL(12, 3)) AS usage_decimal,
        row_number() OVER (PARTITION BY player_id, season ORDER BY game_date DESC, game_id DESC) AS games_ago
    FROM nba_analytics.player_game_summary
    WHERE game_date >= CAST($season_start AS DATE) AND game_date < CAST($run_date AS DATE)
        AND player_id IN (SELECT player_id FROM expected)
),
form AS (
    SELECT
        player_id, season,
        count(CASE WHEN game_date >= CAST($run_date AS DATE) - INTERVAL 7 DAY THEN 1 END) AS games_7,
        sum(CASE WHEN game_date >= CAST($run_date AS DATE) - INTERVAL 7 DAY THEN minutes_played ELSE 0 END)
            AS minutes_7,
        count(CASE WHEN game_date >= CAST($run_date AS DATE) - INTERVAL 14 DAY THEN 1 END) AS games_14,
        sum(CASE WHEN game_date >= CAST($run_date AS DATE) - INTERVAL 14 DAY THEN minutes_played ELSE 0 END)
            AS minutes_14,
        count(*) AS games,
        avg(CASE WHEN games_ago <= 5 THEN points END) AS points_5,
        avg(CASE WHEN games_ago <= 5 THEN minutes_played END) AS minutes_5,
        avg(CASE WHEN games_ago <= 5 THEN rebounds END) AS rebounds_5,
        avg(CASE WHEN games_ago <= 5 THEN assists END) AS assists_5,
        avg(CASE WHEN games_ago <= 5 THEN usage_decimal END) AS usage_5,
        avg(CASE WHEN games_ago <= 10 THEN points END) AS points_10,
        avg(CASE WHEN games_ago <= 10 THEN minutes_played END) AS minutes_10,
        avg(CASE WHEN games_ago <= 10 THEN rebounds END) AS rebounds_10,
        avg(CASE WHEN games_ago <= 10 THEN assists END) AS assists_10,
        avg(CASE WHEN games_ago <= 10 THEN usage_decimal END) AS usage_10,
        avg(points) AS points_season,
        avg(minutes_played) AS minutes_season,
        avg(rebounds) AS rebounds_season,
        avg(assists) AS assists_season,
        avg(usage_decimal) AS usage_season
    FROM past
    GROUP BY player_id, season
),
ranked AS (
    SELECT
        player_lookup, points_line,
        row_number() OVER (PARTITION BY player_lookup ORDER BY points_line, bookmaker) AS place,
        count(*) OVER (PARTITION BY player_lookup) AS bookmakers
    FROM nba_raw.odds_api_player_points_props
    WHERE game_date = CAST($run_date AS DATE) AND points_line IS NOT NULL
),
lines AS (
    SELECT
        player_lookup,
        count(*) AS bookmakers,
        avg(CASE WHEN 2 * place BETWEEN bookmakers AND bookmakers + 2 THEN CAST(points_line AS DECIMAL(12, 3)) END)
            AS points_line,
        max(points_line) - min(points_line) AS line_spread
    FROM ranked
    GROUP BY player_lookup
)
SELECT
    CAST($run_date AS DATE) AS game_date,
    CAST(expected.player_lookup AS VARCHAR) AS player_lookup,
    CAST(expected.game_id AS VARCHAR) AS game_id,
    CAST(expected.player_id AS BIGINT) AS player_id,
    CAST(expected.player_name AS VARCHAR) AS player_name,
    CAST(expected.team_abbr AS VARCHAR) AS team_abbr,
    CAST(expected.opponent_team_abbr AS VARCHAR) AS opponent_team_abbr,
    CAST(expected.season AS VARCHAR) AS season,
    CAST(expected.home_flag AS BOOLEAN) AS home_flag,
    CAST(expected.days_rest AS INTEGER) AS days_rest,
    CAST(expected.days_rest = 1 AS BOOLEAN) AS back_to_back_flag,
    CAST(games_7 AS INTEGER) AS games_last_7_days,
    CAST(minutes_7 AS INTEGER) AS minutes_last_7_days,
    CAST(games_14 AS INTEGER) AS games_last_14_days,
    CAST(minutes_14 AS INTEGER) AS minutes_last_14_days,
    CAST(games AS INTEGER) AS games_played_season,
    CAST(points_5 AS DOUBLE) AS points_avg_last_5,
    CAST(minutes_5 AS DOUBLE) AS minutes_avg_last_5,
    CAST(rebounds_5 AS DOUBLE) AS rebounds_avg_last_5,
    CAST(assists_5 AS DOUBLE) AS assists_avg_last_5,
    CAST(usage_5 AS DOUBLE) AS usage_rate_avg_last_5,
    CAST(points_10 AS DOUBLE) AS points_avg_last_10,
    CAST(minutes_10 AS DOUBLE) AS minutes_avg_last_10,
    CAST(rebounds_10 AS DOUBLE) AS rebounds_avg_last_10,
    CAST(assists_10 AS DOUBLE) AS assists_avg_last_10,
    CAST(usage_10 AS DOUBLE) AS usage_rate_avg_last_10,
    CAST(points_season AS DOUBLE) AS points_avg_season,
    CAST(minutes_season AS DOUBLE) AS minutes_avg_season,
    CAST(rebounds_season AS DOUBLE) AS rebounds_avg_season,
    CAST(assists_season AS DOUBLE) AS assists_avg_season,
    CAST(usage_season AS DOUBLE) AS usage_rate_avg_season,
    CAST(expected.opponent_offensive_rating_last_game AS DOUBLE) AS opponent_offensive_rating_last_game,
    CAST(expected.opponent_defensive_rating_last_game AS DOUBLE) AS opponent_defensive_rating_last_game,
    CAST(expected.opponent_pace_last_game AS DOUBLE) AS opponent_pace_last_game,
    CAST(expected.opponent_offensive_rating_last_10 AS DOUBLE) AS opponent_offensive_rating_last_10,
    CAST(expected.opponent_defensive_rating_last_10 AS DOUBLE) AS opponent_defensive_rating_last_10,
    CAST(expected.opponent_pace_last_10 AS DOUBLE) AS opponent_pace_last_10,
    CAST(lines.points_line AS DOUBLE) AS points_line,
    CAST(coalesce(lines.bookmakers, 0) AS INTEGER) AS bookmakers,
    CAST(lines.line_spread AS DOUBLE) AS line_spread
FROM expected
JOIN form ON form.player_id = expected.player_id AND form.season = expected.season
LEFT JOIN lines ON lines.player_lookup = expected.player_lookup
WHERE expected.player_lookup NOT IN (SELECT player_lookup FROM namesakes)
